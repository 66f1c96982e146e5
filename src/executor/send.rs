//! The requests of one step, and what their replies, or the lack of them, mean.

use amiwarden_core::{
    Call, CallError, CallErrorKind, CloudReader, CloudWriter, Receipt, Step, StepOutcome, Timestamp,
};

use super::settle::{Look, lost_with_the_reply, settling_look};
use super::throttle::until_not_throttled;
use super::{Executor, Performed};

/// The requests of a step around the one that failed.
struct Around<'a> {
    carried_out: &'a [Call],
    not_sent: &'a [Call],
}

impl<R: CloudReader, W: CloudWriter> Executor<'_, R, W> {
    /// Sends every request of the step, as of `at`. Stops at the first that is not confirmed.
    pub(super) async fn send_all(&self, step: &Step, at: Timestamp) -> Performed {
        let mut performed = Performed::without_request(StepOutcome::Done);
        let calls = step.change.calls(at);
        for (index, call) in calls.iter().enumerate() {
            let send = || self.writer.execute(&step.image_id, call);
            match until_not_throttled(self.stop, send).await {
                Ok(Receipt { request_id, snapshots }) => {
                    performed.request_id = request_id.or(performed.request_id);
                    performed.snapshots.extend(snapshots);
                }
                Err(error) => {
                    performed.request_id = error.request_id.clone().or(performed.request_id);
                    let around = Around { carried_out: &calls[..index], not_sent: &calls[index + 1..] };
                    (performed.outcome, performed.note) = self.conclude(step, at, &error, &around).await;
                    break;
                }
            }
        }
        performed
    }

    /// A refusal of the first request is a failure. Anything less plain is settled by reading the image, for a
    /// while: what holds is done, whatever else went wrong. If the effect does not show after a lost reply,
    /// nobody knows.
    async fn conclude(
        &self,
        step: &Step,
        at: Timestamp,
        error: &CallError,
        around: &Around<'_>,
    ) -> (StepOutcome, Option<String>) {
        let did_nothing = match error.kind {
            CallErrorKind::Throttled | CallErrorKind::Denied | CallErrorKind::Refused => true,
            CallErrorKind::Gone | CallErrorKind::NoReply | CallErrorKind::ExecutedDryRun => false,
        };
        if did_nothing && around.carried_out.is_empty() {
            return (StepOutcome::Failed(error.to_string()), None);
        }
        if matches!(settling_look(self.reader, &step.image_id, &step.change, at).await, Look::Holds) {
            return (
                StepOutcome::Done,
                around.shortfall(error).or_else(|| lost_with_the_reply(&step.change)),
            );
        }
        let mut words = error.to_string();
        if error.kind.may_have_happened() {
            words += "; the image does not show the change yet";
        }
        if let Some(names) = names(around.carried_out) {
            words = format!("{words}; before it, {names} had been carried out");
        }
        let outcome = if error.kind.may_have_happened() { StepOutcome::Unknown } else { StepOutcome::Failed };
        (outcome(words), None)
    }
}

impl Around<'_> {
    /// What is missing of a step whose effect holds all the same.
    fn shortfall(&self, error: &CallError) -> Option<String> {
        if !self.carried_out.is_empty() {
            return Some(format!("but {error}"));
        }
        names(self.not_sent).map(|names| format!("but {names} was not sent, because {error}"))
    }
}

/// The operations, for people; `None` where there are none.
fn names(calls: &[Call]) -> Option<String> {
    let names: Vec<&str> = calls.iter().map(Call::operation).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}
