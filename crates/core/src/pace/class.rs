//! The classes of operations that EC2 throttles alike, and the sizes of their buckets.

use super::Share;

/// The size of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BucketSize {
    /// How many tokens a full bucket holds: so many requests pass at once. At least 1.
    pub burst: f64,
    /// How many tokens come back in a second. More than 0.
    pub refill_per_second: f64,
}

impl BucketSize {
    /// This share of the bucket. The burst is at least one request, or nothing would ever pass.
    #[must_use]
    pub fn part(self, share: Share) -> Self {
        let part = f64::from(share.percent()) / 100.0;
        Self { burst: (self.burst * part).max(1.0), refill_per_second: self.refill_per_second * part }
    }
}

/// Operations whose buckets have the same size. Each operation has a bucket of its own, all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiClass {
    /// `Describe…`, `Get…` and `List…`.
    Read,
    /// The three that cost more when they are neither filtered nor paginated: `DescribeInstances`,
    /// `DescribeSnapshots` and `DescribeSpotInstanceRequests`.
    ReadEverything,
    /// `DescribeSpotFleetRequests`
    ReadSpotFleets,
    /// `DeregisterImage`, `ModifyImageAttribute` and `DeleteSnapshot`.
    ChangeOften,
    /// `CreateTags` and `DeleteTags`.
    ChangeTags,
    /// Every other change, such as `DisableImage`.
    Change,
    /// `EnableImageBlockPublicAccess` and `DisableImageBlockPublicAccess`.
    ChangeAccount,
    /// An operation of another service than EC2. None of their limits is documented as a bucket; this is well below
    /// the rates that are known (Systems Manager: 40 `GetParameters` a second).
    OtherService,
}

/// Operations of EC2 that have to do with images and their use, by name: those whose buckets a user may speak of.
pub const OPERATIONS: &[&str] = &[
    "CreateImageUsageReport",
    "CreateTags",
    "DeleteImageUsageReport",
    "DeleteSnapshot",
    "DeleteTags",
    "DeregisterImage",
    "DescribeFleetInstances",
    "DescribeFleets",
    "DescribeImageAttribute",
    "DescribeImageReferences",
    "DescribeImageUsageReportEntries",
    "DescribeImageUsageReports",
    "DescribeImages",
    "DescribeInstances",
    "DescribeLaunchTemplateVersions",
    "DescribeLaunchTemplates",
    "DescribeRegions",
    "DescribeSnapshots",
    "DescribeSpotFleetRequests",
    "DescribeSpotInstanceRequests",
    "DescribeTags",
    "DisableImage",
    "DisableImageBlockPublicAccess",
    "DisableImageDeprecation",
    "DisableImageDeregistrationProtection",
    "EnableImage",
    "EnableImageBlockPublicAccess",
    "EnableImageDeprecation",
    "EnableImageDeregistrationProtection",
    "GetImageBlockPublicAccessState",
    "ListImagesInRecycleBin",
    "ListSnapshotsInRecycleBin",
    "ModifyImageAttribute",
    "ResetImageAttribute",
    "RestoreImageFromRecycleBin",
    "RestoreSnapshotFromRecycleBin",
];

impl ApiClass {
    /// The class of an operation of EC2. A request for single resources by their ids counts as filtered.
    pub fn of(operation: &str, is_filtered_or_paginated: bool) -> Self {
        match operation {
            "DescribeInstances" | "DescribeSnapshots" | "DescribeSpotInstanceRequests"
                if !is_filtered_or_paginated =>
            {
                Self::ReadEverything
            }
            "DescribeSpotFleetRequests" => Self::ReadSpotFleets,
            "DeregisterImage" | "ModifyImageAttribute" | "DeleteSnapshot" => Self::ChangeOften,
            "CreateTags" | "DeleteTags" => Self::ChangeTags,
            "EnableImageBlockPublicAccess" | "DisableImageBlockPublicAccess" => Self::ChangeAccount,
            _ if ["Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb)) => Self::Read,
            _ => Self::Change,
        }
    }

    /// The documented size of each bucket of the class (EC2 Developer Guide, "Request throttling for the Amazon EC2
    /// API"); for other services, an assumption.
    pub fn size(self) -> BucketSize {
        let (burst, refill_per_second) = match self {
            Self::Read => (100.0, 20.0),
            Self::ReadEverything => (50.0, 10.0),
            Self::ReadSpotFleets => (50.0, 3.0),
            Self::ChangeOften => (100.0, 5.0),
            Self::ChangeTags => (100.0, 10.0),
            Self::Change => (50.0, 5.0),
            Self::ChangeAccount => (1.0, 0.1),
            Self::OtherService => (20.0, 5.0),
        };
        BucketSize { burst, refill_per_second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_sizes_are_those_of_the_documentation() {
        let check = |operation: &str, filtered: bool, burst: f64, refill: f64| {
            let expected = BucketSize { burst, refill_per_second: refill };
            assert_eq!(ApiClass::of(operation, filtered).size(), expected, "{operation} {filtered}");
        };
        for operation in ["DescribeImages", "DescribeImageAttribute", "ListImagesInRecycleBin", "GetX"] {
            check(operation, false, 100.0, 20.0);
            check(operation, true, 100.0, 20.0);
        }
        for operation in ["DescribeInstances", "DescribeSnapshots", "DescribeSpotInstanceRequests"] {
            check(operation, false, 50.0, 10.0);
            check(operation, true, 100.0, 20.0);
        }
        check("DescribeSpotFleetRequests", true, 50.0, 3.0);
        for operation in ["DeregisterImage", "ModifyImageAttribute", "DeleteSnapshot"] {
            check(operation, true, 100.0, 5.0);
        }
        check("CreateTags", true, 100.0, 10.0);
        check("DeleteTags", true, 100.0, 10.0);
        for operation in ["DisableImage", "EnableImage", "EnableImageDeprecation", "CreateImageUsageReport"] {
            check(operation, true, 50.0, 5.0);
        }
        check("EnableImageBlockPublicAccess", true, 1.0, 0.1);
    }

    #[test]
    fn a_share_leaves_at_least_one_request() {
        let part = |class: ApiClass, percent: u32| class.size().part(Share::new(percent).unwrap());
        assert_eq!(part(ApiClass::Change, 60), BucketSize { burst: 30.0, refill_per_second: 3.0 });
        assert_eq!(part(ApiClass::Change, 100), ApiClass::Change.size());
        assert_eq!(part(ApiClass::Change, 1), BucketSize { burst: 1.0, refill_per_second: 0.05 });
        assert_eq!(part(ApiClass::ChangeAccount, 50), BucketSize { burst: 1.0, refill_per_second: 0.05 });
    }

    #[test]
    fn operations_are_in_order_so_that_each_is_there_once() {
        assert!(OPERATIONS.is_sorted_by(|one, other| one < other));
    }
}
