//! What planning has to know besides the images: earlier readings, clocks, a pause, new policies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Duration, Inventory, PolicyName, Reading, Source, Timestamp};

/// So much may clocks differ before amiwarden no longer trusts any age. AWS itself refuses requests that are off by
/// five minutes (AWS General Reference, "Signature Version 4").
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_minutes(5);

/// What holds for one scope in one run besides what was read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What the last complete readings counted.
    pub baseline: Option<Tally>,
    /// Why changes are paused, if they are.
    pub pause: Option<String>,
    /// What is wrong with the clock, if something is.
    pub clock_doubt: Option<String>,
    /// In how many cycles each policy has been rehearsed since it last changed. Nothing when a person looks at the
    /// plan before it is carried out.
    pub rehearsed_cycles: Option<BTreeMap<PolicyName, u32>>,
}

/// How much there was of everything in a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The images; nothing where they were not read to their end.
    pub images: Option<ImageTally>,
    /// Images that something refers to, by the source that shows it; only sources that were read to their end.
    pub references: BTreeMap<Source, usize>,
}

/// Counts of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageTally {
    /// All of them.
    pub all: usize,
    /// Those that have a tag.
    pub tagged: usize,
    /// Those of which a launch was reported.
    pub launched: usize,
}

impl ImageTally {
    fn of(inventory: &Inventory) -> Self {
        let images = inventory.images.values();
        Self {
            all: images.len(),
            tagged: images.clone().filter(|image| !image.tags.is_empty()).count(),
            launched: images.filter(|image| image.last_launched_at != Reading::Absent).count(),
        }
    }
}

impl Tally {
    /// What `inventory` counts.
    pub fn of(inventory: &Inventory) -> Self {
        let images = inventory.is_complete_for(Source::Images).then(|| ImageTally::of(inventory));
        Self { images, references: inventory.references() }
    }

    /// The same, where nothing newer is known.
    #[must_use]
    pub fn or(mut self, earlier: &Self) -> Self {
        self.images = self.images.or(earlier.images);
        for (source, count) in &earlier.references {
            self.references.entry(*source).or_insert(*count);
        }
        self
    }

    /// What has fallen by more than `percent` since `earlier`, in words. One thing less is no collapse, unless it
    /// was the last.
    pub fn collapse_since(&self, earlier: &Self, percent: u32) -> Option<String> {
        let fell = |now: usize, before: usize| {
            let lost = before.saturating_sub(now);
            let is_more = lost.saturating_mul(100) > before.saturating_mul(percent as usize);
            is_more && (lost > 1 || now == 0)
        };
        if let (Some(now), Some(before)) = (self.images, earlier.images) {
            let counts = [
                ("images", now.all, before.all),
                ("images with tags", now.tagged, before.tagged),
                ("images with a last launch", now.launched, before.launched),
            ];
            if let Some((what, now, before)) = counts.into_iter().find(|(_, now, before)| fell(*now, *before))
            {
                return Some(format!("{now} {what}, where the last complete reading counted {before}"));
            }
        }
        self.references.iter().find_map(|(source, now)| {
            let before = earlier.references.get(source)?;
            fell(*now, *before).then(|| {
                format!("{source} refer to {now} images, where the last complete reading counted {before}")
            })
        })
    }
}

/// Why the clock of this machine cannot be trusted, if so. `newest_record` is the newest instant that the store
/// holds, `server_time` what AWS said the time was when `now` was read.
pub fn clock_doubt(
    now: Timestamp,
    newest_record: Option<Timestamp>,
    server_time: Option<Timestamp>,
) -> Option<String> {
    let is_off =
        |earlier: Timestamp, later: Timestamp| Duration::between(earlier, later) > CLOCK_DIFFERENCE_MAX;
    if let Some(newest) = newest_record.filter(|newest| is_off(now, *newest)) {
        return Some(format!(
            "the clock of this machine says {now}, but the store holds a record of {newest}"
        ));
    }
    let server = server_time.filter(|server| is_off(now, *server) || is_off(*server, now))?;
    Some(format!("the clock of this machine says {now}, and that of AWS {server}"))
}
