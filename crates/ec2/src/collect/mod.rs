//! Reading one scope, one file per source. Each yields what it saw, and a gap for what it did not.

mod auto_scaling_groups;
mod candidates;
mod fleets;
mod image_references;
mod images;
mod instances;
mod launch_configurations;
mod launch_permissions;
mod launch_templates;
mod pages;
mod parameters;
mod recycle_bin;
mod references;
mod reports;
mod retention_rules;
mod snapshots;
mod spot_fleet_requests;
mod spot_instance_requests;
mod ssm_parameters;
mod templates;
mod usage_reports;

use amiwarden_core::AccountId;

pub(crate) use auto_scaling_groups::collect as auto_scaling_groups;
pub(crate) use fleets::collect as fleets;
pub(crate) use image_references::collect as image_references;
pub(crate) use images::{all as images, check_dry_run, one as image};
pub(crate) use instances::collect as instances;
pub(crate) use launch_configurations::collect as launch_configurations;
pub(crate) use launch_permissions::collect as launch_permissions;
pub(crate) use launch_templates::collect as launch_templates;
pub(crate) use recycle_bin::{images as recycled_images, snapshots as recycled_snapshots};
pub(crate) use retention_rules::collect as retention_rules;
pub(crate) use snapshots::collect as snapshots;
pub(crate) use spot_fleet_requests::collect as spot_fleet_requests;
pub(crate) use spot_instance_requests::collect as spot_instance_requests;
pub(crate) use ssm_parameters::collect as ssm_parameters;
pub(crate) use usage_reports::collect as usage_reports;

use crate::client::Services;

/// The most that Auto Scaling allows for a page (botocore model).
const AUTO_SCALING_PAGE_SIZE: i32 = 100;

/// What the sources of one scope are read with. Clones share what was read of launch templates.
#[derive(Clone, Debug)]
pub(crate) struct Cloud {
    pub(crate) services: Services,
    account: AccountId,
    templates: templates::Templates,
}

impl Cloud {
    pub(crate) fn new(services: Services, account: AccountId) -> Self {
        Self { services, account, templates: templates::Templates::default() }
    }
}
