//! The families of a policy that defines `fn family(image)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use amiwarden_core::{Fact, Facts, FamilyPlace, ImageId, PolicyFailure, place_families};

/// Where a policy's images stand in their families.
#[derive(Clone, Debug)]
pub(crate) enum Families {
    /// In those that the configuration defines.
    Configured,
    /// In the policy's own, which nobody has placed: that takes all images of a scope.
    Unplaced,
    /// In the policy's own.
    Own(Arc<OwnFamilies>),
}

/// The places in a policy's own families.
#[derive(Debug)]
pub(crate) struct OwnFamilies {
    places: BTreeMap<ImageId, FamilyPlace>,
    failures: BTreeMap<ImageId, PolicyFailure>,
}

impl Families {
    pub(crate) fn place<'a>(&'a self, facts: &'a Facts) -> Fact<Option<&'a FamilyPlace>> {
        match self {
            Self::Configured => Fact::Known(facts.family.as_ref()),
            Self::Unplaced => Fact::Unknown(
                "this policy defines its own families, and they are known only once all images of the Region are \
                 looked at together"
                    .to_owned(),
            ),
            Self::Own(own) => Fact::Known(own.places.get(&facts.image.id)),
        }
    }

    /// Why this image has no family, if finding it out failed.
    pub(crate) fn failure(&self, image: &ImageId) -> Option<&PolicyFailure> {
        match self {
            Self::Configured | Self::Unplaced => None,
            Self::Own(own) => own.failures.get(image),
        }
    }
}

/// Places all images by what `family_of` says. An image for which it fails belongs to no family: that can only
/// move others up, towards being kept, and its own evaluation fails with the same failure.
pub(crate) fn place_own(
    facts: &BTreeMap<ImageId, Arc<Facts>>,
    mut family_of: impl FnMut(&Arc<Facts>) -> Result<Option<String>, PolicyFailure>,
) -> OwnFamilies {
    let mut names = BTreeMap::new();
    let mut failures = BTreeMap::new();
    for (id, facts) in facts {
        match family_of(facts) {
            Ok(Some(name)) => {
                names.insert(id.clone(), name);
            }
            Ok(None) => {}
            Err(failure) => {
                failures.insert(id.clone(), failure);
            }
        }
    }
    let images = facts.values().map(|facts| &*facts.image);
    let places = match facts.values().next() {
        Some(first) => place_families(images, first.now, |image| names.get(&image.id).cloned()),
        None => BTreeMap::new(),
    };
    OwnFamilies { places, failures }
}
