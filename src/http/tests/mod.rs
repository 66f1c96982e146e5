//! The interface over real connections.

mod contract;
mod hostile;
mod orders;
mod questions;
mod world;
