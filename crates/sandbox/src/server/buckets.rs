//! Token buckets: EC2's throttling (Developer Guide: ec2-api-throttling).
//!
//! There is one bucket per account, Region and API. The sizes are those that AWS documents
//! as defaults. Of the other services AWS documents no sizes; they throttle only by faults.

use std::collections::BTreeMap;

use tokio::time::Instant;

/// The size of one bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// How many requests a full bucket lets through at once.
    pub burst: f64,
    /// How many tokens come back in a second.
    pub refill_per_second: f64,
}

/// The sizes of the buckets, by class of API.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BucketSizes {
    /// Describe, List and Get calls.
    pub describe: Bucket,
    /// `DescribeInstances`, `DescribeSnapshots` and `DescribeSpotInstanceRequests` when neither filtered
    /// nor paginated.
    pub describe_everything: Bucket,
    /// `DescribeSpotFleetRequests`.
    pub spot_fleet_requests: Bucket,
    /// `DeregisterImage`, `ModifyImageAttribute` and `DeleteSnapshot`.
    pub deregister: Bucket,
    /// `CreateTags` and `DeleteTags`.
    pub tags: Bucket,
    /// Every other mutation.
    pub other_mutations: Bucket,
}

impl BucketSizes {
    /// The defaults that AWS documents.
    pub fn documented() -> Self {
        let bucket = |burst, refill_per_second| Bucket { burst, refill_per_second };
        Self {
            describe: bucket(100.0, 20.0),
            describe_everything: bucket(50.0, 10.0),
            spot_fleet_requests: bucket(50.0, 3.0),
            deregister: bucket(100.0, 5.0),
            tags: bucket(100.0, 10.0),
            other_mutations: bucket(50.0, 5.0),
        }
    }

    /// All sizes times a factor: 0.1 makes an impatient account, 10 a generous one.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let scale = |bucket: Bucket| Bucket {
            burst: bucket.burst * factor,
            refill_per_second: bucket.refill_per_second * factor,
        };
        Self {
            describe: scale(self.describe),
            describe_everything: scale(self.describe_everything),
            spot_fleet_requests: scale(self.spot_fleet_requests),
            deregister: scale(self.deregister),
            tags: scale(self.tags),
            other_mutations: scale(self.other_mutations),
        }
    }

    fn of(&self, action: &str, heavy: bool) -> Bucket {
        match action {
            _ if heavy => self.describe_everything,
            "DeregisterImage" | "ModifyImageAttribute" | "DeleteSnapshot" => self.deregister,
            "CreateTags" | "DeleteTags" => self.tags,
            "DescribeSpotFleetRequests" => self.spot_fleet_requests,
            _ if ["Describe", "List", "Get"].iter().any(|verb| action.starts_with(verb)) => self.describe,
            _ => self.other_mutations,
        }
    }
}

/// The levels of all buckets.
#[derive(Debug)]
pub(super) struct Buckets {
    sizes: BucketSizes,
    /// Tokens left, and when that was true, by account and Region, API and weight.
    levels: BTreeMap<(String, String, bool), (f64, Instant)>,
}

impl Buckets {
    pub(super) fn new(sizes: BucketSizes) -> Self {
        Self { sizes, levels: BTreeMap::new() }
    }

    /// Takes one token, if there is one.
    pub(super) fn take(&mut self, scope: &str, action: &str, heavy: bool, now: Instant) -> bool {
        let size = self.sizes.of(action, heavy);
        let key = (scope.to_owned(), action.to_owned(), heavy);
        let (level, since) = self.levels.entry(key).or_insert((size.burst, now));
        let refilled = now.saturating_duration_since(*since).as_secs_f64() * size.refill_per_second;
        *level = (*level + refilled).min(size.burst);
        *since = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{BucketSizes, Buckets, Instant};

    /// How many of 1000 requests pass at once, and how many more after ten seconds.
    fn passed(action: &str, heavy: bool, sizes: BucketSizes) -> (usize, usize) {
        let mut buckets = Buckets::new(sizes);
        let start = Instant::now();
        let mut burst = |at| (0..1000).filter(|_| buckets.take("us-east-1", action, heavy, at)).count();
        (burst(start), burst(start + Duration::from_secs(10)))
    }

    #[test]
    fn documented_sizes() {
        let sizes = BucketSizes::documented();
        for (action, heavy, expected) in [
            ("DescribeImages", false, (100, 100)),
            ("DescribeSnapshots", true, (50, 50)),
            ("ListImagesInRecycleBin", false, (100, 100)),
            ("DescribeSpotFleetRequests", false, (50, 30)),
            ("RestoreImageFromRecycleBin", false, (50, 50)),
            ("DeregisterImage", false, (100, 50)),
            ("CreateTags", false, (100, 100)),
            ("DisableImage", false, (50, 50)),
        ] {
            assert_eq!(passed(action, heavy, sizes), expected, "{action}");
        }
        assert_eq!(passed("DeregisterImage", false, sizes.scaled(0.1)), (10, 5));
    }

    #[test]
    fn regions_and_apis_have_their_own_buckets() {
        let mut buckets = Buckets::new(BucketSizes::documented().scaled(0.02));
        let now = Instant::now();
        assert!(buckets.take("us-east-1", "DisableImage", false, now));
        assert!(!buckets.take("us-east-1", "DisableImage", false, now));
        assert!(buckets.take("eu-west-1", "DisableImage", false, now));
        assert!(buckets.take("us-east-1", "EnableImage", false, now));
    }
}
