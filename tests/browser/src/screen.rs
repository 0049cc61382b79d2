//! A virtual screen with a keyboard.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::Path,
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use x11rb::{
    connection::Connection,
    protocol::{
        xproto::{ConnectionExt as _, ImageFormat, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, Keycode},
        xtest::ConnectionExt as _,
    },
    rust_connection::RustConnection,
};

use crate::processes::{directory, spawn};

const WIDTH: u16 = 1024;
const HEIGHT: u16 = 768;

pub(crate) const TAB: u32 = 0xff09;
pub(crate) const RETURN: u32 = 0xff0d;
pub(crate) const ESCAPE: u32 = 0xff1b;
const SHIFT: u32 = 0xffe1;

/// A virtual X server (Xvfb), and a window manager that maximizes each window.
pub(crate) struct Screen {
    /// The value for `DISPLAY`.
    pub(crate) name: String,
    connection: RustConnection,
    root: u32,
    _manager: Child,
    _server: Child,
    _settings: TempDir,
}

impl Screen {
    pub(crate) async fn start() -> Self {
        let screen = format!("{WIDTH}x{HEIGHT}x24");
        let mut server = spawn(
            Command::new("Xvfb")
                // Without `-noreset`, Xvfb resets when its last client disconnects, and drops a
                // client that connects meanwhile.
                .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &screen, "-noreset"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
            "apt-get install xvfb",
        );
        let mut lines = BufReader::new(server.stdout.take().expect("stdout is piped")).lines();
        let number = lines.next_line().await.expect("stdout is text");
        let name = format!(":{}", number.expect("Xvfb prints its display number").trim());

        let settings = directory();
        fs::write(settings.path().join("rc.xml"), OPENBOX_CONFIG)
            .expect("the temporary directory is writable");
        let manager = spawn(
            Command::new("openbox")
                .arg("--config-file")
                .arg(settings.path().join("rc.xml"))
                .env("DISPLAY", &name)
                .env("HOME", settings.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
            "apt-get install openbox",
        );
        let (connection, screen) =
            x11rb::connect(Some(&name)).expect("the display accepts connections");
        let root = connection.setup().roots[screen].root;
        Self { name, connection, root, _manager: manager, _server: server, _settings: settings }
    }

    /// Whether the page is dimmed. Browsers dim the page below a dialog, and all pages of the suite
    /// are light.
    pub(crate) fn is_dimmed(&self) -> bool {
        let [blue, green, red] = self.pixel(WIDTH / 2, HEIGHT - 8);
        let dimmed = |it: u8| (0x50..=0x90).contains(&it);
        dimmed(red) && dimmed(green) && dimmed(blue)
    }

    /// Whether a dialog is open and ready for input: the page is dimmed, and a field has the blue
    /// focus ring that all of these browsers draw.
    pub(crate) fn shows_dialog(&self) -> bool {
        const FIELD: usize = 120;
        let is_blue = |it: &[u8]| it[0] >= 0xc0 && it[1] <= 0xa0 && it[2] <= 0x60;
        self.is_dimmed() && {
            let width = WIDTH / 2;
            let pixels = self.pixels(width / 2, 100, width, HEIGHT - 200);
            let mut lines = pixels.chunks(4 * usize::from(width));
            lines.any(|line| line.chunks(4).filter(|it| is_blue(it)).count() >= FIELD)
        }
    }

    fn pixel(&self, x: u16, y: u16) -> [u8; 3] {
        let pixels = self.pixels(x, y, 1, 1);
        [pixels[0], pixels[1], pixels[2]]
    }

    /// The pixels of a rectangle, four bytes each: blue, green, red, unused.
    fn pixels(&self, x: u16, y: u16, width: u16, height: u16) -> Vec<u8> {
        let place = |it: u16| i16::try_from(it).expect("the screen is small");
        let (x, y) = (place(x), place(y));
        let format = ImageFormat::Z_PIXMAP;
        let image = self.connection.get_image(format, self.root, x, y, width, height, !0);
        image
            .expect("the X server responds")
            .reply()
            .expect("the rectangle lies on the screen")
            .data
    }

    pub(crate) fn type_text(&self, text: &str) {
        text.chars().for_each(|it| self.press(u32::from(it)));
    }

    /// Presses the key for a symbol, with Shift if the symbol needs it.
    pub(crate) fn press(&self, symbol: u32) {
        let (code, shifted) = self.key(symbol);
        let shift = shifted.then(|| self.key(SHIFT).0);
        shift.iter().for_each(|it| self.input(KEY_PRESS_EVENT, *it));
        self.input(KEY_PRESS_EVENT, code);
        self.input(KEY_RELEASE_EVENT, code);
        shift.iter().for_each(|it| self.input(KEY_RELEASE_EVENT, *it));
        self.connection.flush().expect("the X server responds");
    }

    fn input(&self, kind: u8, code: Keycode) {
        let sent = self.connection.xtest_fake_input(kind, code, 0, self.root, 0, 0, 0);
        sent.expect("the X server responds").check().expect("the keyboard has this key");
    }

    fn key(&self, symbol: u32) -> (Keycode, bool) {
        let setup = self.connection.setup();
        let (least, most) = (setup.min_keycode, setup.max_keycode);
        let mapping = self.connection.get_keyboard_mapping(least, most - least + 1);
        let mapping = mapping.expect("the X server responds").reply().expect("a keyboard");
        let keys = mapping.keysyms.chunks(usize::from(mapping.keysyms_per_keycode));
        let found = (least..=most).zip(keys).find_map(|(code, symbols)| {
            let level = symbols.iter().take(2).position(|it| *it == symbol)?;
            Some((code, level == 1))
        });
        found.unwrap_or_else(|| panic!("the keyboard has no key for {symbol:#x}"))
    }

    /// Saves a screenshot as a PNG file.
    pub(crate) fn save_png(&self, file: &Path) {
        let pixels = self.pixels(0, 0, WIDTH, HEIGHT);
        let pixels: Vec<_> = pixels.chunks(4).flat_map(|it| [it[2], it[1], it[0]]).collect();
        fs::create_dir_all(file.parent().expect("a file in a directory")).expect("a directory");
        let writer = BufWriter::new(File::create(file).expect("the file can be written"));
        let mut encoder = png::Encoder::new(writer, WIDTH.into(), HEIGHT.into());
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().expect("the file can be written");
        writer.write_image_data(&pixels).expect("the file can be written");
    }
}

const OPENBOX_CONFIG: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <applications>
    <application class="*" type="normal">
      <decor>no</decor>
      <maximized>yes</maximized>
      <focus>yes</focus>
    </application>
  </applications>
</openbox_config>
"#;
