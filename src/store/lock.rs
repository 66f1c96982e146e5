//! One process at a time writes to a store. The operating system keeps the lock and drops it when the process
//! dies, however it dies; the lock file itself stays, because removing it would let two processes lock two files.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Held for as long as this lives.
#[derive(Debug)]
pub(super) struct StoreLock {
    _file: File,
}

/// The lock cannot be had.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process holds it; its process id, where it can be read.
    Held(Option<u32>),
    /// The lock file cannot be made or locked.
    Io(std::io::Error),
}

impl StoreLock {
    /// Takes the lock of the store at `store`, without waiting.
    pub(super) fn acquire(store: &Path) -> Result<Self, LockError> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path(store))
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        sign(&mut file).map_err(LockError::Io)?;
        Ok(Self { _file: file })
    }
}

/// `<store>.lock`
pub(super) fn lock_path(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// Leaves the process id for the message that the next one gets.
fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
