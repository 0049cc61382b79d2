//! The browsers under test, and how each of them is started.

use std::{fmt, fs, path::Path};

use serde_json::{Value, json};

/// A browser, and the way in which the suite sees its password dialogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Headless Chromium. It reports each request for credentials to its driver and opens no
    /// dialog.
    Chromium,
    /// Chromium on a virtual screen, with its native dialog.
    ChromiumOnScreen,
    /// Headless Firefox. It reports each request for credentials to its driver and opens no dialog.
    Firefox,
    /// Headless Firefox, with its native dialog.
    FirefoxDialog,
    /// WebKitGTK's `MiniBrowser` on a virtual screen, with its native dialog.
    WebKit,
}

/// Browser settings that a scenario can change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrowserConfig {
    /// Cookies are enabled.
    #[default]
    Default,
    /// The browser blocks all cookies.
    NoCookies,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chromium => "Chromium (BiDi)",
            Self::ChromiumOnScreen => "Chromium (native dialog)",
            Self::Firefox => "Firefox (BiDi)",
            Self::FirefoxDialog => "Firefox (native dialog)",
            Self::WebKit => "WebKitGTK (native dialog)",
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

    /// Names of the executable that the suite connects to, in order of preference.
    pub(crate) fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Chromium | Self::ChromiumOnScreen => &["chromedriver"],
            Self::Firefox | Self::FirefoxDialog => &["firefox-esr", "firefox"],
            Self::WebKit => &["WebKitWebDriver"],
        }
    }

    /// The command that installs the required programs.
    pub(crate) fn install_hint(self) -> &'static str {
        match self {
            Self::Chromium => "apt-get install chromium chromium-driver",
            Self::ChromiumOnScreen => "apt-get install chromium chromium-driver xvfb openbox",
            Self::Firefox | Self::FirefoxDialog => "apt-get install firefox-esr",
            Self::WebKit => "apt-get install webkit2gtk-driver xvfb openbox",
        }
    }

    /// The arguments of the executable. A driver listens on `port`; Firefox chooses a port itself.
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

    /// Writes the settings that the profile must contain before the browser starts.
    pub(crate) fn prepare(self, profile: &Path, config: BrowserConfig) {
        if self.is_firefox() {
            let mut preferences = FIREFOX_PREFERENCES.to_owned();
            if config == BrowserConfig::NoCookies {
                preferences.push_str("user_pref(\"network.cookie.cookieBehavior\", 2);\n");
            }
            fs::write(profile.join("user.js"), preferences)
                .expect("the profile directory is writable");
        }
    }

    /// The address on which the executable listens, if this line of its output contains it.
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

    pub(crate) fn capabilities(self, profile: &Path, config: BrowserConfig) -> Value {
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
                            if config == BrowserConfig::NoCookies { 2 } else { 1 },
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
        "--no-sandbox", // required for root; the browser loads only the suite's own pages
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // Without these, Chromium throttles timers in background tabs, and scenarios poll there.
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-renderer-backgrounding",
        "--host-resolver-rules=MAP admin.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    .map(ToOwned::to_owned)
    .into();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    if !engine.on_screen() {
        // Nothing is displayed, so no software renderer is needed.
        arguments
            .extend(["--headless=new", "--disable-software-rasterizer"].map(ToOwned::to_owned));
    }
    arguments
}

/// These preferences restrict Firefox to loopback, open no start page and do not throttle timers in
/// background tabs. They also reduce the number of processes, because Firefox's start takes most of
/// a scenario's time.
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
