//! What the entries vouch for: plans, decisions, intents and outcomes are stored in tables of their own, and the
//! ledger holds their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amiwarden_core::{PlanId, Scope};
use sqlx::SqliteConnection;

use super::body::DecisionsBody;
use super::decided::StoredDecision;
use super::finding::LedgerFinding;
use super::page::Page;
use crate::store::StoreError;
use crate::store::column::count;
use crate::store::decisions::set_digest;
use crate::store::error::During;
use crate::store::sha::Sha;

const CHECK: &str = "check what the ledger records";

/// How many rows that no entry vouches for are named.
const NAMED_MAX: u32 = 10;

/// What the entries so far vouch for, as far as it takes more than one of them to tell.
#[derive(Default)]
pub(super) struct Contents {
    scopes: BTreeMap<Scope, Standing>,
    /// Those that an entry names.
    plans: BTreeSet<PlanId>,
    /// Those of them that are stored.
    stored_plans: usize,
    decisions: usize,
    /// Scopes that runs have decided about.
    sets: usize,
    intents: usize,
    undone: usize,
    outcomes: usize,
}

/// The decisions that stand in a scope.
#[derive(Default)]
struct Standing {
    by_image: BTreeMap<String, Sha>,
    /// Over all of them; none where they have changed since.
    digest: Option<Sha>,
}

/// An entry about a plan.
pub(super) struct PlanCheck {
    pub(super) sequence: i64,
    pub(super) plan: PlanId,
    pub(super) is_stored: bool,
    /// Whether it is stored with the digest that the entry holds.
    pub(super) is_intact: bool,
    /// Whether it is stored as made by the entry's run at the entry's time.
    pub(super) is_made_here: bool,
}

/// An entry about the decisions of a run in a scope, and what the run changed.
pub(super) struct DecisionsCheck {
    pub(super) sequence: i64,
    pub(super) at: i64,
    pub(super) body: DecisionsBody,
    /// Whether the row that says that the run has decided is as the entry says.
    pub(super) is_set_intact: bool,
    pub(super) changed: Arc<Vec<StoredDecision>>,
}

impl Contents {
    /// Takes in a page. Pages come in the order of their entries.
    pub(super) fn take(&mut self, page: &mut Page) {
        self.intents += page.intents;
        self.undone += page.undone;
        self.outcomes += page.outcomes;
        for check in std::mem::take(&mut page.plans) {
            let (sequence, what) = (check.sequence, check.plan.to_string());
            if !self.is_plan_intact(check) {
                page.findings.push(LedgerFinding::Contents { sequence, what });
            }
        }
        for check in std::mem::take(&mut page.decisions) {
            let (sequence, what) = (check.sequence, format!("what was decided about {}", check.body.scope));
            if !self.are_decisions_intact(check) {
                page.findings.push(LedgerFinding::Contents { sequence, what });
            }
        }
    }

    fn is_plan_intact(&mut self, check: PlanCheck) -> bool {
        // The first entry about a plan is of the run that made it.
        let is_first = self.plans.insert(check.plan);
        self.stored_plans += usize::from(is_first && check.is_stored);
        check.is_intact && (check.is_made_here || !is_first)
    }

    /// Takes in what the run changed, and compares all that stands in the scope from then on.
    fn are_decisions_intact(&mut self, check: DecisionsCheck) -> bool {
        let DecisionsCheck { at, body, is_set_intact, changed, .. } = check;
        self.decisions += changed.len();
        self.sets += 1;
        let standing = self.scopes.entry(body.scope).or_default();
        let mut is_intact = is_set_intact;
        let mut images = BTreeSet::new();
        for decision in changed.iter() {
            standing.digest = None;
            // A run adds a row where a decision changes, and one for each image at most.
            let before = match decision.digest {
                Some(digest) => standing.by_image.insert(decision.image.clone(), digest),
                None => standing.by_image.remove(&decision.image),
            };
            is_intact &= decision.is_consistent
                && decision.at == at
                && before != decision.digest
                && images.insert(decision.image.as_str());
        }
        // In most runs nothing changes, and there may be many images.
        let digest = *standing.digest.get_or_insert_with(|| {
            set_digest(standing.by_image.iter().map(|(image, digest)| (image.as_str(), digest)))
        });
        is_intact && digest == body.sha256
    }

    /// Whether there are as many rows as entries vouch for.
    pub(super) async fn finish(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<LedgerFinding>, StoreError> {
        let counts: (i64, i64, i64, i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from plan), (select count(*) from decision),
                    (select count(*) from decision_set), (select count(*) from intent),
                    (select count(*) from undo), (select count(*) from outcome)",
        )
        .fetch_one(&mut *connection)
        .await
        .during(CHECK)?;
        let surplus = [
            ("plans", counts.0 - count(self.stored_plans), UNRECORDED_PLANS),
            ("decisions", counts.1 - count(self.decisions), UNRECORDED_DECISIONS),
            ("sets of decisions", counts.2 - count(self.sets), UNRECORDED_SETS),
            ("intents", counts.3 - count(self.intents), UNRECORDED_INTENTS),
            ("undone intents", counts.4 - count(self.undone), UNRECORDED_UNDONE),
            ("outcomes", counts.5 - count(self.outcomes), UNRECORDED_OUTCOMES),
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

/// A set has no number of its own: its run's stands for it.
const UNRECORDED_SETS: &str = "select run_id from decision_set
     left join run using (run_id)
     left join scope using (scope_id)
     where not exists (
         select 1 from ledger
         where ledger.kind = 'decisions' and ledger.run_key = run.run_key and case
             when json_valid(ledger.body)
             then ledger.body ->> '$.scope.account' = scope.account
                  and ledger.body ->> '$.scope.region' = scope.region
         end
     )
     order by run_id limit ?1";

/// By the intent that undoes.
const UNRECORDED_UNDONE: &str = "select intent_id from undo where not exists (
        select 1 from ledger, json_each(case when json_valid(ledger.body) then ledger.body end, '$.undoes') as undone
        where ledger.kind = 'intent' and undone.value = undo.undone_intent_id
              and case when json_valid(ledger.body) then ledger.body ->> 'intent' = undo.intent_id end
     ) order by intent_id limit ?1";

const UNRECORDED_INTENTS: &str = "select intent_id from intent where intent_id not in (
        select body ->> 'intent' from ledger
        where kind = 'intent' and json_valid(body) and body ->> 'intent' is not null
     ) order by intent_id limit ?1";

const UNRECORDED_OUTCOMES: &str = "select outcome_id from outcome where outcome_id not in (
        select body ->> 'outcome_id' from ledger
        where kind in ('outcome', 'settlement') and json_valid(body) and body ->> 'outcome_id' is not null
     ) order by outcome_id limit ?1";
