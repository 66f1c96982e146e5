//! One page of the ledger, checked by itself: its part of the chain, and the rows that its entries vouch for.
//!
//! Each link of the chain needs no more than the hash before it, so pages are checked in any order and several at a
//! time. What depends on everything before, [the walk](super::verify) takes in page by page.

use std::collections::BTreeMap;

use amiwarden_core::{PlanId, Timestamp};
use sqlx::{Row as _, SqliteConnection};

use super::acceptances::Acceptance;
use super::claim::Claim;
use super::contents::{DecisionsCheck, PlanCheck};
use super::encoding::{Entry, EntryKind, GENESIS, entry_hash};
use super::finding::LedgerFinding;
use super::head::Head;
use super::packed::{PackedRows, pack};
use super::vouched::{StoredPlan, Vouched, Wanted};
use crate::store::StoreError;
use crate::store::column::from_json;
use crate::store::error::During;
use crate::store::sha::Sha;

const READ: &str = "read the ledger";

/// How the ledger is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Paging {
    /// Entries of a page, at most.
    pub(in crate::store) entries_max: i64,
    /// Pages that are checked at a time.
    pub(in crate::store) lanes_max: usize,
}

impl Paging {
    /// Smaller pages cost more of SQLite's time, larger ones more memory.
    pub(in crate::store) const USUAL: Self = Self { entries_max: 2_000, lanes_max: 3 };
}

/// Where a page begins and ends, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    first: i64,
    last: i64,
}

/// Everything that there is to check, in order. Where places are empty, as somebody may have left them, a page holds
/// fewer entries, but there is no page without one.
pub(super) async fn spans(
    connection: &mut SqliteConnection,
    entries_max: i64,
) -> Result<Vec<Span>, StoreError> {
    let (starts, last): (String, i64) = sqlx::query_as(
        "with recursive page (first) as (
             select min(sequence) from ledger
             union all
             select (select min(sequence) from ledger where sequence >= page.first + ?1) from page
             where page.first is not null
         )
         select json_group_array(first) filter (where first is not null),
                (select coalesce(max(sequence), 0) from ledger)
         from page",
    )
    .bind(entries_max)
    .fetch_one(connection)
    .await
    .during(READ)?;
    let starts: Vec<i64> = from_json("the pages of the ledger", &starts)?;
    let span = |first: i64| Span { first, last: first.saturating_add(entries_max - 1).min(last) };
    Ok(starts.into_iter().map(span).collect())
}

/// One row of the ledger, as bytes: whoever changes it need not keep to what amiwarden writes.
struct Row<'a> {
    sequence: i64,
    at: i64,
    kind: &'a [u8],
    run: Option<&'a [u8]>,
    body: &'a [u8],
    hash: &'a [u8],
}

/// The entry before a page, as far as the chain goes on from it.
#[derive(Clone, Copy)]
struct Before {
    sequence: i64,
    hash: Sha,
}

/// What a page came to.
#[derive(Default)]
pub(super) struct Page {
    pub(super) entries: usize,
    /// When the first and the last entry were written that say when.
    pub(super) from: Option<Timestamp>,
    pub(super) to: Option<Timestamp>,
    /// The last entry that can be one.
    pub(super) newest: Option<Head>,
    pub(super) findings: Vec<LedgerFinding>,
    pub(super) acceptances: Vec<Acceptance>,
    pub(super) plans: Vec<PlanCheck>,
    pub(super) decisions: Vec<DecisionsCheck>,
    /// Intents that others undo.
    pub(super) undone: usize,
    /// Entries that vouch for one each.
    pub(super) intents: usize,
    pub(super) outcomes: usize,
}

/// A connection over which pages are read, and what they need not read again.
pub(super) struct Lane<'c> {
    connection: &'c mut SqliteConnection,
    /// What is stored of each plan; nothing where it is not.
    plans: BTreeMap<PlanId, Option<StoredPlan>>,
}

impl<'c> Lane<'c> {
    pub(super) fn new(connection: &'c mut SqliteConnection) -> Self {
        Self { connection, plans: BTreeMap::new() }
    }

    /// Reads a page and checks it. Gives the lane back for the next one.
    pub(super) async fn check(mut self, span: Span) -> Result<(Self, Page), StoreError> {
        let (packed, before) = read(self.connection, span).await?;
        let rows = unpack(&packed)?;
        let mut page = Page::default();
        page.follow(&rows, before);
        let claims: Vec<_> =
            rows.iter().filter_map(|row| Some((row, Claim::read(row.kind, row.body)?))).collect();
        let wanted = self.wanted(&claims);
        wanted.read_plans(self.connection, &mut self.plans).await?;
        let stored = wanted.read(self.connection).await?;
        let vouched = Vouched::unpack(self.connection, &wanted, &stored).await?;
        for (row, claim) in claims {
            page.compare(row, claim, &vouched, &self.plans);
        }
        Ok((self, page))
    }

    /// What has to be read to check what these entries claim.
    fn wanted(&self, claims: &[(&Row<'_>, Claim<'_>)]) -> Wanted {
        let mut wanted = Wanted::default();
        for (row, claim) in claims {
            match claim {
                Claim::Plan(body) if self.plans.contains_key(&body.plan) => {}
                Claim::Plan(body) => wanted.add_plan(&body.plan),
                Claim::Decisions(_) => wanted.add_run(row.run_bytes()),
                Claim::Intent(body) => wanted.add_intent(body),
                Claim::Outcome(body) => wanted.add_outcome(body.outcome_id),
            }
        }
        wanted
    }
}

impl Page {
    /// Follows the chain.
    fn follow(&mut self, rows: &[Row<'_>], mut before: Before) {
        let at = |row: &Row<'_>| Timestamp::from_second(row.at).ok();
        self.entries = rows.len();
        self.from = rows.iter().find_map(at);
        self.to = rows.iter().rev().find_map(at);
        for row in rows {
            // One finding for a gap, however wide: what is between is equally gone. Nothing goes before the first entry.
            if row.sequence > before.sequence.saturating_add(1) {
                self.findings.push(LedgerFinding::Missing { sequence: before.sequence + 1 });
            }
            let stored = Sha::from_column(row.hash);
            if row.sequence < 1 || stored != Some(entry_hash(&before.hash, &row.entry())) {
                self.findings.push(LedgerFinding::Altered { sequence: row.sequence });
            }
            if row.kind == EntryKind::Acceptance.as_str().as_bytes() {
                self.acceptances.extend(Acceptance::read(row.sequence, row.at, row.body));
            }
            if row.sequence >= 1 {
                // The chain goes on from what is stored, so that one edit is one finding and not one for each entry
                // after.
                before = Before { sequence: row.sequence, hash: stored.unwrap_or(GENESIS) };
                self.newest = Some(Head { sequence: before.sequence, hash: before.hash });
            }
        }
    }

    /// Compares what one entry vouches for with what is stored, as far as no earlier entry is needed for it.
    fn compare(
        &mut self,
        row: &Row<'_>,
        claim: Claim<'_>,
        vouched: &Vouched<'_>,
        plans: &BTreeMap<PlanId, Option<StoredPlan>>,
    ) {
        let what = match claim {
            Claim::Plan(body) => {
                let stored = plans.get(&body.plan).and_then(Option::as_ref);
                self.plans.push(PlanCheck {
                    sequence: row.sequence,
                    is_stored: stored.is_some(),
                    is_intact: stored.is_some_and(|stored| stored.digest == body.sha256),
                    is_made_here: stored.is_some_and(|stored| {
                        stored.at == row.at && stored.run.as_bytes() == row.run_bytes()
                    }),
                    plan: body.plan,
                });
                return;
            }
            Claim::Decisions(body) => {
                self.decisions.push(DecisionsCheck {
                    sequence: row.sequence,
                    at: row.at,
                    is_set_intact: vouched.has_set(row.run_bytes(), row.at, &body),
                    changed: vouched.changed(row.run_bytes(), &body.scope),
                    body,
                });
                return;
            }
            Claim::Intent(body) => {
                self.intents += 1;
                self.undone += body.undoes.len();
                if vouched.has_intent(&body) {
                    return;
                }
                format!("intent {}", body.intent)
            }
            Claim::Outcome(body) => {
                self.outcomes += 1;
                if vouched.has_outcome(&body) {
                    return;
                }
                format!("an outcome of intent {}", body.intent)
            }
        };
        self.findings.push(LedgerFinding::Contents { sequence: row.sequence, what });
    }
}

impl<'a> Row<'a> {
    fn entry(&self) -> Entry<'a> {
        Entry { sequence: self.sequence, at: self.at, kind: self.kind, run: self.run, body: self.body }
    }

    /// The run's name, empty where there is none.
    fn run_bytes(&self) -> &'a [u8] {
        self.run.unwrap_or_default()
    }
}

fn unpack(packed: &PackedRows) -> Result<Vec<Row<'_>>, StoreError> {
    let mut packed = packed.rows()?;
    let mut rows = Vec::new();
    while !packed.is_at_end() {
        let ([sequence, at], [kind, run, body, hash]) = packed.row()?;
        let [kind, body, hash] = [kind, body, hash].map(Option::unwrap_or_default);
        rows.push(Row { sequence, at, kind, run, body, hash });
    }
    Ok(rows)
}

/// The rows of a page, and what the chain goes on from.
async fn read(connection: &mut SqliteConnection, span: Span) -> Result<(PackedRows, Before), StoreError> {
    let sql = concat!(
        "select ",
        pack!(["sequence", "at"], ["kind", "run_key", "body", "hash"]),
        " as packed,
          (select max(sequence) from ledger where sequence < ?1 and sequence > 0) as before,
          (select hash from ledger where sequence < ?1 and sequence > 0 order by sequence desc limit 1) as hash
         from (
            select sequence, at, kind, run_key, body, hash from ledger
            where sequence between ?1 and ?2 order by sequence
         )"
    );
    let row = sqlx::query(sql).bind(span.first).bind(span.last).fetch_one(connection).await.during(READ)?;
    let sequence: Option<i64> = row.try_get("before").during(READ)?;
    let hash: Option<&[u8]> = row.try_get("hash").during(READ)?;
    let hash = hash.and_then(Sha::from_column).unwrap_or(GENESIS);
    Ok((row.into(), Before { sequence: sequence.unwrap_or(0), hash }))
}
