//! Child processes that end when their handles are dropped.

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
    engine::{BrowserConfig, Engine},
    screen::Screen,
    wait::{TIMEOUT, wait_until},
};

/// Starts a program. It ends when the returned handle is dropped.
///
/// # Panics
///
/// If the program is not installed; the message contains `install_hint`.
pub(crate) fn spawn(command: &mut Command, install_hint: &str) -> Child {
    try_spawn(command).unwrap_or_else(|| {
        panic!("{} is not installed: {install_hint}", command.as_std().get_program().display())
    })
}

/// Like [`spawn`], but returns `None` if the program is not installed.
fn try_spawn(command: &mut Command) -> Option<Child> {
    match command.kill_on_drop(true).process_group(0).spawn() {
        Ok(child) => Some(child),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{command:?} does not start: {error}"),
    }
}

/// Creates an empty temporary directory, which is deleted when the handle is dropped.
pub(crate) fn directory() -> TempDir {
    let made = tempfile::Builder::new().prefix("browser-suite-").tempdir();
    made.expect("the temporary directory is writable")
}

/// Finds a port that is free on IPv4 and IPv6.
///
/// The port stays free until the driver binds it, because it lies below 32768: operating systems
/// assign ephemeral ports above that. ChromeDriver cannot choose a port itself: it takes one that
/// is free on IPv6, and exits if that port is in use on IPv4.
fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    let is_taken = |address: SocketAddr| {
        TcpListener::bind(address).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
    };
    loop {
        // The process id keeps two suites that run at the same time apart.
        let number = process::id().wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(number % 12_000).expect("the remainder is below 12,000");
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        if !loopback.map(|it: IpAddr| is_taken(SocketAddr::new(it, port))).contains(&true) {
            return port;
        }
    }
}

/// The process that the suite sends commands to: the browser's driver, or Firefox itself.
pub(crate) struct DriverProcess {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
    profile: Option<TempDir>,
    /// Path of the session that the driver has to delete at the end.
    pub(crate) session: Option<String>,
    /// The browser's process id, if the driver reports it.
    pub(crate) browser: Option<Pid>,
}

impl DriverProcess {
    pub(crate) async fn start(
        engine: Engine,
        config: BrowserConfig,
        screen: Option<&Screen>,
    ) -> Self {
        let profile = directory();
        engine.prepare(profile.path(), config);
        let port = free_port();
        let start = |program: &&str| {
            let mut command = Command::new(program);
            command
                .args(engine.arguments(port, profile.path()))
                .env("HOME", profile.path())
                // Chromium leaves temporary files there; they are deleted with the profile.
                .env("TMPDIR", profile.path())
                // Without these two variables the browser would start an accessibility bus and a
                // D-Bus daemon, which outlive it.
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
            panic!("{} is not installed: {}", engine.programs()[0], engine.install_hint())
        });
        let (sender, mut lines) = mpsc::unbounded_channel();
        read(child.stdout.take().expect("the output is piped"), sender.clone());
        read(child.stderr.take().expect("the output is piped"), sender);
        let address = if engine == Engine::WebKit {
            let address = format!("127.0.0.1:{port}");
            wait_until("the driver listens", async || TcpStream::connect(&address).ok()).await;
            address
        } else {
            let started = timeout(TIMEOUT, async {
                let mut all = String::new();
                while let Some(line) = lines.recv().await {
                    if let Some(address) = engine.address(&line) {
                        return Ok(address);
                    }
                    all = all + &line + "\n";
                }
                Err(all)
            });
            let started = started.await.expect("the process prints its address in time");
            started.unwrap_or_else(|output| panic!("{engine:?} exited early:\n{output}"))
        };
        Self { child, address, profile: Some(profile), session: None, browser: None }
    }

    pub(crate) fn profile(&self) -> &Path {
        self.profile.as_ref().expect("the profile exists until drop").path()
    }

    /// Deletes the session with a blocking request, because `drop` cannot await a future.
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

impl Drop for DriverProcess {
    fn drop(&mut self) {
        // A driver ends its browser when the session is deleted. Chromium takes a second for that,
        // to save a profile that is about to be deleted, so it is killed instead.
        match (self.browser, &self.session) {
            (Some(pid), _) => drop(kill_process(pid, Signal::KILL)),
            (None, Some(session)) => drop(self.delete(session)),
            (None, None) => {}
        }
        let group = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        // Child processes of the browser may still write to the profile. Try for up to two seconds.
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

/// Reads the output to its end, so that the pipe never fills up, and sends each line to the
/// channel.
fn read(output: impl AsyncRead + Unpin + Send + 'static, wanted: mpsc::UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let _ = wanted.send(line);
        }
    });
}
