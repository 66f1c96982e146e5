//! The ledger as it stands, entry by entry, for whoever keeps or examines it elsewhere.

use amiwarden_core::{AccountId, ImageId, Region, RunId, Step, Timestamp};
use serde_json::Value;

use crate::store::column::{from_json, instant, parse};
use crate::store::error::During;
use crate::store::sha::Sha;
use crate::store::{StoreError, StoreReader};

const EXPORT: &str = "export the ledger";

/// Entries that are read at a time.
const PAGE_MAX: i64 = 1_000;

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Written at this instant or later.
    pub since: Option<Timestamp>,
    /// Written before this instant.
    pub until: Option<Timestamp>,
    /// About changes to this image.
    pub image: Option<ImageId>,
    /// Written in this run.
    pub run: Option<RunId>,
}

/// One entry, with what it is about spelled out.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerEntry {
    /// Its place, counted from 1.
    pub sequence: i64,
    /// When it was written.
    pub at: Timestamp,
    /// What it records.
    pub kind: String,
    /// The run.
    pub run: Option<RunId>,
    /// The account, where it is about one.
    pub account: Option<AccountId>,
    /// The Region, where it is about one.
    pub region: Option<Region>,
    /// The image, where it is about a change.
    pub image: Option<ImageId>,
    /// What is or was to be done to it.
    pub action: Option<&'static str>,
    /// What became of it.
    pub outcome: Option<String>,
    /// EC2's request id.
    pub request_id: Option<String>,
    /// All that it says.
    pub body: Value,
    /// Its hash, over itself and the hash before it, in hexadecimal digits.
    pub hash: String,
}

#[derive(sqlx::FromRow)]
struct Row {
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
    /// The next entries that `filter` lets through after place `after`, in their order; none at the end.
    pub async fn ledger_page(
        &self,
        filter: &LedgerFilter,
        after: i64,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let mut connection = self.connection(EXPORT).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "select ledger.sequence, ledger.at, ledger.kind, ledger.run_key, ledger.body, ledger.hash,
                    coalesce(scope.account, ledger.body ->> '$.scope.account') as account,
                    coalesce(scope.region, ledger.body ->> '$.scope.region') as region,
                    intent.image_key, intent.step
             from ledger
             left join intent
             on ledger.kind in ('intent', 'outcome', 'settlement')
                and intent.intent_id = ledger.body ->> '$.intent'
             left join scope on scope.scope_id = intent.scope_id
             where ledger.sequence > ?1
               and (?2 is null or ledger.at >= ?2) and (?3 is null or ledger.at < ?3)
               and (?4 is null or intent.image_key = ?4) and (?5 is null or ledger.run_key = ?5)
             order by ledger.sequence limit ?6",
        )
        .bind(after)
        .bind(filter.since.map(Timestamp::as_second))
        .bind(filter.until.map(Timestamp::as_second))
        .bind(filter.image.as_ref().map(ImageId::as_str))
        .bind(filter.run.as_ref().map(RunId::as_str))
        .bind(PAGE_MAX)
        .fetch_all(&mut *connection)
        .await
        .during(EXPORT)?;
        rows.into_iter().map(Row::entry).collect()
    }
}

impl Row {
    fn entry(self) -> Result<LedgerEntry, StoreError> {
        let body: Value = from_json("a ledger entry", &self.body)?;
        let step: Option<Step> = self.step.map(|step| from_json("a step", &step)).transpose()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(LedgerEntry {
            sequence: self.sequence,
            at: instant(self.at)?,
            kind: self.kind,
            run: self.run_key.map(RunId::new),
            account: self.account.map(|account| parse("an account", &account)).transpose()?,
            region: self.region.map(Region::new),
            image: self.image_key.map(ImageId::new),
            action: step.map(|step| step.change.kind().as_str()),
            outcome: text("outcome"),
            request_id: text("request_id"),
            hash: Sha::from_column(&self.hash).map(|hash| hash.to_string()).unwrap_or_default(),
            body,
        })
    }
}
