//! Tests of the simulated endpoint: its rules without HTTP, and its wire behaviour with plain sockets.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod changes;
mod client;
mod faults;
mod fleet_file;
mod reads;
mod retention;
mod state;
mod transitions;
