//! What was accepted although a guard tripped. Here the entry is not the digest of a row but says all of it: a row
//! that no entry names would let changes through that nobody has looked at.

use std::collections::BTreeMap;

use serde::Deserialize;
use sqlx::SqliteConnection;

use super::finding::LedgerFinding;
use crate::store::StoreError;
use crate::store::column::count;
use crate::store::error::During;

const CHECK: &str = "check what was accepted";

/// How many rows that no entry names are listed.
const NAMED_MAX: usize = 10;

/// A change that was accepted, as the columns hold it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    account: String,
    region: String,
    image: String,
    action: String,
}

impl Change {
    fn words(&self) -> String {
        let Self { account, region, image, action } = self;
        format!("the acceptance of {action} for {image} in {account}/{region}")
    }
}

/// The newest entry that says so.
struct Said {
    sequence: i64,
    plan: String,
    at: i64,
}

/// Everything that entries so far say was accepted.
#[derive(Default)]
pub(super) struct Acceptances {
    said: BTreeMap<Change, Said>,
}

/// [`AcceptanceBody`](super::AcceptanceBody), to be read.
#[derive(Deserialize)]
struct Body {
    plan: String,
    accepted: Vec<(Place, String, String)>,
}

#[derive(Deserialize)]
struct Place {
    account: String,
    region: String,
}

/// An entry that says so.
pub(super) struct Acceptance {
    sequence: i64,
    at: i64,
    body: Body,
}

impl Acceptance {
    /// Reads an entry's body. One that cannot be read is not what was hashed, which is a finding already.
    pub(super) fn read(sequence: i64, at: i64, body: &[u8]) -> Option<Self> {
        Some(Self { sequence, at, body: serde_json::from_slice(body).ok()? })
    }
}

impl Acceptances {
    /// Takes in an entry.
    pub(super) fn take(&mut self, entry: Acceptance) {
        let Acceptance { sequence, at, body: Body { plan, accepted } } = entry;
        for (Place { account, region }, image, action) in accepted {
            let change = Change { account, region, image, action };
            self.said.insert(change, Said { sequence, plan: plan.clone(), at });
        }
    }

    /// Compares it with what is stored. An acceptance that was used up may be gone; it is for one time.
    pub(super) async fn finish(
        mut self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<LedgerFinding>, StoreError> {
        let rows: Vec<(i64, String, String, String, String, String, i64)> = sqlx::query_as(
            "select acceptance.acceptance_id, coalesce(scope.account, '?'), coalesce(scope.region, '?'),
                    acceptance.image_key, acceptance.action, acceptance.plan_key, acceptance.at
             from acceptance left join scope using (scope_id)
             order by acceptance.acceptance_id",
        )
        .fetch_all(&mut *connection)
        .await
        .during(CHECK)?;
        let mut findings = Vec::new();
        let mut unrecorded = Vec::new();
        for (row, account, region, image, action, plan, at) in rows {
            let change = Change { account, region, image, action };
            match self.said.remove(&change) {
                Some(said) if said.plan == plan && said.at == at => {}
                Some(Said { sequence, .. }) => {
                    findings.push(LedgerFinding::Contents { sequence, what: change.words() });
                }
                None => unrecorded.push(row),
            }
        }
        if !unrecorded.is_empty() {
            let rows = count(unrecorded.len());
            unrecorded.truncate(NAMED_MAX);
            findings.push(LedgerFinding::Unrecorded { what: "acceptances", rows, ids: unrecorded });
        }
        for (change, said) in self.said {
            if !is_used_up(connection, &change, &said).await? {
                findings.push(LedgerFinding::Contents { sequence: said.sequence, what: change.words() });
            }
        }
        Ok(findings)
    }
}

/// Whether anything was done to the image since.
async fn is_used_up(
    connection: &mut SqliteConnection,
    change: &Change,
    said: &Said,
) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "select exists (
             select 1 from intent join outcome using (intent_id) join scope using (scope_id)
             where scope.account = ?1 and scope.region = ?2 and intent.image_key = ?3 and intent.at >= ?4
                   and outcome.outcome = 'done'
         )",
    )
    .bind(&change.account)
    .bind(&change.region)
    .bind(&change.image)
    .bind(said.at)
    .fetch_one(connection)
    .await
    .during(CHECK)
}
