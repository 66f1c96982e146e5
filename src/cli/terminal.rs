//! The two streams, and the person who may sit at the other end.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;

use anstream::eprintln;
use owo_colors::OwoColorize;
use tokio_util::sync::CancellationToken;

use super::args::Global;
use super::failure::Failure;
use crate::report::{Detail, Stage, Style};
use crate::telemetry;

/// Prints a report. A reader who has seen enough, such as `head`, is no error.
pub(super) fn print(report: &[u8]) -> io::Result<()> {
    print_part(report).map(|_| ())
}

/// Prints a part of something long, and tells whether there is still somebody who reads.
pub(super) fn print_part(part: &[u8]) -> io::Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(part).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error),
    }
}

/// Prints something that is no report.
pub(super) fn note(text: &str) {
    if telemetry::is_structured() {
        tracing::info!(target: telemetry::TOLD, "{text}");
    } else {
        eprintln!("{text}");
    }
}

/// Prints what went wrong, with its causes.
pub(super) fn complain(failure: &Failure) {
    let error = failure.error();
    let text = error.to_string();
    // Policies and configurations show every problem with its own heading.
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    if telemetry::is_structured() {
        let chain: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
        tracing::error!(target: telemetry::TOLD, because = chain.join(": "), "{text}");
        return;
    }
    eprintln!("{} {text}", "error:".red().bold());
    for cause in error.chain().skip(1) {
        eprintln!("  {} {cause}", "because:".bold());
    }
}

/// How reports look on standard output.
pub(super) fn style(global: &Global) -> Style {
    let detail = if global.verbose > 0 { Detail::EveryImage } else { Detail::Summary };
    Style { detail, command: command(global), ..style_of(&io::stdout()) }
}

/// How a report looks that goes to standard error, to be looked at before a question is answered.
pub(super) fn style_of_preview(global: &Global) -> Style {
    Style { command: command(global), stage: Stage::Preview, ..style_of(&io::stderr()) }
}

/// What to call amiwarden with, so that a suggested command works on the same configuration, store and account.
pub(super) fn command(global: &Global) -> String {
    let mut command = "amiwarden".to_owned();
    if global.sandbox {
        command += " --sandbox";
    }
    let paths = [
        ("--config", &global.config),
        ("--db", &global.db),
        ("--policies", &global.policies),
        ("--fleet", &global.fleet),
    ];
    let paths =
        paths.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?.display().to_string())));
    let texts = [("--endpoint-url", &global.endpoint_url), ("--profile", &global.profile)];
    let texts = texts.into_iter().filter_map(|(flag, text)| Some((flag, text.clone()?)));
    let regions = global.region.iter().map(|region| ("--region", region.clone()));
    for (flag, value) in paths.chain(texts).chain(regions) {
        command += " ";
        command += flag;
        command += " ";
        command += &quoted(&value);
    }
    command
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn style_of(stream: &impl IsTerminal) -> Style {
    let is_terminal = stream.is_terminal();
    Style {
        colour: is_terminal && !is_dumb() && std::env::var_os("NO_COLOR").is_none(),
        width: is_terminal.then(terminal_width).flatten(),
        ..Style::default()
    }
}

/// A terminal that shows escape sequences instead of obeying them.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width()
}

/// Whether somebody can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that only `yes` answers with yes. Being told to stop is a no.
pub(super) async fn ask(question: &str, stop: &CancellationToken) -> io::Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "{question} Type `yes` to go on: ")?;
    err.flush()?;
    drop(err);
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    });
    tokio::select! {
        answer = answer => Ok(answer.map_err(io::Error::other)??.trim() == "yes"),
        () = stop.cancelled() => Ok(false),
    }
}
