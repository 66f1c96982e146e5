//! What checking the ledger can find.

use std::fmt;
use std::path::PathBuf;

/// Where a head was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadOrigin {
    /// In the file that amiwarden writes.
    File,
    /// Somewhere else, from where a person has given it.
    Given,
}

impl HeadOrigin {
    fn words(self) -> &'static str {
        match self {
            Self::File => "the head file",
            Self::Given => "the head that was given",
        }
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFinding {
    /// An entry is missing.
    Missing {
        /// Its place, counted from 1.
        sequence: i64,
    },
    /// An entry, or the one before it, is not what was hashed.
    Altered {
        /// Its place.
        sequence: i64,
    },
    /// What an entry vouches for is not what it was.
    Contents {
        /// The entry.
        sequence: i64,
        /// What it vouches for.
        what: String,
    },
    /// Rows that no entry vouches for, or fewer than entries say.
    Unrecorded {
        /// What they hold.
        what: &'static str,
        /// How many more, or with a minus fewer, there are than entries say.
        rows: i64,
        /// The first of those that no entry vouches for, by their numbers in their table.
        ids: Vec<i64>,
    },
    /// The database is not built as amiwarden builds it.
    Structure {
        /// What differs.
        what: String,
    },
    /// The ledger ends before its head: it was cut off.
    CutOff {
        /// Where it ends.
        sequence: i64,
        /// Where it ended when the head was written.
        head: i64,
        /// Which head that is.
        origin: HeadOrigin,
    },
    /// The head is of another ledger.
    HeadDiffers {
        /// The head's place.
        sequence: i64,
        /// Which head that is.
        origin: HeadOrigin,
    },
    /// The head is not where it is kept.
    HeadMissing(PathBuf),
    /// The head's file holds something else.
    HeadUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl LedgerFinding {
    /// A name for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Altered { .. } => "altered",
            Self::Contents { .. } => "contents",
            Self::Unrecorded { .. } => "unrecorded",
            Self::Structure { .. } => "structure",
            Self::CutOff { .. } => "cut-off",
            Self::HeadDiffers { .. } => "head-differs",
            Self::HeadMissing(_) => "head-missing",
            Self::HeadUnreadable { .. } => "head-unreadable",
        }
    }

    /// The entry that it is about, if it is about one.
    pub fn sequence(&self) -> Option<i64> {
        match self {
            Self::Missing { sequence }
            | Self::Altered { sequence }
            | Self::Contents { sequence, .. }
            | Self::CutOff { sequence, .. }
            | Self::HeadDiffers { sequence, .. } => Some(*sequence),
            Self::Unrecorded { .. }
            | Self::Structure { .. }
            | Self::HeadMissing(_)
            | Self::HeadUnreadable { .. } => None,
        }
    }

    /// What it means, for somebody who has not seen one before.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "somebody deleted or renumbered entries: what amiwarden recorded there is gone"
            }
            Self::Altered { .. } => {
                "the entry's hash does not follow from its text and the hash before it: one of the three was changed, \
                 or entries changed places"
            }
            Self::Contents { .. } => {
                "the entry holds the digest of this, and what the store holds now has another one: do not rely on \
                 it, and do not undo by it"
            }
            Self::Unrecorded { .. } => {
                "amiwarden adds such a row together with its ledger entry or not at all: rows were added or removed \
                 by something else"
            }
            Self::Structure { .. } => {
                "somebody has opened the door to changing rows, or to having them changed while amiwarden writes; find \
                 out who can write to the file"
            }
            Self::CutOff { .. } => {
                "the newest entries were removed, or the store was replaced by an older copy"
            }
            Self::HeadDiffers { .. } => {
                "the ledger was rewritten from some entry on, the store is another one, or the head was changed"
            }
            Self::HeadMissing(_) => {
                "without it nobody can tell whether the newest entries were removed; the next run writes a new one"
            }
            Self::HeadUnreadable { .. } => {
                "without it nobody can tell whether the newest entries were removed; it was changed or damaged"
            }
        }
    }
}

impl fmt::Display for LedgerFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { sequence } => write!(f, "entry {sequence} is missing"),
            Self::Altered { sequence } => {
                write!(f, "entry {sequence}, or the one before it, was changed")
            }
            Self::Contents { sequence, what } => {
                write!(f, "{what}, which entry {sequence} records, was changed or removed")
            }
            Self::Unrecorded { what, rows, ids } if *rows > 0 => {
                write!(f, "{rows} {what} more than the ledger records")?;
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                let rest =
                    if ids.len() < usize::try_from(*rows).unwrap_or(usize::MAX) { ", …" } else { "" };
                if ids.is_empty() { Ok(()) } else { write!(f, ": row {}{rest}", ids.join(", ")) }
            }
            Self::Unrecorded { what, rows, .. } => {
                write!(f, "{} {what} fewer than the ledger records", rows.unsigned_abs())
            }
            Self::Structure { what } => f.write_str(what),
            Self::CutOff { sequence, head, origin } => {
                write!(
                    f,
                    "the ledger ends at entry {sequence}, and {} says that it reached entry {head}",
                    origin.words()
                )
            }
            Self::HeadDiffers { sequence, origin } => {
                write!(f, "entry {sequence} is not the one that {} names", origin.words())
            }
            Self::HeadMissing(path) => write!(f, "there is no head file at {}", path.display()),
            Self::HeadUnreadable { path, reason } => {
                write!(f, "the head file {} cannot be read: {reason}", path.display())
            }
        }
    }
}
