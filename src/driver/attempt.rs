//! One attempt at a run: open the store, run, record its end.

use std::sync::Arc;
use std::time::Duration;

use amiwarden_core::{CycleReport, RunId, Scope, Timestamp};
use amiwarden_ec2::{ConnectError, Connection, Ec2Reader, Ec2Writer};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pulse::{LOOK_EVERY, Pulse};
use crate::cycle::{Acceptance, Link};
use crate::notify::{Ended as Told, Notifiers};
use crate::progress::Progress;
use crate::rules::Rules;
use crate::run::{Order, Performed, Run, RunError, Task, bystanders, links};
use crate::schedule::Schedule;
use crate::store::{OpenStoreError, Store, StoreError, StoreOptions, Tick};

/// Somebody may be at work with the store at the command line. So long the run waits for its turn.
const STORE_PATIENCE: Duration = Duration::from_mins(10);

/// How often it looks whether the store is free.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// A run that is about to begin.
pub(super) struct Attempt {
    pub(super) run_id: RunId,
    pub(super) command: String,
    /// The time of a schedule that it answers.
    pub(super) tick: Tick,
    pub(super) rules: Rules,
    pub(super) connection: Arc<Connection>,
    /// The schedule that it answers, which may narrow what is looked at.
    pub(super) schedule: Option<Schedule>,
    pub(super) notifiers: Arc<Notifiers>,
    pub(super) stop: CancellationToken,
    pub(super) pulse: Pulse,
}

/// What came of it.
pub(super) struct Ended {
    pub(super) run_id: RunId,
    /// The schedule that asked for it.
    pub(super) schedule: String,
    /// Still open, for what has to be recorded besides; none where it could not be opened.
    pub(super) store: Option<Store>,
    pub(super) result: Result<CycleReport, AttemptError>,
}

/// Why a run has no report.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// The store cannot be opened.
    #[error("the store cannot be opened")]
    Open(#[from] OpenStoreError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// No account can be worked with.
    #[error("AWS cannot be reached")]
    Connect(#[from] ConnectError),
    /// The schedule names accounts or Regions that there are not.
    #[error(
        "none of the accounts and Regions that the schedule names can be looked at: compare its `accounts` and \
         `regions` with what the configuration reaches"
    )]
    Nowhere,
    /// The run could not go on.
    #[error("the run could not go on")]
    Run(#[from] RunError),
}

impl AttemptError {
    /// Whether the ledger does not go with the head that is kept outside.
    pub(super) fn is_about_the_ledger(&self) -> bool {
        matches!(self, Self::Open(OpenStoreError::Head { .. }))
    }
}

impl Attempt {
    pub(super) async fn perform(self) -> Ended {
        let (run_id, schedule) = (self.run_id.clone(), self.tick.schedule.clone());
        let store = match self.open_store().await {
            Ok(store) => store,
            Err(error) => return Ended { run_id, schedule, store: None, result: Err(error.into()) },
        };
        let result = match self.run(&store).await {
            Ok(Performed { report, prospect }) => {
                self.notifiers.note(&store, Told::Report(&report, prospect), &self.stop).await;
                Ok(report)
            }
            Err(error) => {
                self.notifiers.note(&store, Told::Failure(&run_id, &error), &self.stop).await;
                Err(error)
            }
        };
        Ended { run_id, schedule, store: Some(store), result }
    }

    async fn open_store(&self) -> Result<Store, OpenStoreError> {
        let config = &self.rules.config.store;
        let until = Instant::now() + STORE_PATIENCE;
        let mut waited = 0;
        loop {
            let options = StoreOptions { ledger_head: Some(config.ledger_head.clone()) };
            match Store::open(&config.path, options).await {
                Err(OpenStoreError::Locked { .. }) if Instant::now() < until && !self.stop.is_cancelled() => {
                    waited += 1;
                    self.pulse.observe(waited, Instant::now());
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                opened => return opened,
            }
        }
    }

    async fn run(&self, store: &Store) -> Result<Performed, AttemptError> {
        // Before the run begins: a run that dies is not begun a second time for the same time.
        store.record_ticks(std::slice::from_ref(&self.tick), Timestamp::now()).await?;
        // Sessions of its own, named after the run.
        let connection = self.connection.for_run(&self.run_id).await?;
        let scopes = scopes(&connection, self.schedule.as_ref());
        if scopes.is_empty() {
            return Err(AttemptError::Nowhere);
        }
        let links = links(&connection, &scopes, self.rules.config.usage.template_versions);
        let progress = Progress::hidden();
        let run = Run {
            id: &self.run_id,
            rules: &self.rules,
            links: &links,
            bystanders: &bystanders(&connection, &scopes, self.rules.config.usage.template_versions),
            unlisted: connection.unlisted(),
            store,
            stop: &self.stop,
            progress: &progress,
        };
        let order = Order {
            command: self.command.clone(),
            task: Task::Run,
            acceptance: Acceptance::default(),
            is_attended: false,
        };
        // Nobody is there to ask: the limits, the guards and the rehearsed cycles stand in for a person.
        let performed = tokio::select! {
            performed = run.perform(order, async |_| Ok(true)) => performed?,
            never = self.look_after(&links, &progress) => match never {},
        };
        store.finish_run(&performed.report).await?;
        Ok(performed)
    }

    async fn look_after(
        &self,
        links: &[Link<Ec2Reader, Ec2Writer>],
        progress: &Progress,
    ) -> std::convert::Infallible {
        use amiwarden_core::{CloudReader, CloudWriter};
        loop {
            let calls: u64 =
                links.iter().map(|link| link.reader.calls_sent() + link.writer.calls_sent()).sum();
            self.pulse.observe(calls + progress.movements(), Instant::now());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The scopes that a schedule looks at.
pub(super) fn scopes(connection: &Connection, schedule: Option<&Schedule>) -> Vec<Scope> {
    let mut scopes = connection.scopes();
    if let Some(schedule) = schedule {
        scopes.retain(|scope| {
            (schedule.accounts.is_empty() || schedule.accounts.contains(&scope.account))
                && (schedule.regions.is_empty() || schedule.regions.contains(&scope.region))
        });
    }
    scopes
}
