//! Auto Scaling's `DescribeLaunchConfigurations`: every launch configuration, used by a group or not, and those that
//! groups name.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{Gap, ImageUse, Listing, UseKind};
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::LaunchConfiguration;

use super::pages::{self, Operation, Page, PageLimits};
use super::references::{Reference, Target, settle};
use super::{AUTO_SCALING_PAGE_SIZE, Cloud};
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeLaunchConfigurations",
    permissions: "autoscaling:DescribeLaunchConfigurations",
    limits: PageLimits::EC2,
};

/// How many can be asked for by name in one request (botocore model).
const NAMES_MAX: usize = 50;

/// One use per launch configuration.
pub(crate) async fn collect(cloud: &Cloud) -> Listing<ImageUse> {
    let listing = read(&cloud.services.auto_scaling, None).await;
    let reference = |configuration: Configuration| {
        let target = configuration.image.map_or(Target::Untold, Target::Image);
        vec![Reference { kind: UseKind::LaunchConfiguration, id: configuration.name, target }]
    };
    let items = listing.items.into_iter().map(reference).collect();
    settle(cloud, Listing { items, gap: listing.gap }).await
}

/// The image of each of `names`, as the launch configuration names it. The answer has an entry for each.
pub(super) async fn images(
    client: &Client,
    names: BTreeSet<String>,
) -> BTreeMap<String, Result<Option<String>, String>> {
    let names: Vec<_> = names.into_iter().collect();
    let mut images = BTreeMap::new();
    for batch in names.chunks(NAMES_MAX) {
        let listing = read(client, Some(batch)).await;
        let found: BTreeMap<_, _> = listing
            .items
            .into_iter()
            .map(|configuration| (configuration.name, configuration.image))
            .collect();
        for name in batch {
            let image = match (found.get(name), &listing.gap) {
                (Some(Some(image)), _) => Ok(Some(image.clone())),
                (Some(None), _) => Err(format!("its launch configuration {name} does not tell its image")),
                (None, Some(Gap { reason })) => Err(reason.clone()),
                // Auto Scaling does not delete one that a group uses.
                (None, None) => {
                    Err(format!("{}: its launch configuration {name} is not shown", OPERATION.name))
                }
            };
            images.insert(name.clone(), image);
        }
    }
    images
}

struct Configuration {
    name: String,
    image: Option<String>,
}

async fn read(client: &Client, names: Option<&[String]>) -> Listing<Configuration> {
    pages::read(OPERATION, |token| async {
        let page = client
            .describe_launch_configurations()
            .set_launch_configuration_names(names.map(<[String]>::to_vec))
            .max_records(AUTO_SCALING_PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.launch_configurations, page.next_token, |raw| configuration(raw).map(Some)))
    })
    .await
}

fn configuration(raw: LaunchConfiguration) -> Result<Configuration, &'static str> {
    let name =
        raw.launch_configuration_name.and_then(filled).ok_or("a launch configuration without a name")?;
    Ok(Configuration { name, image: raw.image_id.and_then(filled) })
}
