//! The EC2 adapter of amiwarden: the only crate that names the AWS SDK.
//!
//! [`connect`] loads the configuration once and yields a [`Connection`] to one account or many, which hands out an
//! [`Ec2Reader`] and an [`Ec2Writer`] per account and Region. They implement the two ports of the core and nothing else.
//! A [`Publisher`] tells topics of SNS what came of a run.
//!
//! What this crate promises:
//!
//! - A read that did not come to its end is a gap, whatever cut it short: a denied call, a repeated token, a
//!   reply that stops in the middle, an item that cannot be read.
//! - An account or Region that cannot be reached has a reader all the same, whose every answer is a gap with the reason.
//! - A change is sent exactly once. What cannot be told from the reply is reported as such, never tried again.
//! - No attempt of any request is sent without a token of the bucket that AWS counts it in, where a pace is given.
//! - A rehearsal succeeds on the error code `DryRunOperation` and on nothing else.
//!
//! Deliberately absent: decisions, retries of changes, clocks, and caches of what EC2 said, but for the versions of
//! launch templates that several sources lead to within one run. No type of the SDK appears in the public interface.

mod call_log;
mod client;
mod collect;
mod connect;
mod convert;
mod errors;
mod http;
mod pacing;
mod publish;
mod reader;
mod shut;
mod write;
mod writer;

pub use client::Timing;
pub use connect::{
    AccountOptions, ConnectError, ConnectOptions, Connection, CredentialSource, OrganizationOptions,
    RegionChoice, StaticCredentials, connect,
};
pub use publish::{MESSAGE_BYTES_MAX, Publication, Publisher};
pub use reader::Ec2Reader;
pub use writer::Ec2Writer;
