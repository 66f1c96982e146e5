//! amiwarden.
fn main() {}
