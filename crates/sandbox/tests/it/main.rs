//! Tests of the simulated endpoint: its rules without HTTP, and its wire behaviour with plain sockets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod auto_scaling;
mod changes;
mod client;
mod ec2_fleets;
mod faults;
mod fleet_file;
mod image_references;
mod lies;
mod observer;
mod parameter_store;
mod reads;
mod recycle_bin;
mod retention;
mod services;
mod sns;
mod state;
mod transitions;
mod usage_fleet;
mod usage_reports;
mod varied;
