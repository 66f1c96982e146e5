//! The report as one JSON document. Its fields are added to, never renamed: programs rely on them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use amiwarden_core::{
    Because, Conflict, CycleReport, Estimate, FailureKind, Guard, Held, ImageId, Kept, Mode,
    PolicyErrorReport, PolicyName, Proof, ScopeReport, SnapshotResult, Source, Step, StepReport, Timestamp,
    Totals, TrippedGuard,
};
use serde::Serialize;
use serde_json::Value;

use super::text::is_unfit;
use super::words;

/// The version of the document. Another number would mean that fields were renamed or taken away.
const SCHEMA: u32 = 1;

/// Writes the document.
pub(super) fn write(report: &CycleReport, out: &mut dyn Write) -> io::Result<()> {
    let document = serde_json::to_string_pretty(&Document::of(report)).map_err(io::Error::other)?;
    out.write_all(escape_unfit(&document).as_bytes())?;
    out.write_all(b"\n")
}

/// The document with at most so many entries in each of its lists, and how many were left out of each list that had
/// more. The images that are kept are left out altogether: they are most of all images.
pub(crate) fn excerpt(
    report: &CycleReport,
    entries_max: usize,
) -> Result<(Value, BTreeMap<&'static str, usize>), serde_json::Error> {
    let mut document = Document::of(report);
    let left_out = [
        ("scopes", cut(&mut document.scopes, entries_max)),
        ("steps", cut(&mut document.steps, entries_max)),
        ("held", cut(&mut document.held, entries_max)),
        ("kept", cut(&mut document.kept, 0)),
        ("errors", cut(&mut document.errors, entries_max)),
        ("conflicts", cut(&mut document.conflicts, entries_max)),
        ("tripped", cut(&mut document.tripped, entries_max)),
    ];
    let left_out = left_out.into_iter().filter(|(_, number)| *number > 0).collect();
    Ok((serde_json::to_value(document)?, left_out))
}

/// Shortens the list and says by how many.
fn cut<T>(list: &mut Vec<T>, entries_max: usize) -> usize {
    let left_out = list.len().saturating_sub(entries_max);
    list.truncate(entries_max);
    left_out
}

/// JSON need not escape every character that a terminal obeys. Such characters can only stand within texts,
/// where an escape means the same.
fn escape_unfit(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for character in document.chars() {
        if character != '\n' && is_unfit(character) {
            escaped.extend(character.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| escape(*unit)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// `\u` and four hexadecimal digits.
fn escape(unit: u16) -> impl Iterator<Item = char> {
    let digits = [12, 8, 4, 0].map(|shift| char::from_digit(u32::from(unit >> shift) & 0xf, 16));
    ['\\', 'u'].into_iter().chain(digits.into_iter().flatten())
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    run_id: &'a str,
    plan_id: &'a str,
    mode: Mode,
    started_at: Timestamp,
    finished_at: Timestamp,
    scopes: Vec<ScopeObject<'a>>,
    steps: Vec<StepObject<'a>>,
    held: Vec<HeldObject<'a>>,
    kept: Vec<KeptObject<'a>>,
    errors: Vec<ErrorObject<'a>>,
    totals: Totals,
    conflicts: Vec<ConflictObject<'a>>,
    tripped: Vec<TrippedObject<'a>>,
    interrupted: bool,
    /// Sources of usage that no proof rests on, because the configuration has switched them off.
    switched_off: &'a [Source],
    estimate: EstimateObject,
}

/// What rehearsing and carrying out the steps takes at least.
#[derive(Serialize)]
struct EstimateObject {
    api_calls: u64,
    /// With one digit after the point, rounded down.
    seconds: f64,
}

#[derive(Serialize)]
struct ScopeObject<'a> {
    account: &'a str,
    region: &'a str,
    images: usize,
    complete: bool,
    gaps: Vec<GapObject<'a>>,
    dry_run_error: Option<&'a str>,
}

#[derive(Serialize)]
struct GapObject<'a> {
    source: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct StepObject<'a> {
    image_id: &'a ImageId,
    name: Option<&'a str>,
    account: &'a str,
    region: &'a str,
    action: &'a str,
    policy: Option<&'a str>,
    rule: Option<&'a str>,
    line: Option<u32>,
    reason: Option<&'a str>,
    rehearsal: &'a str,
    outcome: &'a str,
    request_id: Option<&'a str>,
    mode: Mode,
    /// The action in words, with what it is about.
    change: String,
    because: Vec<BecauseObject<'a>>,
    rehearsal_detail: Option<&'a str>,
    outcome_detail: Option<&'a str>,
    snapshots: &'a [SnapshotResult],
    note: Option<&'a str>,
    proof: Option<&'a Proof>,
    restorable_days: Option<u32>,
}

#[derive(Serialize)]
struct HeldObject<'a> {
    image_id: &'a ImageId,
    name: Option<&'a str>,
    account: &'a str,
    region: &'a str,
    action: &'a str,
    policy: Option<&'a str>,
    guard: Guard,
    reason: &'a str,
    rule: Option<&'a str>,
    line: Option<u32>,
    change: String,
    because: Vec<BecauseObject<'a>>,
}

#[derive(Serialize)]
struct KeptObject<'a> {
    image_id: &'a ImageId,
    name: Option<&'a str>,
    account: &'a str,
    region: &'a str,
    reason: &'a str,
    policy: Option<&'a str>,
    rule: Option<&'a str>,
    line: Option<u32>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    policy: &'a str,
    image_id: &'a ImageId,
    line: Option<u32>,
    message: &'a str,
    column: Option<u32>,
    rule: Option<&'a str>,
    kind: FailureKind,
}

#[derive(Serialize)]
struct ConflictObject<'a> {
    image_id: &'a ImageId,
    about: &'a str,
    because: Vec<BecauseObject<'a>>,
}

#[derive(Serialize)]
struct TrippedObject<'a> {
    account: &'a str,
    region: &'a str,
    guard: Guard,
    reason: &'a str,
}

#[derive(Serialize)]
struct BecauseObject<'a> {
    policy: &'a str,
    rule: &'a str,
    line: u32,
    reason: &'a str,
}

impl<'a> Document<'a> {
    fn of(report: &'a CycleReport) -> Self {
        Self {
            schema: SCHEMA,
            run_id: report.run_id.as_str(),
            plan_id: report.plan_id.as_str(),
            mode: report.mode,
            started_at: report.started_at,
            finished_at: report.finished_at,
            scopes: report.scopes.iter().map(scope).collect(),
            steps: report.steps.iter().map(|it| step(it, report.started_at)).collect(),
            held: report.held.iter().map(|it| held(it, report.started_at)).collect(),
            kept: report.kept.iter().map(kept).collect(),
            errors: report.errors.iter().map(error).collect(),
            totals: report.totals(),
            conflicts: report.conflicts.iter().map(conflict).collect(),
            tripped: report.tripped.iter().map(tripped).collect(),
            interrupted: report.interrupted,
            switched_off: &report.switched_off,
            estimate: estimate(report.estimate),
        }
    }
}

fn estimate(it: Estimate) -> EstimateObject {
    let tenths = u32::try_from(it.duration_ms / 100).unwrap_or(u32::MAX);
    EstimateObject { api_calls: it.api_calls, seconds: f64::from(tenths) / 10.0 }
}

fn scope(it: &ScopeReport) -> ScopeObject<'_> {
    ScopeObject {
        account: it.scope.account.as_str(),
        region: it.scope.region.as_str(),
        images: it.images,
        complete: it.is_complete(),
        gaps: it
            .gaps
            .iter()
            .map(|(source, gap)| GapObject { source: source.as_str(), reason: &gap.reason })
            .collect(),
        dry_run_error: it.dry_run_error.as_deref(),
    }
}

fn step((step, became): &(Step, StepReport), now: Timestamp) -> StepObject<'_> {
    let first = step.because.first();
    StepObject {
        image_id: &step.image_id,
        name: step.name.as_deref(),
        account: step.scope.account.as_str(),
        region: step.scope.region.as_str(),
        action: step.change.kind().as_str(),
        policy: first.map(|it| it.policy.as_str()),
        rule: first.map(|it| it.rule.name.as_str()),
        line: first.map(|it| it.rule.line),
        reason: first.map(|it| it.reason.as_str()),
        rehearsal: became.rehearsal.as_str(),
        outcome: became.outcome.as_str(),
        request_id: became.request_id.as_deref(),
        mode: step.mode,
        change: words::change(&step.change, now),
        because: becauses(&step.because),
        rehearsal_detail: became.rehearsal.detail(),
        outcome_detail: became.outcome.detail(),
        snapshots: &became.snapshots,
        note: became.note.as_deref(),
        proof: step.proof.as_ref(),
        restorable_days: step.restorable_days,
    }
}

fn held(held: &Held, now: Timestamp) -> HeldObject<'_> {
    let first = held.because.first();
    HeldObject {
        image_id: &held.image_id,
        name: held.name.as_deref(),
        account: held.scope.account.as_str(),
        region: held.scope.region.as_str(),
        action: held.change.kind().as_str(),
        policy: first.map(|it| it.policy.as_str()),
        guard: held.guard,
        reason: &held.reason,
        rule: first.map(|it| it.rule.name.as_str()),
        line: first.map(|it| it.rule.line),
        change: words::change(&held.change, now),
        because: becauses(&held.because),
    }
}

fn kept(kept: &Kept) -> KeptObject<'_> {
    KeptObject {
        image_id: &kept.image_id,
        name: kept.name.as_deref(),
        account: kept.scope.account.as_str(),
        region: kept.scope.region.as_str(),
        reason: &kept.reason,
        policy: kept.policy.as_ref().map(PolicyName::as_str),
        rule: kept.rule.as_ref().map(|rule| rule.name.as_str()),
        line: kept.rule.as_ref().map(|rule| rule.line),
    }
}

fn error(error: &PolicyErrorReport) -> ErrorObject<'_> {
    let failure = &error.failure;
    ErrorObject {
        policy: error.policy.as_str(),
        image_id: &error.image_id,
        line: failure.line,
        message: &failure.message,
        column: failure.column,
        rule: failure.rule.as_ref().map(|rule| rule.name.as_str()),
        kind: failure.kind,
    }
}

fn conflict((image_id, conflict): &(ImageId, Conflict)) -> ConflictObject<'_> {
    ConflictObject { image_id, about: &conflict.about, because: becauses(&conflict.because) }
}

fn tripped(tripped: &TrippedGuard) -> TrippedObject<'_> {
    TrippedObject {
        account: tripped.scope.account.as_str(),
        region: tripped.scope.region.as_str(),
        guard: tripped.guard,
        reason: &tripped.reason,
    }
}

fn becauses<'a>(because: &'a [Because]) -> Vec<BecauseObject<'a>> {
    let object = |it: &'a Because| BecauseObject {
        policy: it.policy.as_str(),
        rule: &it.rule.name,
        line: it.rule.line,
        reason: &it.reason,
    };
    because.iter().map(object).collect()
}
