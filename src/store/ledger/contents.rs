//! What the entries vouch for: plans, decisions, intents and outcomes are stored in tables of their own, and the
//! ledger holds their digests.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{PlanId, Scope};
use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use super::body::{DecisionsBody, IntentBody, OutcomeBody, PlanBody};
use super::encoding::EntryKind;
use super::finding::LedgerFinding;
use super::verify::Row;
use super::vouched::{StoredPlan, Vouched, Wanted};
use crate::store::StoreError;
use crate::store::column::count;
use crate::store::decisions::set_digest;
use crate::store::error::During;
use crate::store::sha::Sha;

const CHECK: &str = "check what the ledger records";

/// How many rows that no entry vouches for are named.
const NAMED_MAX: u32 = 10;

/// The walk's view of everything that the entries so far vouch for.
#[derive(Default)]
pub(super) struct Contents {
    scopes: BTreeMap<Scope, Standing>,
    /// What is stored of each plan; nothing where it is not.
    plans: BTreeMap<PlanId, Option<StoredPlan>>,
    decisions: usize,
    intents: usize,
    outcomes: usize,
}

/// The decisions that stand in a scope.
#[derive(Default)]
struct Standing {
    by_image: BTreeMap<String, Sha>,
    /// Over all of them; none where they have changed since.
    digest: Option<Sha>,
}

/// What an entry vouches for.
pub(super) enum Claim {
    Plan(PlanBody),
    Decisions(DecisionsBody),
    Intent(Box<IntentBody>),
    Outcome(OutcomeBody),
}

impl Claim {
    /// `None` where the entry vouches for nothing elsewhere. A body that cannot be read is not what was hashed, which
    /// is a finding already.
    pub(super) fn read(kind: &[u8], body: &[u8]) -> Option<Self> {
        match EntryKind::from_name(kind)? {
            EntryKind::Plan => parse(body).map(Self::Plan),
            EntryKind::Decisions => parse(body).map(Self::Decisions),
            EntryKind::Intent => parse(body).map(|body| Self::Intent(Box::new(body))),
            EntryKind::Outcome | EntryKind::Settlement => parse(body).map(Self::Outcome),
            EntryKind::RunStarted | EntryKind::RunDied | EntryKind::Acceptance | EntryKind::RunFinished => {
                None
            }
        }
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

impl Contents {
    /// What has to be read to check the entries of a page.
    pub(super) fn wanted(&mut self, page: &[(&Row<'_>, Option<Claim>)]) -> Wanted {
        let mut wanted = Wanted::default();
        for (row, claim) in page {
            match claim {
                Some(Claim::Plan(body)) if !self.plans.contains_key(&body.plan) => {
                    self.plans.insert(body.plan.clone(), None);
                    wanted.plans.push(body.plan.clone());
                }
                Some(Claim::Plan(_)) | None => {}
                Some(Claim::Decisions(_)) => {
                    let run = row.run();
                    // A run's entries about its scopes follow each other.
                    if wanted.runs.last() != Some(&run) {
                        wanted.runs.push(run);
                    }
                }
                Some(Claim::Intent(body)) => wanted.intents.push(body.intent.0),
                Some(Claim::Outcome(body)) => wanted.outcomes.push(body.outcome_id),
            }
        }
        wanted.runs.sort_unstable();
        wanted.runs.dedup();
        wanted
    }

    /// Compares what one entry vouches for with what is stored.
    pub(super) fn check(
        &mut self,
        row: &Row<'_>,
        claim: &Claim,
        vouched: &mut Vouched,
    ) -> Option<LedgerFinding> {
        let is_intact = match claim {
            Claim::Plan(body) => self.is_plan_intact(row, body, vouched),
            Claim::Decisions(body) => self.are_decisions_intact(row, body, vouched),
            Claim::Intent(body) => {
                self.intents += 1;
                vouched.intents.get(&body.intent.0).is_some_and(|stored| {
                    stored.digest == body.sha256
                        && stored.account == body.scope.account.as_str().as_bytes()
                        && stored.region == body.scope.region.as_str().as_bytes()
                })
            }
            Claim::Outcome(body) => {
                self.outcomes += 1;
                vouched.outcomes.get(&body.outcome_id) == Some(&body.sha256)
            }
        };
        if is_intact {
            return None;
        }
        let what = match claim {
            Claim::Plan(body) => body.plan.to_string(),
            Claim::Decisions(body) => format!("what was decided about {}", body.scope),
            Claim::Intent(body) => format!("intent {}", body.intent),
            Claim::Outcome(body) => format!("an outcome of intent {}", body.intent),
        };
        Some(LedgerFinding::Contents { sequence: row.sequence, what })
    }

    fn is_plan_intact(&mut self, row: &Row<'_>, entry: &PlanBody, vouched: &mut Vouched) -> bool {
        // The first entry about a plan is of the run that made it.
        let mut is_intact = true;
        if let Some(stored) = vouched.plans.remove(&entry.plan) {
            is_intact = stored.run == row.run() && stored.at == row.at;
            self.plans.insert(entry.plan.clone(), Some(stored));
        }
        let stored = self.plans.get(&entry.plan).and_then(Option::as_ref);
        is_intact && stored.is_some_and(|stored| stored.digest == entry.sha256)
    }

    /// Takes in what the run changed, and compares all that stands in the scope from then on.
    fn are_decisions_intact(&mut self, row: &Row<'_>, entry: &DecisionsBody, vouched: &mut Vouched) -> bool {
        let changed = vouched.decisions.remove(&(row.run(), entry.scope.clone())).unwrap_or_default();
        self.decisions += changed.len();
        let standing = self.scopes.entry(entry.scope.clone()).or_default();
        let mut is_intact = true;
        let mut images = BTreeSet::new();
        for decision in changed {
            standing.digest = None;
            // A run adds a row where a decision changes, and one for each image at most.
            let before = match decision.digest {
                Some(digest) => standing.by_image.insert(decision.image.clone(), digest),
                None => standing.by_image.remove(&decision.image),
            };
            is_intact &= decision.is_consistent
                && decision.at == row.at
                && before != decision.digest
                && images.insert(decision.image);
        }
        // In most runs nothing changes, and there may be many images.
        let digest = *standing.digest.get_or_insert_with(|| {
            set_digest(standing.by_image.iter().map(|(image, digest)| (image.as_str(), digest)))
        });
        is_intact && digest == entry.sha256
    }

    /// Whether there are as many rows as entries vouch for.
    pub(super) async fn finish(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<LedgerFinding>, StoreError> {
        let counts: (i64, i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from plan), (select count(*) from decision),
                    (select count(*) from intent), (select count(*) from outcome)",
        )
        .fetch_one(&mut *connection)
        .await
        .during(CHECK)?;
        let stored = self.plans.values().flatten().count();
        let surplus = [
            ("plans", counts.0 - count(stored), UNRECORDED_PLANS),
            ("decisions", counts.1 - count(self.decisions), UNRECORDED_DECISIONS),
            ("intents", counts.2 - count(self.intents), UNRECORDED_INTENTS),
            ("outcomes", counts.3 - count(self.outcomes), UNRECORDED_OUTCOMES),
        ];
        let mut findings = Vec::new();
        for (what, rows, unrecorded) in surplus {
            if rows == 0 {
                continue;
            }
            let ids = sqlx::query_scalar(unrecorded)
                .bind(NAMED_MAX)
                .fetch_all(&mut *connection)
                .await
                .during(CHECK)?;
            findings.push(LedgerFinding::Unrecorded { what, rows, ids });
        }
        Ok(findings)
    }
}

/// Slow, and only asked where rows are known to be there that no entry vouches for.
const UNRECORDED_PLANS: &str = "select plan_id from plan where plan_key not in (
        select body ->> 'plan' from ledger where kind = 'plan' and json_valid(body) and body ->> 'plan' is not null
     ) order by plan_id limit ?1";

const UNRECORDED_DECISIONS: &str = "select decision_id from decision
     left join run using (run_id)
     where not exists (select 1 from ledger where ledger.kind = 'decisions' and ledger.run_key = run.run_key)
     order by decision_id limit ?1";

const UNRECORDED_INTENTS: &str = "select intent_id from intent where intent_id not in (
        select body ->> 'intent' from ledger
        where kind = 'intent' and json_valid(body) and body ->> 'intent' is not null
     ) order by intent_id limit ?1";

const UNRECORDED_OUTCOMES: &str = "select outcome_id from outcome where outcome_id not in (
        select body ->> 'outcome_id' from ledger
        where kind in ('outcome', 'settlement') and json_valid(body) and body ->> 'outcome_id' is not null
     ) order by outcome_id limit ?1";
