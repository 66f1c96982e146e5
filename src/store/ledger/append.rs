//! Adds an entry in the transaction of what it records: there is never one without the other.

use amiwarden_core::{RunId, Timestamp};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::encoding::{Entry, EntryKind, entry_hash};
use super::head::Head;
use crate::store::StoreError;
use crate::store::column::to_json;
use crate::store::error::During;
use crate::store::sha::Sha;

const APPEND: &str = "append to the ledger";

/// Appends an entry about `body`, which is small: what is large is named by its digest.
pub(in crate::store) async fn append(
    connection: &mut SqliteConnection,
    kind: EntryKind,
    run: Option<&RunId>,
    at: Timestamp,
    body: &impl Serialize,
) -> Result<(), StoreError> {
    let previous = newest(connection).await?;
    let body = to_json("a ledger entry", body)?;
    let entry = Entry {
        sequence: previous.sequence + 1,
        at: at.as_second(),
        kind: kind.as_str().as_bytes(),
        run: run.map(|run| run.as_str().as_bytes()),
        body: body.as_bytes(),
    };
    let hash = entry_hash(&previous.hash, &entry);
    sqlx::query(
        "insert into ledger (sequence, at, kind, run_key, body, hash) values (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(entry.sequence)
    .bind(entry.at)
    .bind(kind.as_str())
    .bind(run.map(RunId::as_str))
    .bind(&body)
    .bind(hash.0.as_slice())
    .execute(connection)
    .await
    .during(APPEND)?;
    Ok(())
}

/// The newest entry, as the head that stands for the whole ledger.
pub(in crate::store) async fn newest(connection: &mut SqliteConnection) -> Result<Head, StoreError> {
    let row: Option<(i64, Vec<u8>)> =
        sqlx::query_as("select sequence, hash from ledger order by sequence desc limit 1")
            .fetch_optional(connection)
            .await
            .during("read the newest ledger entry")?;
    let Some((sequence, hash)) = row else {
        return Ok(Head::START);
    };
    Ok(Head { sequence, hash: read_hash(&hash)? })
}

/// The hash of one entry, where there is such an entry.
pub(in crate::store) async fn hash_at(
    connection: &mut SqliteConnection,
    sequence: i64,
) -> Result<Option<Sha>, StoreError> {
    let hash: Option<Vec<u8>> = sqlx::query_scalar("select hash from ledger where sequence = ?1")
        .bind(sequence)
        .fetch_optional(connection)
        .await
        .during("read a ledger entry")?;
    hash.as_deref().map(read_hash).transpose()
}

fn read_hash(bytes: &[u8]) -> Result<Sha, StoreError> {
    Sha::from_column(bytes).ok_or_else(|| StoreError::Malformed {
        what: "a hash of the ledger",
        value: format!("{} bytes", bytes.len()),
    })
}
