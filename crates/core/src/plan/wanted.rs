//! What still has to be read before a plan can be made.

use std::collections::{BTreeMap, BTreeSet};

use super::Candidate;
use crate::{ImageId, Proof, RecycleBinCover, Source};

/// What a candidate's guards would like to know and nobody has read yet. It is asked for step by step, the cheap
/// and general first: a source that is asked image by image is asked only about images that every other guard lets
/// pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Sources of usage to be read as a whole.
    pub usage: BTreeSet<Source>,
    /// The Recycle Bin's retention rules.
    pub retention_rules: bool,
    /// The snapshots.
    pub snapshots: bool,
    /// Sources to be asked about these images.
    pub candidates: BTreeMap<Source, BTreeSet<ImageId>>,
}

impl Wanted {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is read once for the whole scope and `candidates` lack.
    pub(super) fn of_scope(candidates: &[Candidate]) -> Self {
        let mut wanted = Self::default();
        for candidate in candidates {
            let unread = candidate.proof.iter().flat_map(Proof::unread);
            wanted.usage.extend(unread.filter(|source| !Source::PER_CANDIDATE.contains(source)));
            wanted.retention_rules |= candidate.cover == Some(RecycleBinCover::RulesNotRead);
            wanted.snapshots |= candidate.cover == Some(RecycleBinCover::SnapshotsNotRead);
        }
        wanted
    }

    /// What one candidate that is about to become a step lacks of the sources that are asked image by image.
    pub(super) fn of_candidate(&mut self, candidate: &Candidate) {
        for source in candidate.proof.iter().flat_map(Proof::unread) {
            if Source::PER_CANDIDATE.contains(&source) {
                let images = self.candidates.entry(source).or_default();
                images.insert(candidate.facts.image.id.clone());
            }
        }
    }
}
