//! A scope that cannot be reached: whatever is asked, the answer is why.

use std::sync::Arc;

use amiwarden_core::{CallError, CallErrorKind, Gap, Listing};

/// Why it cannot be reached.
#[derive(Clone, Debug)]
pub(crate) struct Shut(pub(crate) Arc<str>);

impl Shut {
    pub(crate) fn gap(&self) -> Gap {
        Gap::new(self.0.as_ref())
    }

    /// Nothing was seen, which proves nothing.
    pub(crate) fn listing<T>(&self) -> Listing<T> {
        Listing { items: Vec::new(), gap: Some(self.gap()) }
    }

    /// Nothing was sent.
    pub(crate) fn error(&self, operation: &str) -> CallError {
        CallError {
            operation: operation.to_owned(),
            kind: CallErrorKind::Denied,
            message: format!("not sent: {}", self.0),
            request_id: None,
        }
    }
}
