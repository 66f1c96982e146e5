//! The two streams, and the person who may sit at the other end.

use std::io::{self, IsTerminal, Write};

use anstream::eprintln;
use owo_colors::OwoColorize;

use super::args::Global;
use super::failure::Failure;
use crate::report::{Detail, Style};

/// Prints a report. A reader who has seen enough, such as `head`, is no error.
pub(super) fn print(report: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(report).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints something that is no report.
pub(super) fn note(text: &str) {
    eprintln!("{text}");
}

/// Prints what went wrong, with its causes.
pub(super) fn complain(failure: &Failure) {
    let error = failure.error();
    eprintln!("{} {error}", "error:".red().bold());
    for cause in error.chain().skip(1) {
        eprintln!("  {} {cause}", "because:".bold());
    }
}

/// How reports look on standard output.
pub(super) fn style(global: &Global) -> Style {
    let detail = if global.verbose > 0 { Detail::EveryImage } else { Detail::Summary };
    let command = if global.sandbox { "amiwarden --sandbox" } else { "amiwarden" };
    Style { detail, command: command.to_owned(), ..style_of(&io::stdout()) }
}

/// How a report looks that goes to standard error, to be looked at before a question is answered.
pub(super) fn style_of_errors() -> Style {
    style_of(&io::stderr())
}

fn style_of(stream: &impl IsTerminal) -> Style {
    let is_terminal = stream.is_terminal();
    Style {
        colour: is_terminal && std::env::var_os("NO_COLOR").is_none(),
        width: is_terminal.then(terminal_width).flatten(),
        ..Style::default()
    }
}

fn terminal_width() -> Option<u16> {
    comfy_table::Table::new().width()
}

/// Whether somebody can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a question that only `yes` answers with yes.
pub(super) fn ask(question: &str) -> io::Result<bool> {
    let mut err = io::stderr().lock();
    write!(err, "{question} Type `yes` to go on: ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
