//! The requests of one step, and what their replies, or the lack of them, mean.

use std::time::Duration;

use amiwarden_core::{
    CallError, CallErrorKind, CloudReader, CloudWriter, Receipt, Step, StepOutcome, Timestamp,
};

use super::settle::{Look, look};
use super::throttle::until_not_throttled;
use super::{Executor, Performed};

/// How often an image is read to find out whether a request without a reply took effect, and the pause between.
/// EC2 shows changes late ("Eventual consistency in the Amazon EC2 API", EC2 Developer Guide).
const SETTLING_READS_MAX: u32 = 4;
const SETTLING_PAUSE: Duration = Duration::from_millis(500);

impl<R: CloudReader, W: CloudWriter> Executor<'_, R, W> {
    /// Sends every request of the step. Stops at the first that is not confirmed.
    pub(super) async fn send_all(&self, step: &Step) -> Performed {
        let mut performed = Performed::without_request(StepOutcome::Done);
        let mut confirmed = Vec::new();
        for call in step.change.calls((self.clock)()) {
            match until_not_throttled(|| self.writer.execute(&step.image_id, &call)).await {
                Ok(Receipt { request_id, snapshots }) => {
                    performed.request_id = request_id.or(performed.request_id);
                    performed.snapshots.extend(snapshots);
                    confirmed.push(call.operation());
                }
                Err(error) => {
                    performed.request_id = error.request_id.clone().or(performed.request_id);
                    performed.outcome = self.outcome_of(step, &error, &confirmed).await;
                    break;
                }
            }
        }
        performed
    }

    /// A refusal of a step's only request is a failure: nothing has changed. Anything less plain is settled by
    /// reading the image, for a while; if that does not show the effect, nobody knows.
    async fn outcome_of(&self, step: &Step, error: &CallError, confirmed: &[&str]) -> StepOutcome {
        let is_refusal = match error.kind {
            CallErrorKind::Throttled | CallErrorKind::Denied | CallErrorKind::Refused => true,
            CallErrorKind::Gone | CallErrorKind::NoReply | CallErrorKind::ExecutedDryRun => false,
        };
        if is_refusal && confirmed.is_empty() {
            return StepOutcome::Failed(error.to_string());
        }
        if matches!(look_for_a_while(self.reader, step, (self.clock)()).await, Look::Holds) {
            // The log has what else went wrong: the effect that was planned is there.
            tracing::warn!(image = %step.image_id, action = %step.change.kind(), %error, "done, but not all of it");
            return StepOutcome::Done;
        }
        if error.kind.may_have_happened() {
            return StepOutcome::Unknown(format!("{error}; the image does not show the change yet"));
        }
        StepOutcome::Failed(match confirmed {
            [] => error.to_string(),
            _ => format!("{error}; before it, {} had been carried out", confirmed.join(" and ")),
        })
    }
}

/// Looks several times, because EC2 shows changes late.
pub(super) async fn look_for_a_while<R: CloudReader>(reader: &R, step: &Step, asked_at: Timestamp) -> Look {
    let mut seen = look(reader, &step.image_id, &step.change, asked_at).await;
    for _ in 1..SETTLING_READS_MAX {
        if matches!(seen, Look::Holds) {
            break;
        }
        tokio::time::sleep(SETTLING_PAUSE).await;
        seen = look(reader, &step.image_id, &step.change, asked_at).await;
    }
    seen
}
