//! The port for reading, over EC2.

use std::collections::BTreeMap;
use std::sync::Arc;

use amiwarden_core::{
    CallCounts, CallError, CandidateUses, CloudReader, Gap, Image, ImageId, ImageUse, LaunchPermissions,
    Listing, RetentionRule, Scope, Snapshot, SnapshotId, Source, TemplateVersions, Timestamp,
};

use crate::client::Services;
use crate::collect::{self, Cloud};
use crate::shut::Shut;

/// Reads one scope through the AWS SDK, or says why it cannot be reached. Requests that were lost or throttled are sent again, up to three times in
/// all. Clones share the connections, the count of requests, and what was read of launch templates.
#[derive(Clone, Debug)]
pub struct Ec2Reader {
    scope: Scope,
    cloud: Result<Cloud, Shut>,
    template_versions: TemplateVersions,
}

impl Ec2Reader {
    pub(crate) fn new(scope: Scope, services: Services, template_versions: TemplateVersions) -> Self {
        let cloud = Ok(Cloud::new(services, scope.account.clone()));
        Self { scope, cloud, template_versions }
    }

    /// A reader of a scope that cannot be reached.
    pub(crate) fn shut(scope: Scope, reason: Arc<str>) -> Self {
        Self { scope, cloud: Err(Shut(reason)), template_versions: TemplateVersions::Pinned }
    }
}

impl CloudReader for Ec2Reader {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    async fn images(&self) -> Listing<Image> {
        match &self.cloud {
            Ok(cloud) => collect::images(&cloud.services.ec2).await,
            Err(shut) => shut.listing(),
        }
    }

    async fn snapshots(&self) -> Listing<Snapshot> {
        match &self.cloud {
            Ok(cloud) => collect::snapshots(&cloud.services.ec2).await,
            Err(shut) => shut.listing(),
        }
    }

    async fn uses(&self, source: Source) -> Listing<ImageUse> {
        let cloud = match &self.cloud {
            Ok(cloud) => cloud,
            Err(shut) => return shut.listing(),
        };
        match source {
            Source::Instances => collect::instances(&cloud.services.ec2, &self.scope.account).await,
            Source::LaunchTemplates => collect::launch_templates(cloud, self.template_versions).await,
            Source::AutoScalingGroups => collect::auto_scaling_groups(cloud).await,
            Source::LaunchConfigurations => collect::launch_configurations(cloud).await,
            Source::Fleets => collect::fleets(cloud).await,
            Source::SpotFleetRequests => collect::spot_fleet_requests(cloud).await,
            Source::SpotInstanceRequests => collect::spot_instance_requests(cloud).await,
            Source::SsmParameters => collect::ssm_parameters(cloud).await,
            Source::Images
            | Source::Snapshots
            | Source::SharedSnapshots
            | Source::OtherAccounts
            | Source::ImageReferences
            | Source::UsageReports => Listing::partial(
                Vec::new(),
                format!("the source {source} cannot be read as a list of references"),
            ),
        }
    }

    async fn candidate_uses(
        &self,
        source: Source,
        images: Vec<ImageId>,
        now: Timestamp,
    ) -> BTreeMap<ImageId, CandidateUses> {
        let cloud = match &self.cloud {
            Ok(cloud) => cloud,
            Err(shut) => {
                let answer = CandidateUses { uses: Vec::new(), gap: Some(shut.gap()), as_of: now };
                return images.into_iter().map(|image| (image, answer.clone())).collect();
            }
        };
        match source {
            Source::ImageReferences => collect::image_references(cloud, images, now).await,
            Source::UsageReports => collect::usage_reports(cloud, images, now).await,
            Source::Images
            | Source::Snapshots
            | Source::Instances
            | Source::LaunchTemplates
            | Source::AutoScalingGroups
            | Source::LaunchConfigurations
            | Source::Fleets
            | Source::SpotFleetRequests
            | Source::SpotInstanceRequests
            | Source::SsmParameters
            | Source::SharedSnapshots
            | Source::OtherAccounts => {
                let gap = Gap::new(format!("the source {source} cannot be asked image by image"));
                let answer = CandidateUses { uses: Vec::new(), gap: Some(gap), as_of: now };
                images.into_iter().map(|image| (image, answer.clone())).collect()
            }
        }
    }

    async fn retention_rules(&self) -> Listing<RetentionRule> {
        match &self.cloud {
            Ok(cloud) => collect::retention_rules(&cloud.services.recycle_bin).await,
            Err(shut) => shut.listing(),
        }
    }

    async fn recycled_images(&self) -> Listing<ImageId> {
        match &self.cloud {
            Ok(cloud) => collect::recycled_images(&cloud.services.ec2).await,
            Err(shut) => shut.listing(),
        }
    }

    async fn recycled_snapshots(&self) -> Listing<SnapshotId> {
        match &self.cloud {
            Ok(cloud) => collect::recycled_snapshots(&cloud.services.ec2).await,
            Err(shut) => shut.listing(),
        }
    }

    fn server_time(&self) -> Option<Timestamp> {
        self.cloud.as_ref().ok()?.services.log.server_time()
    }

    async fn launch_permissions(
        &self,
        images: Vec<ImageId>,
    ) -> BTreeMap<ImageId, Result<LaunchPermissions, Gap>> {
        match &self.cloud {
            Ok(cloud) => collect::launch_permissions(&cloud.services.ec2, images).await,
            Err(shut) => images.into_iter().map(|image| (image, Err(shut.gap()))).collect(),
        }
    }

    async fn image(&self, id: &ImageId) -> Result<Option<Image>, CallError> {
        match &self.cloud {
            Ok(cloud) => collect::image(&cloud.services.ec2, &self.scope, id).await,
            Err(shut) => Err(shut.error("DescribeImages")),
        }
    }

    async fn check_dry_run(&self) -> Result<(), CallError> {
        match &self.cloud {
            Ok(cloud) => collect::check_dry_run(&cloud.services.ec2).await,
            Err(shut) => Err(shut.error("CreateTags")),
        }
    }

    fn calls_sent(&self) -> u64 {
        self.cloud.as_ref().map_or(0, |cloud| cloud.services.log.sent())
    }

    fn calls(&self) -> CallCounts {
        self.cloud.as_ref().map_or_else(|_| CallCounts::default(), |cloud| cloud.services.log.counts())
    }
}
