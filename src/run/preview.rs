//! What is about to be carried out, for whoever has to say yes.

use std::collections::BTreeMap;

use amiwarden_core::{ActionKind, CycleReport, Plan, Rehearsal, Step, StepOutcome};
use amiwarden_ec2::{Ec2Reader, Ec2Writer};

use crate::cycle::{Cycle, Planned, report_without_request};

/// A plan that was rehearsed and of which nothing has been carried out.
pub(crate) struct Preview<'a> {
    pub(super) cycle: &'a Cycle<'a, Ec2Reader, Ec2Writer>,
    pub(super) planned: &'a Planned,
    pub(super) plan: &'a Plan,
    pub(super) rehearsals: &'a [Rehearsal],
    pub(super) obstacles: &'a BTreeMap<usize, StepOutcome>,
}

impl Preview<'_> {
    /// The report as it stands, with every step that is due waiting.
    pub(crate) fn report(&self) -> CycleReport {
        let waiting = || StepOutcome::NotAttempted("waiting for confirmation".to_owned());
        let reports = self.rehearsals.iter().enumerate().map(|(index, rehearsal)| {
            let outcome = self.obstacles.get(&index).cloned().unwrap_or_else(waiting);
            report_without_request(rehearsal.clone(), outcome)
        });
        self.cycle.report(self.planned.clone(), self.plan, reports.collect())
    }

    /// What is due, such as `9 changes (5 disable, 4 tag)`.
    pub(crate) fn counts(&self) -> String {
        let steps = self.plan.steps.iter().enumerate();
        let due: Vec<&Step> =
            steps.filter(|(index, _)| !self.obstacles.contains_key(index)).map(|(_, step)| step).collect();
        let mut by_kind: BTreeMap<ActionKind, usize> = BTreeMap::new();
        for step in &due {
            *by_kind.entry(step.change.kind()).or_default() += 1;
        }
        let parts: Vec<String> = by_kind.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let plural = if due.len() == 1 { "" } else { "s" };
        format!("{} change{plural} ({})", due.len(), parts.join(", "))
    }
}
