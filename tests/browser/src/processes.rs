//! Programs that end when nobody needs them any more.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{self, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use crate::{
    engine::{Engine, Wish},
    screen::Screen,
    wait::{LIMIT, until},
};

/// Starts a program that ends when what is returned is dropped.
pub(crate) fn spawn(command: &mut Command, cure: &str) -> Child {
    try_spawn(command).unwrap_or_else(|| {
        panic!("{} is not installed: {cure}", command.as_std().get_program().display())
    })
}

/// Nothing if there is no such program.
fn try_spawn(command: &mut Command) -> Option<Child> {
    match command.kill_on_drop(true).process_group(0).spawn() {
        Ok(child) => Some(child),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{command:?} does not start: {error}"),
    }
}

/// An empty directory that goes with its owner.
pub(crate) fn directory() -> TempDir {
    let made = tempfile::Builder::new().prefix("browser-suite-").tempdir();
    made.expect("a directory of our own")
}

/// A port that is free, and stays so until a driver takes it: systems give nobody one below 32768
/// who does not name it. Left to itself, Chromium's driver takes one of IPv6 and ends if IPv4's is
/// taken.
fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let is_taken = |address: SocketAddr| {
        TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    };
    loop {
        // Another suite may run beside this one.
        let number = process::id().wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(number % 12_000).expect("less than 12,000");
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        if !loopback.map(|it: IpAddr| is_taken(SocketAddr::new(it, port))).contains(&true) {
            return port;
        }
    }
}

/// What a browser is spoken to through: its driver, or the browser itself.
pub(crate) struct Speaker {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
    profile: Option<TempDir>,
    /// The path of the session that the driver has to end.
    pub(crate) session: Option<String>,
    /// The browser, if the driver has told.
    pub(crate) browser: Option<Pid>,
}

impl Speaker {
    pub(crate) async fn start(engine: Engine, wish: Wish, screen: Option<&Screen>) -> Self {
        let profile = directory();
        engine.prepare(profile.path(), wish);
        let port = free_port();
        let start = |program: &&str| {
            let mut command = Command::new(program);
            command
                .args(engine.arguments(port, profile.path()))
                .env("HOME", profile.path())
                // Chromium leaves files there.
                .env("TMPDIR", profile.path())
                // What these would start stays behind.
                .env("NO_AT_BRIDGE", "1")
                .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            if let Some(screen) = screen {
                command.env("DISPLAY", &screen.name);
            }
            try_spawn(&mut command)
        };
        let mut child = engine.programs().iter().find_map(start).unwrap_or_else(|| {
            panic!("{} is not installed: {}", engine.programs()[0], engine.cure())
        });
        let (sender, mut lines) = mpsc::unbounded_channel();
        read(child.stdout.take().expect("its output is piped"), sender.clone());
        read(child.stderr.take().expect("its output is piped"), sender);
        let address = if engine == Engine::WebKit {
            let address = format!("127.0.0.1:{port}");
            until("the driver listens", async || TcpStream::connect(&address).ok()).await;
            address
        } else {
            let told = timeout(LIMIT, async {
                let mut all = String::new();
                while let Some(line) = lines.recv().await {
                    if let Some(address) = engine.address(&line) {
                        return Ok(address);
                    }
                    all = all + &line + "\n";
                }
                Err(all)
            });
            let told = told.await.expect("it says in time where it listens");
            told.unwrap_or_else(|output| panic!("{engine:?} ends at once:\n{output}"))
        };
        Self { child, address, profile: Some(profile), session: None, browser: None }
    }

    pub(crate) fn profile(&self) -> &Path {
        self.profile.as_ref().expect("it is there until the end").path()
    }

    /// By hand, because a destructor cannot wait for a future.
    fn delete(&self, session: &str) -> std::io::Result<()> {
        let address = &self.address;
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "DELETE {session} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        stream.read(&mut [0; 512]).map(drop)
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        // A driver ends its browser when asked to, which takes Chromium a second of looking after a
        // profile that goes with it.
        match (self.browser, &self.session) {
            (Some(pid), _) => drop(kill_process(pid, Signal::KILL)),
            (None, Some(session)) => drop(self.delete(session)),
            (None, None) => {}
        }
        let group = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        // The browser's last children may still be writing to it.
        if let Some(profile) = self.profile.take().map(TempDir::keep) {
            for _ in 0..100 {
                if fs::remove_dir_all(&profile).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Reads to the end, so that the program does not fill the pipe; hands on what somebody wants.
fn read(output: impl AsyncRead + Unpin + Send + 'static, wanted: mpsc::UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = wanted.send(line);
        }
    });
}
