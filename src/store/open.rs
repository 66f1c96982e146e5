//! Opening a store. Whatever is wrong with it is found before anything is changed.
//!
//! The order matters: the place and the file's first bytes are looked at without SQLite, then the lock is taken,
//! then the file is read without being able to write to it, and only then is it opened for writing and migrated.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::ledger::{self, Head};
use super::lock::{LockError, StoreLock};
use super::{Inner, OpenStoreError, Store, StoreReader};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// 'AMIW', as the first migration sets it.
const APPLICATION_ID: i64 = 1_095_584_087;

/// The first bytes of every SQLite database ("Database File Format", sqlite.org).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How long a statement waits for another connection of this process, or for a reader's checkpoint.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Readers at a time. More would not be faster on one file.
const READERS_MAX: u32 = 4;

/// Up to this size the whole file is checked at each start; beyond it, only after an unclean end.
const CHECKED_BYTES_MAX: u64 = 64 << 20;

/// What a store is opened with, besides its path.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// Where the ledger's head is kept, outside the database. `None`: nowhere, and a ledger that was cut off at
    /// its end cannot be told from a shorter one.
    pub ledger_head: Option<PathBuf>,
}

/// What kind of file is there.
enum Found {
    /// None, or one of no bytes.
    Nothing,
    /// A SQLite database.
    Database {
        /// Whether its pages are worth checking before it is used.
        is_doubtful: bool,
    },
}

impl Store {
    /// Opens the store at `path` for writing, making it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    ///
    /// Every reason that a person can do something about is an [`OpenStoreError`] of its own.
    pub async fn open(path: &Path, options: StoreOptions) -> Result<Self, OpenStoreError> {
        let found = look_at(path)?;
        if matches!(found, Found::Database { .. }) {
            check_writable(path)?;
        }
        let lock = StoreLock::acquire(path).map_err(|error| match error {
            LockError::Held(holder) => OpenStoreError::Locked { path: path.to_owned(), holder },
            LockError::Io(source) => OpenStoreError::NotWritable { path: path.to_owned(), source },
        })?;
        let connection = match found {
            Found::Nothing => None,
            Found::Database { is_doubtful } => {
                if beside(path, "-journal").exists() {
                    roll_back(path).await?;
                }
                inspect(path, is_doubtful, Inspection::BeforeMigration).await?
            }
        };
        if let Some(head) = &options.ledger_head {
            check_head(path, head, connection).await?;
        }
        let writer = open_writer(path).await?;
        let reader = StoreReader { pool: open_readers(path).await? };
        Ok(Self::new(Inner { reader, writer, ledger_head: options.ledger_head, _lock: lock }))
    }
}

impl StoreReader {
    /// Opens the store at `path` for reading, beside a process that may be writing to it.
    ///
    /// # Errors
    ///
    /// As [`Store::open`]; besides when there is no store, or one whose schema is not up to date.
    pub async fn open(path: &Path) -> Result<Self, OpenStoreError> {
        match look_at(path)? {
            Found::Nothing => return Err(OpenStoreError::Missing(path.to_owned())),
            Found::Database { .. } => {
                inspect(path, false, Inspection::ForReading).await?;
            }
        }
        Ok(Self { pool: open_readers(path).await? })
    }
}

/// Looks at the place and at the file's first bytes, without SQLite.
fn look_at(path: &Path) -> Result<Found, OpenStoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(OpenStoreError::MissingDirectory { path: path.to_owned(), directory: parent.to_owned() });
    }
    let unreadable = |source| OpenStoreError::Database { path: path.to_owned(), source: Box::new(source) };
    let bytes = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Err(OpenStoreError::IsDirectory(path.to_owned())),
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(unreadable(error)),
    };
    if bytes == 0 {
        return Ok(Found::Nothing);
    }
    let mut magic = Vec::with_capacity(MAGIC.len());
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(unreadable)?;
    if magic != MAGIC {
        return Err(OpenStoreError::NotAStore(path.to_owned()));
    }
    let log_bytes = fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len());
    Ok(Found::Database { is_doubtful: log_bytes > 0 || bytes <= CHECKED_BYTES_MAX })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether the database at `path` may be written to. Nothing is written.
pub(super) fn check_writable(path: &Path) -> Result<(), OpenStoreError> {
    match File::options().write(true).open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(OpenStoreError::NotWritable { path: path.to_owned(), source }),
    }
}

/// SQLite makes a database with a rollback journal, before it turns to the write-ahead log. Where the process died in
/// between, the journal has to be played back, which SQLite does by itself as soon as it reads with the right to write.
async fn roll_back(path: &Path) -> Result<(), OpenStoreError> {
    let error = |source| refusal(path, source);
    let mut connection = connect_options(path).connect().await.map_err(error)?;
    newest_migration(&mut connection).await.map_err(error)?;
    connection.close().await.map_err(error)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inspection {
    BeforeMigration,
    ForReading,
}

/// Reads the file through a connection that cannot write: is it ours, is it whole, is it of our time? Yields the
/// connection, unless there are no tables yet.
async fn inspect(
    path: &Path,
    is_doubtful: bool,
    inspection: Inspection,
) -> Result<Option<SqliteConnection>, OpenStoreError> {
    let error = |source| refusal(path, source);
    let mut connection = connect_options(path).read_only(true).connect().await.map_err(error)?;
    let application: i64 =
        sqlx::query_scalar("pragma application_id").fetch_one(&mut connection).await.map_err(error)?;
    let found = newest_migration(&mut connection).await.map_err(error)?;
    let is_new = application == 0 && found == Schema::Empty;
    if !is_new && application != APPLICATION_ID {
        return Err(OpenStoreError::NotAStore(path.to_owned()));
    }
    let found = match found {
        Schema::Empty => 0,
        Schema::Version(version) => version,
        Schema::Foreign => return Err(OpenStoreError::NotAStore(path.to_owned())),
    };
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    if found > known {
        return Err(OpenStoreError::Newer { path: path.to_owned(), found, known });
    }
    if inspection == Inspection::ForReading && found < known {
        return Err(OpenStoreError::Older { path: path.to_owned(), found, known });
    }
    if is_doubtful {
        let finding: String =
            sqlx::query_scalar("pragma quick_check(1)").fetch_one(&mut connection).await.map_err(error)?;
        if finding != "ok" {
            return Err(OpenStoreError::Corrupt { path: path.to_owned(), finding });
        }
    }
    Ok((found > 0).then_some(connection))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    /// No tables: the process died before the first migration was committed.
    Empty,
    /// This migration was the last.
    Version(i64),
    /// Tables, but none that says which migrations they come from.
    Foreign,
}

async fn newest_migration(connection: &mut SqliteConnection) -> Result<Schema, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar("select name from sqlite_schema where type = 'table'")
        .fetch_all(&mut *connection)
        .await?;
    if !tables.iter().any(|table| table == "_sqlx_migrations") {
        return Ok(if tables.is_empty() { Schema::Empty } else { Schema::Foreign });
    }
    let version: Option<i64> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations").fetch_one(connection).await?;
    Ok(version.map_or(Schema::Empty, Schema::Version))
}

async fn open_writer(path: &Path) -> Result<SqlitePool, OpenStoreError> {
    let options = connect_options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An intent must be on the disk before its first byte is sent.
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| refusal(path, error))?;
    MIGRATIONS
        .run(&pool)
        .await
        .map_err(|error| OpenStoreError::Database { path: path.to_owned(), source: Box::new(error) })?;
    Ok(pool)
}

/// One connection that may write, beside whoever has the lock of the store; none where there is no store.
pub(super) async fn open_beside(path: &Path) -> Result<Option<SqlitePool>, OpenStoreError> {
    match look_at(path)? {
        Found::Nothing => return Ok(None),
        Found::Database { .. } => {
            inspect(path, false, Inspection::ForReading).await?;
        }
    }
    SqlitePoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect_with(connect_options(path).synchronous(SqliteSynchronous::Full))
        .await
        .map(Some)
        .map_err(|error| refusal(path, error))
}

async fn open_readers(path: &Path) -> Result<SqlitePool, OpenStoreError> {
    SqlitePoolOptions::new()
        .max_connections(READERS_MAX)
        .test_before_acquire(false)
        .connect_with(connect_options(path).read_only(true))
        .await
        .map_err(|error| refusal(path, error))
}

fn connect_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).foreign_keys(true).busy_timeout(BUSY_TIMEOUT)
}

/// SQLite's primary result codes ("Result and Error Codes", sqlite.org); the extended ones hold them in their
/// low byte.
fn refusal(path: &Path, error: sqlx::Error) -> OpenStoreError {
    const READ_ONLY: i32 = 8;
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    const READ_ONLY_ROLLBACK: i32 = 776;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok());
    if code == Some(READ_ONLY_ROLLBACK) {
        return OpenStoreError::HalfMade(path.to_owned());
    }
    match code.map(|code| code & 0xff) {
        Some(READ_ONLY) => OpenStoreError::UnwritableDirectory(path.to_owned()),
        Some(CORRUPT) => OpenStoreError::Corrupt { path: path.to_owned(), finding: error.to_string() },
        Some(NOT_A_DATABASE) => OpenStoreError::NotAStore(path.to_owned()),
        Some(_) | None => OpenStoreError::Database { path: path.to_owned(), source: Box::new(error) },
    }
}

/// A head that is ahead of the ledger, or of another ledger, would be lost with the next run: the evidence that
/// something was cut off must not be written over. Where there is none, it is kept from now on. `connection` is to
/// the store, where there is one already.
async fn check_head(
    path: &Path,
    head: &Path,
    connection: Option<SqliteConnection>,
) -> Result<(), OpenStoreError> {
    let refuse =
        |reason: String| OpenStoreError::Head { path: path.to_owned(), head: head.to_owned(), reason };
    let unreadable = |error| OpenStoreError::Database { path: path.to_owned(), source: Box::new(error) };
    let kept = ledger::read_head(head).map_err(|error| refuse(format!("it cannot be read: {error}")))?;
    let Some(kept) = kept else {
        let newest = match connection {
            Some(mut connection) => ledger::newest(&mut connection).await.map_err(unreadable)?,
            None => Head::START,
        };
        if newest != Head::START {
            tracing::warn!(
                head = %head.display(), entries = newest.sequence,
                "the ledger has no head outside the database; one is kept from now on",
            );
        }
        return ledger::write_head(head, &newest)
            .map_err(|error| refuse(format!("it is not there and cannot be written: {error}")));
    };
    if kept == Head::START {
        return Ok(());
    }
    let hash = match connection {
        Some(mut connection) => ledger::hash_at(&mut connection, kept.sequence).await.map_err(unreadable)?,
        None => None,
    };
    match hash {
        Some(hash) if hash == kept.hash => Ok(()),
        Some(_) => Err(refuse(format!("entry {} of the ledger is another one", kept.sequence))),
        None => Err(refuse(format!("the ledger does not reach to its entry {}", kept.sequence))),
    }
}
