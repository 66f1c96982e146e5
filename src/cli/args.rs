//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use amiwarden_core::{Duration, Timestamp};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::report::Format;
use crate::store::LedgerHead;
use crate::telemetry::LogFormat;

/// Policy-driven hygiene for Amazon Machine Images.
///
/// Without --enforce nothing is changed: images are listed, policies evaluated, and every change that they ask
/// for is rehearsed with EC2's dry run. `amiwarden run --sandbox` shows it on a simulated account.
#[derive(Debug, Parser)]
#[command(name = "amiwarden", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Configuration file [default: ./amiwarden.toml, /etc/amiwarden/amiwarden.toml, built-in defaults]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// SQLite database that remembers images, decisions and changes
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Directory of *.rhai policies [default: the configuration's, else the built-in ones]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) policies: Option<PathBuf>,
    /// Form of the report on standard output
    #[arg(long, global = true, value_enum, default_value_t = FormatArg::Table)]
    pub(crate) format: FormatArg,
    /// Work on a simulated EC2 endpoint, started in this process, instead of AWS
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,
    /// Fleet that the simulated endpoint starts with [default: the built-in demo fleet]
    #[arg(long, global = true, value_name = "FILE", requires = "sandbox")]
    pub(crate) fleet: Option<PathBuf>,
    /// Endpoint to use instead of AWS's own, for every service
    #[arg(long, global = true, value_name = "URL", conflicts_with = "sandbox")]
    pub(crate) endpoint_url: Option<String>,
    /// Region to look at, or `all`; may be repeated
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Vec<String>,
    /// Profile of the AWS configuration files
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "sandbox")]
    pub(crate) profile: Option<String>,
    /// Say more; may be repeated. In reports, show every kept image
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Form of the log [default: `AMIWARDEN_LOG_FORMAT`, else auto]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Evaluate the policies, rehearse every change as a dry run and report; with --enforce carry it out
    Run(RunArgs),
    /// Evaluate the policies and make a plan; send nothing but reads
    Plan(PlanArgs),
    /// Carry out a plan that was made earlier: exactly its steps, and only those that still stand
    Apply(ApplyArgs),
    /// Run as a service: whenever a [[schedule]] of the configuration is due, until told to stop
    Serve(ServeArgs),
    /// Take back what was carried out: everything of a plan, one step of it, or the last changes of an image
    Undo(UndoArgs),
    /// Accept what the surge or collapse guard holds back in a plan, after looking at it
    Accept {
        /// The plan, or the beginning of its name
        plan: String,
    },
    /// Change nothing until `resume`: takes effect at once, also on a run that is under way; `undo` goes on
    Pause {
        /// Why, for those who wonder
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// End a pause
    Resume,
    /// Show why: every policy's verdict on one image, with rule, line, facts and guard
    Explain {
        /// The image: its id, its name, or the beginning of its name
        image: String,
    },
    /// Show past runs, or everything that happened to one image
    History {
        /// The image
        image: Option<String>,
        /// How many runs to show at most
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// Check that nothing recorded was changed since, or export the record
    #[command(subcommand)]
    Audit(AuditCommand),
    /// List or check policies
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Write a commented amiwarden.toml and a first policy
    Init {
        /// Where to
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Run the simulated EC2 endpoint alone, for use with any AWS client
    Sandbox(SandboxArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// Write amiwarden.1 and one page for each command into this directory
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// `run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) enforce: EnforceArgs,
    /// Let pass what this guard holds back, after looking at it; remembered once changes are carried out
    #[arg(long, value_enum, value_name = "GUARD")]
    pub(crate) accept: Vec<AcceptableGuard>,
    /// Exit with 3 when changes are due
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Write the run's metrics to this file, for the textfile collector of Prometheus's node exporter: its name has to end with .prom
    #[arg(long, value_name = "PATH")]
    pub(crate) metrics_file: Option<PathBuf>,
}

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Check configuration, policies and schedules, print when each schedule is due next, and end
    #[arg(long)]
    pub(crate) check: bool,
}

/// `apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan, or the beginning of its name [default: the newest]
    pub(crate) plan: Option<String>,
    #[command(flatten)]
    pub(crate) enforce: EnforceArgs,
    /// Exit with 3 when changes of the plan are not carried out
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Write the run's metrics to this file, for the textfile collector of Prometheus's node exporter: its name has to end with .prom
    #[arg(long, value_name = "PATH")]
    pub(crate) metrics_file: Option<PathBuf>,
}

/// `plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Exit with 3 when changes are due
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Write the run's metrics to this file, for the textfile collector of Prometheus's node exporter: its name has to end with .prom
    #[arg(long, value_name = "PATH")]
    pub(crate) metrics_file: Option<PathBuf>,
}

/// `undo`
#[derive(Clone, Debug, Args)]
pub(crate) struct UndoArgs {
    /// A plan (or the beginning of its name), a step (`plan-…/3`), or an image (`ami-…`)
    #[arg(value_name = "PLAN|STEP|IMAGE")]
    pub(crate) what: String,
    /// Of an image: take back everything that was ever done to it, not only the last run's changes
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask before changes are carried out
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What concerns carrying out.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct EnforceArgs {
    /// Carry the changes out, whatever the configuration's mode; a policy that only observes still does
    #[arg(long)]
    pub(crate) enforce: bool,
    /// Do not ask before changes are carried out
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `audit`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the whole ledger, what it records, and the head kept beside the store; exit with 1 when anything is wrong
    Verify {
        /// Compare with a head that was kept elsewhere too, such as the one that a log holds
        #[arg(long, value_name = "SEQUENCE:HASH")]
        head: Option<LedgerHead>,
    },
    /// Write the ledger's entries to standard output, the oldest first
    Export(ExportArgs),
}

/// `audit export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// One JSON document a line, or CSV [default: jsonl]
    // The id of the global flag: this one takes its place, and what is said before the command holds too.
    #[arg(
        id = "format",
        long,
        value_name = "FORMAT",
        value_parser = PossibleValuesParser::new(["jsonl", "csv"]).map(export_format)
    )]
    pub(crate) format: Option<FormatArg>,
    /// Only what was written then or later: an instant (RFC 3339), a date (UTC), or how long ago, such as 30d
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Moment>,
    /// Only what was written before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Moment>,
    /// Only what concerns this image: changes, what became of them, acceptances, and decisions of runs in which what
    /// is decided about it became another
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Only what this run wrote
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
}

/// Lines of JSON are the form in which an export is JSON.
#[expect(clippy::needless_pass_by_value, reason = "what clap hands over")]
fn export_format(name: String) -> FormatArg {
    if name == "csv" { FormatArg::Csv } else { FormatArg::Json }
}

/// A point in time as a person writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// This one.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl Moment {
    /// The instant, `None` where it is earlier than any that can be represented.
    pub(crate) fn instant(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Ago(duration) => duration.before(now),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        if let Ok(date) = text.parse::<Date>()
            && text.len() == "2026-01-31".len()
            && let Ok(midnight) = date.to_zoned(TimeZone::UTC)
        {
            return Ok(Self::At(midnight.timestamp()));
        }
        text.parse().map(Self::Ago).map_err(|_| {
            "write an instant such as 2026-01-31T12:00:00Z, a date such as 2026-01-31, or how long ago, such as 30d"
                .to_owned()
        })
    }
}

/// `policy`
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// The policies with their rules and parameters
    List,
    /// Compile the policies and say everything that is wrong with them
    Check {
        /// A policy file, or a directory of them [default: those that a run would use]
        path: Option<PathBuf>,
    },
}

/// `sandbox`
#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    /// Fleet to start with [default: the built-in demo fleet]
    #[arg(value_name = "FLEET", conflicts_with = "images")]
    pub(crate) file: Option<PathBuf>,
    /// Make up a fleet of so many images instead
    #[arg(long, value_name = "N")]
    pub(crate) images: Option<usize>,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:4599", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Keep the simulated account in this file between starts
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Throttle as EC2 does, with the documented token buckets
    #[arg(long)]
    pub(crate) throttle: bool,
}

/// Guards that a person can let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AcceptableGuard {
    /// So many candidates for disable and deregister that something may be wrong
    Surge,
    /// So much has vanished since the last complete reading that something may be wrong
    Collapse,
    /// The clock of this machine and another do not agree
    Clock,
}

/// [`Format`] as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// For people
    Table,
    /// One document, for programs
    Json,
    /// One row per image and action
    Csv,
    /// For pull requests and job summaries
    Markdown,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Table => Self::Table,
            FormatArg::Json => Self::Json,
            FormatArg::Csv => Self::Csv,
            FormatArg::Markdown => Self::Markdown,
        }
    }
}
