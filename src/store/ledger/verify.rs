//! Checks the ledger: the chain, what its entries vouch for, and the head that is kept outside.

use std::fmt;
use std::path::{Path, PathBuf};

use amiwarden_core::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::append::hash_at;
use super::contents::Contents;
use super::encoding::{Entry, GENESIS, entry_hash};
use super::head::{self, Head, KnownHead};
use crate::store::error::During;
use crate::store::sha::Sha;
use crate::store::{StoreError, StoreReader};

const VERIFY: &str = "verify the ledger";

/// Entries that are read at a time.
const PAGE_MAX: i64 = 1_000;

/// What checking the ledger came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many entries there are.
    pub entries: usize,
    /// Everything that is not as it was written. Empty: intact.
    pub findings: Vec<LedgerFinding>,
    /// When the first entry was written.
    pub first_at: Option<Timestamp>,
    /// The newest entry.
    pub newest: Option<NewestEntry>,
    /// The entry that the kept head names, where the ledger goes through it; 0 before the first.
    pub head_at: Option<i64>,
}

/// Where a ledger ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestEntry {
    /// Its place, counted from 1.
    pub sequence: i64,
    /// Its hash in hexadecimal digits.
    pub hash: String,
    /// When it was written.
    pub at: Timestamp,
}

impl Verification {
    /// Whether everything is as it was written.
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFinding {
    /// An entry is missing.
    Missing {
        /// Its place, counted from 1.
        sequence: i64,
    },
    /// An entry, or the one before it, is not what was hashed.
    Altered {
        /// Its place.
        sequence: i64,
    },
    /// What an entry vouches for is not what it was.
    Contents {
        /// The entry.
        sequence: i64,
        /// What it vouches for.
        what: String,
    },
    /// Rows that no entry vouches for.
    Unrecorded {
        /// What they hold.
        what: &'static str,
        /// How many more, or with a minus fewer, there are than entries say.
        rows: i64,
    },
    /// The ledger ends before its head: it was cut off.
    CutOff {
        /// Where it ends.
        sequence: i64,
        /// Where it ended when the head was written.
        head: i64,
    },
    /// The head is of another ledger.
    HeadDiffers {
        /// The head's place.
        sequence: i64,
    },
    /// The head is not where it is kept.
    HeadMissing(PathBuf),
    /// The head's file holds something else.
    HeadUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl fmt::Display for LedgerFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { sequence } => write!(f, "entry {sequence} is missing"),
            Self::Altered { sequence } => {
                write!(f, "entry {sequence}, or the one before it, was changed")
            }
            Self::Contents { sequence, what } => {
                write!(f, "{what}, which entry {sequence} records, was changed or removed")
            }
            Self::Unrecorded { what, rows } if *rows > 0 => {
                write!(f, "{rows} {what} more than the ledger records")
            }
            Self::Unrecorded { what, rows } => {
                write!(f, "{} {what} fewer than the ledger records", rows.unsigned_abs())
            }
            Self::CutOff { sequence, head } => {
                write!(
                    f,
                    "the ledger ends at entry {sequence}, and its head says that it reached entry {head}"
                )
            }
            Self::HeadDiffers { sequence } => {
                write!(f, "entry {sequence} is not the one that the head names")
            }
            Self::HeadMissing(path) => write!(f, "there is no head at {}", path.display()),
            Self::HeadUnreadable { path, reason } => {
                write!(f, "the head at {} cannot be read: {reason}", path.display())
            }
        }
    }
}

impl StoreReader {
    /// Checks the ledger, what it records, and the head that is kept at `head`. Without a head, a ledger that was
    /// cut off at its end is not told from a shorter one. `known` is another head, kept elsewhere.
    pub async fn verify(
        &self,
        head: Option<&Path>,
        known: Option<&KnownHead>,
    ) -> Result<Verification, StoreError> {
        // The head is read first: whatever is appended meanwhile can only take the ledger past it.
        let kept = head.map(|path| (path, head::read(path)));
        let mut connection = self.connection(VERIFY).await?;
        // One read transaction: all of it is of one moment, whatever is written meanwhile.
        let mut tx = connection.begin().await.during(VERIFY)?;
        let mut walk = Walk::new(kept.as_ref().and_then(|(_, kept)| kept.as_ref().ok().copied().flatten()));
        walk.walk(&mut tx).await?;
        let Walk { entries, mut findings, last, head_hash, contents, first_at, last_at, previous, .. } = walk;
        let newest = last_at.map(|at| NewestEntry { sequence: last, hash: previous.to_string(), at });
        findings.extend(contents.finish(&mut tx).await?);
        if let Some(KnownHead(known)) = known {
            let found = hash_at(&mut tx, known.sequence).await.ok().flatten();
            findings.extend(compare_head(known, last, found));
        }
        let mut head_at = None;
        if let Some((path, kept)) = kept {
            match kept {
                Ok(Some(kept)) => {
                    let finding = compare_head(&kept, last, head_hash);
                    head_at = finding.is_none().then_some(kept.sequence);
                    findings.extend(finding);
                }
                Ok(None) => findings.push(LedgerFinding::HeadMissing(path.to_owned())),
                Err(error) => findings
                    .push(LedgerFinding::HeadUnreadable { path: path.to_owned(), reason: error.to_string() }),
            }
        }
        Ok(Verification { entries, findings, first_at, newest, head_at })
    }
}

fn compare_head(kept: &Head, last: i64, found: Option<Sha>) -> Option<LedgerFinding> {
    if *kept == Head::START || found == Some(kept.hash) {
        return None;
    }
    Some(if kept.sequence > last {
        LedgerFinding::CutOff { sequence: last, head: kept.sequence }
    } else {
        LedgerFinding::HeadDiffers { sequence: kept.sequence }
    })
}

/// One row of the ledger.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub(super) sequence: i64,
    at: i64,
    pub(super) kind: String,
    pub(super) run_key: Option<String>,
    pub(super) body: String,
    hash: Vec<u8>,
}

/// A walk along the chain.
struct Walk {
    entries: usize,
    findings: Vec<LedgerFinding>,
    last: i64,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    previous: Sha,
    head: Option<Head>,
    /// The hash of the entry that the head names.
    head_hash: Option<Sha>,
    contents: Contents,
}

impl Walk {
    fn new(head: Option<Head>) -> Self {
        Self {
            entries: 0,
            findings: Vec::new(),
            last: 0,
            first_at: None,
            last_at: None,
            previous: GENESIS,
            head,
            head_hash: None,
            contents: Contents::default(),
        }
    }

    async fn walk(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let mut after = i64::MIN;
        loop {
            let page: Vec<Row> = sqlx::query_as(
                "select sequence, at, kind, run_key, body, hash from ledger
                 where sequence > ?1 order by sequence limit ?2",
            )
            .bind(after)
            .bind(PAGE_MAX)
            .fetch_all(&mut *connection)
            .await
            .during(VERIFY)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.sequence;
            for row in page {
                self.step(&row);
                let finding = self.contents.check(connection, &row).await?;
                self.findings.extend(finding);
            }
        }
    }

    fn step(&mut self, row: &Row) {
        self.entries += 1;
        // One finding for a gap, however wide: what is between is equally gone.
        if row.sequence != self.last + 1 {
            self.findings.push(LedgerFinding::Missing { sequence: self.last + 1 });
        }
        let entry = Entry {
            sequence: row.sequence,
            at: row.at,
            kind: &row.kind,
            run: row.run_key.as_deref(),
            body: &row.body,
        };
        let stored = Sha::from_column(&row.hash);
        if stored != Some(entry_hash(&self.previous, &entry)) {
            self.findings.push(LedgerFinding::Altered { sequence: row.sequence });
        }
        // The chain goes on from what is stored, so that one edit is one finding and not one for each entry after.
        self.previous = stored.unwrap_or(GENESIS);
        self.last = row.sequence;
        self.last_at = Timestamp::from_second(row.at).ok();
        self.first_at = self.first_at.or(self.last_at);
        if self.head.is_some_and(|head| head.sequence == row.sequence) {
            self.head_hash = stored;
        }
    }
}
