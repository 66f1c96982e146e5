//! The world in a file, so that it outlives a process.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::world::World;

/// The version of the file's format.
const STATE_SCHEMA: u32 = 1;

/// The file as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State<W> {
    schema: u32,
    world: W,
}

/// Only the version, which any version of the file has.
#[derive(Debug, Deserialize)]
struct StateHead {
    schema: u32,
}

/// A state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadStateError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// It is not a state file, or a damaged one.
    #[error("it is not the state of a sandbox; delete it to start again from the fleet")]
    Parse(#[source] serde_json::Error),
    /// Another version wrote it.
    #[error(
        "it has version {found}, but this program knows version {STATE_SCHEMA} only; delete it to start again from the fleet"
    )]
    Schema {
        /// The version in the file.
        found: u32,
    },
}

/// Where the world is kept.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// The newest version of the world that the file holds: writers may overtake one another.
    written: Mutex<u64>,
}

impl StateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, written: Mutex::new(0) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the world, or nothing where there is no file yet.
    pub(super) fn load(&self) -> Result<Option<World>, LoadStateError> {
        let json = match fs::read_to_string(&self.path) {
            Ok(json) => json,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LoadStateError::Read(error)),
        };
        let head: StateHead = serde_json::from_str(&json).map_err(LoadStateError::Parse)?;
        if head.schema != STATE_SCHEMA {
            return Err(LoadStateError::Schema { found: head.schema });
        }
        let state: State<World> = serde_json::from_str(&json).map_err(LoadStateError::Parse)?;
        Ok(Some(state.world))
    }

    /// Replaces the file, unless it holds a newer version already. A reader sees the old world or the
    /// new one, never half of one.
    pub(super) fn save(&self, version: u64, json: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written >= version {
            return Ok(());
        }
        let mut temporary = self.path.clone().into_os_string();
        temporary.push(".new");
        let mut file = fs::File::create(&temporary)?;
        file.write_all(json)?;
        drop(file);
        fs::rename(&temporary, &self.path)?;
        *written = version;
        Ok(())
    }
}

/// The content of the file for a world.
pub(super) fn to_json(world: &World) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&State { schema: STATE_SCHEMA, world })
}

#[cfg(test)]
mod tests {
    use super::StateFile;

    #[test]
    fn a_writer_that_was_overtaken_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::new(folder.path().join("world.json"));
        for (version, content) in [(1, "first"), (3, "third"), (2, "second")] {
            file.save(version, content.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "third");
    }
}
