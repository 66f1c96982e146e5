//! The first sentences of a report: what was looked at, what came of it, and what did not go well.

use std::collections::BTreeSet;

use amiwarden_core::{CycleReport, ImageId, Mode, Rehearsal, Scope, StepOutcome};

use super::compose::Tense;
use super::document::{Paragraph, Tone};
use super::text::{be, count, grouped, was};
use super::words::place;

/// The sentences, the most important first.
pub(super) fn headline(report: &CycleReport, tense: Tense) -> Vec<Paragraph> {
    let totals = report.totals();
    let looked = format!("{} {}", count(totals.images, "image"), places(report));
    let steps = report.steps.len();
    let what = match tense {
        _ if steps == 0 => "no change is due".to_owned(),
        Tense::Due { .. } => {
            let images = images(report.steps.iter().map(|(step, _)| (&step.scope, &step.image_id)));
            format!("{} on {images} {} due", count(steps, "change"), be(steps))
        }
        Tense::Past => carried_out(report),
    };
    let held = match report.held.len() {
        0 => "nothing is held back".to_owned(),
        held => {
            let images = images(report.held.iter().map(|held| (&held.scope, &held.image_id)));
            format!("{} on {images} {} held back", grouped(held), be(held))
        }
    };
    let (begin, end) = match (tense, report.mode) {
        (Tense::Past, _) if steps == 0 => ("Looked at", ""),
        (Tense::Past, _) => ("Worked on", ""),
        (Tense::Due { .. }, Mode::Enforce) => ("Looked at", " Nothing is changed yet."),
        (Tense::Due { rehearsed: true }, Mode::Observe) => {
            ("Observed", " Nothing was changed: this was a rehearsal.")
        }
        (Tense::Due { rehearsed: false }, Mode::Observe) => {
            ("Observed", " Nothing was rehearsed or changed.")
        }
    };
    let kept = count(totals.kept, "image");
    let text = format!("{begin} {looked}: {what}, {held}, {kept} {} kept.{end}", be(totals.kept));
    let mut paragraphs = vec![Paragraph { text, tone: Tone::Strong }];
    paragraphs.extend(effort(report, tense));
    paragraphs.extend(cautions(report, tense));
    paragraphs
}

/// What the changes that are due would take.
fn effort(report: &CycleReport, tense: Tense) -> Option<Paragraph> {
    let estimate = report.estimate;
    let is_due = matches!(tense, Tense::Due { .. }) && !report.steps.is_empty();
    if !is_due || estimate.api_calls == 0 {
        return None;
    }
    let calls = count(usize::try_from(estimate.api_calls).unwrap_or(usize::MAX), "API call");
    let time = match estimate.duration_ms / 1000 {
        0 => String::new(),
        seconds => format!(" and {}", span(seconds)),
    };
    let text = format!("Rehearsing and carrying out the changes takes at least {calls}{time}.");
    Some(Paragraph { text, tone: Tone::Plain })
}

/// A time in words, rounded down: seconds up to two minutes, then minutes, then hours.
fn span(seconds: u64) -> String {
    let whole = |number: u64, unit: &str| count(usize::try_from(number).unwrap_or(usize::MAX), unit);
    match seconds {
        0..120 => whole(seconds, "second"),
        120..7200 => whole(seconds / 60, "minute"),
        _ => whole(seconds / 3600, "hour"),
    }
}

/// How many different images these are.
fn images<'a>(images: impl Iterator<Item = (&'a Scope, &'a ImageId)>) -> String {
    count(images.collect::<BTreeSet<_>>().len(), "image")
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
    let done = number(|outcome| matches!(outcome, StepOutcome::Done));
    let already = number(|outcome| matches!(outcome, StepOutcome::AlreadyDone));
    let failed = number(|outcome| matches!(outcome, StepOutcome::Failed(_)));
    let unknown = number(|outcome| matches!(outcome, StepOutcome::Unknown(_)));
    let skipped = number(|outcome| matches!(outcome, StepOutcome::SkippedChanged(_)));
    let not_tried = number(|outcome| matches!(outcome, StepOutcome::NotAttempted(_)));
    let rest = [
        (already, format!("{} done already", was(already))),
        (failed, "failed".to_owned()),
        (unknown, "may or may not have taken effect".to_owned()),
        (skipped, format!("{} skipped because the image has changed", was(skipped))),
        (not_tried, format!("{} not tried", was(not_tried))),
    ];
    let mut rest = rest.into_iter().filter(|(number, _)| *number > 0);
    let all = report.steps.len();
    let first = match (done, all) {
        (0, 1) => {
            let what = rest.next().map_or_else(|| "was not carried out".to_owned(), |(_, what)| what);
            format!("the only change {what}")
        }
        (0, _) => format!("none of {} was carried out", count(all, "change")),
        _ if done == all => format!("{} {} carried out", count(all, "change"), was(all)),
        _ => format!("{} of {} {} carried out", grouped(done), count(all, "change"), was(done)),
    };
    let rest = rest.map(|(number, what)| format!("{} {what}", grouped(number)));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join(", ")
}

fn cautions(report: &CycleReport, tense: Tense) -> Vec<Paragraph> {
    let mut found = Vec::new();
    let mut note = |tone: Tone, text: String| found.push(Paragraph { text, tone });
    if report.interrupted {
        let rest = match tense {
            Tense::Due { .. } => "not everything was looked at",
            Tense::Past => "what is not shown as done was not tried",
        };
        note(Tone::Bad, format!("It was stopped before its end: {rest}."));
    }
    let guards: BTreeSet<&str> = report.tripped.iter().map(|tripped| tripped.guard.as_str()).collect();
    if !guards.is_empty() {
        let guards = guards.into_iter().collect::<Vec<_>>().join(", ");
        note(Tone::Bad, format!("A guard has tripped and a person has to look: {guards}."));
    }
    if !report.switched_off.is_empty() {
        let sources: Vec<&str> = report.switched_off.iter().map(|source| source.as_str()).collect();
        let sources = sources.join(", ");
        note(Tone::Caution, format!("Uses are not looked for where the configuration says so: {sources}."));
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
        let images = report.errors.iter().map(|error| &error.image_id).collect::<BTreeSet<_>>().len();
        let kept = if images == 1 { "it is kept" } else { "they are kept" };
        note(Tone::Caution, format!("{errors} failed on {}; {kept}.", count(images, "image")));
    }
    found
}
