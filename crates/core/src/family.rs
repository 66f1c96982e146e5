//! Families: images that are versions of the same thing, and each one's place among them.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use crate::{Fact, Image, ImageId, ImageState, Timestamp};

/// How an image's family is found: by a tag, else by the group `family` of a pattern over its name.
#[derive(Clone, Debug)]
pub struct FamilyRule {
    tag: Option<String>,
    name_pattern: Option<Regex>,
}

/// The family pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseFamilyRuleError {
    /// Not a regular expression.
    #[error("the family name pattern is not a regular expression: {0}")]
    Pattern(String),
    /// It names no family.
    #[error("the family name pattern `{0}` has no group `(?<family>…)`")]
    NoGroup(String),
}

impl FamilyRule {
    /// A rule from a tag key, a regular expression with a group `family`, or both.
    pub fn new(tag: Option<String>, name_pattern: Option<&str>) -> Result<Self, ParseFamilyRuleError> {
        let name_pattern = name_pattern.map(Self::pattern).transpose()?;
        Ok(Self { tag, name_pattern })
    }

    /// The family of `image`, if it has one.
    pub fn family_of(&self, image: &Image) -> Option<String> {
        let by_tag = self.tag.as_ref().and_then(|key| image.tags.get(key));
        by_tag.cloned().or_else(|| {
            let captures = self.name_pattern.as_ref()?.captures(image.name.as_deref()?)?;
            Some(captures.name("family")?.as_str().to_owned())
        })
    }

    fn pattern(pattern: &str) -> Result<Regex, ParseFamilyRuleError> {
        let regex = Regex::new(pattern).map_err(|error| ParseFamilyRuleError::Pattern(error.to_string()))?;
        if regex.capture_names().flatten().any(|name| name == "family") {
            Ok(regex)
        } else {
            Err(ParseFamilyRuleError::NoGroup(pattern.to_owned()))
        }
    }
}

/// An image's place in its family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyPlace {
    /// The family's name.
    pub name: String,
    /// How many images of the family are newer *and could be launched today*: 0 for the newest. Images that
    /// are not available, come from the future or have no readable date never push another one down.
    pub rank: Fact<u32>,
    /// How many images of the family could be launched today.
    pub size: u32,
}

/// The place of every image that has a family. `family_of` names the family of an image.
pub fn place_families<'a>(
    images: impl IntoIterator<Item = &'a Image>,
    now: Timestamp,
    mut family_of: impl FnMut(&Image) -> Option<String>,
) -> BTreeMap<ImageId, FamilyPlace> {
    let mut members: BTreeMap<String, Vec<&Image>> = BTreeMap::new();
    for image in images {
        if let Some(family) = family_of(image) {
            members.entry(family).or_default().push(image);
        }
    }
    let mut places = BTreeMap::new();
    for (name, family) in members {
        let launchable: BTreeSet<(Timestamp, &ImageId)> =
            family.iter().filter_map(|image| Some((launchable_since(image, now)?, &image.id))).collect();
        let sorted: Vec<_> = launchable.into_iter().collect();
        let size = count(sorted.len());
        for image in family {
            let rank = match image.created_at.present() {
                Some(created_at) => {
                    let not_newer = sorted.partition_point(|other| *other <= (*created_at, &image.id));
                    Fact::Known(count(sorted.len() - not_newer))
                }
                None => Fact::Unknown("its creation date cannot be read, so neither can its rank".to_owned()),
            };
            places.insert(image.id.clone(), FamilyPlace { name: name.clone(), rank, size });
        }
    }
    places
}

fn launchable_since(image: &Image, now: Timestamp) -> Option<Timestamp> {
    let created_at = *image.created_at.present()?;
    (image.state == ImageState::Available && created_at <= now).then_some(created_at)
}

/// EC2 holds at most 50,000 images per Region, so the count always fits.
fn count(images: usize) -> u32 {
    u32::try_from(images).unwrap_or(u32::MAX)
}
