//! A directory of its own for each test, the program in it, and a simulated account to point it at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amiwarden_sandbox::{Cloud, Fleet, RequestRecord, Sandbox, SandboxOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A working directory, without configuration and without anybody's AWS environment.
pub(crate) struct Place {
    dir: TempDir,
    environment: BTreeMap<String, String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), environment: BTreeMap::new() }
    }

    /// A place whose AWS environment leads to `url`.
    pub(crate) fn facing(url: &str) -> Self {
        let mut place = Self::new();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            // A simulated account refuses nobody for haste, unless a test says so, and says it here, too.
            ("AMIWARDEN_SPEED__BUCKETS", r#"{ "*" = { burst = 1000000, refill = 1000000 } }"#),
        ] {
            place.environment.insert(name.to_owned(), value.to_owned());
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn environment(&self, name: &str) -> String {
        self.environment[name].clone()
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// The program with these arguments, ready to start.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amiwarden"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            // Services of several tests run at the same time.
            .env("AMIWARDEN_HTTP__LISTEN", "127.0.0.1:0")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(&self.environment)
            .stdin(std::process::Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        Finished::of(&self.command(arguments).output().unwrap(), arguments)
    }

    /// The names of the files in the place.
    pub(crate) fn files(&self) -> Vec<String> {
        files_below(self.dir.path())
    }
}

fn files_below(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A program that has ended.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    arguments: String,
}

impl Finished {
    pub(crate) fn of(output: &Output, arguments: &[&str]) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
            arguments: arguments.join(" "),
        }
    }

    /// Fails the test unless it ended with this code.
    pub(crate) fn code(self, expected: i32) -> Self {
        let Self { code, out, err, arguments } = &self;
        assert_eq!(*code, expected, "amiwarden {arguments}\n--- out\n{out}\n--- err\n{err}");
        self
    }

    /// Fails the test unless standard error holds all of these.
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.err.contains(part),
                "amiwarden {} does not say `{part}`:\n{}",
                self.arguments,
                self.err
            );
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| {
            panic!("amiwarden {}: {error}\n{}\n{}", self.arguments, self.out, self.err)
        })
    }
}

/// A simulated account with a runtime of its own, so that tests can be plain functions.
pub(crate) struct Account {
    sandbox: Sandbox,
    _runtime: Runtime,
}

impl Account {
    pub(crate) fn start(fleet: &str) -> Self {
        Self::with(Fleet::from_json(fleet).unwrap(), |_| {})
    }

    pub(crate) fn demo() -> Self {
        Self::start(include_str!("../../examples/fleets/demo.json"))
    }

    pub(crate) fn with(fleet: Fleet, set: impl FnOnce(&mut SandboxOptions)) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut options = SandboxOptions::new(fleet, jiff::Timestamp::now());
        set(&mut options);
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        Self { sandbox, _runtime: runtime }
    }

    pub(crate) fn cloud(&self) -> &Cloud {
        self.sandbox.cloud()
    }

    pub(crate) fn place(&self) -> Place {
        Place::facing(&self.sandbox.endpoint_url())
    }

    /// Requests that changed something.
    pub(crate) fn applied(&self) -> Vec<RequestRecord> {
        self.cloud().requests().into_iter().filter(|request| request.applied).collect()
    }

    /// How often `action` was asked for, rehearsals not counted.
    pub(crate) fn count(&self, action: &str) -> usize {
        let requests = self.cloud().requests();
        requests.iter().filter(|request| request.action == action && !request.dry_run).count()
    }
}

/// The elements of a JSON array in which every given field has the given text.
pub(crate) fn having<'a>(list: &'a Value, fields: &[(&str, &str)]) -> Vec<&'a Value> {
    let fits = |item: &&Value| fields.iter().all(|(name, text)| item[*name] == *text);
    list.as_array().unwrap().iter().filter(fits).collect()
}
