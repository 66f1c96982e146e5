//! The metrics: what the service and single runs tell about themselves, for Prometheus.
//!
//! [`Metrics`] is told what happens by plain calls and renders it on demand. What concerns a run is taken from its
//! [`CycleReport`] when it has ended, so the metrics and the printed report cannot disagree, and a run under way shows
//! nothing half-done. There are at most 500 series, however many images, policies and scopes there are: beyond a limit
//! they are added up under the label `other` (`docs/METRICS.md` has the limits).
//!
//! Deliberately absent: the HTTP handler, which only needs [`Metrics::render`]; and any value that has an image's id,
//! name or tag in a label.

mod collector;
mod samples;
pub(crate) mod series;
mod single_run;
mod state;
mod store;
mod textfile;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amiwarden_core::{CycleReport, PolicyName, Scope, Timestamp};
use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};

use crate::pause::PauseFile;
use crate::run::Judgement;
use collector::{Known, Renderer, families};
use samples::Samples;
use series::Kind;
pub(crate) use single_run::SingleRun;
use state::State;
pub(crate) use store::LedgerCheck;
pub(crate) use textfile::WriteTextfileError;

/// The schedule that stands for runs that somebody asked the service for.
pub(crate) const ON_REQUEST: &str = "on request";

/// The metrics of this process. Clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    told: Told,
    registry: Registry,
}

/// What was told, and the pause, which nobody tells: it is looked at.
#[derive(Clone)]
struct Told {
    state: Arc<Mutex<State>>,
    pause: PauseFile,
}

/// The values have no text form: a bug in the list of series.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be rendered")]
pub(crate) struct RenderError(#[from] prometheus::Error);

/// The policies in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicySetInfo {
    /// A digest of policies and configuration.
    pub(crate) digest: String,
    /// Since when they are in force.
    pub(crate) loaded_at: Timestamp,
    /// Whether no newer ones were refused since.
    pub(crate) ok: bool,
    /// Their names.
    pub(crate) names: Vec<PolicyName>,
}

/// Why nothing was run when a schedule was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skipped {
    /// A run was under way.
    Busy,
    /// It was too late for it.
    Missed,
}

impl Skipped {
    const ALL: [Self; 2] = [Self::Busy, Self::Missed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Missed => "missed",
        }
    }
}

/// The kinds of notifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NotifierKind {
    /// `webhook`
    Webhook,
    /// `slack`
    Slack,
    /// `sns`
    Sns,
    /// `command`
    Command,
}

impl NotifierKind {
    const ALL: [Self; 4] = [Self::Webhook, Self::Slack, Self::Sns, Self::Command];

    fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Sns => "sns",
            Self::Command => "command",
        }
    }

    /// The kind of this name, as the configuration has it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Notified {
    /// It was taken.
    Delivered,
    /// It was given up.
    Failed,
}

impl Notified {
    const ALL: [Self; 2] = [Self::Delivered, Self::Failed];

    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl Metrics {
    /// Metrics of which nothing has been told but the version. `pause` is looked at whenever they are rendered.
    pub(crate) fn new(version: &str, pause: PauseFile) -> Result<Self, RenderError> {
        let state = State { version: version.to_owned(), ..State::default() };
        let told = Told { state: Arc::new(Mutex::new(state)), pause };
        // Without a prefix, which would rename the `process_…` series, too.
        let registry = Registry::new();
        registry.register(Box::new(Renderer::new(told.clone())?))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { told, registry })
    }

    /// These schedules are in force. What was known of others is forgotten; each of these has its counters at once.
    pub(crate) fn schedules<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let mut state = self.told.state();
        let names: Vec<&str> = names.into_iter().chain([ON_REQUEST]).collect();
        state.schedules.retain(|name, _| names.contains(&name.as_str()));
        for name in names {
            state.schedule(name);
        }
    }

    /// What an earlier process knew of a schedule in force: when a run last began, and when one last ended well.
    pub(crate) fn restore(&self, schedule: &str, attempted_at: Timestamp, succeeded_at: Option<Timestamp>) {
        let mut state = self.told.state();
        let Some(schedule) = state.schedules.get_mut(schedule) else { return };
        schedule.attempted_at = schedule.attempted_at.max(Some(attempted_at));
        schedule.succeeded_at = schedule.succeeded_at.max(succeeded_at);
    }

    /// A run of `schedule` over `scopes` begins.
    pub(crate) fn attempted(&self, schedule: &str, scopes: &[Scope], now: Timestamp) {
        let mut state = self.told.state();
        state.schedule(schedule).attempted_at = Some(now);
        for scope in scopes {
            state.scopes.entry(scope.clone()).or_default().attempted_at = Some(now);
        }
    }

    /// A schedule was due and nothing was run.
    pub(crate) fn skipped(&self, schedule: &str, reason: Skipped) {
        *self.told.state().schedule(schedule).skipped.entry(reason).or_default() += 1;
    }

    /// A run of `schedule` has ended with a report.
    pub(crate) fn finished(&self, schedule: &str, report: &CycleReport) {
        let is_ok = Judgement::of(report) != Judgement::Failed;
        self.told.state().finish(schedule, report, is_ok);
    }

    /// A run of `schedule` has ended without one.
    pub(crate) fn failed(&self, schedule: &str) {
        let mut state = self.told.state();
        let schedule = state.schedule(schedule);
        schedule.failed += 1;
        schedule.last_ok = Some(false);
    }

    /// These policies are in force.
    pub(crate) fn policies(&self, policies: PolicySetInfo) {
        self.told.state().policies = Some(policies);
    }

    /// Newer policies, or a newer configuration, were refused.
    pub(crate) fn policies_refused(&self) {
        if let Some(policies) = &mut self.told.state().policies {
            policies.ok = false;
        }
    }

    /// How far the ledger reaches, and whether it was as it was written, where that was checked.
    pub(crate) fn ledger(&self, head_sequence: Option<i64>, is_intact: Option<bool>) {
        let mut state = self.told.state();
        state.ledger_head = head_sequence.or(state.ledger_head);
        state.ledger_ok = is_intact.or(state.ledger_ok);
    }

    /// Of so many changes nobody knows yet whether they took effect.
    pub(crate) fn unresolved_intents(&self, count: usize) {
        self.told.state().unresolved_intents = Some(count);
    }

    /// A notification was delivered, or given up.
    pub(crate) fn notified(&self, kind: NotifierKind, result: Notified) {
        *self.told.state().counted.notified.entry((kind, result)).or_default() += 1;
    }

    /// Everything in the text format of Prometheus.
    pub(crate) fn render(&self) -> Result<String, RenderError> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }

    /// Puts all gauges into a file for `node_exporter`'s textfile collector. What is counted begins anew with each
    /// process, so a process that ends has no use for counters; nor for what is told of the process itself.
    pub(crate) fn write_textfile(&self, path: &Path) -> Result<(), WriteTextfileError> {
        let gauges = families(&self.told.samples(), |series| series.kind == Kind::Gauge);
        let text = TextEncoder::new().encode_to_string(&gauges).map_err(RenderError)?;
        textfile::write(path, &text)
    }
}

impl Told {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is made at once, so a panic leaves nothing half-done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known for Told {
    fn samples(&self) -> Samples {
        let is_paused = self.pause.reason().is_some();
        self.state().samples(is_paused)
    }
}
