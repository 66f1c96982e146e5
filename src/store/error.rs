//! What can go wrong with opening a store, and with an open one.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use amiwarden_core::{PlanId, RunId, Scope};

use super::IntentId;

/// A store cannot be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// The directory that is to hold it does not exist.
    #[error("the store {} cannot be opened: there is no directory {}; create it, or choose another path with `store.path` or --db", path.display(), directory.display())]
    MissingDirectory {
        /// The store.
        path: PathBuf,
        /// What is not a directory, or not there.
        directory: PathBuf,
    },
    /// A directory stands in its place.
    #[error("the store {} cannot be opened: it is a directory; name a file in it with `store.path` or --db", .0.display())]
    IsDirectory(PathBuf),
    /// It was to be read only, and there is none.
    #[error("there is no store at {}: `store.path` or --db names another, or nothing has been run yet", .0.display())]
    Missing(PathBuf),
    /// The file, or the directory that has to hold files beside it, cannot be written.
    #[error("the store {} cannot be opened for writing; give amiwarden's user write access to it and to its directory", path.display())]
    NotWritable {
        /// The store.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the store {} is in use by another amiwarden{}; stop it, wait for it, or choose another store with --db",
        path.display(), holder.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    Locked {
        /// The store.
        path: PathBuf,
        /// The process that has it, where that could be read.
        holder: Option<u32>,
    },
    /// The file is something else.
    #[error("{} is not an amiwarden store; name another file with `store.path` or --db", .0.display())]
    NotAStore(PathBuf),
    /// The file is damaged.
    #[error("the store {} is damaged ({finding}); put it aside and restore a backup", path.display())]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// The first thing that is wrong.
        finding: String,
    },
    /// A newer amiwarden has written it.
    #[error(
        "the store {} was made by a newer amiwarden (schema {found}, this one knows {known}); run that version, or restore a backup from before",
        path.display()
    )]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// It was to be read only, and has not been brought up to date.
    #[error(
        "the store {} was made by an older amiwarden (schema {found}, this one needs {known}); any command that writes to it, such as `plan`, brings it up to date",
        path.display()
    )]
    Older {
        /// The store.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The schema needed here.
        known: i64,
    },
    /// It was to be read only, and a process died while it made it.
    #[error(
        "the store {} was left half made by a process that died; any command that writes to it, such as `plan`, puts it right",
        .0.display()
    )]
    HalfMade(PathBuf),
    /// Its directory cannot be written, and SQLite keeps files beside a database even while it only reads it.
    #[error(
        "the store {} cannot be opened: while it is open, SQLite keeps files beside it; give amiwarden's user write access to its directory",
        .0.display()
    )]
    UnwritableDirectory(PathBuf),
    /// The ledger's head is not of this ledger.
    #[error(
        "the ledger of {} does not go with its head {}: {reason}; if the store was replaced or restored on purpose, move the head away",
        path.display(), head.display()
    )]
    Head {
        /// The store.
        path: PathBuf,
        /// The head.
        head: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The database refused for another reason.
    #[error("the store {} could not be opened", path.display())]
    Database {
        /// The store.
        path: PathBuf,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Reading from or writing to the store failed. A failed write has changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or its file could not be read or written.
    #[error("the store could not {operation}")]
    Database {
        /// What was to be done, such as `write an intent`.
        operation: &'static str,
        /// What the database said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A value has no JSON form, or what is stored is not the JSON that this version expects.
    #[error("{what} cannot be stored or read back")]
    Json {
        /// Whose JSON.
        what: &'static str,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A stored value is none that amiwarden writes.
    #[error("the store holds `{value}` where {what} is expected: it was changed by something else")]
    Malformed {
        /// What was expected.
        what: &'static str,
        /// What is there.
        value: String,
    },
    /// No run of this name was begun.
    #[error("the store knows no run {0}")]
    UnknownRun(RunId),
    /// No plan of this name was recorded.
    #[error("the store knows no plan {0}")]
    UnknownPlan(PlanId),
    /// A decision about an image that was not observed before.
    #[error("a decision about {image} in {scope} cannot be recorded before the image has been observed")]
    UnobservedImage {
        /// The image.
        image: String,
        /// Its scope.
        scope: Scope,
    },
    /// No such intent was written.
    #[error("the store knows no intent {0}")]
    UnknownIntent(IntentId),
    /// What became of the intent is known already, and what is known is never written over.
    #[error("intent {0} has an outcome already")]
    SettledIntent(IntentId),
    /// The ledger's head could not be kept outside the database. What it is the head of is stored.
    #[error("the ledger's head could not be written to {}", path.display())]
    WriteHead {
        /// Where it was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Says what was to be done when the database refuses, and keeps its types inside.
pub(super) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { operation, source: Box::new(source) })
    }
}
