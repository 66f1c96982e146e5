//! The pause: while a file exists, nothing is changed.
//!
//! A file and not a row of the store, because a run that is under way has the store to itself, and a pause must be
//! heard at once: it is looked at before every step.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file, whether it exists or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PauseFile {
    path: PathBuf,
}

/// Only so much of the file is quoted.
const QUOTED_CHARS_MAX: usize = 200;

impl PauseFile {
    /// The file at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Why changes are paused, if they are. A file that is there but cannot be read pauses too.
    pub(crate) fn reason(&self) -> Option<String> {
        let text = match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => format!("it cannot be read: {error}"),
        };
        let text: String = text.lines().next().unwrap_or("").trim().chars().take(QUOTED_CHARS_MAX).collect();
        let place = self.path.display();
        Some(match text.as_str() {
            "" => format!("changes are paused by {place}"),
            text => format!("changes are paused by {place}: {text}"),
        })
    }

    /// Pauses, for a reason that people will read. A pause that holds already stays as it is: `Ok(false)`.
    pub(crate) fn set(&self, reason: &str) -> std::io::Result<bool> {
        let mut file = match fs::OpenOptions::new().write(true).create_new(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        };
        file.write_all(format!("{reason}\n").as_bytes())?;
        file.sync_all()?;
        Ok(true)
    }

    /// Ends the pause. `Ok(false)` when there was none.
    pub(crate) fn clear(&self) -> std::io::Result<bool> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
