//! Finds the configuration and reads it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use amiwarden_core::Mode;

use super::place::{Place, SourceText};
use super::problem::{LoadConfigError, Problem};
use super::tree::{self, Entries, FILE_VARIABLE, Node, Value};
use super::validate::{Bases, validate};
use super::{Config, SANDBOX, raw};

/// The file in the working directory.
const LOCAL_FILE: &str = "amiwarden.toml";

/// The file of the machine.
const SYSTEM_FILE: &str = "/etc/amiwarden/amiwarden.toml";

/// Where systemd puts the credentials of a service (systemd.exec(5), "Credentials").
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// Where to look, and what goes over what is found.
#[derive(Clone, Debug)]
pub struct LoadRequest<'a> {
    /// The file that the command line names. It has to exist.
    pub path: Option<&'a Path>,
    /// What to use when the command line names none.
    pub without_file: WithoutFile,
    /// The environment. Names that begin with `AMIWARDEN_` matter, each of which has to name a key, and
    /// `CREDENTIALS_DIRECTORY`, where files of secrets are looked for first.
    pub environment: &'a BTreeMap<String, String>,
    /// What relative paths on the command line and in the environment are relative to.
    pub working_dir: &'a Path,
    /// What the command line says besides.
    pub overrides: Overrides,
}

/// What to use when the command line names no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutFile {
    /// The file that `AMIWARDEN_CONFIG` names, else `./amiwarden.toml`, else
    /// `/etc/amiwarden/amiwarden.toml`, else the defaults.
    Search,
    /// The embedded configuration of the sandbox. A file that was made for real images is not looked for.
    Sandbox,
}

/// What the flags of the command line say. They go over the file and the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// The mode of this run.
    pub mode: Option<Mode>,
    /// `--db`
    pub db: Option<PathBuf>,
    /// `--policies`
    pub policies_dir: Option<PathBuf>,
    /// `--region`, each time it was given; empty when it was not.
    pub regions: Vec<String>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--endpoint-url`
    pub endpoint_url: Option<String>,
}

/// Loads the configuration.
pub fn load(request: &LoadRequest<'_>) -> Result<Config, LoadConfigError> {
    let Found { source, origin } = find(request)?;
    let mut entries = tree::parse(&source).map_err(LoadConfigError::invalid)?;
    let has_limits_table = entries.contains_key("limits");
    let mut problems = tree::overlay(&mut entries, request.environment);
    problems.extend(overlay_flags(&mut entries, &request.overrides));
    let raw = raw::read(entries, &mut problems);
    let file_dir = origin.as_deref().and_then(Path::parent);
    let bases = Bases {
        file: file_dir.unwrap_or(request.working_dir),
        other: request.working_dir,
        credentials: request.environment.get(CREDENTIALS_VARIABLE).map(Path::new),
    };
    match validate(raw, &bases, &mut problems) {
        Some(config) if problems.is_empty() => {
            Ok(with_paths(Config { origin, has_limits_table, ..config }, request))
        }
        Some(_) | None => Err(LoadConfigError::invalid(problems)),
    }
}

struct Found {
    source: Arc<SourceText>,
    origin: Option<PathBuf>,
}

fn find(request: &LoadRequest<'_>) -> Result<Found, LoadConfigError> {
    let named = match (request.path, request.without_file) {
        (Some(path), _) => Some(path),
        (None, WithoutFile::Search) => request.environment.get(FILE_VARIABLE).map(Path::new),
        (None, WithoutFile::Sandbox) => return Ok(embedded("the embedded examples/sandbox.toml", SANDBOX)),
    };
    if let Some(path) = named {
        let full = request.working_dir.join(path);
        return match fs::read_to_string(&full) {
            Ok(text) => Ok(file(path, full, text)),
            Err(source) => Err(LoadConfigError::Read { path: path.to_owned(), source }),
        };
    }
    let found = search(request.working_dir, &[LOCAL_FILE, SYSTEM_FILE])?;
    Ok(found.unwrap_or_else(|| embedded("the defaults", "")))
}

/// The first of `files` that there is.
fn search(working_dir: &Path, files: &[&str]) -> Result<Option<Found>, LoadConfigError> {
    for path in files {
        let full = working_dir.join(path);
        match fs::read_to_string(&full) {
            Ok(text) => return Ok(Some(file(Path::new(path), full, text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // A file that is there and cannot be read must not be passed over in silence.
            Err(source) => return Err(LoadConfigError::Read { path: path.into(), source }),
        }
    }
    Ok(None)
}

fn file(shown: &Path, full: PathBuf, text: String) -> Found {
    let name = shown.display().to_string();
    Found { source: Arc::new(SourceText { name, text }), origin: Some(full) }
}

fn embedded(name: &str, text: &str) -> Found {
    Found { source: Arc::new(SourceText { name: name.to_owned(), text: text.to_owned() }), origin: None }
}

/// Puts the flags over what the file and the environment say.
fn overlay_flags(entries: &mut Entries, flags: &Overrides) -> Vec<Problem> {
    let text = |text: &str| Value::Text(text.to_owned());
    let regions = match flags.regions.as_slice() {
        [] => None,
        [all] if all == "all" => Some(text(all)),
        named => {
            let item = |name: &String| Node { place: Place::flag("--region"), value: text(name) };
            Some(Value::List(named.iter().map(item).collect()))
        }
    };
    let stated: [(&str, &[&str], Option<Value>); 4] = [
        ("--enforce", &["mode"], flags.mode.map(|mode| text(mode.as_str()))),
        ("--region", &["aws", "regions"], regions),
        ("--profile", &["aws", "profile"], flags.profile.as_deref().map(text)),
        ("--endpoint-url", &["aws", "endpoint_url"], flags.endpoint_url.as_deref().map(text)),
    ];
    let put = |(flag, keys, value): (&str, &[&str], Option<Value>)| {
        tree::put(entries, keys, Node { place: Place::flag(flag), value: value? }).err()
    };
    stated.into_iter().filter_map(put).collect()
}

/// Puts the paths of the flags over the configured ones. They need no checks, and need not be text.
fn with_paths(mut config: Config, request: &LoadRequest<'_>) -> Config {
    if let Some(db) = &request.overrides.db {
        config.store.path = request.working_dir.join(db);
        // Another database has another ledger, so the head of the configured one says nothing about it.
        config.store.ledger_head = config.store.path.with_extension("head");
    }
    if let Some(dir) = &request.overrides.policies_dir {
        config.policies.dir = Some(request.working_dir.join(dir));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_there_is_counts() {
        let dir = tempfile::tempdir().unwrap();
        let found = || search(dir.path(), &["a.toml", "b.toml"]).map(|found| found.and_then(|it| it.origin));
        assert_eq!(found().unwrap(), None);
        fs::write(dir.path().join("b.toml"), "").unwrap();
        assert_eq!(found().unwrap(), Some(dir.path().join("b.toml")));
        fs::write(dir.path().join("a.toml"), "").unwrap();
        assert_eq!(found().unwrap(), Some(dir.path().join("a.toml")));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a.toml")).unwrap();
        fs::write(dir.path().join("b.toml"), "").unwrap();
        let error = search(dir.path(), &["a.toml", "b.toml"]).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "the configuration a.toml cannot be read");
    }
}
