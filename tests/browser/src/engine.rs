//! Which browser, and what it takes to start it.

use std::{fmt, fs, path::Path};

use serde_json::{Value, json};

/// A browser, and how its dialogs are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Chromium without a window, which asks its driver instead of opening a dialog.
    Chromium,
    /// Chromium on a screen, with the dialog that people see.
    ChromiumOnScreen,
    /// Firefox without a window, which asks its driver instead of opening a dialog.
    Firefox,
    /// Firefox without a window, but with the dialog that people see.
    FirefoxDialog,
    /// WebKitGTK's `MiniBrowser` on a screen, with the dialog that people see.
    WebKit,
}

/// How a browser is set, other than it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    #[default]
    None,
    /// It takes no cookies.
    NoCookies,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chromium => "Chromium, by protocol",
            Self::ChromiumOnScreen => "Chromium, its dialog",
            Self::Firefox => "Firefox, by protocol",
            Self::FirefoxDialog => "Firefox, its dialog",
            Self::WebKit => "WebKitGTK, its dialog",
        })
    }
}

impl Engine {
    pub const ALL: [Self; 5] =
        [Self::Chromium, Self::ChromiumOnScreen, Self::Firefox, Self::FirefoxDialog, Self::WebKit];

    #[must_use]
    pub fn is_chromium(self) -> bool {
        matches!(self, Self::Chromium | Self::ChromiumOnScreen)
    }

    #[must_use]
    pub fn is_firefox(self) -> bool {
        matches!(self, Self::Firefox | Self::FirefoxDialog)
    }

    pub(crate) fn on_screen(self) -> bool {
        matches!(self, Self::ChromiumOnScreen | Self::WebKit)
    }

    /// The program that is spoken to, in the order in which it is looked for.
    pub(crate) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Chromium | Self::ChromiumOnScreen => &["chromedriver"],
            Self::Firefox | Self::FirefoxDialog => &["firefox-esr", "firefox"],
            Self::WebKit => &["WebKitWebDriver"],
        }
    }

    /// What brings the program.
    pub(crate) fn cure(self) -> &'static str {
        match self {
            Self::Chromium => "apt-get install chromium chromium-driver",
            Self::ChromiumOnScreen => "apt-get install chromium chromium-driver xvfb openbox",
            Self::Firefox | Self::FirefoxDialog => "apt-get install firefox-esr",
            Self::WebKit => "apt-get install webkit2gtk-driver xvfb openbox",
        }
    }

    /// The program's arguments. A driver is to listen on that port; Firefox looks for one itself.
    pub(crate) fn arguments(self, port: u16, profile: &Path) -> Vec<String> {
        match self {
            Self::Chromium | Self::ChromiumOnScreen | Self::WebKit => {
                vec![format!("--port={port}")]
            }
            Self::Firefox | Self::FirefoxDialog => vec![
                "--headless".to_owned(),
                "--no-remote".to_owned(),
                "--remote-debugging-port=0".to_owned(),
                "--remote-allow-system-access".to_owned(),
                format!("--profile={}", profile.display()),
            ],
        }
    }

    /// What the browser's profile has to hold before it starts.
    pub(crate) fn prepare(self, profile: &Path, wish: Wish) {
        if self.is_firefox() {
            let mut preferences = FIREFOX_PREFERENCES.to_owned();
            if wish == Wish::NoCookies {
                preferences.push_str("user_pref(\"network.cookie.cookieBehavior\", 2);\n");
            }
            fs::write(profile.join("user.js"), preferences).expect("a profile of our own");
        }
    }

    /// The address in a line of the program's output, if the line tells it.
    pub(crate) fn address(self, line: &str) -> Option<String> {
        match self {
            Self::Chromium | Self::ChromiumOnScreen => {
                let (_, port) = line.split_once("was started successfully on port ")?;
                Some(format!("127.0.0.1:{}", port.trim_end_matches('.')))
            }
            Self::Firefox | Self::FirefoxDialog => {
                let (_, address) = line.split_once("WebDriver BiDi listening on ws://")?;
                Some(address.to_owned())
            }
            Self::WebKit => None,
        }
    }

    pub(crate) fn capabilities(self, profile: &Path, wish: Wish) -> Value {
        let mut all = json!({ "acceptInsecureCerts": true });
        let own = match self {
            Self::Chromium | Self::ChromiumOnScreen => json!({
                "browserName": "chrome",
                "webSocketUrl": true,
                "unhandledPromptBehavior": "ignore",
                "pageLoadStrategy": "none",
                "goog:chromeOptions": {
                    "args": chromium_arguments(self, profile),
                    "prefs": {
                        "credentials_enable_service": false,
                        "profile.default_content_setting_values.cookies":
                            if wish == Wish::NoCookies { 2 } else { 1 },
                    },
                },
            }),
            Self::Firefox | Self::FirefoxDialog => {
                json!({ "unhandledPromptBehavior": { "default": "ignore" } })
            }
            Self::WebKit => json!({
                "unhandledPromptBehavior": "ignore",
                "pageLoadStrategy": "none",
            }),
        };
        if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
            all.extend(own);
        }
        json!({ "capabilities": { "alwaysMatch": all } })
    }
}

fn chromium_arguments(engine: Engine, profile: &Path) -> Vec<String> {
    let mut arguments: Vec<_> = [
        "--no-sandbox", // it refuses to start as root otherwise, and sees only our own pages
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // A tab in the background is to poll as often as it wants.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--host-resolver-rules=MAP admin.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    .map(ToOwned::to_owned)
    .into();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    if !engine.on_screen() {
        // Nobody sees what it would draw.
        arguments
            .extend(["--headless=new", "--disable-software-rasterizer"].map(ToOwned::to_owned));
    }
    arguments
}

/// Loopback alone, no page of its own, tabs in the background that poll as often as they want, and
/// few processes: most of a scenario is Firefox's start.
const FIREFOX_PREFERENCES: &str = r#"
user_pref("network.dns.localDomains", "admin.test");
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "127.0.0.1");
user_pref("network.proxy.http_port", 9);
user_pref("network.proxy.ssl", "127.0.0.1");
user_pref("network.proxy.ssl_port", 9);
user_pref("network.proxy.no_proxies_on", "admin.test");
user_pref("browser.startup.page", 0);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("security.dialog_enable_delay", 0);
user_pref("dom.min_background_timeout_value", 4);
user_pref("dom.timeout.enable_budget_timer_throttling", false);
user_pref("dom.ipc.processPrelaunch.enabled", false);
user_pref("extensions.webextensions.remote", false);
user_pref("network.process.enabled", false);
user_pref("media.rdd-process.enabled", false);
user_pref("media.utility-process.enabled", false);
user_pref("browser.tabs.remote.separatePrivilegedContentProcess", false);
user_pref("services.settings.server", "data:,");
user_pref("extensions.enabledScopes", 0);
"#;
