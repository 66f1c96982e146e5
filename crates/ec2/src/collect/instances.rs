//! `DescribeInstances`: every instance in a state from which it could still run.

use amiwarden_core::{AccountId, ImageId, ImageUse, Listing, UseKind};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};

use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation =
    Operation { name: "DescribeInstances", permissions: "ec2:DescribeInstances", limits: PageLimits::EC2 };

/// Every state but `terminated`.
pub(super) const STATES: [InstanceStateName; 5] = [
    InstanceStateName::Pending,
    InstanceStateName::Running,
    InstanceStateName::ShuttingDown,
    InstanceStateName::Stopping,
    InstanceStateName::Stopped,
];

/// One use per instance. Instances that AWS services manage for the account are included: an account can hide them
/// (`GetManagedResourceVisibility`), and they use their images all the same.
pub(crate) async fn collect(client: &Client, account: &AccountId) -> Listing<ImageUse> {
    let states = STATES.map(|state| state.as_str().to_owned()).to_vec();
    let filter = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
    pages::read(OPERATION, |token| {
        let filter = filter.clone();
        async {
            let page = client
                .describe_instances()
                .include_managed_resources(true)
                .filters(filter)
                .max_results(PAGE_SIZE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| Failure::new(OPERATION.name, &error))?;
            let instances = page.reservations.map(|reservations| {
                reservations.into_iter().flat_map(|reservation| instances(reservation.instances)).collect()
            });
            Ok(Page::convert(instances, page.next_token, |raw| {
                image_use(raw.ok_or("a reservation does not list its instances")?, account)
            }))
        }
    })
    .await
}

/// Each instance of a reservation, or the lack of a list.
fn instances(listed: Option<Vec<Instance>>) -> Vec<Option<Instance>> {
    match listed {
        Some(instances) => instances.into_iter().map(Some).collect(),
        None => vec![None],
    }
}

fn image_use(raw: Instance, account: &AccountId) -> Result<Option<ImageUse>, String> {
    let id = raw.instance_id.and_then(filled).unwrap_or_else(|| "without an id".to_owned());
    let state = raw.state.and_then(|state| state.name);
    if state == Some(InstanceStateName::Terminated) {
        return Ok(None);
    }
    let image =
        raw.image_id.and_then(filled).ok_or_else(|| format!("instance {id} does not tell its image"))?;
    Ok(Some(ImageUse { image: ImageId::new(image), kind: UseKind::Instance, id, account: account.clone() }))
}
