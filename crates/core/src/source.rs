//! What is read of a scope, by the name of the call that reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that is read from AWS for a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `DescribeImages`.
    Images,
    /// `DescribeSnapshots`.
    Snapshots,
    /// `DescribeInstances`.
    Instances,
    /// `DescribeLaunchTemplateVersions`: `$Default`, `$Latest` and as many of the newest as the configuration
    /// says, with `resolve:ssm:` aliases resolved.
    LaunchTemplates,
    /// Auto Scaling's `DescribeAutoScalingGroups`, with the template versions that groups pin.
    AutoScalingGroups,
    /// Auto Scaling's `DescribeLaunchConfigurations`, whether a group uses them or not.
    LaunchConfigurations,
    /// `DescribeFleets`, with the template versions that EC2 Fleets pin.
    Fleets,
    /// `DescribeSpotFleetRequests`, with the template versions that they pin.
    SpotFleetRequests,
    /// `DescribeSpotInstanceRequests`.
    SpotInstanceRequests,
    /// Systems Manager parameters of the data type `aws:ec2:image`: whoever launches by their alias launches
    /// the image that they hold.
    SsmParameters,
    /// Other images whose snapshots an image shares. Nothing is read for it besides the images.
    SharedSnapshots,
    /// Instances and templates of the other configured accounts in the same Region.
    OtherAccounts,
    /// `DescribeImageReferences`, asked for candidates only.
    ImageReferences,
    /// Image usage reports, which tell of accounts that amiwarden cannot read. Asked for candidates only.
    UsageReports,
}

impl Source {
    /// The sources of usage that are read as a whole, once for each scope and run. All of them that are not
    /// switched off must be complete before an image counts as unused.
    pub const USAGE: [Self; 8] = [
        Self::Instances,
        Self::LaunchTemplates,
        Self::AutoScalingGroups,
        Self::LaunchConfigurations,
        Self::Fleets,
        Self::SpotFleetRequests,
        Self::SpotInstanceRequests,
        Self::SsmParameters,
    ];

    /// The sources of usage that are asked image by image, for images that are about to be disabled or
    /// deregistered.
    pub const PER_CANDIDATE: [Self; 2] = [Self::ImageReferences, Self::UsageReports];

    /// The sources that tell who uses an image, in the order in which a proof lists them.
    pub const PROOF: [Self; 12] = [
        Self::Instances,
        Self::LaunchTemplates,
        Self::AutoScalingGroups,
        Self::LaunchConfigurations,
        Self::Fleets,
        Self::SpotFleetRequests,
        Self::SpotInstanceRequests,
        Self::SsmParameters,
        Self::SharedSnapshots,
        Self::OtherAccounts,
        Self::ImageReferences,
        Self::UsageReports,
    ];

    /// Its name in reports and configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Snapshots => "snapshots",
            Self::Instances => "instances",
            Self::LaunchTemplates => "launch-templates",
            Self::AutoScalingGroups => "auto-scaling-groups",
            Self::LaunchConfigurations => "launch-configurations",
            Self::Fleets => "fleets",
            Self::SpotFleetRequests => "spot-fleet-requests",
            Self::SpotInstanceRequests => "spot-instance-requests",
            Self::SsmParameters => "ssm-parameters",
            Self::SharedSnapshots => "shared-snapshots",
            Self::OtherAccounts => "other-accounts",
            Self::ImageReferences => "image-references",
            Self::UsageReports => "usage-reports",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
