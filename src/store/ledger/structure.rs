//! Whether the database is built as amiwarden builds it: a trigger that was dropped changes no row, but opens the
//! door to changing every row, and a trigger that was added can change rows while amiwarden writes.
//!
//! Deliberately allowed: tables, views and indexes that somebody has added. They change nothing that is here.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::sync::OnceCell;

use super::finding::LedgerFinding;
use crate::store::StoreError;
use crate::store::error::During;
use crate::store::open::MIGRATIONS;

const COMPARE: &str = "compare the structure of the database";

/// The kind of each part and the statement that made it, by its name.
type Parts = BTreeMap<String, (String, String)>;

/// As the migrations of this version make it. It is the same throughout a process.
static EXPECTED: OnceCell<Parts> = OnceCell::const_new();

/// What differs from the structure that amiwarden makes.
pub(super) async fn check(connection: &mut SqliteConnection) -> Result<Vec<LedgerFinding>, StoreError> {
    let expected = EXPECTED.get_or_try_init(make).await?;
    let mut found = parts(connection).await?;
    let mut findings = Vec::new();
    for (name, made) in expected {
        let (kind, _) = made;
        let what = match found.remove(name) {
            Some(it) if it == *made => continue,
            Some(_) => format!("the {kind} `{name}` is not as amiwarden makes it"),
            None => format!("the {kind} `{name}` is missing"),
        };
        findings.push(LedgerFinding::Structure { what });
    }
    let foreign = found.into_iter().filter(|(_, (kind, _))| kind == "trigger");
    findings.extend(foreign.map(|(name, _)| {
        let what = format!("there is a trigger `{name}`, which amiwarden does not make");
        LedgerFinding::Structure { what }
    }));
    Ok(findings)
}

/// Makes an empty database, in memory.
async fn make() -> Result<Parts, StoreError> {
    let mut connection = SqliteConnectOptions::new().in_memory(true).connect().await.during(COMPARE)?;
    MIGRATIONS
        .run(&mut connection)
        .await
        .map_err(|source| StoreError::Database { operation: COMPARE, source: Box::new(source) })?;
    parts(&mut connection).await
}

/// What SQLite and sqlx make for themselves is theirs to change.
async fn parts(connection: &mut SqliteConnection) -> Result<Parts, StoreError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select name, type, sql from sqlite_schema
         where sql is not null and substr(name, 1, 7) <> 'sqlite_' and substr(name, 1, 5) <> '_sqlx'",
    )
    .fetch_all(connection)
    .await
    .during(COMPARE)?;
    Ok(rows.into_iter().map(|(name, kind, sql)| (name, (kind, sql))).collect())
}
