//! The policy language of amiwarden, on Rhai.
//!
//! A policy is a text that says, for one image at a time, what should become of it and why. [`PolicySet::compile`]
//! turns texts into policies and reports every problem of every text at once; [`Policy::evaluator`] turns facts
//! into verdicts. The language is described in `docs/POLICIES.md`.
//!
//! Policies return data; they act on nothing. What comes of their verdicts is decided in `amiwarden-core`.
//!
//! Deliberately absent: tokio, AWS, the clock (save for the deadline of an evaluation), and any way for a policy to
//! reach outside of the facts that it is given. Modules are read while policies load, and never later.

#![expect(clippy::unnecessary_box_returns, reason = "Rhai's own functions take and give its error boxed")]

mod actions;
mod catalog;
mod compile;
mod condition;
mod engine;
mod family;
mod fault;
mod limits;
mod lint;
mod machine;
mod modules;
mod operators;
mod params;
mod policy;
mod probe;
mod problem;
mod program;
mod subject;
mod suggest;
mod syntax;
mod texts;
mod times;
mod value;
mod version;

pub use catalog::{FactInfo, facts};
pub use limits::EngineLimits;
pub use modules::Modules;
pub use params::{ParamValue, Parameter};
pub use policy::{Evaluator, Policy, PolicySet, PolicySource};
pub use problem::{CompilePoliciesError, Problem, Severity};
