//! The form in which an entry is hashed. It never changes: a store that was written years ago must verify.

use sha2::{Digest, Sha256};

use crate::store::sha::Sha;

/// Names the encoding, so that a hash of it is a hash of nothing else.
const DOMAIN: &[u8] = b"amiwarden ledger entry 1";

/// The hash before the first entry.
pub(super) const GENESIS: Sha = Sha([0; 32]);

/// What an entry records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum EntryKind {
    /// A run began, with these policies and this configuration.
    RunStarted,
    /// A run was found not to have ended: its process died.
    RunDied,
    /// The decisions about a scope.
    Decisions,
    /// The plan that a run made or carries out.
    Plan,
    /// A person accepted what a guard held.
    Acceptance,
    /// A change is about to be sent.
    Intent,
    /// What became of it.
    Outcome,
    /// What became of it, found out later by reading the image.
    Settlement,
    /// A run ended.
    RunFinished,
}

impl EntryKind {
    const ALL: [Self; 9] = [
        Self::RunStarted,
        Self::RunDied,
        Self::Decisions,
        Self::Plan,
        Self::Acceptance,
        Self::Intent,
        Self::Outcome,
        Self::Settlement,
        Self::RunFinished,
    ];

    /// The kind of this name.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().as_bytes() == name)
    }

    pub(in crate::store) fn as_str(self) -> &'static str {
        match self {
            Self::RunStarted => "run-started",
            Self::RunDied => "run-died",
            Self::Decisions => "decisions",
            Self::Plan => "plan",
            Self::Acceptance => "acceptance",
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Settlement => "settlement",
            Self::RunFinished => "run-finished",
        }
    }
}

/// Everything of an entry but its hash, as the row holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) sequence: i64,
    pub(super) at: i64,
    // Bytes, because whoever changes a row need not keep to UTF-8.
    pub(super) kind: &'a [u8],
    pub(super) run: Option<&'a [u8]>,
    pub(super) body: &'a [u8],
}

/// The hash of an entry that follows the one with the hash `previous`. Integers are big-endian, each text goes
/// after its length, and an absent one differs from an empty one: two entries never encode alike.
pub(super) fn entry_hash(previous: &Sha, entry: &Entry<'_>) -> Sha {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash.update(previous.0);
    hash.update(entry.sequence.to_be_bytes());
    hash.update(entry.at.to_be_bytes());
    update_text(&mut hash, entry.kind);
    match entry.run {
        Some(run) => {
            hash.update([1]);
            update_text(&mut hash, run);
        }
        None => hash.update([0]),
    }
    update_text(&mut hash, entry.body);
    Sha(hash.finalize().into())
}

fn update_text(hash: &mut Sha256, text: &[u8]) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were this value to change, no ledger that exists would verify any more. It was computed with Python's
    /// `hashlib` and `struct`, not by this code.
    #[test]
    fn the_encoding_never_changes() {
        let entry =
            Entry { sequence: 1, at: 1_700_000_000, kind: b"run-started", run: Some(b"run-1"), body: b"{}" };
        let hash = entry_hash(&GENESIS, &entry);
        assert_eq!(hash.to_string(), "e26eb4a15911eb9d23af18cee6f1b08bb8e2b086b8c31162131a3b049a65c487");
    }

    #[test]
    fn where_one_text_ends_and_the_next_begins_is_part_of_the_hash() {
        let entry = Entry { sequence: 1, at: 0, kind: b"ab", run: None, body: b"c" };
        let shifted = Entry { kind: b"a", body: b"bc", ..entry };
        let empty_run = Entry { run: Some(b""), ..entry };
        let hashes = [entry, shifted, empty_run].map(|entry| entry_hash(&GENESIS, &entry));
        assert!(hashes[0] != hashes[1] && hashes[0] != hashes[2] && hashes[1] != hashes[2]);
    }
}
