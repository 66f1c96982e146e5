//! The adapter over HTTP: against canned replies, and against the simulated endpoint.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod connecting;
mod conversion;
mod failures;
mod once;
mod paging;
mod sandbox;
mod server;
mod setup;
mod usage;
mod wire;
