//! Intents without an outcome: what became of them is found out by reading the images.

use std::time::Duration;

use amiwarden_core::{
    Change, CloudReader, Duration as Age, Fact, ImageId, Rehearsal, SnapshotFate, StepOutcome, StepReport,
    Timestamp,
};

use crate::store::{OpenIntent, Store, StoreError};

/// How often an image is read to find out whether a request took effect, and the pause between. EC2 shows
/// changes late ("Eventual consistency in the Amazon EC2 API", EC2 Developer Guide).
const SETTLING_READS_MAX: u32 = 4;
const SETTLING_PAUSE: Duration = Duration::from_millis(500);

/// What a look at the image says about a change.
#[derive(Debug)]
pub(super) enum Look {
    /// Its effect holds.
    Holds,
    /// It does not.
    DoesNotHold,
    /// EC2 does not list the image, so nobody can tell any more.
    Gone,
    /// The image could not be read.
    Unreadable(String),
}

/// Looks several times, until the effect of `change`, which was asked for at `at`, holds. The answer is that of
/// the last look.
pub(super) async fn settling_look<R: CloudReader>(
    reader: &R,
    id: &ImageId,
    change: &Change,
    at: Timestamp,
) -> Look {
    let mut seen = look(reader, id, change, at).await;
    for _ in 1..SETTLING_READS_MAX {
        if matches!(seen, Look::Holds) {
            break;
        }
        tokio::time::sleep(SETTLING_PAUSE).await;
        seen = look(reader, id, change, at).await;
    }
    seen
}

/// Looks whether the effect of `change`, which was asked for at `at`, holds for the image as EC2 shows it now.
async fn look<R: CloudReader>(reader: &R, id: &ImageId, change: &Change, at: Timestamp) -> Look {
    let image = match reader.image(id).await {
        Ok(image) => image,
        Err(error) => return Look::Unreadable(error.to_string()),
    };
    let permissions = if change.needs_launch_permissions() && image.is_some() {
        match reader.launch_permissions(vec![id.clone()]).await.remove(id) {
            Some(Ok(permissions)) => Some(permissions),
            Some(Err(gap)) => return Look::Unreadable(gap.reason),
            None => return Look::Unreadable("its launch permissions were not answered for".to_owned()),
        }
    } else {
        None
    };
    match change.holds(image.as_ref(), permissions.as_ref(), at) {
        Fact::Known(true) => Look::Holds,
        Fact::Known(false) => Look::DoesNotHold,
        Fact::Unknown(_) | Fact::NotFetched(_) if image.is_none() => Look::Gone,
        Fact::Unknown(reason) => Look::Unreadable(reason),
        Fact::NotFetched(need) => Look::Unreadable(format!("its {need} were not read")),
    }
}

/// What nobody can learn any more about a change whose reply was lost, though its effect holds.
pub(super) fn lost_with_the_reply(change: &Change) -> Option<String> {
    (*change == Change::Deregister(SnapshotFate::Delete))
        .then(|| "what became of its snapshots is not known, because the reply was lost".to_owned())
}

/// Gives every intent of the readers' scopes that has no outcome, or an unknown one, an outcome by reading the
/// image. What cannot be read stays open; and so does what does not show yet, until it is `settle_after` old: EC2 may
/// carry a request out long after its reply was lost. Returns how many were settled.
pub(crate) async fn settle_open_intents<R: CloudReader>(
    store: &Store,
    readers: &[&R],
    settle_after: Age,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut settled = 0;
    for open in store.open_intents().await? {
        let Some(reader) = readers.iter().find(|reader| *reader.scope() == open.step.scope) else {
            continue;
        };
        // The intent's own time: a deprecation date that only a later request could have set proves nothing.
        let seen = settling_look(*reader, &open.step.image_id, &open.step.change, open.at).await;
        let is_early = now < open.at || Age::between(open.at, now) < settle_after;
        let settlement = match seen {
            Look::DoesNotHold if is_early => Err(format!(
                "the image does not show it, and EC2 may still carry it out until {settle_after} after it was sent"
            )),
            seen => settlement(&open.step.change, seen),
        };
        let outcome = match settlement {
            Ok(outcome) => outcome,
            Err(reason) => {
                tracing::warn!(
                    image = %open.step.image_id, action = %open.step.change.kind(), reason,
                    "a change that an earlier run left open cannot be settled yet",
                );
                continue;
            }
        };
        tracing::info!(
            image = %open.step.image_id, action = %open.step.change.kind(), outcome = outcome.as_str(),
            "settled a change that an earlier run left open",
        );
        store.write_outcome(open.intent_id, &settled_report(open, outcome), now).await?;
        settled += 1;
    }
    Ok(settled)
}

/// What the image shows to have become of a change. An error says why nothing can be concluded yet.
fn settlement(change: &Change, seen: Look) -> Result<StepOutcome, String> {
    match seen {
        Look::Holds => Ok(StepOutcome::Done),
        Look::DoesNotHold => Ok(StepOutcome::Failed(
            "it had not taken effect when the image was read at a later start".to_owned(),
        )),
        Look::Gone => Ok(StepOutcome::SkippedChanged(format!(
            "EC2 does not list the image any more; whether {} took effect cannot be told",
            change.kind()
        ))),
        Look::Unreadable(reason) => Err(reason),
    }
}

/// The report of a settled change. What the run itself came to know stays in it.
fn settled_report(open: OpenIntent, outcome: StepOutcome) -> StepReport {
    let is_done = outcome == StepOutcome::Done;
    let note = lost_with_the_reply(&open.step.change).filter(|_| is_done);
    let (rehearsal, request_id) = match open.unknown {
        Some(report) => (report.rehearsal, report.request_id),
        None => (Rehearsal::Skipped("settled by reading the image".to_owned()), None),
    };
    StepReport { rehearsal, outcome, request_id, snapshots: Vec::new(), note }
}
