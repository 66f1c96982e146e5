//! What became of a step.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::SnapshotId;

/// What EC2 said when a step was rehearsed with `DryRun=true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rehearsal {
    /// Every request of the step is permitted.
    Permitted,
    /// A request is not permitted; EC2's words.
    Denied(String),
    /// A request was refused for another reason, or could not be sent; the words.
    Error(String),
    /// It was not rehearsed, for this reason.
    Skipped(String),
}

impl Rehearsal {
    /// Its name in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::Denied(_) => "denied",
            Self::Error(_) => "error",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What EC2 or amiwarden said about it.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Permitted => None,
            Self::Denied(text) | Self::Error(text) | Self::Skipped(text) => Some(text),
        }
    }
}

/// What became of a step when it came to carrying it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepOutcome {
    /// EC2 confirmed it, or reading the image showed it.
    Done,
    /// Its effect held before anything was sent.
    AlreadyDone,
    /// The image is not what the plan rests on any more; nothing was sent. The text says what changed. Also the
    /// settlement of a change to an image that is gone: whether it took effect cannot be told any more.
    SkippedChanged(String),
    /// It did not take effect: EC2 refused it, or the image did not show it when a lost reply was settled. The
    /// text is EC2's words. Of a change that takes several requests, the text also names those that had been
    /// carried out before.
    Failed(String),
    /// It was sent and nobody knows whether it took effect. It is settled by reading the image at the next
    /// start.
    Unknown(String),
    /// It was not tried, for this reason.
    NotAttempted(String),
}

impl StepOutcome {
    /// Its name in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::AlreadyDone => "already-done",
            Self::SkippedChanged(_) => "skipped-changed",
            Self::Failed(_) => "failed",
            Self::Unknown(_) => "unknown",
            Self::NotAttempted(_) => "not-attempted",
        }
    }

    /// The words that go with it.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Done | Self::AlreadyDone => None,
            Self::SkippedChanged(text)
            | Self::Failed(text)
            | Self::Unknown(text)
            | Self::NotAttempted(text) => Some(text),
        }
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of one snapshot of a deregistered image. A snapshot that could not be deleted does not fail
/// `DeregisterImage` (EC2 User Guide, "Deregister an Amazon EC2 AMI"), so each is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotResult {
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// EC2's return code: `success`, `skipped`, `missing-permissions`, `internal-error`, `client-error`.
    pub return_code: String,
}

/// A step's rehearsal and outcome, as a report shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// What the rehearsal said.
    pub rehearsal: Rehearsal,
    /// What became of it.
    pub outcome: StepOutcome,
    /// The request id of the last reply, for AWS support and CloudTrail.
    pub request_id: Option<String>,
    /// What became of the image's snapshots.
    pub snapshots: Vec<SnapshotResult>,
    /// What is to be known besides: what is missing of a change whose effect holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
