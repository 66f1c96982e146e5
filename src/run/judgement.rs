//! What a report comes to for whoever asked for the run.

use amiwarden_core::{CycleReport, Mode, Rehearsal, Source};

/// How a run went. A failure says more than a tripped guard, and that more than changes that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Everything that was to be done was done.
    Fine,
    /// Changes are due.
    Due,
    /// A person has to look.
    GuardTripped,
    /// Something that was to be read or done was not.
    Failed,
}

impl Judgement {
    /// What `report` comes to.
    pub(crate) fn of(report: &CycleReport) -> Self {
        let totals = report.totals();
        // A change that was to be carried out and that EC2 does not permit is a failure, though nothing was tried.
        let refused = report.mode == Mode::Enforce
            && report.steps.iter().any(|(step, became)| {
                step.mode == Mode::Enforce
                    && matches!(became.rehearsal, Rehearsal::Denied(_) | Rehearsal::Error(_))
            });
        let unreadable = report.scopes.iter().any(|scope| {
            let matters = |source: &Source| matches!(source, Source::Images | Source::OtherAccounts);
            scope.dry_run_error.is_some() || scope.gaps.iter().any(|(source, _)| matters(source))
        });
        if totals.failed > 0 || refused || report.interrupted || unreadable {
            Self::Failed
        } else if !report.tripped.is_empty() {
            Self::GuardTripped
        } else if totals.steps > totals.done {
            Self::Due
        } else {
            Self::Fine
        }
    }
}
