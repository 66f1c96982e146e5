//! Death at any point: the real program is killed at each of its effects in turn, started again, and must come to
//! the end that an undisturbed run comes to, with every change written down before it was sent.
//!
//! Every point of every request; every mishap of every change; every write to the store, by system call, in a run and
//! in the recovery from a death. `CRASH_CASE=NAME` runs a single case. A case that fails says its name.
//!
//! Deliberately absent: a power cut. A killed process leaves to the kernel what it has written; that this is on the disk
//! when SQLite says so is SQLite's part (`synchronous = full`), and that a change is sent only afterwards is looked at
//! in the order of system calls.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its world should stop")]

mod cases;
mod checks;
mod requests;
mod scene;
mod store;
