//! What there is to tell after a run. A pure function of what the run came to.

use amiwarden_core::{CycleReport, Mode, Rehearsal, RunId, Source, StepOutcome};

use crate::config::NotifyEvent;
use crate::cycle::{Approaching, Notice};

/// What a run came to besides its report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outlook {
    /// What policies want people told.
    pub(crate) notices: Vec<Notice>,
    /// Images that will be disabled or deregistered, the soonest first.
    pub(crate) approaching: Vec<Approaching>,
}

/// Something that somebody may want to be told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    /// Changes are due, or policies want people told, in a run that only observes.
    PlanReady(&'a CycleReport, &'a [Notice]),
    /// Changes were carried out or tried, or policies want people told, in a run that was to carry them out.
    Done(&'a CycleReport, &'a [Notice]),
    /// A person has to look.
    GuardTripped(&'a CycleReport),
    /// Something of the run failed.
    PartFailed(&'a CycleReport),
    /// The run came to no report.
    RunFailed(&'a RunId, &'a str),
    /// Images approach their end; at least one.
    Approaching(&'a CycleReport, &'a [Approaching]),
}

/// Everything that `report` and `outlook` give cause to tell.
pub(super) fn events<'a>(report: &'a CycleReport, outlook: &'a Outlook) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    let notices = &outlook.notices[..];
    match report.mode {
        Mode::Observe if !report.steps.is_empty() || !notices.is_empty() => {
            events.push(Event::PlanReady(report, notices));
        }
        Mode::Enforce
            if report.steps.iter().any(|(_, step)| was_tried(&step.outcome)) || !notices.is_empty() =>
        {
            events.push(Event::Done(report, notices));
        }
        Mode::Observe | Mode::Enforce => {}
    }
    if !report.tripped.is_empty() {
        events.push(Event::GuardTripped(report));
    }
    if failures(report).next().is_some() {
        events.push(Event::PartFailed(report));
    }
    if !outlook.approaching.is_empty() {
        events.push(Event::Approaching(report, &outlook.approaching));
    }
    events
}

fn was_tried(outcome: &StepOutcome) -> bool {
    match outcome {
        StepOutcome::Done | StepOutcome::Failed(_) | StepOutcome::Unknown(_) => true,
        StepOutcome::AlreadyDone | StepOutcome::SkippedChanged(_) | StepOutcome::NotAttempted(_) => false,
    }
}

/// What failed in a run, each in a few words. A run that was told to stop has not failed.
pub(super) fn failures(report: &CycleReport) -> impl Iterator<Item = String> {
    let steps = report.steps.iter().filter_map(move |(step, became)| {
        let what = format!("{} of {}", step.change.kind(), step.image_id);
        match (&became.outcome, &became.rehearsal) {
            (StepOutcome::Failed(reason), _) => Some(format!("{what} failed: {reason}")),
            (StepOutcome::Unknown(reason), _) => {
                Some(format!("{what} may or may not have happened: {reason}"))
            }
            // A change that was to be carried out and that EC2 does not permit, though nothing was tried.
            (_, Rehearsal::Denied(reason) | Rehearsal::Error(reason))
                if report.mode == Mode::Enforce && step.mode == Mode::Enforce =>
            {
                Some(format!("{what} is refused: {reason}"))
            }
            _ => None,
        }
    });
    let scopes = report.scopes.iter().flat_map(|scope| {
        let dry_run =
            scope.dry_run_error.iter().map(|error| format!("nothing is changed in {}: {error}", scope.scope));
        let gaps = scope.gaps.iter().filter(|(source, _)| *source == Source::Images);
        let gaps = gaps.map(|(_, gap)| format!("the images of {} could not all be read: {gap}", scope.scope));
        dry_run.chain(gaps).collect::<Vec<_>>()
    });
    steps.chain(scopes)
}

impl<'a> Event<'a> {
    /// What a notifier asks for it by.
    pub(super) fn kind(&self) -> NotifyEvent {
        match self {
            Self::PlanReady(..) => NotifyEvent::PlanReady,
            Self::Done(..) => NotifyEvent::Done,
            Self::GuardTripped(_) => NotifyEvent::GuardTripped,
            Self::PartFailed(_) | Self::RunFailed(..) => NotifyEvent::RunFailed,
            Self::Approaching(..) => NotifyEvent::Approaching,
        }
    }

    /// The run that it is about.
    pub(super) fn run_id(&self) -> &'a RunId {
        match self {
            Self::PlanReady(report, _)
            | Self::Done(report, _)
            | Self::GuardTripped(report)
            | Self::PartFailed(report)
            | Self::Approaching(report, _) => &report.run_id,
            Self::RunFailed(run_id, _) => run_id,
        }
    }

    /// What is new in it, where saying the same after every run would be noise: the plan, the guards that tripped, what
    /// fails, or the images that approach. What was done is always new.
    pub(super) fn news(&self) -> Option<String> {
        let news = match self {
            Self::Done(..) => return None,
            Self::PlanReady(report, notices) => {
                let notices = notices.iter().map(|it| format!("{} {}", it.scope, it.image_id));
                std::iter::once(report.plan_id.to_string()).chain(notices).collect::<Vec<_>>()
            }
            Self::GuardTripped(report) => {
                report.tripped.iter().map(|it| format!("{} {}", it.scope, it.guard)).collect()
            }
            Self::PartFailed(report) => failures(report).collect(),
            Self::RunFailed(_, reason) => vec![(*reason).to_owned()],
            Self::Approaching(report, images) => {
                let mode = std::iter::once(report.mode.as_str().to_owned());
                mode.chain(
                    images
                        .iter()
                        .map(|it| format!("{} {} {} {}", it.scope, it.image_id, it.action, it.due_on)),
                )
                .collect()
            }
        };
        Some(super::hex_digest(&news))
    }
}
