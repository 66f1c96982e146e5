//! The rehearsal: every request of every step is sent with `DryRun=true` first.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{CallError, CallErrorKind, CloudReader, CloudWriter, Rehearsal, Step, Timestamp};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::throttle::until_not_throttled;
use crate::progress::Progress;

/// How many steps of one scope are rehearsed at a time. Rehearsals draw on the same token buckets as changes.
const CONCURRENT_MAX: usize = 4;

/// What is said of an endpoint that lies.
const CARRIED_OUT: &str =
    "the endpoint carried out a request that was sent with DryRun=true; nothing more is sent to it";

/// What the rehearsal of one scope came to.
#[derive(Debug, Default)]
pub(crate) struct ScopeRehearsal {
    /// By the step's place in the plan; every step has an entry.
    pub(crate) steps: BTreeMap<usize, Rehearsal>,
    /// Why nothing may be changed in this scope: the endpoint does not honour `DryRun`.
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
    if let Err(error) = until_not_throttled(|| reader.check_dry_run()).await {
        return refuse_all(
            steps,
            match error.kind {
                CallErrorKind::ExecutedDryRun => format!("the endpoint does not honour DryRun: {error}"),
                CallErrorKind::Throttled
                | CallErrorKind::Denied
                | CallErrorKind::Gone
                | CallErrorKind::Refused
                | CallErrorKind::NoReply => {
                    format!("whether the endpoint honours DryRun could not be found out: {error}")
                }
            },
        );
    }
    let liar = CancellationToken::new();
    let rehearse = |(index, step): (usize, &Step)| {
        let (image, calls, liar) = (step.image_id.clone(), step.change.calls(now), liar.clone());
        async move {
            let mut rehearsal = Rehearsal::Permitted;
            for call in calls {
                if stop.is_cancelled() {
                    rehearsal = Rehearsal::Skipped("the run was told to stop".to_owned());
                    break;
                }
                if liar.is_cancelled() {
                    rehearsal = Rehearsal::Skipped(CARRIED_OUT.to_owned());
                    break;
                }
                if let Err(error) = until_not_throttled(|| writer.rehearse(&image, &call)).await {
                    if error.kind == CallErrorKind::ExecutedDryRun {
                        liar.cancel();
                    }
                    rehearsal = verdict(&error);
                    break;
                }
            }
            progress.advance();
            (index, rehearsal)
        }
    };
    // The first step of each kind goes alone: an emulator may honour DryRun for some operations only, and one request
    // that it carries out is enough to know.
    let mut known = BTreeSet::new();
    let (first, rest): (Vec<_>, Vec<_>) =
        steps.iter().copied().partition(|(_, step)| known.insert(step.change.kind()));
    let mut rehearsals = BTreeMap::new();
    for step in first {
        rehearsals.extend([rehearse(step).await]);
    }
    let rest = futures::stream::iter(rest).map(rehearse).buffer_unordered(CONCURRENT_MAX);
    rehearsals.extend(rest.collect::<Vec<_>>().await);
    let dry_run_error = liar.is_cancelled().then(|| CARRIED_OUT.to_owned());
    ScopeRehearsal { steps: rehearsals, dry_run_error }
}

fn refuse_all(steps: &[(usize, &Step)], reason: String) -> ScopeRehearsal {
    let skipped = steps.iter().map(|(index, _)| (*index, Rehearsal::Skipped(reason.clone())));
    ScopeRehearsal { steps: skipped.collect(), dry_run_error: Some(reason) }
}

fn verdict(error: &CallError) -> Rehearsal {
    match error.kind {
        CallErrorKind::Denied => Rehearsal::Denied(error.to_string()),
        CallErrorKind::Throttled
        | CallErrorKind::Gone
        | CallErrorKind::Refused
        | CallErrorKind::NoReply
        | CallErrorKind::ExecutedDryRun => Rehearsal::Error(error.to_string()),
    }
}
