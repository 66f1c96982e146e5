//! Everything that policies promise, through the public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop with a trace")]

mod builders;
mod shipped;
mod strictness;
