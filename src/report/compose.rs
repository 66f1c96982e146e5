//! Composes the document that a report for people is made from: which sections it has, in which order, and
//! what frames them. The sections themselves are made in [`sections`](super::sections).

use amiwarden_core::{CycleReport, Duration, Guard, ImageId, Mode, Rehearsal, StepOutcome};

use super::document::Document;
use super::headline::headline;
use super::text::{clean, grouped, tally};
use super::{Detail, Stage, Style, sections};

/// How changes are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tense {
    /// As what is due, with what their rehearsals said.
    Due {
        /// Whether any of them was rehearsed. Making a plan only reads.
        rehearsed: bool,
    },
    /// With what became of them.
    Past,
}

impl Tense {
    fn of(report: &CycleReport, stage: Stage) -> Self {
        let is_skipped = |rehearsal: &Rehearsal| matches!(rehearsal, Rehearsal::Skipped(_));
        match (report.mode, stage) {
            (Mode::Observe, _) => Self::Due {
                rehearsed: report.steps.is_empty()
                    || report.steps.iter().any(|(_, step)| !is_skipped(&step.rehearsal)),
            },
            (Mode::Enforce, Stage::Preview) => Self::Due { rehearsed: true },
            (Mode::Enforce, Stage::Final) => Self::Past,
        }
    }
}

/// The whole document.
pub(super) fn compose(report: &CycleReport, style: &Style) -> Document {
    let tense = Tense::of(report, style.stage);
    let sections = [
        sections::scopes(report),
        sections::steps(report, tense),
        sections::troubles(report, tense),
        sections::snapshots(report),
        sections::held(report),
        match style.detail {
            Detail::Summary => sections::kept_summary(report),
            Detail::EveryImage => sections::kept_images(report),
        },
        sections::errors(report),
        sections::conflicts(report),
        sections::gaps(report),
        sections::tripped(report),
    ];
    Document {
        headline: headline(report, tense),
        sections: sections.into_iter().filter(|section| !section.rows.is_empty()).collect(),
        totals: totals(report, tense),
        next: match style.stage {
            Stage::Final => next(report, &style.command),
            // The next thing is to answer the question.
            Stage::Preview => Vec::new(),
        },
    }
}

fn totals(report: &CycleReport, tense: Tense) -> Vec<String> {
    let totals = report.totals();
    let mut parts = vec![tally(totals.images, "image"), tally(totals.steps, "change")];
    let mut part = |number: usize, what: &str| parts.push(format!("{} {what}", grouped(number)));
    if tense == Tense::Past {
        let is_done = |outcome: &StepOutcome| matches!(outcome, StepOutcome::Done);
        let done = report.steps.iter().filter(|(_, step)| is_done(&step.outcome)).count();
        part(done, "done");
        if totals.done > done {
            part(totals.done - done, "already done");
        }
        part(totals.failed, "failed");
    }
    part(totals.held, "held back");
    part(totals.kept, "kept");
    parts.push(tally(totals.errors, "policy error"));
    parts.push(tally(usize::try_from(totals.api_calls).unwrap_or(usize::MAX), "API call"));
    parts.push(elapsed(report));
    vec![
        parts.join(" · "),
        format!("{} · run {}", clean(report.plan_id.as_str()), clean(report.run_id.as_str())),
    ]
}

/// How long it took: seconds with one digit below a minute, then as a person would say it.
fn elapsed(report: &CycleReport) -> String {
    let milliseconds = report.finished_at.as_millisecond() - report.started_at.as_millisecond();
    match milliseconds.max(0) {
        short @ ..60_000 => format!("{}.{} s", short / 1000, short % 1000 / 100),
        long => Duration::from_seconds(long / 1000).to_string(),
    }
}

/// Commands that a person would want next, each with what it is for.
fn next(report: &CycleReport, command: &str) -> Vec<(String, String)> {
    let plan = clean(report.plan_id.as_str());
    let mut next = Vec::new();
    let mut suggest =
        |rest: String, purpose: &str| next.push((format!("{command} {rest}"), purpose.to_owned()));
    if report.tripped.iter().any(|tripped| matches!(tripped.guard, Guard::Surge | Guard::Collapse)) {
        suggest(format!("accept {plan}"), "let through what the guard holds, once you have looked at it");
    }
    if report.mode == Mode::Observe && !report.steps.is_empty() {
        suggest(format!("apply {plan} --enforce"), "carry out exactly these changes");
    }
    if report.steps.iter().any(|(_, step)| matches!(step.outcome, StepOutcome::Done)) {
        suggest(format!("undo {plan}"), "take it back, as far as that is possible");
        suggest("history".to_owned(), "see everything that was ever decided and done");
    }
    if let Some(image) = example(report) {
        suggest(format!("explain {}", clean(image.as_str())), "see how one image was judged, fact by fact");
    }
    next
}

fn example(report: &CycleReport) -> Option<&ImageId> {
    let step = report.steps.first().map(|(step, _)| &step.image_id);
    step.or_else(|| report.held.first().map(|held| &held.image_id))
        .or_else(|| report.kept.first().map(|kept| &kept.image_id))
}
