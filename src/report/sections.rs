//! The sections of a report for people. One without rows is not shown.

use amiwarden_core::{
    ActionKind, Because, Change, Conflict, CycleReport, Held, ImageId, Kept, Mode, PolicyErrorReport,
    Rehearsal, RuleRef, Scope, ScopeReport, Step, StepOutcome, StepReport,
};

use super::document::{Cell, Column, Section, Tone};
use super::group::{Group, group};
use super::text::{grouped, shorten};
use super::words::{self, label, place, rule_place, some};

const IMAGE: Column = Column::new("IMAGE", 21, 34);
const ACTION: Column = Column::new("ACTION", 12, 24);
const POLICY: Column = Column::new("POLICY / RULE", 14, 30);
const WHERE: Column = Column::new("WHERE", 22, 30);
const WHY: Column = Column::new("WHY", 20, 80);
const IMAGES: Column = Column::new("IMAGES", 6, 9);
const EXAMPLES: Column = Column::new("SUCH AS", 16, 60);

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
        let read = match it.is_complete() {
            true => Cell::text("completely"),
            false => Cell::text("in part").tone(Tone::Caution),
        };
        let number = |number| Cell::text(&grouped(number));
        vec![Cell::text(&place(&it.scope)), number(it.images), number(steps), number(held), read]
    };
    let columns =
        [WHERE, IMAGES, Column::new("CHANGES", 7, 9), Column::new("HELD", 4, 9), Column::new("READ", 10, 12)];
    let rows = if has_several(report) { report.scopes.iter().map(row).collect() } else { Vec::new() };
    section("Accounts and Regions", &columns, rows)
}

/// Every change, with its rehearsal, and its outcome where it was to be carried out.
pub(super) fn steps(report: &CycleReport) -> Section {
    let enforces = report.mode == Mode::Enforce;
    let mut previous: Option<&Step> = None;
    let mut rows = Vec::with_capacity(report.steps.len());
    for (step, became) in &report.steps {
        // All changes of one image stand together; its name is said once.
        let is_same = previous.is_some_and(|it| it.image_id == step.image_id && it.scope == step.scope);
        previous = Some(step);
        let image = match is_same {
            true => Cell::empty(),
            false => image(report, step.name.as_deref(), &step.image_id, &step.scope),
        };
        let (rules, reasons) = because(&step.because);
        let mut row = vec![image, action(&step.change), rules, reasons, rehearsal(&became.rehearsal)];
        if enforces {
            row.push(outcome(&became.outcome));
        }
        rows.push(row);
    }
    let mut columns = vec![IMAGE, ACTION, POLICY, WHY, Column::new("DRYRUN", 9, 13)];
    if enforces {
        columns.push(Column::new("OUTCOME", 9, 12));
    }
    section(if enforces { "Changes" } else { "Changes due" }, &columns, rows)
}

/// What EC2 or amiwarden said about changes that did not go as planned.
pub(super) fn troubles(report: &CycleReport) -> Section {
    let is_trouble = |(_, became): &&(Step, StepReport)| trouble(report.mode, became).is_some();
    let found: Vec<&(Step, StepReport)> = report.steps.iter().filter(is_trouble).collect();
    let of = |it: &&(Step, StepReport)| trouble(report.mode, &it.1);
    let groups = group(
        &found,
        |it| of(it).map(|(what, _)| what),
        |it| trouble_words(&it.1, report.mode),
        |it| format!("{} {}", it.0.change.kind(), label(it.0.name.as_deref(), &it.0.image_id)),
    );
    let row = |group: Group<'_, &(Step, StepReport)>| {
        let (what, tone) = of(group.first).unwrap_or(("", Tone::Plain));
        let words = shorten(trouble_words(&group.first.1, report.mode), WORDS_MAX);
        vec![
            Cell::text(what).tone(tone),
            Cell::text(&grouped(group.labels.len())),
            Cell::text(&words),
            Cell::text(&some(group.labels)),
        ]
    };
    let columns = [Column::new("WHAT HAPPENED", 14, 20), Column::new("CHANGES", 7, 9), WHY, EXAMPLES];
    let title = if report.mode == Mode::Enforce { "Not carried out" } else { "Not permitted" };
    section(title, &columns, groups.into_iter().map(row).collect())
}

/// What went otherwise than planned, if anything did. That nothing is tried in observe mode goes without saying.
fn trouble(mode: Mode, became: &StepReport) -> Option<(&'static str, Tone)> {
    match (&became.rehearsal, &became.outcome) {
        (_, StepOutcome::Failed(_)) => Some(("failed", Tone::Bad)),
        (_, StepOutcome::Unknown(_)) => Some(("outcome unknown", Tone::Bad)),
        (_, StepOutcome::SkippedChanged(_)) => Some(("skipped: image changed", Tone::Caution)),
        (Rehearsal::Denied(_), _) => Some(("rehearsal denied", Tone::Bad)),
        (Rehearsal::Error(_), _) => Some(("rehearsal failed", Tone::Bad)),
        (Rehearsal::Skipped(_), _) => Some(("not rehearsed", Tone::Caution)),
        (Rehearsal::Permitted, StepOutcome::NotAttempted(_)) if mode == Mode::Enforce => {
            Some(("not tried", Tone::Caution))
        }
        (
            Rehearsal::Permitted,
            StepOutcome::NotAttempted(_) | StepOutcome::Done | StepOutcome::AlreadyDone,
        ) => None,
    }
}

fn trouble_words(became: &StepReport, mode: Mode) -> &str {
    let outcome = || became.outcome.detail();
    let rehearsal = || became.rehearsal.detail();
    let words = match became.outcome {
        StepOutcome::NotAttempted(_) if mode == Mode::Observe => rehearsal(),
        StepOutcome::NotAttempted(_) => rehearsal().or_else(outcome),
        StepOutcome::Done
        | StepOutcome::AlreadyDone
        | StepOutcome::SkippedChanged(_)
        | StepOutcome::Failed(_)
        | StepOutcome::Unknown(_) => outcome().or_else(rehearsal),
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
    let columns = [Column::new("SNAPSHOT", 22, 30), IMAGE, Column::new("RESULT", 12, 60)];
    section("Snapshots of deregistered images", &columns, rows)
}

/// What a guard holds back.
pub(super) fn held(report: &CycleReport) -> Section {
    let row = |held: &Held| {
        let rules = because(&held.because).0;
        vec![
            image(report, held.name.as_deref(), &held.image_id, &held.scope),
            action(&held.change),
            rules,
            Cell::text(held.guard.as_str()),
            Cell::text(&held.reason),
        ]
    };
    let columns = [IMAGE, ACTION, POLICY, Column::new("GUARD", 12, 17), WHY];
    section("Held back", &columns, report.held.iter().map(row).collect())
}

/// How many images are kept for which reason.
pub(super) fn kept_summary(report: &CycleReport) -> Section {
    let groups = group(
        &report.kept,
        |kept| (kept.policy.clone(), kept.rule.clone()),
        |kept| &kept.reason,
        |kept| label(kept.name.as_deref(), &kept.image_id),
    );
    let row = |group: Group<'_, Kept>| {
        let kept = group.first;
        vec![
            Cell::text(&grouped(group.labels.len())),
            Cell::text(&representative(&kept.reason, group.differ)),
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
        vec![image, Cell::text(&kept.reason), kept_by(kept)]
    };
    section("Kept", &[IMAGE, WHY, POLICY], report.kept.iter().map(row).collect())
}

fn kept_by(kept: &Kept) -> Cell {
    match (&kept.policy, &kept.rule) {
        (Some(policy), Some(RuleRef { name, line })) => {
            Cell::code(&format!("{policy}:{line}")).and(Cell::text(name))
        }
        (Some(policy), None) => Cell::code(policy.as_str()),
        (None, _) => Cell::empty(),
    }
}

/// The first text of a group, marked where the others differ from it in their numbers.
fn representative(text: &str, differ: bool) -> String {
    if differ { format!("{text} (and the like)") } else { text.to_owned() }
}

/// Policies that could not be evaluated.
pub(super) fn errors(report: &CycleReport) -> Section {
    let groups = group(
        &report.errors,
        |error| (error.policy.clone(), error.failure.line, error.failure.column),
        |error| &error.failure.message,
        |error| error.image_id.to_string(),
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
            Cell::text(&representative(&failure.message, group.differ)),
            Cell::text(&grouped(group.labels.len())),
            Cell::text(&some(group.labels)),
        ]
    };
    let columns = [POLICY, Column::new("WHAT IS WRONG", 20, 80), IMAGES, EXAMPLES];
    let section = section("Policy errors", &columns, groups.into_iter().map(row).collect());
    noted(section, "A policy that cannot be evaluated for an image keeps it, whatever other policies say.")
}

/// Policies that contradict each other.
pub(super) fn conflicts(report: &CycleReport) -> Section {
    let row = |(id, conflict): &(ImageId, Conflict)| {
        let rules = because(&conflict.because).0;
        vec![Cell::code(id.as_str()), Cell::text(&conflict.about).tone(Tone::Caution), rules]
    };
    let columns = [IMAGE, Column::new("CONTRADICTION", 20, 60), Column::new("ASKED BY", 14, 40)];
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
    let section = section("Not read to the end", &[WHERE, Column::new("WHAT", 9, 17), WHY], rows);
    noted(section, "Nothing is disabled or deregistered where something could not be read.")
}

/// Guards that want a person to look.
pub(super) fn tripped(report: &CycleReport) -> Section {
    let row = |it: &amiwarden_core::TrippedGuard| {
        let guard = Cell::text(it.guard.as_str()).tone(Tone::Bad);
        vec![Cell::text(&place(&it.scope)), guard, Cell::text(&it.reason)]
    };
    let columns = [WHERE, Column::new("GUARD", 12, 17), WHY];
    let section = section("Guards that tripped", &columns, report.tripped.iter().map(row).collect());
    noted(
        section,
        "Look at what they hold back. If it is right, accept the plan; the limits of one cycle still hold.",
    )
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

fn action(change: &Change) -> Cell {
    let tone = match change.kind() {
        ActionKind::Deregister => Tone::Bad,
        ActionKind::Disable => Tone::Caution,
        _ => Tone::Plain,
    };
    Cell::text(&words::change(change)).tone(tone)
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
    let rule = |it: &Because| Cell::code(&rule_place(it)).and(Cell::text(&it.rule.name));
    let rules = because.iter().map(rule).reduce(Cell::and).unwrap_or_else(Cell::empty);
    let mut reasons: Vec<&str> = because.iter().map(|it| it.reason.as_str()).collect();
    reasons.dedup();
    let reasons = reasons.into_iter().map(Cell::text).reduce(Cell::and).unwrap_or_else(Cell::empty);
    (rules, reasons)
}
