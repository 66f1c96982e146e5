//! The policy language of amiwarden, on Rhai.
