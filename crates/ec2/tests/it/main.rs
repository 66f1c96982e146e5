//! The adapter over HTTP: against canned replies, and against the simulated endpoint.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod accounts;
mod candidates;
mod clock;
mod connecting;
mod conversion;
mod counting;
mod failures;
mod launching;
mod once;
mod pacing;
mod paging;
mod recycle_bin;
mod sandbox;
mod server;
mod setup;
mod sources;
mod usage;
mod wire;
