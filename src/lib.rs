//! amiwarden: policy-driven hygiene for Amazon Machine Images.
//!
//! This is the application; the domain is in `amiwarden-core`, the policy language in `amiwarden-policy`, EC2
//! in `amiwarden-ec2`, and a simulated EC2 in `amiwarden-sandbox`. `docs/ARCHITECTURE.md` is the map.
//!
//! ```text
//! cli ─> cycle ─> executor ─> store
//!  │       └─> amiwarden-core (decide, guard, plan)
//!  ├─> config, policies, report, metrics, telemetry, progress
//!  └─> amiwarden-ec2, amiwarden-policy, amiwarden-sandbox
//! ```

pub mod cli;
pub mod config;
mod cycle;
mod digest;
mod driver;
mod executor;
mod explanation;
mod http;
mod metrics;
mod notify;
mod pause;
pub mod policies;
pub mod progress;
pub mod report;
mod rules;
mod run;
pub mod schedule;
pub mod store;
mod telemetry;
