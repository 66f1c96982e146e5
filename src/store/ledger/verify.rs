//! Checks the ledger: the chain, what its entries vouch for, and the head that is kept outside.

use std::iter;
use std::path::Path;

use amiwarden_core::Timestamp;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::acceptances::Acceptances;
use super::contents::Contents;
use super::finding::{HeadOrigin, LedgerFinding};
use super::head::{self, Head};
use super::page::{self, Lane, Page, Paging, Span};
use super::structure;
use crate::store::error::During;
use crate::store::{StoreError, StoreReader};

const VERIFY: &str = "verify the ledger";

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
        self.verify_by(Paging::USUAL, head, given).await
    }

    pub(in crate::store) async fn verify_by(
        &self,
        paging: Paging,
        head: Option<&Path>,
        given: Option<&Head>,
    ) -> Result<Verification, StoreError> {
        // The file is read first: whatever is appended meanwhile can only take the ledger past it.
        let file = head.map(|path| (path, head::read(path)));
        let from_file = match &file {
            Some((_, Ok(Some(head)))) => Some((HeadOrigin::File, *head)),
            Some((_, Ok(None) | Err(_))) | None => None,
        };
        let given = given.map(|head| (HeadOrigin::Given, *head));
        let mut connection = self.connection(VERIFY).await?;
        // One read transaction says how far the ledger goes, and how many rows there are. Those that read beside it
        // begin later: up to there they see the same, for rows are only added.
        let mut tx = connection.begin().await.during(VERIFY)?;
        let spans = page::spans(&mut tx, paging.entries_max).await?;
        let mut walk = Walk::default();
        let mut further = self.further(spans.len().min(paging.lanes_max)).await?;
        walk.walk(spans, iter::once(&mut *tx).chain(&mut further)).await?;
        let mut verification = Verification {
            entries: walk.entries,
            from: walk.from,
            to: walk.to,
            newest: walk.newest.unwrap_or(Head::START),
            heads: Vec::new(),
            findings: walk.findings,
        };
        for (origin, head) in from_file.into_iter().chain(given) {
            verification.heads.push(ComparedHead { origin, head, agrees: has(&mut tx, &head).await? });
        }
        verification.findings.extend(walk.contents.finish(&mut tx).await?);
        verification.findings.extend(walk.acceptances.finish(&mut tx).await?);
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
        let of_heads = verification.heads.iter().filter_map(|head| head.finding(newest));
        verification.findings.extend(of_heads.collect::<Vec<_>>());
        Ok(verification)
    }

    /// Connections beside the first, which nobody else waits for.
    async fn further(&self, lanes: usize) -> Result<Vec<SqliteConnection>, StoreError> {
        let options = self.pool.connect_options();
        let mut further = Vec::new();
        for _ in 1..lanes {
            further.push(options.connect().await.during(VERIFY)?);
        }
        Ok(further)
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

/// Everything that the pages so far came to.
#[derive(Default)]
struct Walk {
    entries: usize,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    newest: Option<Head>,
    findings: Vec<LedgerFinding>,
    contents: Contents,
    acceptances: Acceptances,
}

impl Walk {
    /// Checks the pages, several at a time: while SQLite reads, a thread for each connection, this one hashes.
    async fn walk(
        &mut self,
        spans: Vec<Span>,
        connections: impl Iterator<Item = &mut SqliteConnection>,
    ) -> Result<(), StoreError> {
        let mut spans = spans.into_iter();
        let mut pages: FuturesOrdered<_> = spans
            .by_ref()
            .zip(connections)
            .map(|(span, connection)| Lane::new(connection).check(span))
            .collect();
        while let Some(checked) = pages.next().await {
            let (lane, page) = checked?;
            pages.extend(spans.next().map(|span| lane.check(span)));
            self.take(page);
        }
        Ok(())
    }

    fn take(&mut self, mut page: Page) {
        self.entries += page.entries;
        self.from = self.from.or(page.from);
        self.to = page.to.or(self.to);
        self.newest = page.newest.or(self.newest);
        self.contents.take(&mut page);
        page.acceptances.into_iter().for_each(|acceptance| self.acceptances.take(acceptance));
        page.findings.sort_by_key(LedgerFinding::sequence);
        self.findings.append(&mut page.findings);
    }
}

/// Whether the ledger has this entry.
async fn has(connection: &mut SqliteConnection, head: &Head) -> Result<bool, StoreError> {
    let hash: Option<Vec<u8>> = sqlx::query_scalar("select hash from ledger where sequence = ?1")
        .bind(head.sequence)
        .fetch_optional(connection)
        .await
        .during(VERIFY)?;
    Ok(*head == Head::START || hash.is_some_and(|hash| hash == head.hash.0))
}
