//! `history`: past runs, or everything that happened to one image.

use std::fmt::Write;

use amiwarden_core::ImageId;
use anyhow::anyhow;
use comfy_table::{Table, presets};
use serde_json::{Value, json};

use super::args::{FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::{prepare, terminal};
use crate::report::plain;
use crate::store::{DecisionRecord, ImageEvent, ImageEventKind, RunSummary, Standing};

pub(super) async fn history(global: &Global, image: Option<&str>, limit: u32) -> Result<Outcome, Failure> {
    let config = prepare::load_config(global, None)?;
    let reader = prepare::open_reader(&config).await?;
    let text = match image {
        None => {
            let runs = reader.runs(limit).await?;
            match global.format {
                FormatArg::Json => {
                    pretty(&json!({ "schema": 1, "runs": runs.iter().map(run_json).collect::<Vec<_>>() }))?
                }
                FormatArg::Table | FormatArg::Csv | FormatArg::Markdown => runs_text(&runs, global.format),
            }
        }
        Some(image) => {
            let events = reader.image_history(&ImageId::new(image)).await?;
            if events.is_empty() {
                let path = config.store.path.display();
                return Err(Failure::Usage(anyhow!("no run recorded in {path} has ever seen {image}")));
            }
            match global.format {
                FormatArg::Json => pretty(&json!({
                    "schema": 1, "image_id": image, "events": events.iter().map(event_json).collect::<Vec<_>>(),
                }))?,
                FormatArg::Table | FormatArg::Csv | FormatArg::Markdown => events_text(image, &events),
            }
        }
    };
    reader.close().await;
    terminal::print(text.as_bytes())?;
    Ok(Outcome::Fine)
}

fn runs_text(runs: &[RunSummary], format: FormatArg) -> String {
    if runs.is_empty() {
        return "No run is recorded yet.\n".to_owned();
    }
    let mut table = Table::new();
    let preset =
        if format == FormatArg::Markdown { presets::ASCII_MARKDOWN } else { presets::UTF8_HORIZONTAL_ONLY };
    table.load_style(preset);
    table.set_header([
        "STARTED", "RUN", "COMMAND", "MODE", "STATE", "IMAGES", "STEPS", "DONE", "FAILED", "HELD", "PLAN",
    ]);
    for run in runs {
        let count = |count: fn(&amiwarden_core::Totals) -> usize| {
            run.totals.as_ref().map_or_else(|| "-".to_owned(), |totals| count(totals).to_string())
        };
        table.add_row([
            run.started_at.to_string(),
            run.run_id.to_string(),
            run.command.clone(),
            run.mode.as_str().to_owned(),
            run.state.as_str().to_owned(),
            count(|totals| totals.images),
            count(|totals| totals.steps),
            count(|totals| totals.done),
            count(|totals| totals.failed),
            count(|totals| totals.held),
            run.plan_id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        ]);
    }
    format!("{table}\n")
}

fn events_text(image: &str, events: &[ImageEvent]) -> String {
    let mut text = format!("{image}\n");
    for event in events {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", event.at, event_words(&event.kind));
    }
    text
}

fn event_words(kind: &ImageEventKind) -> String {
    match kind {
        ImageEventKind::FirstSeen { state } => format!("first seen, {state}"),
        ImageEventKind::StateChanged { state } => format!("seen {state}"),
        ImageEventKind::Gone { state } => format!("gone; it was {state}"),
        ImageEventKind::Returned { state } => format!("seen again, {state}"),
        ImageEventKind::Decided(record) => format!("decided: {}", record_words(record)),
        ImageEventKind::NotDecided => "not decided about, because it was not seen".to_owned(),
        ImageEventKind::Intended { intent_id, plan_id, step, .. } => {
            format!("{} begun (change {intent_id} of {plan_id})", step.change.kind())
        }
        ImageEventKind::Outcome { intent_id, report } => {
            let detail =
                report.outcome.detail().map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
            let mut words = format!("change {intent_id} is {}{detail}", report.outcome);
            for snapshot in &report.snapshots {
                // Writing to a String cannot fail.
                let _ = write!(words, "; {} {}", snapshot.snapshot_id, snapshot.return_code);
            }
            words
        }
    }
}

fn record_words(record: &DecisionRecord) -> String {
    let entries = record.entries.iter().map(|entry| {
        let mut words = match (entry.kind, entry.standing) {
            (Some(kind), Standing::Held(guard)) => format!("{kind} held by {guard}"),
            (Some(kind), standing) => format!("{kind} {}", standing.as_str()),
            (None, standing) => standing.as_str().to_owned(),
        };
        let _ = write!(words, " - {}", plain(&entry.reason));
        if let (Some(policy), Some(rule)) = (&entry.policy, &entry.rule) {
            let _ = write!(words, " ({policy}, rule \"{}\", line {})", rule.name, rule.line);
        }
        words
    });
    entries.collect::<Vec<_>>().join("; ")
}

fn run_json(run: &RunSummary) -> Value {
    json!({
        "run_id": run.run_id, "command": run.command, "mode": run.mode, "version": run.version,
        "config_digest": run.config_digest, "started_at": run.started_at, "finished_at": run.finished_at,
        "state": run.state.as_str(), "plan_id": run.plan_id, "totals": run.totals,
    })
}

fn event_json(event: &ImageEvent) -> Value {
    let details = match &event.kind {
        ImageEventKind::FirstSeen { state } => json!({ "event": "first-seen", "state": state }),
        ImageEventKind::StateChanged { state } => json!({ "event": "state-changed", "state": state }),
        ImageEventKind::Gone { state } => json!({ "event": "gone", "state": state }),
        ImageEventKind::Returned { state } => json!({ "event": "returned", "state": state }),
        ImageEventKind::Decided(record) => json!({ "event": "decided", "decision": record }),
        ImageEventKind::NotDecided => json!({ "event": "not-decided" }),
        ImageEventKind::Intended { intent_id, plan_id, step, before } => json!({
            "event": "intended", "intent_id": intent_id, "plan_id": plan_id, "action": step.change.kind(),
            "step": step, "before": before,
        }),
        ImageEventKind::Outcome { intent_id, report } => json!({
            "event": "outcome", "intent_id": intent_id, "outcome": report.outcome.as_str(),
            "detail": report.outcome.detail(), "request_id": report.request_id, "snapshots": report.snapshots,
        }),
    };
    json!({
        "at": event.at, "run_id": event.run_id, "account": event.scope.account, "region": event.scope.region,
        "details": details,
    })
}

fn pretty(document: &Value) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}
