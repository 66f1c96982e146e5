//! What was read of one scope, and how far each reading can be trusted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Image, ImageId, ImageUse, LaunchPermissions, RetentionRule, Scope, Snapshot, SnapshotId, Source,
    Timestamp, UsageSettings,
};

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

/// What a source that is asked image by image says of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateUses {
    /// The references that it shows.
    pub uses: Vec<ImageUse>,
    /// Why there may be more.
    pub gap: Option<Gap>,
    /// Up to when it tells: a report about other accounts tells of the past.
    pub as_of: Timestamp,
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
    /// Launch permissions of the images they were asked for.
    pub launch_permissions: BTreeMap<ImageId, Result<LaunchPermissions, Gap>>,
    /// The Recycle Bin's retention rules, once asked for. A partial listing covers nothing for certain.
    pub retention_rules: Option<Listing<RetentionRule>>,
    /// Which sources of usage count.
    pub usage: UsageSettings,
    /// Whether other accounts are read in the same Region, whose instances and templates may use these images.
    pub has_neighbours: bool,
    /// Which images refer to a snapshot.
    images_by_snapshot: BTreeMap<SnapshotId, BTreeSet<ImageId>>,
    /// References to images, by image, of all sources.
    uses: BTreeMap<ImageId, Vec<ImageUse>>,
    coverage: BTreeMap<Source, Coverage>,
    /// When each source was read.
    read_at: BTreeMap<Source, Timestamp>,
    /// What each source of usage showed, by image.
    uses_by_source: BTreeMap<Source, BTreeMap<ImageId, Vec<ImageUse>>>,
    candidate_uses: BTreeMap<(Source, ImageId), CandidateUses>,
}

impl Inventory {
    /// An inventory of which nothing has been read.
    pub fn new(scope: Scope, observed_at: Timestamp) -> Self {
        Self {
            scope,
            observed_at,
            images: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            launch_permissions: BTreeMap::new(),
            retention_rules: None,
            usage: UsageSettings::default(),
            has_neighbours: false,
            images_by_snapshot: BTreeMap::new(),
            uses: BTreeMap::new(),
            coverage: BTreeMap::new(),
            read_at: BTreeMap::new(),
            uses_by_source: BTreeMap::new(),
            candidate_uses: BTreeMap::new(),
        }
    }

    /// The same, with other sources of usage than by default.
    #[must_use]
    pub fn with_usage(mut self, usage: UsageSettings) -> Self {
        self.usage = usage;
        self
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

    /// Whether the snapshots were asked for.
    pub fn has_read_snapshots(&self) -> bool {
        *self.coverage(Source::Snapshots) != Coverage::NotRead
    }

    /// Takes in the images. One that another account owns is left out and makes the source incomplete: either
    /// the credentials are not those of this scope, or EC2's answer is not about it.
    pub fn add_images(&mut self, listing: Listing<Image>) {
        let mut gap = listing.gap;
        for image in listing.items {
            if image.owner == self.scope.account {
                for snapshot in image.snapshots() {
                    self.images_by_snapshot.entry(snapshot.clone()).or_default().insert(image.id.clone());
                }
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

    /// Takes in the references that one source of usage showed at `read_at`.
    pub fn add_uses(&mut self, source: Source, listing: Listing<ImageUse>, read_at: Timestamp) {
        for image_use in listing.items {
            let shown = self.uses_by_source.entry(source).or_default();
            insert_sorted(shown.entry(image_use.image.clone()).or_default(), image_use.clone());
            self.add_use(image_use);
        }
        self.read_at.insert(source, read_at);
        self.note(source, listing.gap);
    }

    /// Takes in what a source said that is asked image by image. Its gaps are gaps of those images alone.
    pub fn add_candidate_uses(&mut self, source: Source, answers: BTreeMap<ImageId, CandidateUses>) {
        for (image, answer) in answers {
            for image_use in &answer.uses {
                self.add_use(image_use.clone());
            }
            self.candidate_uses.insert((source, image), answer);
        }
    }

    /// What `source`, which is asked image by image, said of `image`; `None` when it was not asked.
    pub fn candidate_uses(&self, source: Source, image: &ImageId) -> Option<&CandidateUses> {
        self.candidate_uses.get(&(source, image.clone()))
    }

    /// When `source` was read, if it was.
    pub fn read_at(&self, source: Source) -> Option<Timestamp> {
        self.read_at.get(&source).copied()
    }

    /// Every reference to `image` that some source showed.
    pub fn uses_of(&self, image: &ImageId) -> &[ImageUse] {
        self.uses.get(image).map_or(&[], Vec::as_slice)
    }

    /// The images that refer to `snapshot`.
    pub fn images_of(&self, snapshot: &SnapshotId) -> impl Iterator<Item = &Image> {
        let ids = self.images_by_snapshot.get(snapshot).into_iter().flatten();
        ids.filter_map(|id| self.images.get(id))
    }

    /// What `source`, which is read as a whole, shows to use `image`.
    pub fn uses_by(&self, source: Source, image: &ImageId) -> &[ImageUse] {
        self.uses_by_source.get(&source).and_then(|shown| shown.get(image)).map_or(&[], Vec::as_slice)
    }

    /// What the other accounts of the Region use of these images, as their own inventories show it. A gap of theirs
    /// is a gap here.
    pub fn uses_by_neighbours<'a>(
        &self,
        neighbours: impl Iterator<Item = &'a Inventory>,
    ) -> Listing<ImageUse> {
        let mut items = Vec::new();
        let mut gap = None;
        for neighbour in neighbours {
            items.extend(self.images.keys().flat_map(|image| neighbour.uses_of(image)).cloned());
            let mut sources = neighbour.usage.bulk();
            let missing = sources.find(|source| !neighbour.is_complete_for(*source));
            gap = gap.or_else(|| {
                missing.map(|source| Gap::new(format!("{source} of {} were not all read", neighbour.scope)))
            });
        }
        Listing { items, gap }
    }

    /// How many images each source of usage shows to be used, of the sources that were read to their end.
    pub fn references(&self) -> BTreeMap<Source, usize> {
        let complete = Source::USAGE.into_iter().filter(|source| self.is_complete_for(*source));
        complete.map(|source| (source, self.uses_by_source.get(&source).map_or(0, BTreeMap::len))).collect()
    }

    /// Whether `source` was read to its end.
    pub fn is_complete_for(&self, source: Source) -> bool {
        *self.coverage(source) == Coverage::Complete
    }

    fn add_use(&mut self, image_use: ImageUse) {
        insert_sorted(self.uses.entry(image_use.image.clone()).or_default(), image_use);
    }

    fn note(&mut self, source: Source, gap: Option<Gap>) {
        self.coverage.insert(source, gap.map_or(Coverage::Complete, Coverage::Gap));
    }
}

fn insert_sorted(uses: &mut Vec<ImageUse>, image_use: ImageUse) {
    if let Err(place) = uses.binary_search(&image_use) {
        uses.insert(place, image_use);
    }
}
