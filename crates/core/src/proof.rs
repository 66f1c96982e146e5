//! The proof that nothing uses an image: what each source said, and as of when.
//!
//! A step that takes an image away carries its proof into the plan and the ledger, so that it can be shown later
//! what amiwarden knew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Change, Coverage, Image, ImageId, ImageState, ImageUse, Inventory, SnapshotFate, Source, Timestamp,
    UseKind,
};

/// What every source of usage says of one image, in the order of [`Source::PROOF`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Proof {
    /// One finding for each source that counts.
    pub findings: Vec<Finding>,
}

/// What one source says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The source.
    pub source: Source,
    /// Up to when it tells. Nothing where it was not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<Timestamp>,
    /// What it says.
    pub result: ProofResult,
}

/// Whether a source shows a use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofResult {
    /// It was read to its end and shows none.
    Unused,
    /// It shows these.
    Used(Vec<ImageUse>),
    /// It was not read to its end, for this reason.
    Unknown(String),
    /// The configuration names it as switched off.
    SwitchedOff,
    /// It has not been read.
    NotRead,
}

impl ProofResult {
    /// Its name in reports.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Used(_) => "used",
            Self::Unknown(_) => "unknown",
            Self::SwitchedOff => "switched-off",
            Self::NotRead => "not-read",
        }
    }
}

impl Proof {
    /// Every use that a source shows.
    pub fn uses(&self) -> impl Iterator<Item = &ImageUse> {
        self.findings.iter().flat_map(|finding| match &finding.result {
            ProofResult::Used(uses) => uses.as_slice(),
            ProofResult::Unused
            | ProofResult::Unknown(_)
            | ProofResult::SwitchedOff
            | ProofResult::NotRead => &[],
        })
    }

    /// The sources that could not be read to their end, and why.
    pub fn doubts(&self) -> impl Iterator<Item = (Source, &str)> {
        self.findings.iter().filter_map(|finding| match &finding.result {
            ProofResult::Unknown(reason) => Some((finding.source, reason.as_str())),
            ProofResult::Unused | ProofResult::Used(_) | ProofResult::SwitchedOff | ProofResult::NotRead => {
                None
            }
        })
    }

    /// The sources that have not been read.
    pub fn unread(&self) -> impl Iterator<Item = Source> {
        self.findings
            .iter()
            .filter(|finding| finding.result == ProofResult::NotRead)
            .map(|finding| finding.source)
    }
}

/// What is known of the uses of `image`, when it is to be changed so.
pub fn prove(inventory: &Inventory, image: &Image, change: &Change) -> Proof {
    let finding = |source: Source| match source {
        Source::SharedSnapshots => shared_snapshots(inventory, image, change),
        Source::OtherAccounts if !inventory.has_neighbours => None,
        Source::UsageReports if !inventory.usage.usage_reports => None,
        source if inventory.usage.disabled_sources.contains(&source) => {
            Some(Finding { source, as_of: None, result: ProofResult::SwitchedOff })
        }
        Source::ImageReferences | Source::UsageReports => Some(candidate(inventory, image, source)),
        source => Some(bulk(inventory, image, source)),
    };
    Proof { findings: Source::PROOF.into_iter().filter_map(finding).collect() }
}

fn bulk(inventory: &Inventory, image: &Image, source: Source) -> Finding {
    let uses = inventory.uses_by(source, &image.id);
    let result = match inventory.coverage(source) {
        _ if !uses.is_empty() => ProofResult::Used(uses.to_vec()),
        Coverage::Complete => ProofResult::Unused,
        Coverage::Gap(gap) => ProofResult::Unknown(gap.reason.clone()),
        Coverage::NotRead => ProofResult::NotRead,
    };
    Finding { source, as_of: inventory.read_at(source), result }
}

fn candidate(inventory: &Inventory, image: &Image, source: Source) -> Finding {
    let Some(answer) = inventory.candidate_uses(source, &image.id) else {
        return Finding { source, as_of: None, result: ProofResult::NotRead };
    };
    let result = match &answer.gap {
        _ if !answer.uses.is_empty() => ProofResult::Used(answer.uses.clone()),
        Some(gap) => ProofResult::Unknown(gap.reason.clone()),
        None => ProofResult::Unused,
    };
    Finding { source, as_of: Some(answer.as_of), result }
}

/// Whether deleting the image's snapshots would take them from another image. EC2 skips a snapshot that another
/// image refers to (EC2 User Guide, "Deregister an Amazon EC2 AMI"), so a disabled neighbour loses nothing, and two
/// images that share a snapshot do not keep each other for ever.
fn shared_snapshots(inventory: &Inventory, image: &Image, change: &Change) -> Option<Finding> {
    let source = Source::SharedSnapshots;
    if *change != Change::Deregister(SnapshotFate::Delete) {
        return None;
    }
    if inventory.usage.disabled_sources.contains(&source) {
        return Some(Finding { source, as_of: None, result: ProofResult::SwitchedOff });
    }
    let others = image.snapshots().flat_map(|snapshot| inventory.images_of(snapshot));
    let sharing: BTreeMap<&ImageId, &Image> = others
        .filter(|other| other.id != image.id && other.state != ImageState::Disabled)
        .map(|other| (&other.id, other))
        .collect();
    let uses: Vec<ImageUse> = sharing
        .into_values()
        .map(|other| ImageUse {
            image: image.id.clone(),
            kind: UseKind::Image,
            id: other.id.to_string(),
            account: other.owner.clone(),
        })
        .collect();
    let result = match inventory.coverage(Source::Images) {
        _ if !uses.is_empty() => ProofResult::Used(uses),
        Coverage::Complete => ProofResult::Unused,
        Coverage::Gap(gap) => ProofResult::Unknown(gap.reason.clone()),
        Coverage::NotRead => ProofResult::NotRead,
    };
    Some(Finding { source, as_of: Some(inventory.observed_at), result })
}
