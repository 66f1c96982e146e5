//! Carries out the steps of a plan: within a scope several images at a time, and the steps of one image in their order.
//!
//! For each step: read the image again, compare it with what the plan rests on, write the intent, send, write
//! the outcome. There is nothing to decide here; whatever is not exactly as planned is skipped and recorded.
//!
//! Deliberately absent: retries of a request whose reply was lost. Such a request is settled by reading the
//! image, never by sending it again.

mod gate;
mod rehearse;
mod send;
mod settle;
mod throttle;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use amiwarden_core::{
    Change, CloudReader, CloudWriter, Duration, Fact, Image, ImageId, ImageState, LaunchPermissions, Plan,
    Rehearsal, RunId, SnapshotResult, Step, StepOutcome, StepReport, Timestamp,
};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;
use crate::store::{Intent, IntentId, SavedState, Store, StoreError};

pub(crate) use gate::Gate;
pub(crate) use rehearse::rehearse_scope;
pub(crate) use settle::settle_open_intents;

/// How old the proof that nothing uses an image may be when the image is taken away.
const PROOF_AGE_MAX: Duration = Duration::from_minutes(15);

/// Where a step's time comes from.
pub(crate) type Clock = fn() -> Timestamp;

/// All that carrying out a plan in one scope needs.
pub(crate) struct Executor<'a, R, W> {
    pub(crate) reader: &'a R,
    pub(crate) writer: &'a W,
    pub(crate) store: &'a Store,
    pub(crate) run_id: &'a RunId,
    pub(crate) plan: &'a Plan,
    /// What may close meanwhile; nothing where a person has asked for exactly these steps.
    pub(crate) gate: Option<Gate<'a>>,
    /// What each step undoes, by its place in the plan; empty unless this is an undo.
    pub(crate) undoes: &'a BTreeMap<usize, Vec<IntentId>>,
    /// When the account was read: so old is the proof that nothing uses an image.
    pub(crate) observed_at: Timestamp,
    pub(crate) clock: Clock,
    /// How many images are worked on at a time.
    pub(crate) concurrent_images: usize,
    /// Ends the run between two steps. The executor itself cancels it when the store fails, so that nothing more is
    /// sent for any image, in any scope that shares it.
    pub(crate) stop: &'a CancellationToken,
    pub(crate) progress: &'a Progress,
}

/// One step with its place in the plan and what its rehearsal said.
pub(crate) struct Rehearsed<'a> {
    pub(crate) index: usize,
    pub(crate) step: &'a Step,
    pub(crate) rehearsal: Rehearsal,
}

/// What became of a step, in the executor's hands.
#[derive(Clone)]
struct Performed {
    outcome: StepOutcome,
    request_id: Option<String>,
    snapshots: Vec<SnapshotResult>,
    note: Option<String>,
}

impl Performed {
    fn without_request(outcome: StepOutcome) -> Self {
        Self { outcome, request_id: None, snapshots: Vec::new(), note: None }
    }

    fn into_report(self, rehearsal: Rehearsal) -> StepReport {
        let Self { outcome, request_id, snapshots, note } = self;
        StepReport { rehearsal, outcome, request_id, snapshots, note }
    }
}

impl<R: CloudReader, W: CloudWriter> Executor<'_, R, W> {
    /// Carries out `steps`, those of one image in their order. Once the run is told to stop, or an image turned out
    /// not to be what the plan rests on, what is left (of the run, or of that image) is not attempted.
    ///
    /// # Errors
    ///
    /// When the store fails: nothing more is sent, because nothing may be sent that is not written down. What was
    /// sent already is awaited, so that as much of it as can be is recorded.
    pub(crate) async fn carry_out(
        &self,
        steps: Vec<Rehearsed<'_>>,
    ) -> Result<Vec<(usize, StepReport)>, StoreError> {
        let images = futures::stream::iter(by_image(steps)).map(|steps| self.carry_out_image(steps));
        let images: Vec<_> = images.buffer_unordered(self.concurrent_images.max(1)).collect().await;
        let reports: Vec<Vec<(usize, StepReport)>> = images.into_iter().collect::<Result<_, _>>()?;
        Ok(reports.into_iter().flatten().collect())
    }

    /// Carries out the steps of one image.
    async fn carry_out_image(
        &self,
        steps: Vec<Rehearsed<'_>>,
    ) -> Result<Vec<(usize, StepReport)>, StoreError> {
        let mut reports = Vec::with_capacity(steps.len());
        let mut is_doubtful = false;
        for Rehearsed { index, step, rehearsal } in steps {
            let performed = if self.stop.is_cancelled() {
                not_attempted("the run was told to stop")
            } else if is_doubtful {
                not_attempted("an earlier step left the image in doubt")
            } else {
                self.perform(index, step, &rehearsal).await.inspect_err(|_| self.stop.cancel())?
            };
            is_doubtful |=
                matches!(performed.outcome, StepOutcome::SkippedChanged(_) | StepOutcome::Unknown(_));
            self.progress.advance();
            reports.push((index, performed.into_report(rehearsal)));
        }
        Ok(reports)
    }

    async fn perform(
        &self,
        index: usize,
        step: &Step,
        rehearsal: &Rehearsal,
    ) -> Result<Performed, StoreError> {
        if step.change.kind().is_destructive() && is_too_old(self.observed_at, (self.clock)()) {
            return Ok(not_attempted(
                "the proof that nothing uses it is older than 15 minutes, or the clock was set back: run again",
            ));
        }
        if let Some(reason) = self.gate.and_then(|gate| gate.closed_for(step, (self.clock)())) {
            return Ok(not_attempted(&reason));
        }
        let (image, permissions) = match self.examine(step).await {
            Ok(evidence) => evidence,
            Err(outcome) => return Ok(Performed::without_request(outcome)),
        };
        let at = (self.clock)();
        let intent = Intent {
            run_id: self.run_id.clone(),
            plan_id: self.plan.id.clone(),
            index,
            step: step.clone(),
            before: SavedState { image, launch_permissions: permissions },
            undoes: self.undoes.get(&index).cloned().unwrap_or_default(),
            at,
        };
        let intent_id = self.store.write_intent(&intent).await?;
        let performed = self.send_all(step, at).await;
        let report = performed.clone().into_report(rehearsal.clone());
        self.store.write_outcome(intent_id, &report, (self.clock)()).await?;
        Ok(performed)
    }

    /// Reads the image again. An error is the outcome of a step that must not be carried out.
    async fn examine(&self, step: &Step) -> Result<(Option<Image>, Option<LaunchPermissions>), StepOutcome> {
        let image = self.reader.image(&step.image_id).await.map_err(|error| {
            StepOutcome::NotAttempted(format!("the image could not be read again: {error}"))
        })?;
        let Some(image) = image else {
            return match step.change {
                Change::Restore { .. } => Ok((None, None)),
                Change::Deregister(_) => Err(StepOutcome::AlreadyDone),
                _ => Err(StepOutcome::SkippedChanged("EC2 does not list the image any more".to_owned())),
            };
        };
        let permissions = if step.reads_launch_permissions() {
            match self.permissions(step).await {
                Ok(permissions) => Some(permissions),
                Err(gap) if can_do_without_permissions(step, &image) => {
                    tracing::debug!(image = %step.image_id, ?gap, "a disabled image shows no permissions");
                    None
                }
                Err(outcome) => return Err(outcome),
            }
        } else {
            None
        };
        if step.change.holds(Some(&image), permissions.as_ref(), (self.clock)()) == Fact::Known(true) {
            return Err(StepOutcome::AlreadyDone);
        }
        let opt_out = self.gate.as_ref().map(|gate| (gate.limits.opt_out_tag.as_str(), (self.clock)()));
        match step.objection(&image, permissions.as_ref(), opt_out) {
            Some(objection) => Err(StepOutcome::SkippedChanged(objection)),
            None => Ok((Some(image), permissions)),
        }
    }

    async fn permissions(&self, step: &Step) -> Result<LaunchPermissions, StepOutcome> {
        let mut answer = self.reader.launch_permissions(vec![step.image_id.clone()]).await;
        let failed = |reason: String| {
            let text = format!("its launch permissions could not be saved first: {reason}");
            StepOutcome::NotAttempted(text)
        };
        match answer.remove(&step.image_id) {
            Some(Ok(permissions)) => Ok(permissions),
            Some(Err(gap)) => Err(failed(gap.reason)),
            None => Err(failed("there was no answer".to_owned())),
        }
    }
}

/// A disabled image has no grants to save: disabling took them away (EC2 User Guide, "Disable an Amazon EC2
/// AMI"), and EC2 may refuse to list them.
fn can_do_without_permissions(step: &Step, image: &Image) -> bool {
    matches!(step.change, Change::Deregister(_))
        && image.state == ImageState::Disabled
        && !step.covers_launch_permissions
}

/// The steps of each image together, the images in the order in which the plan comes to them.
fn by_image(steps: Vec<Rehearsed<'_>>) -> Vec<Vec<Rehearsed<'_>>> {
    let mut places: BTreeMap<&ImageId, usize> = BTreeMap::new();
    let mut images: Vec<Vec<Rehearsed<'_>>> = Vec::new();
    for rehearsed in steps {
        let place = *places.entry(&rehearsed.step.image_id).or_insert(images.len());
        match images.get_mut(place) {
            Some(image) => image.push(rehearsed),
            None => images.push(vec![rehearsed]),
        }
    }
    images
}

fn is_too_old(observed_at: Timestamp, now: Timestamp) -> bool {
    // A clock that has been set back says nothing about the age.
    now < observed_at || Duration::between(observed_at, now) > PROOF_AGE_MAX
}

fn not_attempted(reason: &str) -> Performed {
    Performed::without_request(StepOutcome::NotAttempted(reason.to_owned()))
}
