//! `audit verify` and `audit export`.

use std::io::{self, BufWriter, Write};
use std::str::FromStr;

use amiwarden_core::{AccountId, Duration, ImageId, Region, RunId, Timestamp};
use anyhow::anyhow;
use serde_json::{Value, json};

use super::args::{AuditExportArgs, AuditVerifyArgs, FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::{prepare, terminal};
use crate::report::grouped;
use crate::store::{KnownHead, LedgerEntry, LedgerFilter, LedgerFinding, StoreReader, Verification};

pub(super) async fn verify(global: &Global, args: &AuditVerifyArgs) -> Result<Outcome, Failure> {
    let config = prepare::load_config(global, None)?;
    let reader = prepare::open_reader(&config).await?;
    let head = &config.store.ledger_head;
    let verification = reader.verify(Some(head), args.head.as_ref()).await?;
    reader.close().await;
    let text = match global.format {
        FormatArg::Json | FormatArg::Jsonl => {
            serde_json::to_string_pretty(&verification_json(&verification))? + "\n"
        }
        FormatArg::Table | FormatArg::Csv | FormatArg::Markdown => words(&verification, args),
    };
    terminal::print(text.as_bytes())?;
    Ok(if verification.is_intact() { Outcome::Fine } else { Outcome::StepsFailed })
}

fn words(verification: &Verification, args: &AuditVerifyArgs) -> String {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let entries = grouped(verification.entries);
    let span = match (&verification.first_at, &verification.newest) {
        (Some(first), Some(newest)) => format!(", from {first} to {}", newest.at),
        _ => String::new(),
    };
    let mut text = if verification.is_intact() {
        format!("The ledger is intact: {entries} entries{span}.\n")
    } else {
        format!("The ledger is NOT intact: {entries} entries{span}.\n")
    };
    if let Some(newest) = &verification.newest {
        let _ = writeln!(text, "  newest entry  {}:{}", newest.sequence, newest.hash);
    }
    if let Some(kept) = verification.head_at {
        let place = if kept == 0 { "before the first entry".to_owned() } else { format!("at entry {kept}") };
        let _ = writeln!(text, "  kept head     {place}, and the ledger goes through it");
    }
    if args.head.is_some() && verification.is_intact() {
        text += "  given head    the ledger goes through it\n";
    }
    for finding in &verification.findings {
        let _ = write!(text, "\n  - {finding}\n    {}\n", advice(finding));
    }
    text
}

/// What a finding means, and what to do about it.
fn advice(finding: &LedgerFinding) -> &'static str {
    match finding {
        LedgerFinding::Missing { .. } | LedgerFinding::CutOff { .. } => {
            "Somebody removed entries, or an older copy of the database was put back. Compare with a backup."
        }
        LedgerFinding::Altered { .. } => {
            "Somebody changed the entry around amiwarden. What it says cannot be relied on; compare with a backup."
        }
        LedgerFinding::Contents { .. } | LedgerFinding::Unrecorded { .. } => {
            "The ledger is whole there, but a row that it vouches for is not. Compare the row with a backup."
        }
        LedgerFinding::HeadDiffers { .. } => {
            "The head belongs to another ledger, or the ledger was written anew. Find out which of the two is old."
        }
        LedgerFinding::HeadMissing(_) | LedgerFinding::HeadUnreadable { .. } => {
            "Without its head a ledger that was cut off cannot be told from a shorter one. Put the file back."
        }
    }
}

fn verification_json(verification: &Verification) -> Value {
    json!({
        "schema": 1,
        "intact": verification.is_intact(),
        "entries": verification.entries,
        "first_at": verification.first_at,
        "newest": verification.newest.as_ref().map(|newest| {
            json!({ "sequence": newest.sequence, "hash": newest.hash, "at": newest.at })
        }),
        "findings": verification.findings.iter().map(|finding| {
            json!({ "what": finding.to_string(), "advice": advice(finding) })
        }).collect::<Vec<_>>(),
    })
}

pub(super) async fn export(global: &Global, args: &AuditExportArgs) -> Result<Outcome, Failure> {
    let config = prepare::load_config(global, None)?;
    let is_csv = match global.format {
        FormatArg::Table | FormatArg::Json | FormatArg::Jsonl => false,
        FormatArg::Csv => true,
        FormatArg::Markdown => {
            return Err(Failure::Usage(anyhow!(
                "the ledger is exported as `--format jsonl` or `--format csv`"
            )));
        }
    };
    let now = Timestamp::now();
    let moment = |at: &Option<Moment>| at.as_ref().map(|moment| moment.before(now)).transpose();
    let filter = LedgerFilter {
        since: moment(&args.since)?,
        until: moment(&args.until)?,
        image: args.image.as_ref().map(ImageId::new),
        run: args.run.as_ref().map(|run| RunId::new(run.clone())),
    };
    let reader = prepare::open_reader(&config).await?;
    let written = write_all(&reader, &filter, is_csv).await;
    reader.close().await;
    match written {
        // A reader who has seen enough, such as `head`, is no error.
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Outcome::Fine),
        Err(ExportError::Write(error)) => Err(error.into()),
        Err(ExportError::Store(failure)) => Err(failure),
        Ok(()) => Ok(Outcome::Fine),
    }
}

enum ExportError {
    Store(Failure),
    Write(io::Error),
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Page by page, so that a ledger of any length needs the same memory.
async fn write_all(reader: &StoreReader, filter: &LedgerFilter, is_csv: bool) -> Result<(), ExportError> {
    let mut after = 0;
    let mut is_first = true;
    loop {
        let page =
            reader.ledger_page(filter, after).await.map_err(|error| ExportError::Store(error.into()))?;
        let mut out = BufWriter::new(io::stdout().lock());
        if is_csv {
            write_csv(&mut out, &page, is_first)?;
        } else {
            for entry in &page {
                writeln!(out, "{}", entry_json(entry))?;
            }
        }
        out.flush()?;
        is_first = false;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.sequence;
    }
}

fn entry_json(entry: &LedgerEntry) -> Value {
    json!({
        "sequence": entry.sequence,
        "at": entry.at,
        "kind": entry.kind,
        "run_id": entry.run,
        "account": entry.account,
        "region": entry.region,
        "image_id": entry.image,
        "action": entry.action,
        "outcome": entry.outcome,
        "request_id": entry.request_id,
        "body": entry.body,
        "hash": entry.hash,
    })
}

fn write_csv(out: &mut impl Write, page: &[LedgerEntry], with_titles: bool) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    if with_titles {
        writer.write_record([
            "sequence",
            "at",
            "kind",
            "run_id",
            "account",
            "region",
            "image_id",
            "action",
            "outcome",
            "request_id",
            "body",
            "hash",
        ])?;
    }
    for entry in page {
        let text = |it: Option<&str>| it.unwrap_or_default().to_owned();
        writer.write_record([
            entry.sequence.to_string(),
            entry.at.to_string(),
            entry.kind.clone(),
            text(entry.run.as_ref().map(RunId::as_str)),
            text(entry.account.as_ref().map(AccountId::as_str)),
            text(entry.region.as_ref().map(Region::as_str)),
            text(entry.image.as_ref().map(ImageId::as_str)),
            text(entry.action),
            text(entry.outcome.as_deref()),
            text(entry.request_id.as_deref()),
            entry.body.to_string(),
            entry.hash.clone(),
        ])?;
    }
    writer.flush()
}

/// A moment as people name it: an instant, a day (its beginning in UTC), or so long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// This one.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    fn before(&self, now: Timestamp) -> Result<Timestamp, Failure> {
        match self {
            Self::At(at) => Ok(*at),
            Self::Ago(ago) => Timestamp::from_second(now.as_second() - ago.as_seconds())
                .map_err(|_| Failure::Usage(anyhow!("{ago} ago is before time began"))),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if let Ok(day) = text.parse::<jiff::civil::Date>()
            && let Ok(begins) = day.to_zoned(jiff::tz::TimeZone::UTC)
        {
            return Ok(Self::At(begins.timestamp()));
        }
        text.parse().map(Self::Ago).map_err(|_| {
            "write an instant (2026-11-21T12:00:00Z), a day (2026-11-21), or how long ago (30d)".to_owned()
        })
    }
}

/// A head as `SEQUENCE:HASH`, the form in which `audit verify` and the log print it.
pub(super) fn parse_head(text: &str) -> Result<KnownHead, String> {
    KnownHead::parse(text)
        .ok_or_else(|| "write SEQUENCE:HASH, as `audit verify` and the log print it".to_owned())
}
