//! Checks the ledger: the chain, what its entries vouch for, and the head that is kept outside.

use std::path::Path;

use amiwarden_core::Timestamp;
use futures::future::join;
use sqlx::{Connection, SqliteConnection};

use super::acceptances::Acceptances;
use super::contents::{Claim, Contents};
use super::encoding::{Entry, GENESIS, entry_hash};
use super::finding::{HeadOrigin, LedgerFinding};
use super::head::{self, Head};
use super::packed::{Packed, pack};
use super::structure;
use super::vouched::Vouched;
use crate::store::error::During;
use crate::store::sha::Sha;
use crate::store::{StoreError, StoreReader};

const VERIFY: &str = "verify the ledger";

/// Entries that are read at a time.
const PAGE_MAX: i64 = 2_000;

/// What checking the ledger came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How many entries there are.
    pub entries: usize,
    /// When the first was written; `None` where there is none.
    pub from: Option<Timestamp>,
    /// When the newest was written.
    pub to: Option<Timestamp>,
    /// The newest entry: the head that stands for all of it.
    pub newest: Head,
    /// The heads that were compared with it.
    pub heads: Vec<ComparedHead>,
    /// Everything that is not as it was written. Empty: intact.
    pub findings: Vec<LedgerFinding>,
}

/// A head that was kept, and whether the ledger goes on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComparedHead {
    /// Where it was kept.
    pub origin: HeadOrigin,
    /// The head.
    pub head: Head,
    /// Whether the ledger has that entry at that place.
    pub agrees: bool,
}

impl Verification {
    /// Whether everything is as it was written.
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

impl StoreReader {
    /// Checks the ledger, what it records, and the head that is kept in the file `head`. Without a head, a ledger that
    /// was cut off at its end is not told from a shorter one.
    pub async fn verify(&self, head: Option<&Path>) -> Result<Verification, StoreError> {
        self.verify_against(head, None).await
    }

    /// As [`verify`](Self::verify), and compares a head that was kept elsewhere too.
    pub async fn verify_against(
        &self,
        head: Option<&Path>,
        given: Option<&Head>,
    ) -> Result<Verification, StoreError> {
        // The file is read first: whatever is appended meanwhile can only take the ledger past it.
        let file = head.map(|path| (path, head::read(path)));
        let mut walk = Walk::default();
        if let Some((_, Ok(Some(head)))) = &file {
            walk.heads.push(ComparedHead { origin: HeadOrigin::File, head: *head, agrees: false });
        }
        if let Some(head) = given {
            walk.heads.push(ComparedHead { origin: HeadOrigin::Given, head: *head, agrees: false });
        }
        let mut connection = self.connection(VERIFY).await?;
        // One read transaction: all of it is of one moment, whatever is written meanwhile.
        let mut tx = connection.begin().await.during(VERIFY)?;
        walk.walk(&mut tx).await?;
        let Walk { mut verification, heads, contents, acceptances, .. } = walk;
        verification.findings.extend(contents.finish(&mut tx).await?);
        verification.findings.extend(acceptances.finish(&mut tx).await?);
        verification.findings.extend(structure::check(&mut tx).await?);
        match file {
            Some((path, Ok(None))) => verification.findings.push(LedgerFinding::HeadMissing(path.to_owned())),
            Some((path, Err(error))) => {
                let finding =
                    LedgerFinding::HeadUnreadable { path: path.to_owned(), reason: error.to_string() };
                verification.findings.push(finding);
            }
            Some((_, Ok(Some(_)))) | None => {}
        }
        let newest = verification.newest.sequence;
        verification.findings.extend(heads.iter().filter_map(|head| head.finding(newest)));
        verification.heads = heads;
        Ok(verification)
    }
}

impl ComparedHead {
    fn finding(&self, newest: i64) -> Option<LedgerFinding> {
        let (head, origin) = (self.head.sequence, self.origin);
        match self.agrees {
            true => None,
            false if head > newest => Some(LedgerFinding::CutOff { sequence: newest, head, origin }),
            false => Some(LedgerFinding::HeadDiffers { sequence: head, origin }),
        }
    }
}

/// One row of the ledger, as bytes: whoever changes it need not keep to what amiwarden writes.
pub(super) struct Row<'a> {
    pub(super) sequence: i64,
    pub(super) at: i64,
    kind: &'a [u8],
    run: Option<&'a [u8]>,
    body: &'a [u8],
    hash: &'a [u8],
}

impl<'a> Row<'a> {
    fn unpack(packed: &mut Packed<'a>) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: packed.integer()?,
            at: packed.integer()?,
            kind: packed.bytes()?,
            run: packed.value()?,
            body: packed.bytes()?,
            hash: packed.bytes()?,
        })
    }

    /// The run's name, empty where there is none.
    pub(super) fn run(&self) -> String {
        self.run.map_or_else(String::new, |run| String::from_utf8_lossy(run).into_owned())
    }
}

/// A walk along the chain.
struct Walk {
    verification: Verification,
    /// The place of the entry before.
    last: i64,
    /// Its hash.
    previous: Sha,
    heads: Vec<ComparedHead>,
    contents: Contents,
    acceptances: Acceptances,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            verification: Verification {
                entries: 0,
                from: None,
                to: None,
                newest: Head::START,
                heads: Vec::new(),
                findings: Vec::new(),
            },
            last: 0,
            previous: GENESIS,
            heads: Vec::new(),
            contents: Contents::default(),
            acceptances: Acceptances::default(),
        }
    }
}

impl Walk {
    async fn walk(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        for compared in &mut self.heads {
            compared.agrees = compared.head == Head::START;
        }
        let mut packed = read_page(connection, i64::MIN).await?;
        loop {
            let rows = unpack(&packed)?;
            let Some(last) = rows.last() else { return Ok(()) };
            let found = self.verification.findings.len();
            // While SQLite reads, this thread parses and hashes.
            let (next, page) = join(read_on(connection, last.sequence), async {
                rows.iter().map(|row| (row, Claim::read(row.kind, row.body))).collect::<Vec<_>>()
            })
            .await;
            let wanted = self.contents.wanted(&page);
            let (vouched, ()) = join(Vouched::read(connection, &wanted), async {
                for row in &rows {
                    self.step(row);
                }
            })
            .await;
            let mut vouched = vouched?;
            for (row, claim) in &page {
                let finding = claim.as_ref().and_then(|claim| self.contents.check(row, claim, &mut vouched));
                self.verification.findings.extend(finding);
            }
            self.verification.findings[found..].sort_by_key(LedgerFinding::sequence);
            packed = next?;
        }
    }

    fn step(&mut self, row: &Row<'_>) {
        let Verification { entries, from, to, newest, findings, .. } = &mut self.verification;
        *entries += 1;
        // One finding for a gap, however wide: what is between is equally gone. Nothing goes before the first entry.
        if row.sequence > self.last.saturating_add(1) {
            findings.push(LedgerFinding::Missing { sequence: self.last + 1 });
        }
        let entry =
            Entry { sequence: row.sequence, at: row.at, kind: row.kind, run: row.run, body: row.body };
        let stored = Sha::from_column(row.hash);
        if row.sequence < 1 || stored != Some(entry_hash(&self.previous, &entry)) {
            findings.push(LedgerFinding::Altered { sequence: row.sequence });
        }
        self.acceptances.take(row.sequence, row.at, row.kind, row.body);
        let at = Timestamp::from_second(row.at).ok();
        *from = from.or(at);
        *to = at.or(*to);
        if row.sequence < 1 {
            return;
        }
        // The chain goes on from what is stored, so that one edit is one finding and not one for each entry after.
        self.previous = stored.unwrap_or(GENESIS);
        self.last = row.sequence;
        *newest = Head { sequence: row.sequence, hash: self.previous };
        for compared in &mut self.heads {
            compared.agrees |= compared.head == *newest;
        }
    }
}

/// The rows of a page.
fn unpack(packed: &[u8]) -> Result<Vec<Row<'_>>, StoreError> {
    let mut packed = Packed::new(packed);
    let mut rows = Vec::new();
    while !packed.is_at_end() {
        rows.push(Row::unpack(&mut packed)?);
    }
    Ok(rows)
}

/// The rows after a place; nothing at the end.
async fn read_on(connection: &mut SqliteConnection, after: i64) -> Result<Vec<u8>, StoreError> {
    match after.checked_add(1) {
        Some(from) => read_page(connection, from).await,
        None => Ok(Vec::new()),
    }
}

/// The next rows from a place on; nothing at the end.
async fn read_page(connection: &mut SqliteConnection, from: i64) -> Result<Vec<u8>, StoreError> {
    let sql = concat!(
        "select ",
        pack!("sequence", "at", "kind", "run_key", "body", "hash"),
        " from (
            select sequence, at, kind, run_key, body, hash from ledger
            where sequence >= ?1 order by sequence limit ?2
         )"
    );
    let packed: Option<Vec<u8>> =
        sqlx::query_scalar(sql).bind(from).bind(PAGE_MAX).fetch_one(connection).await.during(VERIFY)?;
    Ok(packed.unwrap_or_default())
}
