//! The ledger's head, kept in a file outside the database. A ledger that was cut off at its end is a shorter
//! ledger that verifies; only the head knows that it was longer.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::encoding::GENESIS;
use crate::store::sha::Sha;

/// How far the ledger reached, and its hash there. The file is its JSON; the text form is `SEQUENCE:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    pub(in crate::store) sequence: i64,
    pub(in crate::store) hash: Sha,
}

impl Head {
    /// Of a ledger without entries.
    pub(in crate::store) const START: Self = Self { sequence: 0, hash: GENESIS };

    fn is_possible(&self) -> bool {
        self.sequence > 0 || *self == Self::START
    }
}

impl Head {
    /// How many entries the ledger had.
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The hash of the newest of them, in lower-case hexadecimal digits.
    pub fn hash(&self) -> String {
        self.hash.to_string()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.hash)
    }
}

/// The text is not the head of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no head of a ledger: write SEQUENCE:HASH, such as 42: and 64 lower-case hexadecimal digits"
)]
pub struct ParseHeadError(String);

impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (sequence, hash) = text.split_once(':')?;
            let head = Self { sequence: sequence.parse().ok()?, hash: hash.parse().ok()? };
            head.is_possible().then_some(head)
        };
        read().ok_or_else(|| ParseHeadError(text.to_owned()))
    }
}

/// The head, where the file exists. Anything in the file that is no head is an error of the kind
/// [`InvalidData`](io::ErrorKind::InvalidData).
pub(in crate::store) fn read(path: &Path) -> io::Result<Option<Head>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidData, error);
    let head: Head = serde_json::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    if !head.is_possible() {
        return Err(invalid(format!("no ledger has an entry {}", head.sequence)));
    }
    Ok(Some(head))
}

/// Puts the head in the file's place, whole or not at all, and on the disk before it returns.
pub(in crate::store) fn write(path: &Path, head: &Head) -> io::Result<()> {
    let mut text = serde_json::to_string(head)?;
    text.push('\n');
    let temporary = beside(path);
    let mut out = File::create(&temporary)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    drop(out);
    fs::rename(&temporary, path)?;
    // A rename is on the disk when its directory is.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}
