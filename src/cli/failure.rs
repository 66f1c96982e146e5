//! How a command ends, and its exit code.

use std::process::ExitCode;

/// A command that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is well.
    Fine,
    /// Something that was to be done failed, and is in the report.
    StepsFailed,
    /// Changes are due, and `--exit-code` asked to be told.
    ChangesDue,
    /// A guard tripped: a person has to look.
    GuardTripped,
    /// What is recorded was changed by something else.
    NotIntact,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Fine => Self::SUCCESS,
            Outcome::StepsFailed | Outcome::NotIntact => Self::from(1),
            Outcome::ChangesDue => Self::from(3),
            Outcome::GuardTripped => Self::from(4),
        }
    }
}

/// A command that could not do its work.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line, the configuration, the policies or the surroundings are not right: nothing was done.
    Usage(anyhow::Error),
    /// It went wrong on the way.
    Failed(anyhow::Error),
}

impl Failure {
    /// A failure that the user can mend, with nothing done.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    /// What went wrong, alone.
    pub(super) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Usage(error) | Self::Failed(error) => error,
        }
    }

    /// What went wrong.
    pub(super) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Usage(error) | Self::Failed(error) => error,
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Usage(_) => Self::from(2),
            Failure::Failed(_) => Self::from(1),
        }
    }
}
