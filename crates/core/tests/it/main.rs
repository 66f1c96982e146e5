//! The domain through its public interface.

#![expect(clippy::unwrap_used, reason = "a test that cannot build its input should stop")]

mod builders;
mod circumstances;
mod decisions;
mod deriving;
mod families;
mod figures;
mod fingerprints;
mod guards;
mod pace;
mod plans;
mod proofs;
mod properties;
mod retention;
mod undoing;
