//! The protocols: EC2 and AWS query (forms in, XML out), AWS JSON and REST-JSON.
//!
//! Nothing here knows what an image is. Signatures are not verified: the simulator serves a loopback
//! port and has no secrets to protect, so the access key and Region are read and believed.

mod dialect;
mod envelope;
mod error;
mod identity;
mod parameters;
mod xml;

pub(crate) use envelope::{Envelope, HttpRequest};
pub use error::ApiError;
pub(crate) use identity::{Caller, Service, session_key};
pub(crate) use parameters::{Filter, Parameters};
pub(crate) use xml::Xml;
