//! The service while it runs, and what it tells its service manager.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::Place;

/// Longer than anything takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_mins(2);

const PAUSE: Duration = Duration::from_millis(20);

/// A service that is under way; ended when it is dropped.
pub(super) struct Daemon {
    child: RefCell<Child>,
    told: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<String>>,
}

impl Daemon {
    /// Starts the service in `place`, with a notify socket and these variables besides.
    pub(super) fn start(place: &Place, environment: &[(&str, &str)]) -> Self {
        let path = place.path("notify.sock");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        // Read all the time, as a service manager does: who tells it something waits until there is room.
        std::thread::spawn({
            let told = Arc::clone(&told);
            move || listen(&socket, &told)
        });
        let mut command = place.command(&["serve"]);
        command.env("NOTIFY_SOCKET", &path).envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (sink, source) = (Arc::clone(&log), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in source.lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child: RefCell::new(child), told, log }
    }

    /// Waits until the service manager is told this, and forgets everything up to it.
    pub(super) fn told(&self, what: &str) {
        self.until(&format!("the service manager is told {what}"), || {
            let mut told = self.told.lock().unwrap();
            let place = told.iter().position(|line| line.starts_with(what));
            place.is_some_and(|place| told.drain(..=place).count() > 0)
        });
    }

    /// Waits until the status line holds this.
    pub(super) fn told_status(&self, part: &str) {
        self.until(&format!("the status holds {part}"), || {
            self.told.lock().unwrap().iter().any(|line| line.starts_with("STATUS=") && line.contains(part))
        });
    }

    /// Forgets what the service manager was told.
    pub(super) fn forget(&self) {
        self.told.lock().unwrap().clear();
    }

    /// Waits until the log holds this.
    pub(super) fn logs(&self, part: &str) {
        self.until(&format!("the log holds `{part}`"), || self.log.lock().unwrap().contains(part));
    }

    /// Where it listens for HTTP, once it has said so.
    pub(super) fn address(&self) -> String {
        const BEFORE: &str = "listening for HTTP at http://";
        self.logs(BEFORE);
        let log = self.log.lock().unwrap();
        let rest = log.split_once(BEFORE).map(|(_, rest)| rest).unwrap_or_default();
        rest.split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// Waits until something is so.
    pub(super) fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(
                started.elapsed() < PATIENCE,
                "it never came to pass that {what}:\n{}",
                self.log.lock().unwrap()
            );
            std::thread::sleep(PAUSE);
        }
    }

    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.borrow().id().to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    pub(super) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// Ends it by SIGTERM; answers its exit code.
    pub(super) fn terminate(&self) -> i32 {
        self.signal("TERM");
        self.until("it ends", || self.child.borrow_mut().try_wait().unwrap().is_some());
        self.child.borrow_mut().wait().unwrap().code().expect("no signal ended it")
    }
}

/// Takes down what comes in, for as long as the test runs.
fn listen(socket: &UnixDatagram, told: &Mutex<Vec<String>>) {
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        told.lock().unwrap().extend(text.lines().map(str::to_owned));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.borrow_mut().kill();
        let _ = self.child.borrow_mut().wait();
    }
}
