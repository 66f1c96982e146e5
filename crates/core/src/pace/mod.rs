//! How fast EC2 lets itself be asked: its token buckets, the share of them that amiwarden takes, and how long a plan
//! takes at least.
//!
//! EC2 keeps a bucket per account, Region and API (EC2 Developer Guide, "Request throttling for the Amazon EC2 API").
//! Each request takes a token; an empty bucket refuses. Other tools in the account draw on the same buckets, so
//! amiwarden paces itself to a share of each.
//!
//! Deliberately absent: waiting, and the clock. A bucket is a value that is told the time; whoever sends waits.

mod bucket;
mod class;
mod estimate;

use std::collections::BTreeMap;

pub use bucket::TokenBucket;
pub use class::{ApiClass, BucketSize, OPERATIONS};
pub use estimate::{Estimate, Traffic, estimate};

/// The share of EC2's buckets that amiwarden takes, in percent: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// What is taken where nothing else is configured: the other tools of the account keep two fifths.
    pub const DEFAULT: Self = Self(60);

    /// All of it.
    pub const WHOLE: Self = Self(100);

    /// So many percent; `None` for nothing at all, and for more than there is.
    pub fn new(percent: u32) -> Option<Self> {
        (1..=100).contains(&percent).then_some(Self(percent))
    }

    /// In percent.
    pub fn percent(self) -> u32 {
        self.0
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How fast amiwarden may ask.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// The share of each bucket.
    pub share: Share,
    /// The sizes of buckets that AWS has changed for this account, by operation of EC2. AWS raises them on request
    /// ("Request throttling for the Amazon EC2 API": "Increase API throttling limits").
    pub sizes: BTreeMap<String, BucketSize>,
    /// The size of the buckets of every operation that is not among them, those of other services included; `None`
    /// for the documented ones. For endpoints that are not AWS.
    pub otherwise: Option<BucketSize>,
}

impl Pace {
    /// The part of EC2's bucket for `operation`, of this class, that amiwarden draws on.
    pub fn bucket(&self, operation: &str, class: ApiClass) -> BucketSize {
        let whole = self.sizes.get(operation).copied().or(self.otherwise).unwrap_or_else(|| class.size());
        whole.part(self.share)
    }
}
