//! What tells this host from others, for the jitter.

use std::fs;

/// The machine's id (machine-id(5)), or its name; empty where neither can be read, which only makes hosts alike.
pub(crate) fn host_id() -> String {
    ["/etc/machine-id", "/proc/sys/kernel/hostname"]
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .map(|text| text.trim().to_owned())
        .find(|text| !text.is_empty())
        .unwrap_or_else(String::new)
}
