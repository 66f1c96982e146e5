//! What a step rests on, as a short text that changes when the image does.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Change, DISABLED_AT_TAG, Image, LaunchPermissions};

/// A part of an image that a decision may rest on and that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceField {
    /// Its state.
    State,
    /// Whether it is public.
    Public,
    /// Its launch permissions.
    LaunchPermissions,
    /// Its description.
    Description,
    /// Its tags.
    Tags,
    /// Its protection from deregistration.
    Protection,
    /// Its deprecation date.
    Deprecation,
    /// Whether it requires IMDSv2.
    ImdsSupport,
    /// Its last launch.
    LastLaunch,
    /// Owner, creation, name: these never change while the id is the same.
    Identity,
}

impl EvidenceField {
    const ALL: [Self; 10] = [
        Self::State,
        Self::Public,
        Self::LaunchPermissions,
        Self::Description,
        Self::Tags,
        Self::Protection,
        Self::Deprecation,
        Self::ImdsSupport,
        Self::LastLaunch,
        Self::Identity,
    ];
}

/// What a fingerprint leaves out because earlier steps of the same plan change it. Tags are left out one by
/// one, so that a tag that somebody else sets in the meantime is still noticed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mask {
    fields: BTreeSet<EvidenceField>,
    tags: BTreeSet<String>,
}

impl Mask {
    /// Leaves out whatever these changes change.
    pub fn of_changes<'a>(changes: impl Iterator<Item = &'a Change>) -> Self {
        let mut mask = Self::default();
        for change in changes {
            mask.add(change);
        }
        mask
    }

    fn add(&mut self, change: &Change) {
        use EvidenceField as Field;
        match change {
            Change::StripPublic => self.fields.extend([Field::Public, Field::LaunchPermissions]),
            Change::StripShares(_) | Change::Share(_) => {
                self.fields.insert(Field::LaunchPermissions);
            }
            Change::SetDescription(_) => {
                self.fields.insert(Field::Description);
            }
            Change::RequireImdsV2 => {
                self.fields.insert(Field::ImdsSupport);
            }
            Change::Tag(tags) => self.tags.extend(tags.keys().cloned()),
            Change::Untag(keys) => self.tags.extend(keys.iter().cloned()),
            Change::Protect { .. } | Change::Unprotect => {
                self.fields.insert(Field::Protection);
            }
            Change::Deprecate(_) | Change::SetDeprecation(_) | Change::Undeprecate => {
                self.fields.insert(Field::Deprecation);
            }
            Change::Disable | Change::Enable => {
                self.fields.extend([Field::State, Field::Public, Field::LaunchPermissions]);
                self.tags.insert(DISABLED_AT_TAG.to_owned());
            }
            Change::Deregister(_) | Change::Restore { .. } => self.fields.extend(Field::ALL),
        }
    }
}

/// A digest of the evidence. Equal evidence has equal fingerprints.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Its text: 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The fingerprint of an image, leaving out the fields that earlier steps of the same plan change. Where the
/// launch permissions were not read, they are not part of the evidence either.
pub fn fingerprint(image: &Image, permissions: Option<&LaunchPermissions>, mask: &Mask) -> Fingerprint {
    let mut hash = Sha256::new();
    for field in EvidenceField::ALL.iter().filter(|field| !mask.fields.contains(field)) {
        // The debug form names every variant and quotes every text, so two different images cannot look alike.
        let text = match field {
            EvidenceField::State => image.state.as_str().to_owned(),
            EvidenceField::Public => format!("{:?}", image.public),
            EvidenceField::LaunchPermissions => format!("{permissions:?}"),
            EvidenceField::Description => format!("{:?}", image.description),
            EvidenceField::Tags => {
                let tags = image.tags.iter().filter(|(key, _)| !mask.tags.contains(*key));
                format!("{:?}", tags.collect::<Vec<_>>())
            }
            EvidenceField::Protection => image.protection.as_str().to_owned(),
            EvidenceField::Deprecation => format!("{:?}", image.deprecated_at),
            EvidenceField::ImdsSupport => format!("{:?}", image.imds_support),
            EvidenceField::LastLaunch => format!("{:?}", image.last_launched_at),
            EvidenceField::Identity => {
                format!("{:?} {:?} {:?} {:?}", image.id, image.owner, image.name, image.created_at)
            }
        };
        hash.update(format!("{field:?}\0{}\0{text}\0", text.len()));
    }
    Fingerprint(hex(&hash.finalize()[..16]))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
