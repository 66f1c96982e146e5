//! The first sentences of a report: what was looked at, what came of it, and what did not go well.

use std::collections::BTreeSet;

use amiwarden_core::{CycleReport, Mode, Rehearsal, StepOutcome};

use super::document::{Paragraph, Tone};
use super::text::{be, count, grouped, was};
use super::words::place;

/// The sentences, the most important first.
pub(super) fn headline(report: &CycleReport) -> Vec<Paragraph> {
    let totals = report.totals();
    let images = count(totals.images, "image");
    let what = match report.mode {
        Mode::Observe => {
            let steps = totals.steps;
            format!("Observed {images} {}: {} {} due", places(report), count(steps, "change"), be(steps))
        }
        Mode::Enforce if report.steps.is_empty() => {
            format!("Looked at {images} {}: no change is due", places(report))
        }
        Mode::Enforce => format!("Worked on {images} {}: {}", places(report), carried_out(report)),
    };
    let held = match totals.held {
        0 => "nothing is held back".to_owned(),
        held => format!("{} {} held back", grouped(held), be(held)),
    };
    let rehearsed = match report.mode {
        Mode::Observe => " Nothing was changed: this was a rehearsal.",
        Mode::Enforce => "",
    };
    let kept = count(totals.kept, "image");
    let text = format!("{what}, {held}, {kept} {} kept.{rehearsed}", be(totals.kept));
    let mut paragraphs = vec![Paragraph { text, tone: Tone::Strong }];
    paragraphs.extend(cautions(report));
    paragraphs
}

/// Where the images are.
fn places(report: &CycleReport) -> String {
    match report.scopes.as_slice() {
        [] => "in no account".to_owned(),
        [only] => format!("in {}", place(&only.scope)),
        scopes => {
            let accounts: BTreeSet<_> = scopes.iter().map(|it| &it.scope.account).collect();
            let regions: BTreeSet<_> = scopes.iter().map(|it| &it.scope.region).collect();
            let regions = count(regions.len(), "Region");
            match accounts.first() {
                Some(account) if accounts.len() == 1 => format!("in {regions} of {account}"),
                _ => format!("in {} and {regions}", count(accounts.len(), "account")),
            }
        }
    }
}

/// What became of the changes, in the order in which a person would ask.
fn carried_out(report: &CycleReport) -> String {
    let number = |wanted: fn(&StepOutcome) -> bool| {
        report.steps.iter().filter(|(_, step)| wanted(&step.outcome)).count()
    };
    let done = number(|outcome| matches!(outcome, StepOutcome::Done | StepOutcome::AlreadyDone));
    let failed = number(|outcome| matches!(outcome, StepOutcome::Failed(_)));
    let unknown = number(|outcome| matches!(outcome, StepOutcome::Unknown(_)));
    let skipped = number(|outcome| matches!(outcome, StepOutcome::SkippedChanged(_)));
    let not_tried = number(|outcome| matches!(outcome, StepOutcome::NotAttempted(_)));
    let all = report.steps.len();
    let mut parts = vec![if done == all {
        format!("{} {} carried out", count(all, "change"), was(all))
    } else {
        format!("{} of {} {} carried out", grouped(done), count(all, "change"), was(done))
    }];
    let rest = [
        (failed, "failed".to_owned()),
        (unknown, "may or may not have taken effect".to_owned()),
        (skipped, format!("{} skipped because the image has changed", was(skipped))),
        (not_tried, format!("{} not tried", was(not_tried))),
    ];
    parts.extend(
        rest.into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{} {what}", grouped(number))),
    );
    parts.join(", ")
}

fn cautions(report: &CycleReport) -> Vec<Paragraph> {
    let mut found = Vec::new();
    let mut note = |tone: Tone, text: String| found.push(Paragraph { text, tone });
    if report.interrupted {
        let rest = match report.mode {
            Mode::Observe => "not everything was looked at",
            Mode::Enforce => "what is not shown as done was not tried",
        };
        note(Tone::Bad, format!("It was stopped before its end: {rest}."));
    }
    let guards: BTreeSet<&str> = report.tripped.iter().map(|tripped| tripped.guard.as_str()).collect();
    if !guards.is_empty() {
        let guards = guards.into_iter().collect::<Vec<_>>().join(", ");
        note(Tone::Bad, format!("A guard has tripped and a person has to look: {guards}."));
    }
    let is_refused = |rehearsal: &Rehearsal| matches!(rehearsal, Rehearsal::Denied(_) | Rehearsal::Error(_));
    let refused = report.steps.iter().filter(|(_, step)| is_refused(&step.rehearsal)).count();
    if refused > 0 {
        note(Tone::Caution, format!("EC2 refused the rehearsal of {}.", count(refused, "change")));
    }
    let unproven = report.scopes.iter().filter(|scope| scope.dry_run_error.is_some()).count();
    if unproven > 0 {
        let scopes = count(unproven, "pair");
        note(
            Tone::Bad,
            format!(
                "Nothing was rehearsed or changed in {scopes} of account and Region: DryRun is not honoured there."
            ),
        );
    }
    let unread = report.scopes.iter().filter(|scope| !scope.is_complete()).count();
    if unread > 0 {
        let what = if report.scopes.len() == 1 { "Not everything" } else { "Not every account and Region" };
        note(Tone::Caution, format!("{what} could be read to the end, so more is kept than may be needed."));
    }
    if !report.errors.is_empty() {
        let errors = count(report.errors.len(), "policy evaluation");
        note(Tone::Caution, format!("{errors} failed; those images are kept."));
    }
    found
}
