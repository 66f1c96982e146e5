//! The store on real files.

mod acceptance;
mod decisions;
pub(crate) mod fixture;
mod forgery;
mod growth;
mod images;
mod ledger;
mod notifications;
mod opening;
mod plans;

mod runs;
mod scope_counts;
mod specimen;
mod steps;
mod tampering;
mod vouched;
