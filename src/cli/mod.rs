//! The command line: reads it, puts the parts together, prints what comes of it.
//!
//! Reports go to standard output, everything else to standard error. What goes wrong is printed once, here,
//! with its whole chain of causes.

mod args;
mod audit;
mod earlier;
mod explain;
mod failure;
mod history;
mod init;
mod interrupt;
mod man;
mod pause;
mod policy;
mod prepare;
mod run;
mod sandbox;
mod serve;
mod terminal;
#[cfg(test)]
mod units;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{AuditCommand, Cli, Command, PolicyCommand};
use failure::{Failure, Outcome};

/// Says that the program could not even begin.
pub fn cannot_start(error: &std::io::Error) -> ExitCode {
    let failure = Failure::Failed(anyhow::anyhow!("the runtime cannot be started: {error}"));
    terminal::complain(&failure);
    failure.into()
}

/// Runs the command line of this process.
pub async fn main() -> ExitCode {
    let cli = Cli::parse();
    // A service tells what it does; a command shows it.
    let least = u8::from(matches!(cli.command, Command::Serve(_)));
    let result = match crate::telemetry::start(cli.global.verbose.max(least), cli.global.log_format) {
        Ok(()) => Box::pin(dispatch(cli)).await,
        Err(error) => Err(Failure::usage(error)),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            terminal::complain(&failure);
            failure.into()
        }
    }
}

async fn dispatch(cli: Cli) -> Result<Outcome, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Run(args) => run::run(global, &args).await,
        Command::Plan(args) => run::plan(global, &args).await,
        Command::Apply(args) => run::apply(global, &args).await,
        Command::Pause { reason } => pause::pause(global, reason.as_deref()),
        Command::Resume => pause::resume(global),
        Command::Serve(args) => serve::serve(global, &args).await,
        Command::Undo(args) => run::undo(global, &args).await,
        Command::Accept { plan } => run::accept(global, &plan).await,
        Command::Explain { image } => explain::explain(global, &image).await,
        Command::History { image, limit } => history::history(global, image.as_deref(), limit).await,
        Command::Audit(AuditCommand::Verify { head }) => audit::verify(global, head.as_ref()).await,
        Command::Audit(AuditCommand::Export(args)) => audit::export(global, &args).await,
        Command::Policy(PolicyCommand::List) => policy::list(global),
        Command::Policy(PolicyCommand::Check { path }) => policy::check(global, path.as_deref()),
        Command::Init { dir } => init::init(&dir),
        Command::Sandbox(args) => sandbox::serve(&args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "amiwarden", &mut script);
            terminal::print(&script)?;
            Ok(Outcome::Fine)
        }
        Command::Man { out } => man::man(out.as_deref()),
    }
}
