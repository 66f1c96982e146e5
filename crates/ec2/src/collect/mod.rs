//! Reading one scope, one file per source. Each yields what it saw, and a gap for what it did not.

mod images;
mod instances;
mod launch_permissions;
mod launch_templates;
mod pages;
mod snapshots;

pub(crate) use images::{all as images, check_dry_run, one as image};
pub(crate) use instances::collect as instances;
pub(crate) use launch_permissions::collect as launch_permissions;
pub(crate) use launch_templates::collect as launch_templates;
pub(crate) use snapshots::collect as snapshots;
