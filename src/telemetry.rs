//! What is logged, and where to: human text on standard error, quiet unless asked.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that overrides `-v`, in the form that `tracing` knows, such as `amiwarden=debug`.
pub(crate) const FILTER_VARIABLE: &str = "AMIWARDEN_LOG";

/// Starts logging. `verbosity` counts the `-v`: warnings, then what amiwarden does, then each request, then the
/// SDK too.
pub(crate) fn start(verbosity: u8) {
    let default = match verbosity {
        0 => "warn,aws_config=error,sqlx=error",
        1 => "info,aws_config=warn,sqlx=warn,tokio_cron_scheduler=warn",
        2 => "info,amiwarden=debug,amiwarden_ec2=debug,amiwarden_sandbox=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A reader of the log who has seen enough must not end a run.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(verbosity > 1);
    // A second start in one process, as in tests, keeps the first.
    let _ = subscriber.try_init();
}
