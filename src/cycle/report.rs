//! The report of a cycle: what was found, what became of the steps, and what is counted for the metrics.

use amiwarden_core::{
    Became, CallCounts, CloudReader, CloudWriter, Conflict, CycleReport, Figures, ImageId, Plan,
    PolicyErrorReport, Rehearsal, ScopeFigures, ScopeReport, StepOutcome, StepReport, count_decisions,
    estimate, saved, scope_figures,
};

use super::{Cycle, Planned, Survey};

impl<R: CloudReader, W: CloudWriter> Cycle<'_, R, W> {
    /// The report of the run so far: what became of the steps of `plan`, and what was found today.
    pub(crate) fn report(&self, planned: Planned, plan: &Plan, steps: Vec<StepReport>) -> CycleReport {
        CycleReport {
            run_id: self.run_id.clone(),
            plan_id: plan.id.clone(),
            mode: self.mode,
            started_at: self.started_at,
            finished_at: (self.clock)(),
            scopes: planned.scopes,
            steps: plan.steps.iter().cloned().zip(steps).collect(),
            held: planned.plan.held,
            kept: planned.kept,
            errors: planned.errors,
            conflicts: planned.conflicts,
            tripped: planned.plan.tripped,
            switched_off: self.usage.disabled_sources.iter().copied().collect(),
            api_calls: self
                .links
                .iter()
                .map(|link| link.reader.calls_sent() + link.writer.calls_sent())
                .sum(),
            estimate: estimate(plan, &self.speed.pace, self.speed.concurrent_scopes, self.started_at),
            interrupted: self.stop.is_cancelled(),
            figures: planned.figures,
        }
    }

    /// Counts what the metrics need besides, for the report. The surveys are still to be there.
    pub(crate) fn count(&self, planned: &mut Planned, plan: &Plan, steps: &[StepReport]) {
        let became = Became { steps: &plan.steps, reports: steps, held: &planned.plan.held };
        for survey in &planned.surveys {
            let of_survey = |report: &&mut ScopeReport| report.scope == survey.inventory.scope;
            if let Some(report) = planned.scopes.iter_mut().find(of_survey) {
                let (min_hold, now) = (self.limits.min_hold, self.started_at);
                report.figures = scope_figures(&survey.inventory, &survey.facts, became, min_hold, now);
            }
        }
        let mut calls = CallCounts::default();
        for link in self.links {
            calls.extend(&link.reader.calls());
            calls.extend(&link.writer.calls());
        }
        planned.figures = Figures {
            phases: self.stopwatch.durations(),
            calls,
            decisions: count_decisions(planned.surveys.iter().flat_map(|survey| &survey.decisions)),
            saved: saved(planned.surveys.iter().map(|survey| &survey.inventory), became),
        };
    }
}

/// A report of a step of which nothing was sent.
pub(crate) fn report_without_request(rehearsal: Rehearsal, outcome: StepOutcome) -> StepReport {
    StepReport { rehearsal, outcome, request_id: None, snapshots: Vec::new(), note: None }
}

pub(super) fn scope_report(survey: &Survey) -> ScopeReport {
    let inventory = &survey.inventory;
    ScopeReport {
        scope: inventory.scope.clone(),
        images: inventory.images.len(),
        gaps: inventory.gaps().map(|(source, gap)| (source, gap.clone())).collect(),
        dry_run_error: None,
        figures: ScopeFigures::default(),
    }
}

pub(super) fn policy_errors(survey: &Survey) -> impl Iterator<Item = PolicyErrorReport> {
    survey.decisions.iter().flat_map(|decision| {
        decision.failures.iter().map(|(policy, failure)| PolicyErrorReport {
            policy: policy.clone(),
            image_id: decision.image.clone(),
            failure: failure.clone(),
        })
    })
}

pub(super) fn conflicts(survey: &Survey) -> impl Iterator<Item = (ImageId, Conflict)> {
    survey.decisions.iter().flat_map(|decision| {
        decision.conflicts.iter().map(|conflict| (decision.image.clone(), conflict.clone()))
    })
}
