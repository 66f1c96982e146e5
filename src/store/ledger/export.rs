//! The ledger's entries as they stand, for those who keep or look through them elsewhere.

use amiwarden_core::{ActionKind, ImageId, RunId, Scope, Step, Timestamp};

use super::body::{DecisionsBody, IntentBody, OutcomeBody};
use super::claim::parse;
use super::encoding::EntryKind;
use super::head::Head;
use crate::store::column::{instant, read_scope};
use crate::store::error::During;
use crate::store::sha::Sha;
use crate::store::{StoreError, StoreReader};

const READ: &str = "read the ledger";

/// Entries that are read at a time.
const PAGE_MAX: i64 = 1_000;

/// Which entries are wanted: those for which all of this holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// Written before then.
    pub until: Option<Timestamp>,
    /// Intents, outcomes and acceptances that concern this image.
    pub image: Option<ImageId>,
    /// Of this run.
    pub run: Option<RunId>,
}

/// An entry of the ledger, and what it concerns, where it concerns one scope or image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place.
    pub head: Head,
    /// When it was written.
    pub at: Timestamp,
    /// What it records, such as `intent`.
    pub kind: String,
    /// The run.
    pub run_id: Option<RunId>,
    /// The account and Region.
    pub scope: Option<Scope>,
    /// The image.
    pub image: Option<ImageId>,
    /// What is done to it.
    pub action: Option<ActionKind>,
    /// What became of that.
    pub outcome: Option<String>,
    /// What EC2 called the request.
    pub request_id: Option<String>,
    /// The entry's text: JSON, as it was hashed.
    pub body: String,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    sequence: i64,
    at: i64,
    kind: String,
    run_key: Option<String>,
    body: String,
    hash: Vec<u8>,
    account: Option<String>,
    region: Option<String>,
    image_key: Option<String>,
    step: Option<String>,
}

impl StoreReader {
    /// The next entries that `filter` lets through, in their order, from after the place `after` on; an empty list at
    /// the end. So many at a time that memory does not grow with the ledger.
    pub async fn ledger_entries(
        &self,
        filter: &LedgerFilter,
        after: i64,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut connection = self.connection(READ).await?;
        // Only an intent's own entry names the image; those about its outcome are found by its number.
        let rows: Vec<EntryRow> = sqlx::query_as(
            "select ledger.sequence, ledger.at, ledger.kind, ledger.run_key, ledger.body, ledger.hash,
                    scope.account, scope.region, intent.image_key, intent.step
             from ledger
             left join intent on ledger.kind in ('outcome', 'settlement') and intent.intent_id = case
                 when json_valid(ledger.body) then ledger.body ->> 'intent'
             end
             left join scope on scope.scope_id = intent.scope_id
             where ledger.sequence > ?1
               and (?2 is null or ledger.at >= ?2)
               and (?3 is null or ledger.at < ?3)
               and (?4 is null or ledger.run_key = ?4)
               and (?5 is null or intent.image_key = ?5 or case
                   when not json_valid(ledger.body) then false
                   when ledger.kind = 'intent' then ledger.body ->> 'image' is ?5
                   when ledger.kind = 'acceptance' then exists (
                       select 1 from json_each(ledger.body, '$.accepted') as accepted
                       where accepted.value ->> 1 = ?5
                   )
                   else false
               end)
             order by ledger.sequence
             limit ?6",
        )
        .bind(after)
        .bind(filter.since.map(ceiling))
        .bind(filter.until.map(ceiling))
        .bind(filter.run.as_ref().map(RunId::as_str))
        .bind(filter.image.as_ref().map(ImageId::as_str))
        .bind(PAGE_MAX)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter().map(EntryRow::entry).collect()
    }
}

/// The first whole second that is not before the instant: entries are written with whole seconds.
fn ceiling(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

impl EntryRow {
    fn entry(self) -> Result<LedgerEntry, StoreError> {
        let hash = Sha::from_column(&self.hash).ok_or_else(|| StoreError::Malformed {
            what: "a hash of the ledger",
            value: format!("{} bytes", self.hash.len()),
        })?;
        let kind = EntryKind::from_name(self.kind.as_bytes());
        let mut entry = LedgerEntry {
            head: Head { sequence: self.sequence, hash },
            at: instant(self.at)?,
            kind: self.kind,
            run_id: self.run_key.map(RunId::new),
            scope: None,
            image: None,
            action: None,
            outcome: None,
            request_id: None,
            body: self.body,
        };
        let body = entry.body.as_bytes();
        match kind {
            Some(EntryKind::Decisions) => {
                entry.scope = parse(body).map(|DecisionsBody { scope, .. }| scope);
            }
            Some(EntryKind::Intent) => {
                if let Some(IntentBody { scope, image, action, .. }) = parse(body) {
                    (entry.scope, entry.image, entry.action) = (Some(scope), Some(image), Some(action));
                }
            }
            Some(EntryKind::Outcome | EntryKind::Settlement) => {
                let Some(OutcomeBody { outcome, request_id, .. }) = parse(body) else { return Ok(entry) };
                (entry.outcome, entry.request_id) = (Some(outcome), request_id);
                let scope = self.account.zip(self.region);
                entry.scope = scope.map(|(account, region)| read_scope(&account, region)).transpose()?;
                entry.image = self.image_key.map(ImageId::new);
                // A step that cannot be read is for `verify` to find; its entries are exported all the same.
                let step = self.step.and_then(|step| serde_json::from_str::<Step>(&step).ok());
                entry.action = step.map(|step| step.change.kind());
            }
            Some(
                EntryKind::RunStarted
                | EntryKind::RunDied
                | EntryKind::Plan
                | EntryKind::Acceptance
                | EntryKind::RunFinished,
            )
            | None => {}
        }
        Ok(entry)
    }
}
