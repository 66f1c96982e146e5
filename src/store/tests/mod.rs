//! The store on real files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod fixture;
mod opening;
