//! amiwarden.
