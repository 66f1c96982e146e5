//! The requests of one step, and what their replies, or the lack of them, mean.

use std::time::Duration;

use amiwarden_core::{Call, CallError, CallErrorKind, CloudReader, CloudWriter, Receipt, Step, StepOutcome};

use super::settle::{Look, look};
use super::{Executor, Performed};

/// How often a request is sent that EC2 was too busy for. Throttling is the one refusal after which sending
/// again is safe: EC2 did nothing.
const THROTTLED_ATTEMPTS_MAX: u32 = 6;

/// The pause after the first throttled attempt; it doubles with each.
const THROTTLED_PAUSE: Duration = Duration::from_millis(500);

/// How often an image is read to find out whether a request without a reply took effect, and the pause between.
/// EC2 shows changes late ("Eventual consistency in the Amazon EC2 API", EC2 Developer Guide).
const SETTLING_READS_MAX: u32 = 4;
const SETTLING_PAUSE: Duration = Duration::from_millis(500);

impl<R: CloudReader, W: CloudWriter> Executor<'_, R, W> {
    /// Sends every request of the step. Stops at the first that is not confirmed.
    pub(super) async fn send_all(&self, step: &Step) -> Performed {
        let mut performed = Performed::without_request(StepOutcome::Done);
        for call in step.change.calls((self.clock)()) {
            match self.send(step, &call).await {
                Ok(Receipt { request_id, snapshots }) => {
                    performed.request_id = request_id.or(performed.request_id);
                    performed.snapshots.extend(snapshots);
                }
                Err(error) => {
                    performed.request_id = error.request_id.clone().or(performed.request_id);
                    performed.outcome = self.outcome_of(step, &error).await;
                    break;
                }
            }
        }
        performed
    }

    async fn send(&self, step: &Step, call: &Call) -> Result<Receipt, CallError> {
        let mut pause = THROTTLED_PAUSE;
        let mut attempt = 1;
        loop {
            match self.writer.execute(&step.image_id, call).await {
                Err(error) if error.kind == CallErrorKind::Throttled && attempt < THROTTLED_ATTEMPTS_MAX => {
                    tracing::debug!(image = %step.image_id, %error, attempt, "throttled, trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    /// A refusal is a failure. Anything less plain is settled by reading the image, for a while; if that does
    /// not show the effect, nobody knows.
    async fn outcome_of(&self, step: &Step, error: &CallError) -> StepOutcome {
        match error.kind {
            CallErrorKind::Throttled | CallErrorKind::Denied | CallErrorKind::Refused => {
                return StepOutcome::Failed(error.to_string());
            }
            CallErrorKind::Gone | CallErrorKind::NoReply | CallErrorKind::ExecutedDryRun => {}
        }
        for read in 0..SETTLING_READS_MAX {
            if read > 0 {
                tokio::time::sleep(SETTLING_PAUSE).await;
            }
            if matches!(look(self.reader, &step.image_id, &step.change, (self.clock)()).await, Look::Holds) {
                return StepOutcome::Done;
            }
        }
        if error.kind.may_have_happened() {
            StepOutcome::Unknown(format!("{error}; the image does not show the change yet"))
        } else {
            StepOutcome::Failed(error.to_string())
        }
    }
}
