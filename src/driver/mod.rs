//! The driver: one cycle at a time, when a schedule is due or somebody asks.
//!
//! It listens to everything at once (the bell, requests, reasons to reload, the order to stop, the run that is under
//! way) and never waits for one of them alone. While a run is under way, nothing else is begun: a schedule that is due
//! meanwhile is recorded as busy, and not queued.
//!
//! Between runs the store is closed, so that `amiwarden undo` and its like find it free without stopping the service.
//!
//! Deliberately absent: what a run does (`run`), and when schedules are due (`schedule`).

mod agenda;
mod attempt;
pub(crate) mod control;
mod pulse;
mod reloads;
mod supervisor;

use std::sync::Arc;

use amiwarden_core::{RunId, Timestamp};
use amiwarden_ec2::Connection;
use futures::future::LocalBoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::metrics::{LedgerCheck, Metrics, ON_REQUEST, PolicySetInfo, Skipped};
use crate::notify::{Notifiers, Surroundings};
use crate::rules::Rules;
use crate::run::Judgement;
use crate::schedule::{AtRing, BellError, Ring, at_ring};
use crate::store::{Store, StoreError, Tick, TickBecame};
use crate::telemetry;
use agenda::Agenda;
use attempt::{Attempt, Ended};
use control::{DriverSide, LastRun, Phase, ScheduleStatus};
use pulse::Pulse;
use reloads::{Reason, Reloads};
pub(crate) use supervisor::Supervisor;

/// So often every entry of the ledger is looked at, when a run has ended.
const LEDGER_CHECK_EVERY: std::time::Duration = std::time::Duration::from_hours(1);

/// Reads configuration and policies again.
pub(crate) type Load = Box<dyn Fn() -> anyhow::Result<Rules> + Send + Sync>;

/// What the driver works with.
pub(crate) struct Driver {
    pub(crate) rules: Arc<Rules>,
    pub(crate) load: Load,
    pub(crate) connection: Arc<Connection>,
    pub(crate) desk: DriverSide,
    /// Who is told of runs. The courier hears of it when they change.
    pub(crate) notifiers: watch::Sender<Arc<Notifiers>>,
    pub(crate) supervisor: Supervisor,
    pub(crate) metrics: Metrics,
    /// Tells this host from others, for the jitter.
    pub(crate) host: String,
    /// To stop after the step in flight.
    pub(crate) stop: CancellationToken,
    /// To stop at once: what is in flight is settled by the next start.
    pub(crate) stop_now: CancellationToken,
}

/// Why the driver could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    /// The bell cannot be set.
    #[error("the schedules cannot be set")]
    Bell(#[from] BellError),
    /// Signals cannot be heard.
    #[error("signals cannot be heard")]
    Signals(#[source] std::io::Error),
    /// The store failed at the start.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// A run that is under way.
struct Current {
    pulse: Pulse,
    future: LocalBoxFuture<'static, Ended>,
}

impl Driver {
    /// Runs until it is told to stop. `store` is open and free; it is closed before anything else happens.
    pub(crate) async fn drive(self, store: Store) -> Result<(), DriveError> {
        let mut reloads =
            Reloads::start(self.rules.config.policies.dir.as_deref()).map_err(DriveError::Signals)?;
        let mut agenda = Agenda::open(&self.rules, &store, &self.host).await?;
        self.tell_first(&store).await?;
        store.close().await?;
        drop(store);
        let mut driver =
            Driving { parts: self, current: None, is_stopping: false, ledger_checked: Some(Instant::now()) };
        driver.publish_schedules(&agenda);
        driver.tell_next();
        driver.parts.supervisor.ready();
        let mut heartbeat = driver.parts.supervisor.heartbeat();
        let (stop, stop_now) = (driver.parts.stop.clone(), driver.parts.stop_now.clone());
        let mut failure = None;
        loop {
            if driver.current.is_none() {
                if stop.is_cancelled() {
                    if !driver.is_stopping {
                        driver.announce_stop();
                    }
                    break;
                }
                if let Some(ring) = agenda.take_pending() {
                    driver.begin(Some(&ring), &mut agenda);
                }
            }
            let is_running = driver.current.is_some();
            tokio::select! {
                () = stop_now.cancelled() => break,
                () = stop.cancelled(), if !driver.is_stopping => driver.announce_stop(),
                ended = finished(&mut driver.current), if is_running => {
                    driver.current = None;
                    driver.conclude(ended, &mut agenda).await;
                }
                ring = agenda.ring() => {
                    let answered = driver.answer(&ring, &mut agenda).await;
                    driver.stop_at_failure(answered, &mut failure);
                }
                () = driver.parts.desk.requested(), if !is_running => driver.begin(None, &mut agenda),
                reason = reloads.next() => {
                    let reloaded = driver.reload(reason, &mut reloads, &mut agenda).await;
                    driver.stop_at_failure(reloaded, &mut failure);
                }
                _ = heartbeat.tick() => driver.beat(),
            }
        }
        if driver.current.take().is_some() {
            tracing::warn!("stopped with a run under way: what was in flight is settled at the next start");
        }
        failure.map_or(Ok(()), Err)
    }
}

impl Driver {
    /// Tells the metrics what is so before anything has happened.
    async fn tell_first(&self, store: &Store) -> Result<(), StoreError> {
        let metrics = &self.metrics;
        metrics.schedules(names(&self.rules));
        metrics.policies(PolicySetInfo::of(&self.rules, Timestamp::now()));
        metrics.recall(store).await?;
        metrics.look_at(store, LedgerCheck::Whole).await
    }
}

fn names(rules: &Rules) -> impl Iterator<Item = &str> {
    rules.config.schedules.iter().map(|it| it.schedule.name.as_str())
}

async fn finished(current: &mut Option<Current>) -> Ended {
    match current {
        Some(current) => current.future.as_mut().await,
        None => std::future::pending().await,
    }
}

/// The driver with what changes while it drives.
struct Driving {
    parts: Driver,
    current: Option<Current>,
    /// Once the order to stop was heard.
    is_stopping: bool,
    /// When every entry of the ledger was last looked at.
    ledger_checked: Option<Instant>,
}

impl Driving {
    /// Without its bell the driver is of no use, but a run that is under way comes to its end first.
    fn stop_at_failure(&self, result: Result<(), DriveError>, failure: &mut Option<DriveError>) {
        if let Err(error) = result {
            tracing::error!("the service cannot go on: {}", chain(&error));
            self.parts.stop.cancel();
            failure.get_or_insert(error);
        }
    }

    fn announce_stop(&mut self) {
        self.is_stopping = true;
        self.parts.supervisor.stopping();
        self.parts.supervisor.status("stopping after the step in flight");
        self.parts.desk.publish(|status| status.phase = Phase::Stopping);
        tracing::info!("stopping after the step in flight, which is recorded");
    }

    /// The bell has rung.
    async fn answer(&mut self, ring: &Ring, agenda: &mut Agenda) -> Result<(), DriveError> {
        let now = Timestamp::now();
        let Some(schedule) = agenda.rung(ring, now).await? else { return Ok(()) };
        match at_ring(schedule.missed, ring.due_at, now, self.current.is_some()) {
            AtRing::Start if self.parts.stop.is_cancelled() => {}
            AtRing::Start => self.begin(Some(ring), agenda),
            AtRing::Busy => {
                tracing::warn!(schedule = %ring.schedule, "schedule {} is due while a run is under way: skipped", ring.schedule);
                agenda.note(ring, TickBecame::Busy);
                self.parts.metrics.skipped(&ring.schedule, Skipped::Busy);
            }
            AtRing::Missed => {
                tracing::warn!(schedule = %ring.schedule, "schedule {} was due at {}: missed", ring.schedule, ring.due_at);
                agenda.note(ring, TickBecame::Missed);
                self.parts.metrics.skipped(&ring.schedule, Skipped::Missed);
            }
        }
        self.publish_schedules(agenda);
        Ok(())
    }

    /// Begins a run: that of a schedule, or one that somebody asked for.
    fn begin(&mut self, ring: Option<&Ring>, agenda: &mut Agenda) {
        let now = Timestamp::now();
        let schedule = ring.and_then(|ring| agenda.schedule(&ring.schedule));
        if ring.is_some() && schedule.is_none() {
            // Without the schedule nobody knows what the run may do.
            return;
        }
        let run_id = RunId::new(Uuid::now_v7().to_string());
        let (command, tick) = if let Some(ring) = ring {
            (format!("schedule {}", ring.schedule), tick(ring, TickBecame::Started, &run_id))
        } else {
            let asked = Ring { schedule: ON_REQUEST.to_owned(), due_at: now };
            (ON_REQUEST.to_owned(), tick(&asked, TickBecame::Asked, &run_id))
        };
        let rules =
            schedule.map_or_else(|| Rules::clone(&self.parts.rules), |it| self.parts.rules.for_schedule(it));
        let pulse = Pulse::begin(Instant::now());
        let scopes = attempt::scopes(&self.parts.connection, schedule);
        self.parts.metrics.attempted(&tick.schedule, &scopes, now);
        let attempt = Attempt {
            run_id: run_id.clone(),
            command: command.clone(),
            tick,
            rules,
            connection: Arc::clone(&self.parts.connection),
            schedule: schedule.cloned(),
            notifiers: Arc::clone(&self.parts.notifiers.borrow()),
            stop: self.parts.stop.clone(),
            pulse: pulse.clone(),
        };
        let span = telemetry::run_span(&run_id);
        span.in_scope(|| tracing::info!("{command} begins"));
        self.parts.supervisor.status(&format!("run {run_id} ({command}) since {}", clock(now)));
        self.parts.desk.publish(|status| status.phase = Phase::Running { run_id, command, since: now });
        self.current = Some(Current { pulse, future: Box::pin(attempt.perform().instrument(span)) });
    }

    /// A run has ended: says so, records what waited for the store, and closes it.
    async fn conclude(&mut self, ended: Ended, agenda: &mut Agenda) {
        let (ok, summary) = match &ended.result {
            Ok(report) => {
                self.parts.metrics.finished(&ended.schedule, report);
                let totals = report.totals();
                let summary = format!(
                    "run {}: {} images, {} steps ({} done, {} failed), {} held",
                    report.run_id, totals.images, totals.steps, totals.done, totals.failed, totals.held
                );
                let ok = Judgement::of(report) != Judgement::Failed;
                if ok || report.interrupted {
                    tracing::info!(run_id = %ended.run_id, "{summary}");
                } else {
                    tracing::error!(run_id = %ended.run_id, "{summary}; `amiwarden history` tells what failed");
                }
                (ok, summary)
            }
            Err(error) => {
                self.parts.metrics.failed(&ended.schedule);
                if error.is_about_the_ledger() {
                    self.parts.metrics.ledger(None, Some(false));
                }
                let error = chain(error);
                tracing::error!(run_id = %ended.run_id, "the run failed: {error}");
                (false, format!("run {} failed: {error}", ended.run_id))
            }
        };
        if let Some(store) = ended.store {
            self.look_at(&store).await;
            let recorded = match agenda.record(&store).await {
                Ok(()) => store.close().await,
                Err(error) => Err(error),
            };
            if let Err(error) = recorded {
                let error = chain(&error);
                tracing::error!(run_id = %ended.run_id, "the end of the run was not recorded: {error}");
            }
        }
        let finished_at = Timestamp::now();
        let last = LastRun { run_id: ended.run_id, finished_at, ok, summary };
        self.parts.desk.publish(|status| {
            status.last = Some(last);
            if status.phase != Phase::Stopping {
                status.phase = Phase::Idle;
            }
        });
        self.publish_schedules(agenda);
        self.tell_next();
    }

    /// Tells the metrics how the store stands. Every entry of the ledger is looked at once in a while.
    async fn look_at(&mut self, store: &Store) {
        let is_due = self.ledger_checked.is_none_or(|at| at.elapsed() >= LEDGER_CHECK_EVERY);
        let check = if is_due { LedgerCheck::Whole } else { LedgerCheck::Head };
        match self.parts.metrics.look_at(store, check).await {
            Ok(()) if is_due => self.ledger_checked = Some(Instant::now()),
            Ok(()) => {}
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "the metrics lack what the store knows: {error}");
            }
        }
    }

    /// Reads everything again. What cannot be used leaves what is in force as it is.
    async fn reload(
        &mut self,
        reason: Reason,
        reloads: &mut Reloads,
        agenda: &mut Agenda,
    ) -> Result<(), DriveError> {
        if self.parts.stop.is_cancelled() {
            return Ok(());
        }
        self.parts.supervisor.reloading();
        match (self.parts.load)() {
            Ok(rules) => {
                self.replace_notifiers(&rules);
                self.parts.rules = Arc::new(rules);
                reloads.watch_again(self.parts.rules.config.policies.dir.as_deref());
                agenda.replace(&self.parts.rules, Timestamp::now()).await?;
                let rules = Arc::clone(&self.parts.rules);
                self.parts.metrics.schedules(names(&rules));
                let count = rules.book.policies.policies().len();
                let digest = rules.digest_of_policies();
                self.parts.desk.publish(|status| {
                    if status.policies.digest != digest || status.policies.rejected.is_some() {
                        tracing::info!(
                            policies = count,
                            "configuration and policies read again: {count} policies in force"
                        );
                    }
                    if status.policies.digest != digest {
                        status.policies.loaded_at = Timestamp::now();
                    }
                    status.policies.digest = digest;
                    status.policies.count = count;
                    status.policies.rejected = None;
                });
                let loaded_at = self.parts.desk.status().policies.loaded_at;
                self.parts.metrics.policies(PolicySetInfo::of(&rules, loaded_at));
                self.publish_schedules(agenda);
            }
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(
                    ?reason,
                    "what was read again is refused, and what was in force stays: {error}"
                );
                // A directory that is being replaced may be back under the same name.
                reloads.watch_again(self.parts.rules.config.policies.dir.as_deref());
                self.parts.metrics.policies_refused();
                self.parts.desk.publish(|status| status.policies.rejected = Some(error));
            }
        }
        self.parts.supervisor.ready();
        if self.current.is_none() {
            self.tell_next();
        }
        Ok(())
    }

    /// Takes other notifiers. Those that are as they were keep what the courier knows of them.
    fn replace_notifiers(&self, rules: &Rules) {
        if rules.config.notify == self.parts.rules.config.notify {
            return;
        }
        let publisher = self.parts.connection.publisher();
        let notifiers = Notifiers::new(&rules.config.notify, Some(publisher), Surroundings::REAL);
        match notifiers.map(|it| it.counted_by(self.parts.metrics.clone())) {
            Ok(notifiers) => {
                notifiers.warn_of_secrets();
                self.parts.notifiers.send_replace(Arc::new(notifiers));
            }
            Err(error) => {
                let error = chain(&error);
                tracing::error!(error, "the notifiers stay as they were: {error}");
            }
        }
    }

    /// Feeds the watchdog, unless a run hangs.
    fn beat(&self) {
        if self.current.as_ref().is_none_or(|current| current.pulse.is_alive(Instant::now())) {
            self.parts.supervisor.feed_watchdog();
        } else {
            tracing::error!("the run has not moved for a long time: the watchdog is not fed");
        }
    }

    fn publish_schedules(&self, agenda: &Agenda) {
        let schedules: Vec<ScheduleStatus> = agenda.status();
        self.parts.desk.publish(|status| status.schedules = schedules);
    }

    /// What came last and what is next, for `systemctl status`.
    fn tell_next(&self) {
        let status = self.parts.desk.status();
        let next = status.schedules.iter().filter_map(|it| Some((it.next_at?, &it.name))).min();
        let next = next.map(|(at, name)| format!("next run {} UTC ({name})", clock(at)));
        let words: Vec<String> = status.last.into_iter().map(|last| last.summary).chain(next).collect();
        self.parts.supervisor.status(&words.join("; "));
    }
}

fn tick(ring: &Ring, became: TickBecame, run_id: &RunId) -> Tick {
    Tick { schedule: ring.schedule.clone(), due_at: ring.due_at, became, run_id: Some(run_id.clone()) }
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M").to_string()
}

/// An error with all its causes, in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
