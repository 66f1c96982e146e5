//! The scene of every case: a small account in which each kind of change is due, a place with configuration and
//! store, and the program between them, which can be killed.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use amiwarden_sandbox::{Cloud, Fleet, Sandbox, SandboxOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// Where the simulated accounts run, and where tests wait for the store.
pub(crate) static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap());

/// One or two images for each kind of change, one that is to be left alone, and a snapshot that an image to be
/// deregistered shares with that one.
const FLEET: &str = r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
    {"name": "old-1", "created": "-300d", "tags": {"Env": "dev"}, "launch_permissions": ["444455556666"]},
    {"name": "old-2", "created": "-299d"},
    {"name": "public-1", "created": "-20d", "launch_permissions": ["all", "444455556666"]},
    {"name": "shared-1", "created": "-20d", "launch_permissions": ["444455556666", "777788889999"]},
    {"name": "dated-1", "created": "-200d"},
    {"name": "gone-1", "created": "-400d", "state": "disabled", "snapshots": [
        {"id": "snap-0000000000000000a", "size_gib": 8}, {"id": "snap-0000000000000000b", "size_gib": 8}]},
    {"name": "gone-2", "created": "-401d", "state": "disabled", "snapshots": [
        {"id": "snap-0000000000000000c", "size_gib": 8}, {"id": "snap-0000000000000000d", "size_gib": 8}]},
    {"name": "kept-1", "created": "-20d", "snapshots": [{"id": "snap-0000000000000000d"}]}
]}"#;

const POLICY: &str = r#"//! Every kind of change at once.
rule "gone" when image.name.starts_with("gone") { deregister(#{snapshots: "delete"}, "its hold is over") }
rule "old" when image.name.starts_with("old") { [tag(#{Retired: "yes"}, "old"), disable("old")] }
rule "public" when image.name.starts_with("public") { strip_public("never public") }
rule "shared" when image.name.starts_with("shared") { strip_shares("never shared") }
rule "dated" when image.name.starts_with("dated") { deprecate(image.created_at + 30.days, "dated") }
"#;

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 50
deregister_per_cycle = 10
share_percent = 100
surge_percent = 100
min_age = "1d"
min_hold = "0d"
keep_newest = 0
permanent = "allow"
settle_after = "3s"
# The moments of a run are numbered, so they have to come in the same order each time.
[speed]
concurrent_images = 1
"#;

/// What enforcing is asked for with.
const ENFORCE: [&str; 5] = ["run", "--enforce", "--yes", "--format", "json"];

/// A working directory that is pointed at an endpoint.
pub(crate) struct Place {
    dir: TempDir,
    url: String,
}

impl Place {
    pub(crate) fn facing(url: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("policies")).unwrap();
        std::fs::write(dir.path().join("policies/every.rhai"), POLICY).unwrap();
        std::fs::write(dir.path().join("amiwarden.toml"), CONFIG).unwrap();
        Self { dir, url: url.to_owned() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path("amiwarden.db")
    }

    pub(crate) fn head(&self) -> PathBuf {
        self.path("amiwarden.head")
    }

    /// An enforcing run, started through `wrapper` where that is not empty. It is the wrapper's business to put
    /// itself in the program's place or to die with it.
    pub(crate) fn enforce(&self, wrapper: &[String]) -> Command {
        let program = env!("CARGO_BIN_EXE_amiwarden").to_owned();
        let mut words = wrapper.iter().cloned().chain([program]).chain(ENFORCE.map(str::to_owned));
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::null())
            .stdout(File::create(self.path("out")).unwrap())
            .stderr(File::create(self.path("err")).unwrap());
        if let Some(path) = std::env::var_os("PATH").filter(|_| !wrapper.is_empty()) {
            command.env("PATH", path);
        }
        command
    }

    fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The program while it runs. Whoever watches the account's exchanges may kill it.
#[derive(Default)]
pub(crate) struct Victim {
    child: Mutex<Option<Child>>,
}

impl Victim {
    /// Kills it with SIGKILL, and comes back when it is dead.
    pub(crate) fn kill(&self) {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it and waits for its end.
    fn live(&self, command: &mut Command) -> ExitStatus {
        *self.child.lock().unwrap() = Some(command.spawn().unwrap());
        loop {
            let ended = self.child.lock().unwrap().as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                return status;
            }
            thread::sleep(Duration::from_millis(3));
        }
    }
}

/// How a run ended.
pub(crate) enum End {
    Killed,
    /// With its report.
    Reported(Value),
    /// Without one.
    Broken(String),
}

/// Runs the program once.
pub(crate) fn enforce(place: &Place, victim: &Victim, wrapper: &[String]) -> End {
    const KILL: i32 = 9;
    let status = victim.live(&mut place.enforce(wrapper));
    if status.signal() == Some(KILL) {
        return End::Killed;
    }
    match (status.code(), serde_json::from_str(&place.read("out"))) {
        (Some(0 | 1), Ok(report)) => End::Reported(report),
        (_, report) => End::Broken(format!(
            "it ended with {status}; {}\n{}",
            report.err().map_or_else(String::new, |error| format!("its report: {error}")),
            place.read("err")
        )),
    }
}

/// A simulated account of the scene.
pub(crate) fn account() -> Sandbox {
    let fleet = Fleet::from_json(FLEET).unwrap();
    let options = SandboxOptions::new(fleet, jiff::Timestamp::now());
    RUNTIME.block_on(Sandbox::start(options)).unwrap()
}

/// What an account comes to in the end, by image. Dates that depend on when the program ran are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndState {
    images: BTreeMap<String, String>,
    snapshots: Vec<String>,
}

impl EndState {
    pub(crate) fn of(cloud: &Cloud) -> Self {
        let images = cloud.images().into_iter().map(|image| {
            let tags: Vec<String> = image
                .tags
                .iter()
                .map(|(key, value)| match key.as_str() {
                    "amiwarden:disabled-at" => key.clone(),
                    _ => format!("{key}={value}"),
                })
                .collect();
            let grants: Vec<String> = image.launch_permissions.iter().map(ToString::to_string).collect();
            let dated = if image.deprecated_at.is_some() { "deprecated" } else { "not deprecated" };
            let state = image.state.as_str();
            (image.name, format!("{state}, {dated}, tags {tags:?}, grants {grants:?}"))
        });
        let snapshots = cloud.snapshots().into_iter().map(|snapshot| snapshot.id).collect();
        Self { images: images.collect(), snapshots }
    }
}
