//! What is logged, and where to: the journal when systemd has started amiwarden, else standard error, as text for
//! people or as one JSON object a line for programs. Always one of them, never two.
//!
//! Every line that belongs to a run carries the run's id, in the field `run_id` (`RUN_ID` in the journal), because the
//! run's span is enabled at every level that shows anything.
//!
//! Deliberately absent: log files, rotation, and sending logs over the network. The journal and its readers do that.

mod journal;
mod json;

use std::io::IsTerminal;
use std::sync::OnceLock;

use amiwarden_core::RunId;
use clap::ValueEnum;
use tracing::Span;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// The variable that overrides `-v`, in the form that `tracing` knows, such as `amiwarden=debug`.
const FILTER_VARIABLE: &str = "AMIWARDEN_LOG";

/// The variable that stands for `--log-format` where that is not given.
const FORMAT_VARIABLE: &str = "AMIWARDEN_LOG_FORMAT";

/// The variables that are about the log, and so name no key of the configuration.
pub(crate) const VARIABLES: [&str; 2] = [FILTER_VARIABLE, FORMAT_VARIABLE];

/// The target of the spans of runs, and of what a person would be told on standard error. It is no module's, and stays
/// enabled whatever the filter leaves out: a line without the run's id, or a failure without a word, helps nobody.
pub(crate) const TOLD: &str = "amiwarden::told";

/// Where the log goes to, and how it looks there, as somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// The journal if standard error leads there, else text
    Auto,
    /// For people, on standard error
    Text,
    /// One object a line, on standard error
    Json,
    /// systemd's journal, with priorities and fields
    Journald,
}

/// Where the log goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sink {
    Text,
    Json,
    Journal,
}

/// `AMIWARDEN_LOG_FORMAT` holds something else than the name of a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{FORMAT_VARIABLE} is `{0}`: it can be `auto`, `text`, `json` or `journald`")]
pub(crate) struct UnknownLogFormat(String);

/// Where the log goes to, once it has been started.
static SINK: OnceLock<Sink> = OnceLock::new();

/// Starts logging. `verbosity` counts the `-v`: warnings, then what amiwarden does, then each request, then the
/// SDK too. The journal and JSON hold what amiwarden does in any case, because nobody is there to ask again.
pub(crate) fn start(verbosity: u8, asked: Option<LogFormat>) -> Result<(), UnknownLogFormat> {
    let asked = match asked {
        Some(format) => format,
        None => format_of_variable(std::env::var_os(FORMAT_VARIABLE).as_deref())?,
    };
    let journal = match asked {
        LogFormat::Journald => Some(journal::layer()),
        LogFormat::Auto if journal::is_standard_error() => Some(journal::layer()),
        LogFormat::Auto | LogFormat::Text | LogFormat::Json => None,
    };
    let (sink, layer, journal_error) = match (asked, journal) {
        (_, Some(Ok(layer))) => (Sink::Journal, layer.boxed(), None),
        (_, Some(Err(error))) => (Sink::Text, text_layer(verbosity).boxed(), Some(error)),
        (LogFormat::Json, None) => (Sink::Json, json::layer().boxed(), None),
        (LogFormat::Auto | LogFormat::Text | LogFormat::Journald, None) => {
            (Sink::Text, text_layer(verbosity).boxed(), None)
        }
    };
    let level = if sink == Sink::Text { verbosity } else { verbosity.max(1) };
    let (filter, filter_error) = filter(level, std::env::var(FILTER_VARIABLE).ok().as_deref());
    // A second start in one process, as in tests, keeps the first.
    if Registry::default().with(layer.with_filter(filter)).try_init().is_ok() {
        SINK.get_or_init(|| sink);
    }
    if let Some(error) = journal_error {
        tracing::warn!("the journal cannot be reached: {error}");
    }
    if let Some(error) = filter_error {
        tracing::warn!("{FILTER_VARIABLE} is no filter, and is passed over: {error}");
    }
    Ok(())
}

/// Whether the log is for programs. What would be a remark to a person is then a line of the log, too, so that
/// standard error holds nothing else.
pub(crate) fn is_structured() -> bool {
    SINK.get().is_some_and(|sink| *sink != Sink::Text)
}

/// The span of a run. What is logged within it carries the run's id.
pub(crate) fn run_span(run_id: &RunId) -> Span {
    tracing::error_span!(target: TOLD, "run", %run_id)
}

fn format_of_variable(value: Option<&std::ffi::OsStr>) -> Result<LogFormat, UnknownLogFormat> {
    // An empty variable is one that somebody has switched off.
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(LogFormat::Auto) };
    let text = value.to_string_lossy();
    LogFormat::from_str(&text, true).map_err(|_| UnknownLogFormat(text.into_owned()))
}

/// What is let through, and what was wrong with the filter that the variable holds.
fn filter(level: u8, variable: Option<&str>) -> (EnvFilter, Option<ParseError>) {
    let default = match level {
        0 => "warn,aws_config=error,sqlx=error",
        1 => "info,aws_config=warn,sqlx=warn,tokio_cron_scheduler=warn",
        2 => "info,amiwarden=debug,amiwarden_ec2=debug,amiwarden_sandbox=debug",
        _ => "debug",
    };
    let (filter, error) = match variable.map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new(default), Some(error)),
        None => (EnvFilter::new(default), None),
    };
    let filter = match format!("{TOLD}=info").parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    (filter, error)
}

fn text_layer(verbosity: u8) -> impl Layer<Registry> + Send + Sync {
    fmt::layer()
        .with_writer(std::io::stderr)
        // A reader of the log who has seen enough must not end a run.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(verbosity > 1)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn the_variable_names_a_format_or_is_refused() {
        let check = |value: Option<&str>, expected: Result<LogFormat, &str>| {
            let found = format_of_variable(value.map(OsStr::new)).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{value:?}");
        };
        check(None, Ok(LogFormat::Auto));
        check(Some(""), Ok(LogFormat::Auto));
        check(Some("json"), Ok(LogFormat::Json));
        check(Some("Journald"), Ok(LogFormat::Journald));
        let refusal = "AMIWARDEN_LOG_FORMAT is `xml`: it can be `auto`, `text`, `json` or `journald`";
        check(Some("xml"), Err(refusal));
    }

    #[test]
    fn a_filter_that_is_none_is_told_of() {
        assert!(filter(0, Some("amiwarden=loud")).1.is_some());
        assert!(filter(0, Some("amiwarden=debug,sqlx=warn")).1.is_none());
        assert!(filter(0, None).1.is_none());
    }

    #[test]
    fn the_run_stays_enabled_whatever_the_filter_leaves_out() {
        for variable in [None, Some("warn"), Some("sqlx=debug"), Some("amiwarden=off,sqlx=warn")] {
            let subscriber = Registry::default().with(filter(0, variable).0);
            tracing::subscriber::with_default(subscriber, || {
                let span = run_span(&RunId::new("0198-run"));
                assert!(!span.is_disabled(), "{variable:?}");
            });
        }
    }
}
