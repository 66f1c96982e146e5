//! `history`: past runs, or everything that happened to one image.

use std::fmt::Write;

use amiwarden_core::{ImageId, Timestamp, Totals};
use anyhow::anyhow;
use serde_json::Value;

use super::args::{FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::{prepare, terminal};
use crate::report::{List, ListColumn, grouped, past, plain, saved};
use crate::store::{DecisionRecord, ImageEvent, ImageEventKind, RunSummary, Standing};

pub(super) async fn history(global: &Global, image: Option<&str>, limit: u32) -> Result<Outcome, Failure> {
    let config = prepare::load_config(global, None)?;
    let reader = prepare::open_reader(&config).await?;
    let text = match image {
        None => runs_text(&reader.runs(limit).await?, global)?,
        Some(image) => {
            let events = reader.image_history(&ImageId::new(image)).await?;
            if events.is_empty() {
                let path = config.store.path.display();
                return Err(Failure::Usage(anyhow!("no run recorded in {path} has ever seen {image}")));
            }
            events_text(image, &events, global.format)?
        }
    };
    reader.close().await;
    terminal::print(&text)?;
    Ok(Outcome::Fine)
}

fn runs_text(runs: &[RunSummary], global: &Global) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    match global.format {
        FormatArg::Json => {
            return pretty(&past::runs(runs));
        }
        FormatArg::Csv => all_of_runs(runs).write_csv(&mut out)?,
        FormatArg::Table | FormatArg::Markdown if runs.is_empty() => {
            out.extend_from_slice(b"No run is recorded yet.\n");
        }
        FormatArg::Table => runs_at_a_glance(runs).write_table(&terminal::style(global), &mut out)?,
        FormatArg::Markdown => runs_at_a_glance(runs).write_markdown(&mut out)?,
    }
    Ok(out)
}

/// What fits into a hundred columns. The runs' names, which no command asks for, are in CSV and JSON.
fn runs_at_a_glance(runs: &[RunSummary]) -> List {
    let titles = ["STARTED (UTC)", "COMMAND", "STATE", "IMAGES", "CHANGES", "DONE", "FAILED", "HELD", "PLAN"];
    let row = |run: &RunSummary| {
        let count = |count: fn(&Totals) -> usize| {
            run.totals.as_ref().map_or_else(|| "-".to_owned(), |totals| grouped(count(totals)))
        };
        vec![
            run.started_at.strftime("%Y-%m-%d %H:%M").to_string(),
            format!("{}, {}", run.command, run.mode.as_str()),
            run.state.as_str().to_owned(),
            count(|totals| totals.images),
            count(|totals| totals.steps),
            count(|totals| totals.done),
            count(|totals| totals.failed),
            count(|totals| totals.held),
            run.plan_id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        ]
    };
    List { columns: titles.map(short).into(), rows: runs.iter().map(row).collect() }
}

/// Everything, for programs: a count that is not known is empty. Columns are added at the end, never renamed.
fn all_of_runs(runs: &[RunSummary]) -> List {
    let titles = [
        "run_id",
        "command",
        "mode",
        "version",
        "config_digest",
        "started_at",
        "finished_at",
        "state",
        "plan_id",
        "images",
        "steps",
        "held",
        "kept",
        "errors",
        "done",
        "failed",
        "api_calls",
    ];
    let row = |run: &RunSummary| {
        let count = |count: fn(&Totals) -> String| run.totals.as_ref().map_or_else(String::new, count);
        vec![
            run.run_id.to_string(),
            run.command.clone(),
            run.mode.as_str().to_owned(),
            run.version.clone(),
            run.config_digest.clone(),
            run.started_at.to_string(),
            run.finished_at.as_ref().map_or_else(String::new, Timestamp::to_string),
            run.state.as_str().to_owned(),
            run.plan_id.as_ref().map_or_else(String::new, ToString::to_string),
            count(|totals| totals.images.to_string()),
            count(|totals| totals.steps.to_string()),
            count(|totals| totals.held.to_string()),
            count(|totals| totals.kept.to_string()),
            count(|totals| totals.errors.to_string()),
            count(|totals| totals.done.to_string()),
            count(|totals| totals.failed.to_string()),
            count(|totals| totals.api_calls.to_string()),
        ]
    };
    List { columns: titles.map(short).into(), rows: runs.iter().map(row).collect() }
}

fn events_text(image: &str, events: &[ImageEvent], format: FormatArg) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    match format {
        FormatArg::Json => {
            return pretty(&past::image(image, events));
        }
        FormatArg::Table => return Ok(events_lines(image, events).into_bytes()),
        FormatArg::Csv => {
            let titles = ["at", "run_id", "account", "region", "event", "what", "before"];
            events_list(titles.map(short).into(), events).write_csv(&mut out)?;
        }
        FormatArg::Markdown => {
            let prose = |title| ListColumn { title, is_prose: true };
            let titles = ["AT", "RUN", "ACCOUNT", "REGION", "EVENT"].map(short);
            let columns = [&titles[..], &[prose("WHAT"), prose("BEFORE")]].concat();
            events_list(columns, events).write_markdown(&mut out)?;
        }
    }
    Ok(out)
}

fn events_list(columns: Vec<ListColumn>, events: &[ImageEvent]) -> List {
    let row = |event: &ImageEvent| {
        vec![
            event.at.to_string(),
            event.run_id.to_string(),
            event.scope.account.to_string(),
            event.scope.region.to_string(),
            past::event_name(&event.kind).to_owned(),
            event_words(&event.kind),
            before(&event.kind).unwrap_or_default(),
        ]
    };
    List { columns, rows: events.iter().map(row).collect() }
}

fn short(title: &'static str) -> ListColumn {
    ListColumn { title, is_prose: false }
}

fn events_lines(image: &str, events: &[ImageEvent]) -> String {
    let mut text = format!("{}\n", plain(image));
    for event in events {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}  {}", event.at, plain(&event_words(&event.kind)));
        if let Some(before) = before(&event.kind) {
            let _ = writeln!(text, "    before: {before}");
        }
    }
    text
}

/// What the image was before a change that was about to be sent.
fn before(kind: &ImageEventKind) -> Option<String> {
    match kind {
        ImageEventKind::Intended { step, before, .. } => {
            Some(saved(&step.change, before.image.as_ref(), before.launch_permissions.as_ref()))
        }
        ImageEventKind::FirstSeen { .. }
        | ImageEventKind::StateChanged { .. }
        | ImageEventKind::Gone { .. }
        | ImageEventKind::Returned { .. }
        | ImageEventKind::Decided(_)
        | ImageEventKind::NotDecided
        | ImageEventKind::Outcome { .. } => None,
    }
}

fn event_words(kind: &ImageEventKind) -> String {
    match kind {
        ImageEventKind::FirstSeen { state } => format!("first seen, {state}"),
        ImageEventKind::StateChanged { state } => format!("seen {state}"),
        ImageEventKind::Gone { state } => format!("gone; it was {state}"),
        ImageEventKind::Returned { state } => format!("seen again, {state}"),
        ImageEventKind::Decided(record) => format!("decided: {}", record_words(record)),
        ImageEventKind::NotDecided => "not decided about, because it was not seen".to_owned(),
        ImageEventKind::Intended { intent_id, plan_id, index, step, .. } => {
            // The step as `undo` takes it.
            format!("{} begun (change {intent_id}: {plan_id}/{})", step.change.kind(), index + 1)
        }
        ImageEventKind::Outcome { intent_id, report } => {
            let detail = report.outcome.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            let mut words = format!("change {intent_id} is {}{detail}", report.outcome);
            for snapshot in &report.snapshots {
                // Writing to a String cannot fail.
                let _ = write!(words, "; {} {}", snapshot.snapshot_id, snapshot.return_code);
            }
            if let Some(note) = &report.note {
                let _ = write!(words, "; {}", plain(note));
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
        // Writing to a String cannot fail.
        let _ = write!(words, " - {}", entry.reason);
        if let (Some(policy), Some(rule)) = (&entry.policy, &entry.rule) {
            let _ = write!(words, " ({policy}, rule \"{}\", line {})", rule.name, rule.line);
        }
        words
    });
    entries.collect::<Vec<_>>().join("; ")
}

fn pretty(document: &Value) -> Result<Vec<u8>, Failure> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(text)
}
