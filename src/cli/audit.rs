//! `audit`: whether what is recorded is what was recorded, and the record itself.

use std::fmt::Write;
use std::ops::ControlFlow;

use amiwarden_core::{ImageId, RunId, Timestamp};
use anyhow::anyhow;
use serde_json::{Value, json};

use super::args::{ExportArgs, FormatArg, Global, Moment};
use super::failure::{Failure, Outcome};
use super::{prepare, terminal};
use crate::report::{List, ListColumn, grouped, plain};
use crate::store::{
    ComparedHead, HeadOrigin, LedgerEntry, LedgerFilter, LedgerFinding, LedgerHead, LedgerPart, MangledEntry,
    Verification,
};

/// How many findings are shown to a person. All of them are in the other forms.
const SHOWN_MAX: usize = 25;

pub(super) async fn verify(global: &Global, given: Option<&LedgerHead>) -> Result<Outcome, Failure> {
    let config = prepare::load_config(global, None)?;
    let reader = prepare::open_reader(&config).await?;
    let verification = reader.verify_against(Some(&config.store.ledger_head), given).await?;
    reader.close().await;
    let text = match global.format {
        FormatArg::Json => {
            let mut text = serde_json::to_vec_pretty(&verification_json(&verification))?;
            text.push(b'\n');
            text
        }
        FormatArg::Table => {
            let store = config.store.path.display().to_string();
            verification_text(&verification, &plain(&store)).into_bytes()
        }
        FormatArg::Csv | FormatArg::Markdown => {
            let mut out = Vec::new();
            let list = findings_list(&verification);
            if global.format == FormatArg::Csv {
                list.write_csv(&mut out)?;
            } else if verification.is_intact() {
                out.extend_from_slice(headline(&verification).as_bytes());
                out.push(b'\n');
            } else {
                list.write_markdown(&mut out)?;
            }
            out
        }
    };
    terminal::print(&text)?;
    Ok(if verification.is_intact() { Outcome::Fine } else { Outcome::NotIntact })
}

fn headline(verification: &Verification) -> String {
    match verification.findings.len() {
        0 => "The ledger is intact: nothing that it records has been changed.".to_owned(),
        1 => "The ledger is NOT intact: 1 finding.".to_owned(),
        findings => format!("The ledger is NOT intact: {} findings.", grouped(findings)),
    }
}

fn verification_text(verification: &Verification, store: &str) -> String {
    let mut text = format!("{}\n\n", headline(verification));
    let mut line = |title: &str, words: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {title:<9} {words}");
    };
    line("store", store);
    line("entries", &grouped(verification.entries));
    if let (Some(from), Some(to)) = (verification.from, verification.to) {
        line("written", &format!("{from} to {to}"));
    }
    line("newest", &verification.newest.to_string());
    for compared in &verification.heads {
        let title = match compared.origin {
            HeadOrigin::File => "head file",
            HeadOrigin::Given => "--head",
        };
        line(title, &head_words(compared, &verification.newest));
    }
    if verification.findings.is_empty() {
        return text;
    }
    text.push('\n');
    for finding in verification.findings.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "  {}\n      {}", plain(&finding.to_string()), finding.meaning());
    }
    if let Some(more) = verification.findings.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {} more; --format json shows all of them", grouped(more));
    }
    text.push_str("\nKeep the store and its head file as they are, and compare them with a backup.\n");
    text
}

fn head_words(compared: &ComparedHead, newest: &LedgerHead) -> String {
    let behind = newest.sequence().saturating_sub(compared.head.sequence());
    match (compared.agrees, behind) {
        (false, _) => format!("does NOT agree: it names {}", compared.head),
        (true, 0) => "agrees: it names the newest entry".to_owned(),
        (true, _) => {
            format!("agrees: it names entry {}, and {behind} were added since", compared.head.sequence())
        }
    }
}

fn findings_list(verification: &Verification) -> List {
    let column = |title, is_prose| ListColumn { title, is_prose };
    let row = |finding: &LedgerFinding| {
        vec![
            finding.as_str().to_owned(),
            finding.sequence().map_or_else(String::new, |sequence| sequence.to_string()),
            finding.to_string(),
            finding.meaning().to_owned(),
        ]
    };
    List {
        columns: vec![
            column("finding", false),
            column("sequence", false),
            column("what", true),
            column("meaning", true),
        ],
        rows: verification.findings.iter().map(row).collect(),
    }
}

fn verification_json(verification: &Verification) -> Value {
    let findings: Vec<Value> = verification
        .findings
        .iter()
        .map(|finding| {
            json!({
                "finding": finding.as_str(), "sequence": finding.sequence(), "what": finding.to_string(),
                "meaning": finding.meaning(),
            })
        })
        .collect();
    let heads: Vec<Value> = verification
        .heads
        .iter()
        .map(|compared| {
            let origin = match compared.origin {
                HeadOrigin::File => "file",
                HeadOrigin::Given => "given",
            };
            json!({
                "origin": origin, "sequence": compared.head.sequence(), "hash": compared.head.hash(),
                "agrees": compared.agrees,
            })
        })
        .collect();
    json!({
        "schema": 1, "intact": verification.is_intact(), "entries": verification.entries,
        "from": verification.from, "to": verification.to, "sequence": verification.newest.sequence(),
        "hash": verification.newest.hash(), "heads": heads, "findings": findings,
    })
}

/// The columns of an export. They are added to at the end, never renamed.
const COLUMNS: [&str; 12] = [
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
];

pub(super) async fn export(global: &Global, args: &ExportArgs) -> Result<Outcome, Failure> {
    // What was said before the command stands where the command says nothing.
    let is_csv = match args.format.unwrap_or(global.format) {
        FormatArg::Csv => true,
        FormatArg::Json | FormatArg::Table => false,
        FormatArg::Markdown => {
            return Err(Failure::Usage(anyhow!("an export is `--format jsonl` or `--format csv`")));
        }
    };
    let filter = filter(args, Timestamp::now())?;
    let config = prepare::load_config(global, None)?;
    let reader = prepare::open_reader(&config).await?;
    let mut part = Vec::new();
    if is_csv {
        List::write_csv_rows(&[COLUMNS.map(str::to_owned).to_vec()], &mut part)?;
    }
    let mut after = i64::MIN;
    let mut outcome = Outcome::Fine;
    while let Some(LedgerPart { entries, mangled, last }) = reader.ledger_entries(&filter, after).await? {
        after = last;
        for MangledEntry { sequence, reason } in mangled {
            terminal::note(&format!("entry {sequence} is left out: {reason}; see `amiwarden audit verify`"));
            outcome = Outcome::NotIntact;
        }
        if is_csv {
            let rows: Vec<Vec<String>> = entries.iter().map(entry_row).collect();
            List::write_csv_rows(&rows, &mut part)?;
        } else {
            for entry in &entries {
                serde_json::to_writer(&mut part, &entry_json(entry))?;
                part.push(b'\n');
            }
        }
        if terminal::print_part(&part)? == ControlFlow::Break(()) {
            break;
        }
        part.clear();
    }
    reader.close().await;
    // A header alone, where no entry is wanted.
    terminal::print(&part)?;
    Ok(outcome)
}

fn filter(args: &ExportArgs, now: Timestamp) -> Result<LedgerFilter, Failure> {
    let instant = |moment: Option<Moment>| {
        let too_early = || Failure::Usage(anyhow!("no instant is so long ago"));
        moment.map(|moment| moment.instant(now).ok_or_else(too_early)).transpose()
    };
    Ok(LedgerFilter {
        since: instant(args.since)?,
        until: instant(args.until)?,
        image: args.image.as_deref().map(ImageId::new),
        run: args.run.as_deref().map(RunId::new),
    })
}

fn entry_row(entry: &LedgerEntry) -> Vec<String> {
    let text = |text: Option<String>| text.unwrap_or_default();
    vec![
        entry.head.sequence().to_string(),
        entry.at.to_string(),
        entry.kind.clone(),
        text(entry.run_id.as_ref().map(ToString::to_string)),
        text(entry.scope.as_ref().map(|scope| scope.account.to_string())),
        text(entry.scope.as_ref().map(|scope| scope.region.to_string())),
        text(entry.image.as_ref().map(ToString::to_string)),
        text(entry.action.map(|action| action.as_str().to_owned())),
        text(entry.outcome.clone()),
        text(entry.request_id.clone()),
        entry.body.clone(),
        entry.head.hash(),
    ]
}

/// The body stays the text that was hashed: only that text gives the hash again.
fn entry_json(entry: &LedgerEntry) -> Value {
    json!({
        "sequence": entry.head.sequence(), "at": entry.at, "kind": entry.kind, "run_id": entry.run_id,
        "account": entry.scope.as_ref().map(|scope| &scope.account),
        "region": entry.scope.as_ref().map(|scope| &scope.region),
        "image_id": entry.image, "action": entry.action, "outcome": entry.outcome,
        "request_id": entry.request_id, "body": entry.body, "hash": entry.head.hash(),
    })
}
