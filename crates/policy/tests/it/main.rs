//! Everything that policies promise, through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should stop with a trace"
)]

mod acting;
mod agreement;
mod boundaries;
mod builders;
mod families;
mod guide;
mod language;
mod refusals;
mod shipped;
mod soup;
mod strictness;
