//! The port for reading, over EC2.

use std::collections::BTreeMap;

use amiwarden_core::{
    CallCounts, CallError, CandidateUses, CloudReader, Gap, Image, ImageId, ImageUse, LaunchPermissions,
    Listing, RetentionRule, Scope, Snapshot, SnapshotId, Source, TemplateVersions, Timestamp,
};

use crate::client::Services;
use crate::collect::{self, Cloud};

/// Reads one scope through the AWS SDK. Requests that were lost or throttled are sent again, up to three times in
/// all. Clones share the connections, the count of requests, and what was read of launch templates.
#[derive(Clone, Debug)]
pub struct Ec2Reader {
    scope: Scope,
    cloud: Cloud,
    template_versions: TemplateVersions,
}

impl Ec2Reader {
    pub(crate) fn new(scope: Scope, services: Services, template_versions: TemplateVersions) -> Self {
        let cloud = Cloud::new(services, scope.account.clone());
        Self { scope, cloud, template_versions }
    }
}

impl CloudReader for Ec2Reader {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    async fn images(&self) -> Listing<Image> {
        collect::images(&self.cloud.services.ec2).await
    }

    async fn snapshots(&self) -> Listing<Snapshot> {
        collect::snapshots(&self.cloud.services.ec2).await
    }

    async fn uses(&self, source: Source) -> Listing<ImageUse> {
        let cloud = &self.cloud;
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
        match source {
            Source::ImageReferences => collect::image_references(&self.cloud, images, now).await,
            Source::UsageReports => collect::usage_reports(&self.cloud, images, now).await,
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
        collect::retention_rules(&self.cloud.services.recycle_bin).await
    }

    async fn recycled_images(&self) -> Listing<ImageId> {
        collect::recycled_images(&self.cloud.services.ec2).await
    }

    async fn recycled_snapshots(&self) -> Listing<SnapshotId> {
        collect::recycled_snapshots(&self.cloud.services.ec2).await
    }

    fn server_time(&self) -> Option<Timestamp> {
        self.cloud.services.log.server_time()
    }

    async fn launch_permissions(
        &self,
        images: Vec<ImageId>,
    ) -> BTreeMap<ImageId, Result<LaunchPermissions, Gap>> {
        collect::launch_permissions(&self.cloud.services.ec2, images).await
    }

    async fn image(&self, id: &ImageId) -> Result<Option<Image>, CallError> {
        collect::image(&self.cloud.services.ec2, &self.scope, id).await
    }

    async fn check_dry_run(&self) -> Result<(), CallError> {
        collect::check_dry_run(&self.cloud.services.ec2).await
    }

    fn calls_sent(&self) -> u64 {
        self.cloud.services.log.sent()
    }

    fn calls(&self) -> CallCounts {
        self.cloud.services.log.counts()
    }
}
