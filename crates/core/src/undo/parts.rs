//! The parts of an image that changes touch, each brought back by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{DoneChange, Undo};
use crate::{
    Change, DISABLED_AT_TAG, DeregistrationProtection, Fact, Image, ImageState, LaunchPermission,
    LaunchPermissions, Reading, Timestamp,
};

/// Why something is left alone.
const CHANGED_SINCE: &str = "somebody has changed it since: it is left as it is";
const NOT_SAVED: &str = "what it was before was not saved";

pub(super) struct Work<'a> {
    pub(super) done: &'a [DoneChange],
    /// The image as it is, or will be once it is restored.
    pub(super) image: &'a Image,
    pub(super) permissions: &'a LaunchPermissions,
    pub(super) now: Timestamp,
    pub(super) undo: &'a mut Undo,
}

impl<'a> Work<'a> {
    /// The oldest and the newest of the changes that touch something.
    fn touching(&self, touches: impl Fn(&Change) -> bool) -> Option<(&'a DoneChange, &'a DoneChange)> {
        let mut touching = self.done.iter().filter(|done| touches(&done.change));
        let oldest = touching.next()?;
        Some((oldest, touching.next_back().unwrap_or(oldest)))
    }

    /// Whether what `done` brought about still holds.
    fn still_holds(&self, done: &DoneChange) -> bool {
        done.change.holds(Some(self.image), Some(self.permissions), self.now) == Fact::Known(true)
    }

    /// Brings one part back: `wanted` is the change that does it, nothing where it is as it was.
    fn bring_back(&mut self, newest: &DoneChange, wanted: Option<Change>, touches: fn(&Change) -> bool) {
        let Some(wanted) = wanted else { return };
        if self.still_holds(newest) {
            self.undo.changes.push(wanted);
        } else {
            self.refuse(CHANGED_SINCE, touches);
        }
    }

    fn refuse(&mut self, reason: impl Into<String>, touches: impl Fn(&Change) -> bool) {
        self.undo.refuse(self.done, reason, touches);
    }

    pub(super) fn state(&mut self) {
        let Some((oldest, newest)) = self.touching(touches_state) else { return };
        let before = oldest.image.as_ref().map(|image| &image.state);
        let wanted = match (before, &self.image.state) {
            (Some(before), now) if before == now => None,
            (Some(ImageState::Available), _) => Some(Change::Enable),
            (Some(ImageState::Disabled), _) => Some(Change::Disable),
            _ => {
                self.refuse(NOT_SAVED, touches_state);
                None
            }
        };
        self.bring_back(newest, wanted, touches_state);
    }

    pub(super) fn launch_permissions(&mut self) {
        // A disabled image has no launch permissions, and can get none before it is enabled.
        let is_enabled_again = self.undo.changes.contains(&Change::Enable);
        let will_be_disabled = match self.undo.changes.iter().rev().find_map(state_after) {
            Some(state) => state == ImageState::Disabled,
            None => self.image.state == ImageState::Disabled,
        };
        let mut give = LaunchPermissions::new();
        let mut take = LaunchPermissions::new();
        let mut touched: BTreeSet<&LaunchPermission> = BTreeSet::new();
        for done in self.done {
            let Some(saved) = &done.launch_permissions else {
                if touches_permissions(&done.change) {
                    self.refuse(NOT_SAVED, |change| *change == done.change);
                }
                continue;
            };
            let grants: Vec<&LaunchPermission> = match &done.change {
                Change::StripPublic => vec![&LaunchPermission::Everyone],
                Change::StripShares(grants) | Change::Share(grants) => grants.iter().collect(),
                Change::Disable => saved.iter().collect(),
                _ => Vec::new(),
            };
            // Only the oldest change that touched a grant knows what it was before all of them.
            for grant in grants.into_iter().filter(|grant| touched.insert(grant)) {
                match (saved.contains(grant), self.permissions.contains(grant)) {
                    // Somebody else has enabled the image and knows whom it is shared with.
                    (true, false)
                        if done.change == Change::Disable && !is_enabled_again && !will_be_disabled =>
                    {
                        self.refuse(CHANGED_SINCE, |change| *change == Change::Disable);
                    }
                    (true, false) => _ = give.insert(grant.clone()),
                    (false, true) => _ = take.insert(grant.clone()),
                    (true, true) | (false, false) => {}
                }
            }
        }
        if will_be_disabled {
            if !give.is_empty() {
                let reason = "the image is disabled: launch permissions can only be given to an enabled one";
                self.refuse(reason, touches_permissions);
            }
            return;
        }
        if !give.is_empty() {
            self.undo.changes.push(Change::Share(give));
        }
        if take.remove(&LaunchPermission::Everyone) {
            self.undo.changes.push(Change::StripPublic);
        }
        if !take.is_empty() {
            self.undo.changes.push(Change::StripShares(take));
        }
    }

    pub(super) fn description(&mut self) {
        let touches: fn(&Change) -> bool = |change| matches!(change, Change::SetDescription(_));
        let Some((oldest, newest)) = self.touching(touches) else { return };
        let Some(before) = &oldest.image else { return };
        let text = |image: &Image| image.description.clone().unwrap_or_default();
        let wanted = text(before);
        let change = (wanted != text(self.image)).then_some(Change::SetDescription(wanted));
        self.bring_back(newest, change, touches);
    }

    pub(super) fn tags(&mut self) {
        let keys: BTreeSet<&str> = self.done.iter().flat_map(|done| tags_of(&done.change)).collect();
        let mut set = BTreeMap::new();
        let mut remove = BTreeSet::new();
        for key in keys {
            let touches = |change: &Change| tags_of(change).contains(&key);
            let Some((oldest, newest)) = self.touching(touches) else { continue };
            let Some(before) = oldest.image.as_ref().map(|image| image.tags.get(key)) else { continue };
            let now = self.image.tags.get(key);
            let is_ours = match &newest.change {
                Change::Tag(tags) => now == tags.get(key),
                Change::Untag(_) | Change::Enable => now.is_none(),
                // The tag that dates a disable.
                _ => now.is_some(),
            };
            // Disabling again sets the tag that dates it; where there was none, it goes again.
            let is_dated_anew = key == DISABLED_AT_TAG && self.undo.changes.contains(&Change::Disable);
            if before.is_none() && is_dated_anew {
                remove.insert(key.to_owned());
                continue;
            }
            if before == now {
                continue;
            }
            if !is_ours {
                self.refuse(format!("the tag {key}: {CHANGED_SINCE}"), touches);
                continue;
            }
            match before {
                Some(value) => {
                    set.insert(key.to_owned(), value.clone());
                }
                // Enabling takes the tag away that dates a disable.
                None if key == DISABLED_AT_TAG && self.undo.changes.contains(&Change::Enable) => {}
                None => {
                    remove.insert(key.to_owned());
                }
            }
        }
        if !set.is_empty() {
            self.undo.changes.push(Change::Tag(set));
        }
        if !remove.is_empty() {
            self.undo.changes.push(Change::Untag(remove));
        }
    }

    pub(super) fn protection(&mut self) {
        let touches: fn(&Change) -> bool =
            |change| matches!(change, Change::Protect { .. } | Change::Unprotect);
        let Some((oldest, newest)) = self.touching(touches) else { return };
        let Some(before) = oldest.image.as_ref().map(|image| &image.protection) else { return };
        let now = &self.image.protection;
        let wanted = match before {
            _ if before == now => None,
            DeregistrationProtection::On if *now == DeregistrationProtection::OnWithCooldown => {
                self.refuse(
                    "EC2 takes a cooldown away only 24 hours after the protection has ended",
                    touches,
                );
                None
            }
            DeregistrationProtection::On => Some(Change::Protect { cooldown: false }),
            DeregistrationProtection::OnWithCooldown => Some(Change::Protect { cooldown: true }),
            // It was on its way out of the protection.
            DeregistrationProtection::Off | DeregistrationProtection::Other(_) => {
                if *now == DeregistrationProtection::OnWithCooldown {
                    self.undo.notes.push(
                        "its deregistration protection has a cooldown: EC2 keeps it protected for 24 hours more"
                            .to_owned(),
                    );
                }
                Some(Change::Unprotect)
            }
        };
        self.bring_back(newest, wanted, touches);
    }

    pub(super) fn deprecation(&mut self) {
        let touches: fn(&Change) -> bool =
            |change| matches!(change, Change::Deprecate(_) | Change::SetDeprecation(_) | Change::Undeprecate);
        let Some((oldest, newest)) = self.touching(touches) else { return };
        let Some(before) = oldest.image.as_ref().map(|image| &image.deprecated_at) else { return };
        let wanted = match before {
            before if *before == self.image.deprecated_at => None,
            Reading::Absent if self.permissions.contains(&LaunchPermission::Everyone) => {
                self.refuse(
                    "EC2 takes the deprecation of a public image away only once it is private",
                    touches,
                );
                None
            }
            Reading::Absent => Some(Change::Undeprecate),
            Reading::Present(at) => {
                if *at <= self.now {
                    self.undo.notes.push(format!(
                        "it was deprecated from {at}; EC2 takes no date that has passed, so it is deprecated from now on"
                    ));
                }
                Some(Change::SetDeprecation(*at))
            }
            Reading::Unreadable(_) => {
                self.refuse(NOT_SAVED, touches);
                None
            }
        };
        self.bring_back(newest, wanted, touches);
    }
}

fn touches_state(change: &Change) -> bool {
    matches!(change, Change::Disable | Change::Enable)
}

fn state_after(change: &Change) -> Option<ImageState> {
    match change {
        Change::Enable => Some(ImageState::Available),
        Change::Disable => Some(ImageState::Disabled),
        _ => None,
    }
}

fn touches_permissions(change: &Change) -> bool {
    matches!(change, Change::StripPublic | Change::StripShares(_) | Change::Share(_) | Change::Disable)
}

/// The keys of the tags that a change sets or removes.
fn tags_of(change: &Change) -> Vec<&str> {
    match change {
        Change::Tag(tags) => tags.keys().map(String::as_str).collect(),
        Change::Untag(keys) => keys.iter().map(String::as_str).collect(),
        Change::Disable | Change::Enable => vec![DISABLED_AT_TAG],
        _ => Vec::new(),
    }
}
