//! The two doors to EC2. The EC2 adapter stands behind them, and nothing else of the outside does.

use std::collections::BTreeMap;
use std::future::Future;

use crate::{
    Call, CallCounts, CandidateUses, Gap, Image, ImageId, ImageUse, LaunchPermissions, Listing,
    RetentionRule, Scope, Snapshot, SnapshotId, SnapshotResult, Source, Timestamp,
};

/// Reads one scope. Nothing here changes anything, and nothing here fails silently: what could not be read is
/// a [`Gap`].
pub trait CloudReader: Send + Sync {
    /// The account and Region that it reads.
    fn scope(&self) -> &Scope;

    /// Every image that the account owns, disabled ones included.
    fn images(&self) -> impl Future<Output = Listing<Image>> + Send;

    /// Every snapshot that the account owns.
    fn snapshots(&self) -> impl Future<Output = Listing<Snapshot>> + Send;

    /// Every reference to an image that `source` shows. `source` is one of [`Source::USAGE`].
    fn uses(&self, source: Source) -> impl Future<Output = Listing<ImageUse>> + Send;

    /// What `source`, one of [`Source::PER_CANDIDATE`], says of each of `images` at `now`. The answer has an entry
    /// for each.
    fn candidate_uses(
        &self,
        source: Source,
        images: Vec<ImageId>,
        now: Timestamp,
    ) -> impl Future<Output = BTreeMap<ImageId, CandidateUses>> + Send;

    /// The retention rules of the Recycle Bin that are in force, for images and for snapshots.
    fn retention_rules(&self) -> impl Future<Output = Listing<RetentionRule>> + Send;

    /// Every image of the account in the Recycle Bin.
    fn recycled_images(&self) -> impl Future<Output = Listing<ImageId>> + Send;

    /// Every snapshot of the account in the Recycle Bin.
    fn recycled_snapshots(&self) -> impl Future<Output = Listing<SnapshotId>> + Send;

    /// What the clock of AWS said when the latest reply came, if it said anything.
    fn server_time(&self) -> Option<Timestamp>;

    /// The launch permissions of each of `images`, in bounded concurrency. The answer has an entry for each.
    fn launch_permissions(
        &self,
        images: Vec<ImageId>,
    ) -> impl Future<Output = BTreeMap<ImageId, Result<LaunchPermissions, Gap>>> + Send;

    /// One image as it is now; `None` when EC2 does not list it.
    fn image(&self, id: &ImageId) -> impl Future<Output = Result<Option<Image>, CallError>> + Send;

    /// Whether the endpoint refuses a harmless request with `DryRun=true` by `DryRunOperation`, as EC2 does.
    /// The text of an error says what it did instead. Where this fails, nothing may be rehearsed or changed.
    fn check_dry_run(&self) -> impl Future<Output = Result<(), CallError>> + Send;

    /// How many requests have been sent so far, retries included.
    fn calls_sent(&self) -> u64;

    /// The same by operation and result, with the time that they waited for their tokens.
    fn calls(&self) -> CallCounts;
}

/// Changes one scope.
pub trait CloudWriter: Send + Sync {
    /// Sends `call` with `DryRun=true`. `Ok` means that EC2 answered `DryRunOperation`: permitted.
    fn rehearse(&self, image: &ImageId, call: &Call) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Sends `call` exactly once: a lost reply is reported as [`CallErrorKind::NoReply`], never tried again.
    fn execute(
        &self,
        image: &ImageId,
        call: &Call,
    ) -> impl Future<Output = Result<Receipt, CallError>> + Send;

    /// How many requests have been sent so far.
    fn calls_sent(&self) -> u64;

    /// The same by operation and result, with the time that they waited for their tokens.
    fn calls(&self) -> CallCounts;
}

/// What EC2 confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// EC2's request id, from the header `x-amzn-requestid`.
    pub request_id: Option<String>,
    /// What became of the snapshots, when an image was deregistered with them.
    pub snapshots: Vec<SnapshotResult>,
}

/// A request that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct CallError {
    /// The EC2 API operation.
    pub operation: String,
    /// What sort of failure it is.
    pub kind: CallErrorKind,
    /// EC2's error code and message, or what the transport said.
    pub message: String,
    /// EC2's request id, where a reply came.
    pub request_id: Option<String>,
}

/// What can be concluded from a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallErrorKind {
    /// EC2 was too busy for it and did nothing. It may be sent again later.
    Throttled,
    /// The credentials do not permit it. Nothing changed.
    Denied,
    /// EC2 does not know the image, or not any more.
    Gone,
    /// EC2 understood and refused it. Nothing changed.
    Refused,
    /// No reply, a broken reply, or a server error: it may or may not have taken effect.
    NoReply,
    /// The endpoint answered a `DryRun` request with success: it has executed it.
    ExecutedDryRun,
}

impl CallErrorKind {
    /// Whether the request may have taken effect all the same.
    pub fn may_have_happened(self) -> bool {
        match self {
            Self::NoReply | Self::ExecutedDryRun => true,
            Self::Throttled | Self::Denied | Self::Gone | Self::Refused => false,
        }
    }
}
