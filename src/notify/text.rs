//! What people are told, in one line.

use std::collections::BTreeMap;

use amiwarden_core::{ActionKind, CycleReport, Mode, StepOutcome};

use super::event::{Event, failures};
use crate::cycle::Approaching;
use crate::report::{counted, plain};

/// So many characters a line has at most.
const LINE_CHARACTERS_MAX: usize = 300;

/// The line for an event, fit to be shown anywhere.
pub(super) fn line(event: &Event<'_>) -> String {
    let line = match event {
        Event::PlanReady(report, notices) => {
            let mut line = match report.steps.len() {
                0 => "no change is due".to_owned(),
                due => format!("{} due ({})", verb(due, "change", "is", "are"), kinds(report)),
            };
            line.push_str(&held(report));
            line.push_str(&told(notices.len()));
            format!("{line}; {}", report.plan_id)
        }
        Event::Done(report, notices) => {
            let number = |wanted: fn(&StepOutcome) -> bool| {
                report.steps.iter().filter(|(_, became)| wanted(&became.outcome)).count()
            };
            let done = number(|outcome| matches!(outcome, StepOutcome::Done));
            let failed = number(|outcome| matches!(outcome, StepOutcome::Failed(_)));
            let unknown = number(|outcome| matches!(outcome, StepOutcome::Unknown(_)));
            let mut line = format!("{} carried out", verb(done, "change", "was", "were"));
            for (number, what) in [(failed, "failed"), (unknown, "may or may not have happened")] {
                if number > 0 {
                    line = format!("{line}, {number} {what}");
                }
            }
            line.push_str(&held(report));
            line.push_str(&told(notices.len()));
            if report.interrupted {
                line.push_str("; it was stopped before its end");
            }
            line
        }
        Event::GuardTripped(report) => {
            let Some(first) = report.tripped.first() else { return String::new() };
            let more = others(report.tripped.len() - 1);
            format!("{} tripped in {}: {}{more}", first.guard, first.scope, first.reason)
        }
        Event::PartFailed(report) => {
            let mut failures = failures(report);
            let first = failures.next().unwrap_or_default();
            format!("{first}{}", others(failures.count()))
        }
        Event::RunFailed(_, reason) => format!("the run failed: {reason}"),
        Event::Approaching(report, images) => approaching(report.mode, images),
    };
    shorten(&plain(&line), LINE_CHARACTERS_MAX)
}

/// `2 images will be disabled and 1 image will be deregistered, the first on 2026-11-24`
fn approaching(mode: Mode, images: &[Approaching]) -> String {
    let auxiliary = match mode {
        Mode::Observe => "would",
        Mode::Enforce => "will",
    };
    let mut by_action: BTreeMap<ActionKind, usize> = BTreeMap::new();
    for image in images {
        *by_action.entry(image.action).or_default() += 1;
    }
    let parts: Vec<String> = by_action
        .into_iter()
        .map(|(action, number)| format!("{} {auxiliary} be {}", counted(number, "image"), participle(action)))
        .collect();
    let first = images.first().map(|image| format!(", the first on {}", image.due_on)).unwrap_or_default();
    format!("{}{first}", parts.join(" and "))
}

fn participle(action: ActionKind) -> &'static str {
    match action {
        ActionKind::Deregister => "deregistered",
        // Nothing else takes an image away.
        _ => "disabled",
    }
}

/// `2 disable, 1 tag`
fn kinds(report: &CycleReport) -> String {
    let mut by_kind: BTreeMap<ActionKind, usize> = BTreeMap::new();
    for (step, _) in &report.steps {
        *by_kind.entry(step.change.kind()).or_default() += 1;
    }
    by_kind.into_iter().map(|(kind, number)| format!("{number} {kind}")).collect::<Vec<_>>().join(", ")
}

fn verb(number: usize, noun: &str, singular: &str, plural: &str) -> String {
    let verb = if number < 2 { singular } else { plural };
    format!("{} {verb}", counted(number, noun))
}

fn held(report: &CycleReport) -> String {
    match report.held.len() {
        0 => String::new(),
        number => format!(", {number} held back"),
    }
}

fn told(notices: usize) -> String {
    match notices {
        0 => String::new(),
        number => format!("; policies have something to say about {}", counted(number, "image")),
    }
}

fn others(number: usize) -> String {
    match number {
        0 => String::new(),
        number => format!(" (and {number} more)"),
    }
}

/// At most so many characters, the last of them an ellipsis where something was cut off.
pub(super) fn shorten(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    let kept = text.chars().take(characters_max.saturating_sub(1));
    kept.chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_at_its_limit() {
        let check = |text: &str, max: usize, expected: &str| assert_eq!(shorten(text, max), expected);
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        check("äöü", 3, "äöü");
        check("äöüß", 2, "ä…");
        check("", 0, "");
    }
}
