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
    /// Intents, outcomes and acceptances that concern this image, and the decisions of runs in which what is decided
    /// about it became another.
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

/// An entry that is not one that amiwarden writes: somebody has changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MangledEntry {
    /// Its place.
    pub sequence: i64,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Entries, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerPart {
    /// What can be read.
    pub entries: Vec<LedgerEntry>,
    /// What cannot.
    pub mangled: Vec<MangledEntry>,
    /// The place of the last of them.
    pub last: i64,
}

/// Texts as bytes: whoever changes a row need not keep to UTF-8.
#[derive(sqlx::FromRow)]
struct EntryRow {
    sequence: i64,
    at: i64,
    kind: Vec<u8>,
    run_key: Option<Vec<u8>>,
    body: Vec<u8>,
    hash: Vec<u8>,
    account: Option<Vec<u8>>,
    region: Option<Vec<u8>>,
    image_key: Option<Vec<u8>>,
    step: Option<Vec<u8>>,
}

impl StoreReader {
    /// The next entries that `filter` lets through, in their order, from after the place `after` on; `None` at the
    /// end. So many at a time that memory does not grow with the ledger.
    pub async fn ledger_entries(
        &self,
        filter: &LedgerFilter,
        after: i64,
    ) -> Result<Option<LedgerPart>, StoreError> {
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
                   when ledger.kind = 'decisions' then exists (
                       select 1
                       from image
                       join scope as place on place.scope_id = image.scope_id
                       join decision on decision.image_id = image.image_id
                       join run on run.run_id = decision.run_id
                       where image.image_key = ?5 and run.run_key = ledger.run_key
                         and place.account = ledger.body ->> '$.scope.account'
                         and place.region = ledger.body ->> '$.scope.region'
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
        let Some(last) = rows.last().map(|row| row.sequence) else { return Ok(None) };
        let mut part = LedgerPart { entries: Vec::new(), mangled: Vec::new(), last };
        for row in rows {
            let sequence = row.sequence;
            match row.entry() {
                Ok(entry) => part.entries.push(entry),
                Err(reason) => part.mangled.push(MangledEntry { sequence, reason }),
            }
        }
        Ok(Some(part))
    }
}

/// The first whole second that is not before the instant: entries are written with whole seconds.
fn ceiling(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

impl EntryRow {
    /// The entry, or what is wrong with it.
    fn entry(self) -> Result<LedgerEntry, &'static str> {
        let hash = Sha::from_column(&self.hash).ok_or("its hash is none")?;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "it holds what is no text");
        let known = EntryKind::from_name(&self.kind);
        let mut entry = LedgerEntry {
            head: Head { sequence: self.sequence, hash },
            at: instant(self.at).map_err(|_| "it was written at no instant")?,
            kind: text(self.kind)?,
            run_id: self.run_key.map(text).transpose()?.map(RunId::new),
            scope: None,
            image: None,
            action: None,
            outcome: None,
            request_id: None,
            body: text(self.body)?,
        };
        let body = entry.body.as_bytes();
        match known {
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
                // The intent's row. What of it cannot be read is for `verify` to find; its entries are exported all
                // the same.
                let lossy = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                let scope = self.account.map(lossy).zip(self.region.map(lossy));
                entry.scope = scope.and_then(|(account, region)| read_scope(&account, region).ok());
                entry.image = self.image_key.map(lossy).map(ImageId::new);
                let step = self.step.and_then(|step| serde_json::from_slice::<Step>(&step).ok());
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
