//! What can go wrong with an open store. How opening one fails stands in `open`.

use std::error::Error;
use std::path::PathBuf;

use amiwarden_core::{PlanId, RunId, Scope};

use super::IntentId;

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
        source: std::io::Error,
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
