//! The rehearsal: every request of every step is sent with `DryRun=true` first.

use std::collections::BTreeMap;

use amiwarden_core::{CallError, CallErrorKind, CloudReader, CloudWriter, Rehearsal, Step, Timestamp};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;

/// How many steps of one scope are rehearsed at a time. Rehearsals draw on the same token buckets as changes.
const CONCURRENT_MAX: usize = 8;

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
    if let Err(error) = reader.check_dry_run().await {
        return refuse_all(steps, format!("the endpoint does not honour DryRun: {error}"));
    }
    let liar = CancellationToken::new();
    let rehearse = |(index, step): (usize, &Step)| {
        let (image, calls, liar) = (step.image_id.clone(), step.change.calls(now), liar.clone());
        async move {
            let mut rehearsal = Rehearsal::Permitted;
            for call in calls {
                if stop.is_cancelled() || liar.is_cancelled() {
                    rehearsal = Rehearsal::Skipped("the run was told to stop".to_owned());
                    break;
                }
                if let Err(error) = writer.rehearse(&image, &call).await {
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
    let rehearsals = futures::stream::iter(steps.iter().map(|(index, step)| (*index, *step)));
    let steps = rehearsals.map(rehearse).buffer_unordered(CONCURRENT_MAX).collect().await;
    let dry_run_error = liar.is_cancelled().then(|| {
        "the endpoint carried out a request that was sent with DryRun=true; nothing more is sent to it"
            .to_owned()
    });
    ScopeRehearsal { steps, dry_run_error }
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
