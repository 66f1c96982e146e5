//! The built program, and the cycle behind it, against the simulated endpoint and against moto.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its world should stop")]
#![expect(clippy::expect_used, reason = "a test that cannot prepare its world should stop")]

mod acceptance;
mod accounts;
mod audit;
mod bad_input;
mod commands;
mod enforcing;
mod faults;
mod harness;
mod logging;
mod lying_cloud;
mod main_job;
mod metrics_file;
mod moto;
mod notifying;
mod pacing;
mod refusals;
mod service;
mod stopping;
mod store_faults;
mod undo;
