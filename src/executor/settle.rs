//! Intents without an outcome: what became of them is found out by reading the images.

use amiwarden_core::{Change, CloudReader, Fact, ImageId, Rehearsal, StepOutcome, StepReport, Timestamp};

use super::send::look_for_a_while;
use crate::store::{Store, StoreError};

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

/// Looks whether the effect of `change` holds for the image as EC2 shows it now.
pub(super) async fn look<R: CloudReader>(reader: &R, id: &ImageId, change: &Change, now: Timestamp) -> Look {
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
    match change.holds(image.as_ref(), permissions.as_ref(), now) {
        Fact::Known(true) => Look::Holds,
        Fact::Known(false) => Look::DoesNotHold,
        Fact::Unknown(_) | Fact::NotFetched(_) if image.is_none() => Look::Gone,
        Fact::Unknown(reason) => Look::Unreadable(reason),
        Fact::NotFetched(need) => Look::Unreadable(format!("its {need} were not read")),
    }
}

/// Gives every intent of the readers' scopes that has no outcome, or an unknown one, an outcome by reading the
/// image. What cannot be read stays open. Returns how many were settled.
pub(crate) async fn settle_open_intents<R: CloudReader>(
    store: &Store,
    readers: &[&R],
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut settled = 0;
    for open in store.open_intents().await? {
        let Some(reader) = readers.iter().find(|reader| *reader.scope() == open.step.scope) else {
            continue;
        };
        // Measured from when it was asked for: a date that has passed since proves nothing.
        let outcome = match look_for_a_while(*reader, &open.step, open.at).await {
            Look::Holds => StepOutcome::Done,
            Look::DoesNotHold => StepOutcome::Failed(
                "it had not taken effect when the image was read at a later start".to_owned(),
            ),
            Look::Gone => StepOutcome::SkippedChanged(
                "EC2 does not list the image any more: whether it took effect cannot be told".to_owned(),
            ),
            Look::Unreadable(reason) => {
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
        let report = StepReport {
            rehearsal: Rehearsal::Skipped("settled by reading the image".to_owned()),
            outcome,
            request_id: None,
            snapshots: Vec::new(),
        };
        store.write_outcome(open.intent_id, &report, now).await?;
        settled += 1;
    }
    Ok(settled)
}
