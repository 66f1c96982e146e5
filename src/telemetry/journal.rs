//! systemd's journal: whether it is at the other end of standard error, and how a level becomes a priority.
//!
//! Text that a service writes to standard error gets one priority for all of it (`SyslogLevel=` in systemd.exec(5)), so
//! amiwarden speaks to the journal itself.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing_journald::{Priority, PriorityMappings};

/// Set by systemd where standard output or error leads to the journal: the device and the inode of that stream
/// (`$JOURNAL_STREAM` in systemd.exec(5)).
const STREAM_VARIABLE: &str = "JOURNAL_STREAM";

/// The journal as a place to log to. Fields have the names that they have in amiwarden, in capitals: a prefix would
/// only have to be typed.
pub(super) fn layer() -> io::Result<tracing_journald::Layer> {
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    let layer = tracing_journald::layer()?;
    Ok(layer
        .with_field_prefix(None)
        .with_syslog_identifier("amiwarden".to_owned())
        .with_priority_mappings(priorities))
}

/// Whether standard error is the stream that the variable names. The variable alone says nothing: it is inherited by
/// everything that a service starts, whatever that does with its standard error.
pub(super) fn is_standard_error() -> bool {
    let Some(named) = std::env::var_os(STREAM_VARIABLE) else { return false };
    let stream = io::stderr().as_fd().try_clone_to_owned();
    stream.and_then(|stream| File::from(stream).metadata()).is_ok_and(|found| is_named(&named, &found))
}

fn is_named(named: &OsStr, found: &Metadata) -> bool {
    let parts = named.to_str().and_then(|text| text.split_once(':'));
    parts.is_some_and(|(device, inode)| device.parse() == Ok(found.dev()) && inode.parse() == Ok(found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_stream_counts() {
        let file = tempfile::tempfile().unwrap().metadata().unwrap();
        let check =
            |named: &str, expected| assert_eq!(is_named(OsStr::new(named), &file), expected, "{named}");
        check(&format!("{}:{}", file.dev(), file.ino()), true);
        check(&format!("{}:{}", file.dev(), file.ino() + 1), false);
        check(&format!("{}:{}", file.dev() + 1, file.ino()), false);
        for nonsense in ["", ":", "8:", ":8", "8", "a:b", "8:8:8"] {
            check(nonsense, false);
        }
    }
}
