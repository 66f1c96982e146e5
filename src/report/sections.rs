//! The sections of a report for people. One without rows is not shown.

use std::collections::BTreeMap;

use amiwarden_core::{
    ActionKind, Because, Change, Conflict, CycleReport, Held, ImageId, Kept, PolicyErrorReport,
    PolicyFailure, PolicyName, Rehearsal, RuleRef, Scope, ScopeReport, Step, StepOutcome, StepReport,
    TrippedGuard,
};

use super::compose::Tense;
use super::document::{Cell, Column, Section, Tone};
use super::group::{Group, group, shape};
use super::text::{grouped, shorten};
use super::words::{self, label, place, some};
use crate::cycle::UNDO;

/// An image's id has 21 characters, a name up to 128.
const IMAGE: Column = Column::names("IMAGE", 25, 40).firmly(21);
const ACTION: Column = Column::words("ACTION", 13, 30);
const POLICY: Column = Column::names("POLICY / RULE", 27, 32);
const WHERE: Column = Column::names("WHERE", 27, 32);
const WHY: Column = Column::words("WHY", 24, 80);
const GUARD: Column = Column::names("GUARD", 16, 16).firmly(16);
const IMAGES: Column = Column::words("IMAGES", 9, 9);
const CHANGES: Column = Column::words("CHANGES", 9, 9);
const EXAMPLES: Column = Column::words("SUCH AS", 21, 60);

/// EC2's refusals can hold kilobytes of encoded message. The JSON report has all of it.
const WORDS_MAX: usize = 300;

fn section(title: &str, columns: &[Column], rows: Vec<Vec<Cell>>) -> Section {
    Section { title: title.to_owned(), note: None, columns: columns.to_vec(), rows }
}

fn noted(section: Section, note: &str) -> Section {
    Section { note: Some(note.to_owned()), ..section }
}

/// What was read, where that is more than one account and Region.
pub(super) fn scopes(report: &CycleReport) -> Section {
    let row = |it: &ScopeReport| {
        let steps = report.steps.iter().filter(|(step, _)| step.scope == it.scope).count();
        let held = report.held.iter().filter(|held| held.scope == it.scope).count();
        let read = if it.is_complete() {
            Cell::text("completely")
        } else {
            Cell::text("in part").tone(Tone::Caution)
        };
        let number = |number| Cell::text(&grouped(number));
        vec![Cell::text(&place(&it.scope)), number(it.images), number(steps), number(held), read]
    };
    let columns = [WHERE, IMAGES, CHANGES, Column::words("HELD", 9, 9), Column::words("READ", 10, 10)];
    let rows = if has_several(report) { report.scopes.iter().map(row).collect() } else { Vec::new() };
    section("Accounts and Regions", &columns, rows)
}

/// Every change, with its rehearsal, and its outcome where it was to be carried out.
pub(super) fn steps(report: &CycleReport, tense: Tense) -> Section {
    let is_past = tense == Tense::Past;
    let mut previous: Option<&Step> = None;
    let mut rows = Vec::with_capacity(report.steps.len());
    for (step, became) in &report.steps {
        // All changes of one image stand together; its name is said once.
        let is_same = previous.is_some_and(|it| it.image_id == step.image_id && it.scope == step.scope);
        previous = Some(step);
        let image = if is_same {
            Cell::empty()
        } else {
            image(report, step.name.as_deref(), &step.image_id, &step.scope)
        };
        let (rules, reasons) = because(&step.because);
        let rehearsed = match tense {
            Tense::Due { rehearsed: false } => Cell::text("-"),
            Tense::Due { rehearsed: true } | Tense::Past => rehearsal(&became.rehearsal),
        };
        let mut row = vec![image, action(report, &step.change), rules, reasons, rehearsed];
        if is_past {
            row.push(outcome(&became.outcome));
        }
        rows.push(row);
    }
    let mut columns = vec![IMAGE, ACTION, POLICY, WHY, Column::names("DRYRUN", 13, 13).firmly(9)];
    if is_past {
        columns.push(Column::names("OUTCOME", 12, 12).firmly(9));
    }
    section(if is_past { "Changes" } else { "Changes due" }, &columns, rows)
}

/// What EC2 or amiwarden said about changes that did not go as planned.
pub(super) fn troubles(report: &CycleReport, tense: Tense) -> Section {
    let is_trouble = |(_, became): &&(Step, StepReport)| trouble(tense, became).is_some();
    let found: Vec<&(Step, StepReport)> = report.steps.iter().filter(is_trouble).collect();
    let of = |it: &&(Step, StepReport)| trouble(tense, &it.1);
    let groups = group(
        &found,
        |it| (of(it).map(|(what, _)| what), shape(trouble_words(&it.1, tense))),
        |it| trouble_words(&it.1, tense),
        |it| format!("{} ({})", label(it.0.name.as_deref(), &it.0.image_id), it.0.change.kind()),
    );
    let row = |group: Group<'_, &(Step, StepReport)>| {
        let (what, tone) = of(group.first).unwrap_or(("", Tone::Plain));
        let words = shorten(trouble_words(&group.first.1, tense), WORDS_MAX);
        vec![
            Cell::text(what).tone(tone),
            Cell::text(&grouped(group.labels.len())),
            Cell::text(&words),
            Cell::text(&some(group.labels)),
        ]
    };
    let columns = [Column::words("WHAT HAPPENED", 14, 20), Column::words("CHANGES", 7, 9), WHY, EXAMPLES];
    let title = if tense == Tense::Past { "Not carried out" } else { "Not permitted" };
    section(title, &columns, groups.into_iter().map(row).collect())
}

/// What went otherwise than planned, if anything did. That nothing is tried of what is only due goes without
/// saying, and so does that a plan is not rehearsed.
fn trouble(tense: Tense, became: &StepReport) -> Option<(&'static str, Tone)> {
    match (&became.rehearsal, &became.outcome) {
        (_, StepOutcome::Failed(_)) => Some(("failed", Tone::Bad)),
        (_, StepOutcome::Unknown(_)) => Some(("outcome unknown", Tone::Bad)),
        (_, StepOutcome::SkippedChanged(_)) => Some(("skipped: image changed", Tone::Caution)),
        (Rehearsal::Denied(_), _) => Some(("rehearsal denied", Tone::Bad)),
        (Rehearsal::Error(_), _) => Some(("rehearsal failed", Tone::Bad)),
        (Rehearsal::Skipped(_), _) if tense == (Tense::Due { rehearsed: false }) => None,
        (Rehearsal::Skipped(_), _) => Some(("not rehearsed", Tone::Caution)),
        (Rehearsal::Permitted, StepOutcome::NotAttempted(_)) if tense == Tense::Past => {
            Some(("not tried", Tone::Caution))
        }
        (_, StepOutcome::Done) if became.note.is_some() => Some(("done, with a note", Tone::Caution)),
        (
            Rehearsal::Permitted,
            StepOutcome::NotAttempted(_) | StepOutcome::Done | StepOutcome::AlreadyDone,
        ) => None,
    }
}

fn trouble_words(became: &StepReport, tense: Tense) -> &str {
    let outcome = || became.outcome.detail();
    let rehearsal = || became.rehearsal.detail();
    let words = match became.outcome {
        StepOutcome::NotAttempted(_) if tense != Tense::Past => rehearsal(),
        StepOutcome::NotAttempted(_) => rehearsal().or_else(outcome),
        StepOutcome::Done
        | StepOutcome::AlreadyDone
        | StepOutcome::SkippedChanged(_)
        | StepOutcome::Failed(_)
        | StepOutcome::Unknown(_) => outcome().or(became.note.as_deref()).or_else(rehearsal),
    };
    words.unwrap_or("")
}

/// What became of the snapshots of deregistered images.
pub(super) fn snapshots(report: &CycleReport) -> Section {
    let mut rows = Vec::new();
    for (step, became) in &report.steps {
        for result in &became.snapshots {
            let tone = if result.return_code == "success" { Tone::Good } else { Tone::Caution };
            rows.push(vec![
                Cell::code(result.snapshot_id.as_str()),
                Cell::text(&label(step.name.as_deref(), &step.image_id)),
                Cell::text(words::snapshot_result(&result.return_code)).tone(tone),
            ]);
        }
    }
    let columns = [Column::names("SNAPSHOT", 22, 30).firmly(22), IMAGE, Column::words("RESULT", 12, 60)];
    section("Snapshots of deregistered images", &columns, rows)
}

/// What a guard holds back.
pub(super) fn held(report: &CycleReport) -> Section {
    let row = |held: &Held| {
        vec![
            image(report, held.name.as_deref(), &held.image_id, &held.scope),
            action(report, &held.change),
            because(&held.because).0,
            Cell::code(held.guard.as_str()).and(Cell::text(&held.reason)),
        ]
    };
    let columns = [IMAGE, ACTION, POLICY, Column::words("GUARD / WHY", 24, 80)];
    section("Held back", &columns, report.held.iter().map(row).collect())
}

/// How many images are kept for which reason.
pub(super) fn kept_summary(report: &CycleReport) -> Section {
    // What one rule says is one reason, however it names what it found.
    let reason = |kept: &Kept| {
        let is_the_rules = kept.rule.is_some() && !words::is_our_reason(&kept.reason);
        (!is_the_rules).then(|| shape(&kept.reason))
    };
    let mut groups = group(
        &report.kept,
        |kept| (kept.policy.clone(), kept.rule.clone(), reason(kept)),
        |kept| &kept.reason,
        |kept| label(kept.name.as_deref(), &kept.image_id),
    );
    // That nobody asked for anything is said last; stable, so the largest groups stay first.
    groups.sort_by_key(|group| group.first.policy.is_none());
    let row = |group: Group<'_, Kept>| {
        let kept = group.first;
        vec![
            Cell::text(&grouped(group.labels.len())),
            Cell::text(&representative(&words::why_kept(&kept.reason), group.differ)),
            kept_by(kept),
            Cell::text(&some(group.labels)),
        ]
    };
    section("Kept", &[IMAGES, WHY, POLICY, EXAMPLES], groups.into_iter().map(row).collect())
}

/// Every image that is kept.
pub(super) fn kept_images(report: &CycleReport) -> Section {
    let row = |kept: &Kept| {
        let image = image(report, kept.name.as_deref(), &kept.image_id, &kept.scope);
        vec![image, Cell::text(&words::why_kept(&kept.reason)), kept_by(kept)]
    };
    section("Kept", &[IMAGE, WHY, POLICY], report.kept.iter().map(row).collect())
}

fn kept_by(kept: &Kept) -> Cell {
    match (&kept.policy, &kept.rule) {
        (Some(policy), Some(RuleRef { name, line })) => rule_cell(policy, name, *line),
        (Some(policy), None) => Cell::code(policy.as_str()),
        (None, _) => Cell::empty(),
    }
}

/// The first text of a group, marked where the others tell something else.
fn representative(text: &str, differ: bool) -> String {
    if differ { format!("{text}, and the like") } else { text.to_owned() }
}

/// Policies that could not be evaluated.
pub(super) fn errors(report: &CycleReport) -> Section {
    let names = names(report);
    let groups = group(
        &report.errors,
        |error| {
            let PolicyFailure { line, column, message, .. } = &error.failure;
            (error.policy.clone(), *line, *column, shape(message))
        },
        |error| &error.failure.message,
        |error| label(names.get(&error.image_id).copied(), &error.image_id),
    );
    let row = |group: Group<'_, PolicyErrorReport>| {
        let PolicyErrorReport { policy, failure, .. } = group.first;
        let at = match (failure.line, failure.column) {
            (Some(line), Some(column)) => format!("{policy}:{line}:{column}"),
            (Some(line), None) => format!("{policy}:{line}"),
            (None, _) => policy.to_string(),
        };
        let rule = failure.rule.as_ref().map_or_else(Cell::empty, |rule| Cell::text(&rule.name));
        vec![
            Cell::code(&at).and(rule).tone(Tone::Bad),
            Cell::text(&failure.message),
            Cell::text(&grouped(group.labels.len())),
            Cell::text(&some(group.labels)),
        ]
    };
    let columns = [POLICY, Column::words("WHAT IS WRONG", 24, 80), IMAGES, EXAMPLES];
    let section = section("Policy errors", &columns, groups.into_iter().map(row).collect());
    noted(section, "A policy that cannot be evaluated for an image keeps it, whatever other policies say.")
}

/// Policies that contradict each other.
pub(super) fn conflicts(report: &CycleReport) -> Section {
    let names = names(report);
    let row = |(id, conflict): &(ImageId, Conflict)| {
        let rules = because(&conflict.because).0;
        let id_cell = Cell::code(id.as_str());
        let image =
            names.get(id).map_or_else(|| id_cell.clone(), |name| Cell::text(name).and(id_cell.clone()));
        vec![image, Cell::text(&conflict.about).tone(Tone::Caution), rules]
    };
    let columns = [IMAGE, Column::words("CONTRADICTION", 20, 60), Column::names("ASKED BY", 24, 40)];
    let section = section("Contradictions", &columns, report.conflicts.iter().map(row).collect());
    noted(section, "Actions that contradict each other cancel each other: none of them happens.")
}

/// What could not be read, and where nothing could be rehearsed.
pub(super) fn gaps(report: &CycleReport) -> Section {
    let mut rows = Vec::new();
    for it in &report.scopes {
        let mut add = |what: &str, why: &str| {
            let why = shorten(why, WORDS_MAX);
            rows.push(vec![
                Cell::text(&place(&it.scope)),
                Cell::text(what).tone(Tone::Caution),
                Cell::text(&why),
            ]);
        };
        if let Some(error) = &it.dry_run_error {
            add("DryRun", &format!("nothing was rehearsed or changed here: {error}"));
        }
        for (source, gap) in &it.gaps {
            add(source.as_str(), &gap.reason);
        }
    }
    let section = section("Not read to the end", &[WHERE, Column::names("WHAT", 16, 16), WHY], rows);
    noted(section, "Nothing is disabled or deregistered where something could not be read.")
}

/// Guards that want a person to look.
pub(super) fn tripped(report: &CycleReport) -> Section {
    let row = |it: &TrippedGuard| {
        let guard = Cell::text(it.guard.as_str()).tone(Tone::Bad);
        vec![Cell::text(&place(&it.scope)), guard, Cell::text(&it.reason)]
    };
    let columns = [WHERE, GUARD, WHY];
    let section = section("Guards that tripped", &columns, report.tripped.iter().map(row).collect());
    noted(
        section,
        "Look at what they hold back. If it is right, accept the plan; the limits of one cycle still hold.",
    )
}

/// The names of the images, which errors and contradictions do not say.
fn names(report: &CycleReport) -> BTreeMap<&ImageId, &str> {
    let steps = report.steps.iter().map(|(step, _)| (&step.image_id, &step.name));
    let held = report.held.iter().map(|held| (&held.image_id, &held.name));
    let kept = report.kept.iter().map(|kept| (&kept.image_id, &kept.name));
    let all = steps.chain(held).chain(kept);
    all.filter_map(|(id, name)| Some((id, name.as_deref()?))).collect()
}

fn has_several(report: &CycleReport) -> bool {
    report.scopes.len() > 1
}

/// An image by its name and its id, and by its place where that is not the same for all.
fn image(report: &CycleReport, name: Option<&str>, id: &ImageId, scope: &Scope) -> Cell {
    let id = Cell::code(id.as_str());
    let cell = match name {
        Some(name) => Cell::text(name).and(id),
        None => id,
    };
    if has_several(report) { cell.and(Cell::text(&place(scope))) } else { cell }
}

fn action(report: &CycleReport, change: &Change) -> Cell {
    let tone = match change.kind() {
        ActionKind::Deregister => Tone::Bad,
        ActionKind::Disable => Tone::Caution,
        _ => Tone::Plain,
    };
    Cell::text(&words::change(change, report.started_at)).tone(tone)
}

fn rehearsal(rehearsal: &Rehearsal) -> Cell {
    let tone = match rehearsal {
        Rehearsal::Permitted => Tone::Good,
        Rehearsal::Denied(_) | Rehearsal::Error(_) => Tone::Bad,
        Rehearsal::Skipped(_) => Tone::Caution,
    };
    Cell::text(words::rehearsal(rehearsal)).tone(tone)
}

fn outcome(outcome: &StepOutcome) -> Cell {
    let tone = match outcome {
        StepOutcome::Done | StepOutcome::AlreadyDone => Tone::Good,
        StepOutcome::SkippedChanged(_) | StepOutcome::NotAttempted(_) => Tone::Caution,
        StepOutcome::Failed(_) | StepOutcome::Unknown(_) => Tone::Bad,
    };
    Cell::text(words::outcome(outcome)).tone(tone)
}

/// Every rule that asks for it, and its words.
fn because(because: &[Because]) -> (Cell, Cell) {
    let rule = |it: &Because| rule_cell(&it.policy, &it.rule.name, it.rule.line);
    let rules = because.iter().map(rule).reduce(Cell::and).unwrap_or_else(Cell::empty);
    let mut reasons: Vec<&str> = because.iter().map(|it| it.reason.as_str()).collect();
    reasons.dedup();
    let reasons = reasons.into_iter().map(Cell::text).reduce(Cell::and).unwrap_or_else(Cell::empty);
    (rules, reasons)
}

/// The rule, and where it stands. An undo goes by no rule but by a step of a plan, which is written as `undo` takes it.
fn rule_cell(policy: &PolicyName, rule: &str, line: u32) -> Cell {
    if policy.as_str() == UNDO && rule.starts_with("plan-") {
        return Cell::code(&format!("{rule}/{line}"));
    }
    Cell::code(&format!("{policy}:{line}")).and(Cell::text(rule))
}
