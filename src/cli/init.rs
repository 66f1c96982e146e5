//! `init`: a first configuration and a first policy.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, anyhow};

use super::failure::{Failure, Outcome};
use super::terminal;
use crate::{config, policies};

/// The policy that most people come for.
const FIRST_POLICY: &str = "retire-stale";

pub(super) fn init(dir: &Path) -> Result<Outcome, Failure> {
    let policy = policies::BUILT_IN.iter().find(|(name, _)| *name == FIRST_POLICY);
    let (name, text) = policy.ok_or_else(|| anyhow!("the built-in policy {FIRST_POLICY} is missing"))?;
    let files = [
        (dir.join("amiwarden.toml"), config::TEMPLATE),
        (dir.join("policies").join(format!("{name}.rhai")), *text),
    ];
    // All or nothing: a half of it would be taken for the whole.
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        let error = anyhow!("{} exists already: nothing was written", path.display());
        return Err(Failure::Usage(error));
    }
    for (path, text) in &files {
        write_new(path, text).map_err(Failure::Usage)?;
        terminal::note(&format!("wrote {}", path.display()));
    }
    let start = if dir == Path::new(".") { String::new() } else { format!("cd {} && ", dir.display()) };
    terminal::note(&format!(
        "\nNext:\n  {start}amiwarden policy check\n  {start}amiwarden plan          # reads only\n  \
         {start}amiwarden run           # and rehearses with DryRun; changes nothing"
    ));
    Ok(Outcome::Fine)
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot make the directory {}", parent.display()))?;
    }
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(anyhow!("{} exists already", path.display()));
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot write {}", path.display()));
        }
    };
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
