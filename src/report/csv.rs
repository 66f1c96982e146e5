//! The report as CSV (RFC 4180): one row for each image and action, those that are held back, kept or in error
//! included. Columns are added at the end, never renamed.

use std::io::{self, Write};

use ::csv::{Terminator, Writer, WriterBuilder};
use amiwarden_core::{Because, CycleReport, RuleRef, Scope};

use super::text::csv_field;
use super::words;

const HEADER: [&str; 16] = [
    "standing",
    "account",
    "region",
    "image_id",
    "name",
    "action",
    "change",
    "policy",
    "rule",
    "line",
    "reason",
    "guard",
    "rehearsal",
    "outcome",
    "detail",
    "request_id",
];

/// One row. What does not apply is empty.
#[derive(Default)]
struct Record<'a> {
    /// `planned`, `held`, `kept` or `error`.
    standing: &'a str,
    scope: Option<&'a Scope>,
    image_id: &'a str,
    name: &'a str,
    action: &'a str,
    change: String,
    policy: &'a str,
    rule: Option<&'a RuleRef>,
    line: Option<u32>,
    reason: &'a str,
    guard: &'a str,
    rehearsal: &'a str,
    outcome: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

/// Writes the rows: planned, held, kept, errors.
pub(super) fn write(report: &CycleReport, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record(HEADER)?;
    for (step, became) in &report.steps {
        let record = Record {
            standing: "planned",
            scope: Some(&step.scope),
            image_id: step.image_id.as_str(),
            name: step.name.as_deref().unwrap_or(""),
            action: step.change.kind().as_str(),
            change: words::change(&step.change, report.started_at),
            rehearsal: became.rehearsal.as_str(),
            outcome: became.outcome.as_str(),
            detail: became
                .outcome
                .detail()
                .or(became.note.as_deref())
                .or_else(|| became.rehearsal.detail())
                .unwrap_or(""),
            request_id: became.request_id.as_deref().unwrap_or(""),
            ..asked_by(step.because.first())
        };
        put(&mut writer, &record)?;
    }
    for held in &report.held {
        let record = Record {
            standing: "held",
            scope: Some(&held.scope),
            image_id: held.image_id.as_str(),
            name: held.name.as_deref().unwrap_or(""),
            action: held.change.kind().as_str(),
            change: words::change(&held.change, report.started_at),
            guard: held.guard.as_str(),
            detail: &held.reason,
            ..asked_by(held.because.first())
        };
        put(&mut writer, &record)?;
    }
    for kept in &report.kept {
        let record = Record {
            standing: "kept",
            scope: Some(&kept.scope),
            image_id: kept.image_id.as_str(),
            name: kept.name.as_deref().unwrap_or(""),
            policy: kept.policy.as_ref().map_or("", |policy| policy.as_str()),
            rule: kept.rule.as_ref(),
            line: kept.rule.as_ref().map(|rule| rule.line),
            reason: &kept.reason,
            ..Record::default()
        };
        put(&mut writer, &record)?;
    }
    for error in &report.errors {
        let record = Record {
            standing: "error",
            image_id: error.image_id.as_str(),
            policy: error.policy.as_str(),
            rule: error.failure.rule.as_ref(),
            line: error.failure.line,
            detail: &error.failure.message,
            ..Record::default()
        };
        put(&mut writer, &record)?;
    }
    writer.flush()
}

/// The first who asks for it. The others are in the JSON report.
fn asked_by(first: Option<&Because>) -> Record<'_> {
    first.map_or_else(Record::default, |because| Record {
        policy: because.policy.as_str(),
        rule: Some(&because.rule),
        line: Some(because.rule.line),
        reason: &because.reason,
        ..Record::default()
    })
}

fn put(writer: &mut Writer<&mut dyn Write>, record: &Record<'_>) -> io::Result<()> {
    let line = record.line.map_or_else(String::new, |line| line.to_string());
    let fields: [&str; HEADER.len()] = [
        record.standing,
        record.scope.map_or("", |scope| scope.account.as_str()),
        record.scope.map_or("", |scope| scope.region.as_str()),
        record.image_id,
        record.name,
        record.action,
        &record.change,
        record.policy,
        record.rule.map_or("", |rule| &rule.name),
        &line,
        record.reason,
        record.guard,
        record.rehearsal,
        record.outcome,
        record.detail,
        record.request_id,
    ];
    writer.write_record(fields.iter().map(|field| csv_field(field).into_owned()))?;
    Ok(())
}
