//! What only the store knows.

use amiwarden_core::Timestamp;

use super::{Metrics, PolicySetInfo};
use crate::rules::Rules;
use crate::store::{RunState, Store, StoreError};

/// So many of the newest runs are looked at for what an earlier process did.
const RUNS_MAX: u32 = 500;

/// What the record of a run begins with that a schedule asked for.
const SCHEDULE: &str = "schedule ";

/// How closely the ledger is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LedgerCheck {
    /// Only how far it reaches.
    Head,
    /// Every entry, and everything that entries vouch for: seconds for hundreds of thousands of them.
    Whole,
}

impl Metrics {
    /// Looks at what is open and how the ledger stands.
    pub(crate) async fn look_at(&self, store: &Store, check: LedgerCheck) -> Result<(), StoreError> {
        self.unresolved_intents(store.open_intents().await?.len());
        match check {
            LedgerCheck::Head => self.ledger(Some(store.reader().ledger_head().await?.sequence()), None),
            LedgerCheck::Whole => {
                let verification = store.verify().await?;
                self.ledger(Some(verification.newest.sequence()), Some(verification.is_intact()));
            }
        }
        Ok(())
    }

    /// Looks up when the schedules in force last ran, so that a restart does not look like a service that never ran.
    pub(crate) async fn recall(&self, store: &Store) -> Result<(), StoreError> {
        for run in store.reader().runs(RUNS_MAX).await? {
            let schedule = run.command.strip_prefix(SCHEDULE).unwrap_or(&run.command);
            let has_failed_steps = run.totals.is_none_or(|totals| totals.failed > 0);
            let is_ok = run.state == RunState::Finished && !has_failed_steps;
            self.restore(schedule, run.started_at, run.finished_at.filter(|_| is_ok));
        }
        Ok(())
    }
}

impl PolicySetInfo {
    /// Of `rules`, in force since `loaded_at`.
    pub(crate) fn of(rules: &Rules, loaded_at: Timestamp) -> Self {
        let names = rules.book.policies.policies().iter().map(|policy| policy.name().clone());
        Self { digest: rules.digest_of_policies(), loaded_at, ok: true, names: names.collect() }
    }
}
