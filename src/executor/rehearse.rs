//! The rehearsal: every request of every step is sent with `DryRun=true` first.
//!
//! An endpoint that does not honour `DryRun` would carry a rehearsal out, so trust is built up: first a read,
//! then one step of each operation alone, then the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use amiwarden_core::{Call, CallError, CallErrorKind, CloudReader, CloudWriter, Rehearsal, Step, Timestamp};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::throttle::until_not_throttled;
use crate::progress::Progress;

/// How many steps of one scope are rehearsed at a time. Rehearsals draw on the same token buckets as changes.
const CONCURRENT_MAX: usize = 4;

/// What the rehearsal of one scope came to.
#[derive(Debug, Default)]
pub(crate) struct ScopeRehearsal {
    /// By the step's place in the plan; every step has an entry.
    pub(crate) steps: BTreeMap<usize, Rehearsal>,
    /// Why nothing may be changed in this scope: the endpoint does not honour `DryRun`, or it could not be found
    /// out whether it does.
    pub(crate) dry_run_error: Option<String>,
}

/// Rehearses the steps of one scope. First a harmless request shows whether the endpoint honours `DryRun` at
/// all; where it does not, a rehearsal would be the real thing, so nothing is sent.
pub(crate) async fn rehearse_scope<R: CloudReader, W: CloudWriter>(
    reader: &R,
    writer: &W,
    steps: &[(usize, &Step)],
    now: Timestamp,
    stop: &CancellationToken,
    progress: &Progress,
) -> ScopeRehearsal {
    if steps.is_empty() {
        return ScopeRehearsal::default();
    }
    if let Err(error) = until_not_throttled(stop, || reader.check_dry_run()).await {
        let reason = match error.kind {
            CallErrorKind::ExecutedDryRun => error.to_string(),
            CallErrorKind::Throttled
            | CallErrorKind::Denied
            | CallErrorKind::Gone
            | CallErrorKind::Refused
            | CallErrorKind::NoReply => {
                format!("whether the endpoint honours DryRun could not be found out: {error}")
            }
        };
        return refuse_all(steps, &reason);
    }
    let stage = Stage { writer, now, halt: stop.child_token(), lied: AtomicBool::new(false), progress };
    let mut rehearsals = BTreeMap::new();
    let (scouts, rest) = scouts(steps, now);
    for (index, step) in scouts {
        rehearsals.insert(index, stage.rehearse(step).await);
    }
    let rest = futures::stream::iter(rest);
    let rest = rest.map(|(index, step)| {
        let rehearsal = stage.rehearse(step);
        async move { (index, rehearsal.await) }
    });
    rehearsals.extend(rest.buffer_unordered(CONCURRENT_MAX).collect::<Vec<_>>().await);
    let dry_run_error = stage.lied.load(Ordering::Relaxed).then(|| {
        "the endpoint carried out a request that was sent with DryRun=true; nothing more is sent to it"
            .to_owned()
    });
    ScopeRehearsal { steps: rehearsals, dry_run_error }
}

type Places<'a> = Vec<(usize, &'a Step)>;

/// The first step of each operation, and the rest. An endpoint can honour `DryRun` for one operation and not for
/// another, so each operation is tried on one image before it is sent for many at once.
fn scouts<'a>(steps: &[(usize, &'a Step)], now: Timestamp) -> (Places<'a>, Places<'a>) {
    let mut tried: BTreeSet<&'static str> = BTreeSet::new();
    steps.iter().partition(|(_, step)| {
        let before = tried.len();
        tried.extend(step.change.calls(now).iter().map(Call::operation));
        tried.len() > before
    })
}

/// What the rehearsals of one scope have in common.
struct Stage<'a, W> {
    writer: &'a W,
    now: Timestamp,
    /// Nothing more may be sent: the run was told to stop, or the endpoint has lied.
    halt: CancellationToken,
    /// The endpoint carried out what was to be rehearsed.
    lied: AtomicBool,
    progress: &'a Progress,
}

impl<W: CloudWriter> Stage<'_, W> {
    async fn rehearse(&self, step: &Step) -> Rehearsal {
        let rehearsal = self.rehearse_calls(step).await;
        self.progress.advance();
        rehearsal
    }

    async fn rehearse_calls(&self, step: &Step) -> Rehearsal {
        for call in step.change.calls(self.now) {
            if self.halt.is_cancelled() {
                return self.halted();
            }
            let send = || self.writer.rehearse(&step.image_id, &call);
            let Err(error) = until_not_throttled(&self.halt, send).await else {
                continue;
            };
            if error.kind == CallErrorKind::ExecutedDryRun {
                self.lied.store(true, Ordering::Relaxed);
                self.halt.cancel();
            } else if error.kind == CallErrorKind::Throttled && self.halt.is_cancelled() {
                return self.halted();
            }
            return verdict(&error);
        }
        Rehearsal::Permitted
    }

    fn halted(&self) -> Rehearsal {
        let reason = if self.lied.load(Ordering::Relaxed) {
            "not sent, because the endpoint carried out a request that was sent with DryRun=true"
        } else {
            "the run was told to stop"
        };
        Rehearsal::Skipped(reason.to_owned())
    }
}

fn refuse_all(steps: &[(usize, &Step)], reason: &str) -> ScopeRehearsal {
    let skipped = steps.iter().map(|(index, _)| (*index, Rehearsal::Skipped(reason.to_owned())));
    ScopeRehearsal { steps: skipped.collect(), dry_run_error: Some(reason.to_owned()) }
}

fn verdict(error: &CallError) -> Rehearsal {
    match error.kind {
        CallErrorKind::Denied => Rehearsal::Denied(error.to_string()),
        CallErrorKind::ExecutedDryRun => Rehearsal::Error(format!(
            "{} was carried out by the endpoint, although it was sent with DryRun=true: {}",
            error.operation, error.message
        )),
        CallErrorKind::Throttled | CallErrorKind::Gone | CallErrorKind::Refused | CallErrorKind::NoReply => {
            Rehearsal::Error(error.to_string())
        }
    }
}
