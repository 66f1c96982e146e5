//! The store: SQLite, and all SQL of the project.
//!
//! A [`Store`] writes and a [`StoreReader`] reads. A write is one transaction that begins with `begin immediate`
//! and is on the disk when its future is ready; a future that is dropped before has changed nothing. What is
//! observed and decided is stored as changes over time, so a run in which nothing changed adds a few rows however
//! many images there are, and every run of the past can still be asked. What matters for audit also goes into the
//! hash-chained [ledger](Verification).
//!
//! Deliberately absent: a trait in front of it, since tests use a real file; a clock, since instants are
//! arguments; any type of sqlx or SQLite in what is public, so that another database could stand behind this; and
//! the removal of anything old.

mod acceptance;
mod column;
mod decision_record;
mod decisions;
mod error;
mod image_history;
mod images;
mod ledger;
mod lock;
mod notifications;
mod open;
mod outbox;
mod plans;
mod recent;
mod run;
mod runs;
mod schedule_ticks;
mod scope_counts;
mod sha;
mod step_reports;
mod steps;
mod undoing;

#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use amiwarden_core::{RunId, Scope};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use error::During;
use lock::StoreLock;

pub use acceptance::Accepted;
pub use decision_record::{DecisionEntry, DecisionRecord, Standing};
pub use error::{OpenStoreError, StoreError};
pub use image_history::{ImageEvent, ImageEventKind};
pub use ledger::{
    ComparedHead, Head as LedgerHead, HeadOrigin, LedgerEntry, LedgerFilter, LedgerFinding, LedgerPart,
    MangledEntry, ParseHeadError as ParseLedgerHeadError, Verification,
};
pub use notifications::{
    NewNotification, NotificationFate, NotificationId, NotificationLimits, NotificationRecord,
    PendingNotification,
};
pub use open::StoreOptions;
pub use outbox::Outbox;
pub use recent::DoneStep;
pub use run::{NewRun, PolicyRecord};
pub use runs::{RunDetail, RunState, RunStep, RunSummary};
pub use schedule_ticks::{Tick, TickBecame};
pub use scope_counts::ScopeCount;
pub use steps::{Intent, IntentId, OpenIntent, SavedState};
pub use undoing::{DoneIntent, Undoable};

/// A store that is open for writing. Clones share it; no other process can write to it meanwhile.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// A store that is open for reading.
#[derive(Clone, Debug)]
pub struct StoreReader {
    pool: SqlitePool,
}

#[derive(Debug)]
struct Inner {
    reader: StoreReader,
    /// One connection: SQLite has one writer, and waiting for it in the pool is fair.
    writer: SqlitePool,
    ledger_head: Option<PathBuf>,
    _lock: StoreLock,
}

type Write = Transaction<'static, Sqlite>;

impl Store {
    fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Everything that can be asked of the store. It sees each write as soon as that has returned.
    pub fn reader(&self) -> &StoreReader {
        &self.inner.reader
    }

    /// Checks the ledger, what it records, and the head that is kept outside.
    pub async fn verify(&self) -> Result<Verification, StoreError> {
        self.reader().verify(self.inner.ledger_head.as_deref()).await
    }

    /// Writes the ledger's head and closes the file. Without it nothing is lost, but the head stays where the last
    /// finished run left it. Clones of this store fail from then on.
    pub async fn close(&self) -> Result<(), StoreError> {
        let kept = self.keep_head().await;
        self.inner.reader.pool.close().await;
        self.inner.writer.close().await;
        kept
    }

    async fn begin(&self, operation: &'static str) -> Result<Write, StoreError> {
        // A deferred transaction that reads first fails at once, whatever the time-out, when another has written
        // since; an immediate one waits for its turn.
        self.inner.writer.begin_with("begin immediate").await.during(operation)
    }

    /// Writes the ledger's head to the log and to its file: whoever changes the ledger would have to change both.
    async fn keep_head(&self) -> Result<(), StoreError> {
        let mut connection = self.inner.writer.acquire().await.during("read the ledger's head")?;
        let head = ledger::newest(&mut connection).await?;
        drop(connection);
        tracing::info!(sequence = head.sequence, hash = %head.hash, "the ledger's head");
        let Some(path) = self.inner.ledger_head.clone() else { return Ok(()) };
        let target = path.clone();
        let written = tokio::task::spawn_blocking(move || ledger::write_head(&target, &head)).await;
        written
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|source| StoreError::WriteHead { path, source })
    }
}

impl StoreReader {
    /// Whether the store at `path` is there, is of our time, can be read, and may be written to. Nothing is written,
    /// and nothing is locked.
    pub async fn check(path: &Path) -> Result<(), OpenStoreError> {
        open::check_writable(path)?;
        Self::open(path).await?.close().await;
        Ok(())
    }

    /// How far the ledger reaches.
    pub async fn ledger_head(&self) -> Result<LedgerHead, StoreError> {
        const READ: &str = "read the ledger's head";
        let mut connection = self.connection(READ).await?;
        ledger::newest(&mut connection).await
    }

    /// Closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn connection(
        &self,
        operation: &'static str,
    ) -> Result<sqlx::pool::PoolConnection<Sqlite>, StoreError> {
        self.pool.acquire().await.during(operation)
    }
}

/// The row of a run that was begun.
async fn run_row(connection: &mut SqliteConnection, run: &RunId) -> Result<i64, StoreError> {
    find_run(connection, run).await?.ok_or_else(|| StoreError::UnknownRun(run.clone()))
}

async fn find_run(connection: &mut SqliteConnection, run: &RunId) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar("select run_id from run where run_key = ?1")
        .bind(run.as_str())
        .fetch_optional(connection)
        .await
        .during("look up a run")
}

/// The row of a scope, made when there is none.
async fn scope_row(connection: &mut SqliteConnection, scope: &Scope) -> Result<i64, StoreError> {
    if let Some(found) = find_scope(connection, scope).await? {
        return Ok(found);
    }
    sqlx::query_scalar("insert into scope (account, region) values (?1, ?2) returning scope_id")
        .bind(scope.account.as_str())
        .bind(scope.region.as_str())
        .fetch_one(connection)
        .await
        .during("record a scope")
}

async fn find_scope(connection: &mut SqliteConnection, scope: &Scope) -> Result<Option<i64>, StoreError> {
    sqlx::query_scalar("select scope_id from scope where account = ?1 and region = ?2")
        .bind(scope.account.as_str())
        .bind(scope.region.as_str())
        .fetch_optional(connection)
        .await
        .during("look up a scope")
}
