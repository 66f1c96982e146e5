//! What is recorded of the past as JSON documents: `history --format json` prints them, the HTTP interface serves them.
//! Their fields are added to, never renamed.

use amiwarden_core::{Plan, Timestamp};
use serde_json::{Value, json};

use super::{values, words};
use crate::store::{DecisionRecord, ImageEvent, ImageEventKind, RunDetail, RunStep, RunSummary};

/// The version of the documents.
const SCHEMA: u32 = 1;

/// Runs in one line each.
pub(crate) fn runs(runs: &[RunSummary]) -> Value {
    json!({ "schema": SCHEMA, "runs": runs.iter().map(run).collect::<Vec<_>>() })
}

/// One run with everything that is stored of it but the decisions. `plan` is the plan that it made or carried out,
/// if it came so far: it says what each step is.
pub(crate) fn run_detail(detail: &RunDetail, plan: Option<&Plan>) -> Value {
    let policies = detail.policies.iter().map(|(name, digest)| json!({ "name": name, "digest": digest }));
    let scopes = detail.scopes.iter().map(|it| {
        json!({
            "account": it.scope.account, "region": it.scope.region, "images": it.images,
            "complete": it.gaps.is_empty(), "gaps": it.gaps, "dry_run_error": it.dry_run_error,
        })
    });
    let held = plan.into_iter().flat_map(|plan| &plan.held).map(|it| {
        json!({
            "image_id": it.image_id, "name": it.name, "account": it.scope.account, "region": it.scope.region,
            "action": it.change.kind(), "guard": it.guard, "reason": it.reason,
        })
    });
    let mut document = run(&detail.summary);
    document["schema"] = SCHEMA.into();
    document["policies"] = policies.collect();
    document["scopes"] = scopes.collect();
    document["steps"] = detail.steps.iter().map(|it| run_step(it, plan, detail.summary.started_at)).collect();
    document["held"] = held.collect();
    document
}

/// What became of a step, and what it is.
fn run_step(step: &RunStep, plan: Option<&Plan>, now: Timestamp) -> Value {
    let mut document = match plan.and_then(|plan| plan.steps.get(step.index)) {
        Some(planned) => json!({
            "image_id": planned.image_id, "name": planned.name,
            "account": planned.scope.account, "region": planned.scope.region,
            "action": planned.change.kind(), "change": words::change(&planned.change, now), "because": planned.because,
        }),
        None => json!({}),
    };
    document["plan_step"] = (step.index + 1).into();
    document["rehearsal"] = step.rehearsal.as_str().into();
    document["rehearsal_detail"] = step.rehearsal.detail().into();
    document["outcome"] = step.outcome.as_ref().map(amiwarden_core::StepOutcome::as_str).into();
    document["outcome_detail"] = step.outcome.as_ref().and_then(|it| it.detail()).into();
    document
}

/// Everything that happened to an image, and what was decided about it last.
pub(crate) fn image(image: &str, events: &[ImageEvent]) -> Value {
    json!({
        "schema": SCHEMA, "image_id": image, "events": events.iter().map(event).collect::<Vec<_>>(),
        "standing": standing(events).map(values::decision),
    })
}

/// The decision that holds: none for an image that was never decided about, or is not any more.
fn standing(events: &[ImageEvent]) -> Option<&DecisionRecord> {
    events.iter().rev().find_map(|event| match &event.kind {
        ImageEventKind::Decided(record) => Some(Some(record.as_ref())),
        ImageEventKind::NotDecided => Some(None),
        ImageEventKind::FirstSeen { .. }
        | ImageEventKind::StateChanged { .. }
        | ImageEventKind::Gone { .. }
        | ImageEventKind::Returned { .. }
        | ImageEventKind::Intended { .. }
        | ImageEventKind::Outcome { .. } => None,
    })?
}

/// The name of a kind of event.
pub(crate) fn event_name(kind: &ImageEventKind) -> &'static str {
    match kind {
        ImageEventKind::FirstSeen { .. } => "first-seen",
        ImageEventKind::StateChanged { .. } => "state-changed",
        ImageEventKind::Gone { .. } => "gone",
        ImageEventKind::Returned { .. } => "returned",
        ImageEventKind::Decided(_) => "decided",
        ImageEventKind::NotDecided => "not-decided",
        ImageEventKind::Intended { .. } => "intended",
        ImageEventKind::Outcome { .. } => "outcome",
    }
}

fn run(run: &RunSummary) -> Value {
    json!({
        "run_id": run.run_id, "command": run.command, "mode": run.mode, "version": run.version,
        "config_digest": run.config_digest, "started_at": run.started_at, "finished_at": run.finished_at,
        "state": run.state.as_str(), "plan_id": run.plan_id, "totals": run.totals,
    })
}

fn event(event: &ImageEvent) -> Value {
    let mut details = match &event.kind {
        ImageEventKind::FirstSeen { state }
        | ImageEventKind::StateChanged { state }
        | ImageEventKind::Gone { state }
        | ImageEventKind::Returned { state } => json!({ "state": state }),
        ImageEventKind::Decided(record) => json!({ "decision": values::decision(record) }),
        ImageEventKind::NotDecided => json!({}),
        ImageEventKind::Intended { intent_id, plan_id, index, step, before } => json!({
            "intent_id": intent_id, "plan_id": plan_id, "plan_step": index + 1, "action": step.change.kind(),
            "step": values::step(step), "before": values::before(before),
        }),
        ImageEventKind::Outcome { intent_id, report } => json!({
            "intent_id": intent_id, "outcome": report.outcome.as_str(), "detail": report.outcome.detail(),
            "request_id": report.request_id, "snapshots": report.snapshots,
            "note": report.note,
        }),
    };
    details["event"] = event_name(&event.kind).into();
    json!({
        "at": event.at, "run_id": event.run_id, "account": event.scope.account, "region": event.scope.region,
        "details": details,
    })
}
