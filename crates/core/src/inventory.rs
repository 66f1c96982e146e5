//! What was read of one scope, and how far each reading can be trusted.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Image, ImageId, ImageUse, LaunchPermissions, Scope, Snapshot, SnapshotId, Timestamp};

/// Something that is read from EC2 for a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `DescribeImages`.
    Images,
    /// `DescribeSnapshots`.
    Snapshots,
    /// `DescribeInstances`.
    Instances,
    /// `DescribeLaunchTemplateVersions`.
    LaunchTemplates,
}

impl Source {
    /// The sources that show who uses an image. All of them must be complete before an image counts as
    /// unused.
    pub const USAGE: [Self; 2] = [Self::Instances, Self::LaunchTemplates];

    /// Its name in reports and configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Snapshots => "snapshots",
            Self::Instances => "instances",
            Self::LaunchTemplates => "launch-templates",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a source is not complete: denied, throttled, truncated, or implausible. The text reads on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gap {
    /// What is missing and why, for a person.
    pub reason: String,
}

impl Gap {
    /// A gap with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// How much of a source was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// Nobody asked for it.
    NotRead,
    /// All of it, as EC2 said.
    Complete,
    /// Some of it, or none.
    Gap(Gap),
}

/// What one source yielded. A partial reading is a value, not an error and not silence: what was seen counts
/// (an instance that was seen does use its image), what was not seen proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// What was seen.
    pub items: Vec<T>,
    /// Why there may be more.
    pub gap: Option<Gap>,
}

impl<T> Listing<T> {
    /// Everything there is.
    pub fn complete(items: Vec<T>) -> Self {
        Self { items, gap: None }
    }

    /// What was seen before it went wrong.
    pub fn partial(items: Vec<T>, reason: impl Into<String>) -> Self {
        Self { items, gap: Some(Gap::new(reason)) }
    }
}

/// All that was read of one scope in one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The account and Region.
    pub scope: Scope,
    /// When the reading began.
    pub observed_at: Timestamp,
    /// Images that the scope's account owns.
    pub images: BTreeMap<ImageId, Image>,
    /// Snapshots, once asked for.
    pub snapshots: BTreeMap<SnapshotId, Snapshot>,
    /// References to images, by image, once asked for.
    pub uses: BTreeMap<ImageId, Vec<ImageUse>>,
    /// Launch permissions of the images they were asked for.
    pub launch_permissions: BTreeMap<ImageId, Result<LaunchPermissions, Gap>>,
    coverage: BTreeMap<Source, Coverage>,
}

impl Inventory {
    /// An inventory of which nothing has been read.
    pub fn new(scope: Scope, observed_at: Timestamp) -> Self {
        Self {
            scope,
            observed_at,
            images: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            uses: BTreeMap::new(),
            launch_permissions: BTreeMap::new(),
            coverage: BTreeMap::new(),
        }
    }

    /// How much of `source` was read.
    pub fn coverage(&self, source: Source) -> &Coverage {
        self.coverage.get(&source).unwrap_or(&Coverage::NotRead)
    }

    /// Every gap of every source, in the order of the sources.
    pub fn gaps(&self) -> impl Iterator<Item = (Source, &Gap)> {
        self.coverage.iter().filter_map(|(source, coverage)| match coverage {
            Coverage::Gap(gap) => Some((*source, gap)),
            Coverage::NotRead | Coverage::Complete => None,
        })
    }

    /// Whether everything that was asked for was read to its end. Launch permissions count per image and
    /// are no part of this.
    pub fn is_complete(&self) -> bool {
        self.gaps().next().is_none()
    }

    /// Takes in the images. One that another account owns is left out and makes the source incomplete: either
    /// the credentials are not those of this scope, or EC2's answer is not about it.
    pub fn add_images(&mut self, listing: Listing<Image>) {
        let mut gap = listing.gap;
        for image in listing.items {
            if image.owner == self.scope.account {
                self.images.insert(image.id.clone(), image);
            } else {
                gap = Some(Gap::new(format!(
                    "{} belongs to account {}, not to {}: the answer is not about this scope",
                    image.id, image.owner, self.scope.account
                )));
            }
        }
        self.note(Source::Images, gap);
    }

    /// Takes in the snapshots.
    pub fn add_snapshots(&mut self, listing: Listing<Snapshot>) {
        self.snapshots.extend(listing.items.into_iter().map(|snapshot| (snapshot.id.clone(), snapshot)));
        self.note(Source::Snapshots, listing.gap);
    }

    /// Takes in the references that one source of usage showed.
    pub fn add_uses(&mut self, source: Source, listing: Listing<ImageUse>) {
        for image_use in listing.items {
            let uses = self.uses.entry(image_use.image.clone()).or_default();
            if let Err(place) = uses.binary_search(&image_use) {
                uses.insert(place, image_use);
            }
        }
        self.note(source, listing.gap);
    }

    fn note(&mut self, source: Source, gap: Option<Gap>) {
        self.coverage.insert(source, gap.map_or(Coverage::Complete, Coverage::Gap));
    }
}
