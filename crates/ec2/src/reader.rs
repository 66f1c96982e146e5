//! The port for reading, over EC2.

use std::collections::BTreeMap;

use amiwarden_core::{
    CallError, CloudReader, Gap, Image, ImageId, ImageUse, LaunchPermissions, Listing, Scope, Snapshot,
    Source,
};
use aws_sdk_ec2::Client;

use crate::client::CallLog;
use crate::collect;

/// Reads one scope through the AWS SDK. Requests that were lost or throttled are sent again, up to three times in
/// all. Clones share the connections and the count of requests.
#[derive(Clone, Debug)]
pub struct Ec2Reader {
    scope: Scope,
    client: Client,
    log: CallLog,
}

impl Ec2Reader {
    pub(crate) fn new(scope: Scope, (client, log): (Client, CallLog)) -> Self {
        Self { scope, client, log }
    }
}

impl CloudReader for Ec2Reader {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    async fn images(&self) -> Listing<Image> {
        collect::images(&self.client).await
    }

    async fn snapshots(&self) -> Listing<Snapshot> {
        collect::snapshots(&self.client).await
    }

    async fn uses(&self, source: Source) -> Listing<ImageUse> {
        match source {
            Source::Instances => collect::instances(&self.client, &self.scope.account).await,
            Source::LaunchTemplates => collect::launch_templates(&self.client, &self.scope.account).await,
            Source::Images | Source::Snapshots => {
                Listing::partial(Vec::new(), format!("{source} do not tell who uses an image"))
            }
        }
    }

    async fn launch_permissions(
        &self,
        images: Vec<ImageId>,
    ) -> BTreeMap<ImageId, Result<LaunchPermissions, Gap>> {
        collect::launch_permissions(&self.client, images).await
    }

    async fn image(&self, id: &ImageId) -> Result<Option<Image>, CallError> {
        collect::image(&self.client, &self.scope, id).await
    }

    async fn check_dry_run(&self) -> Result<(), CallError> {
        collect::check_dry_run(&self.client).await
    }

    fn calls_sent(&self) -> u64 {
        self.log.sent()
    }
}
