//! What the last changes replaced, so that stale reads can be answered.

use std::collections::VecDeque;

use super::{Binned, Change, Deregistered, ImageRecord, SnapshotRecord, World};

/// How many changes are remembered.
const CHANGES_MAX: usize = 256;

/// The records that the last changes replaced, newest last.
#[derive(Debug, Default)]
pub(crate) struct History {
    changes: VecDeque<Vec<Replaced>>,
}

/// One record as it was before a change.
#[derive(Debug)]
enum Replaced {
    Image(String, Box<ImagePast>),
    Snapshot(String, Option<Box<SnapshotRecord>>, Option<Box<Binned<SnapshotRecord>>>),
}

/// All that the world knew of an image.
#[derive(Debug)]
struct ImagePast {
    image: Option<ImageRecord>,
    gone: Option<Deregistered>,
    binned: Option<Binned<ImageRecord>>,
}

impl History {
    /// What a change is about to replace. It is kept with [`Self::keep`] once the change has happened.
    pub(crate) fn before(world: &World, change: &Change) -> Before {
        Before(
            touched(world, change)
                .into_iter()
                .map(|id| {
                    if id.starts_with("snap-") {
                        let snapshot = world.snapshots.get(&id).cloned().map(Box::new);
                        let binned = world.recycle_bin.snapshots.get(&id).cloned().map(Box::new);
                        Replaced::Snapshot(id, snapshot, binned)
                    } else {
                        let past = ImagePast {
                            image: world.images.get(&id).cloned(),
                            gone: world.deregistered.get(&id).cloned(),
                            binned: world.recycle_bin.images.get(&id).cloned(),
                        };
                        Replaced::Image(id, Box::new(past))
                    }
                })
                .collect(),
        )
    }

    /// Remembers a change that has happened.
    pub(crate) fn keep(&mut self, before: Before) {
        if self.changes.len() == CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(before.0);
    }

    /// The world as it was before the last `count` changes, as far back as they are remembered.
    pub(crate) fn rewind(&self, world: &World, count: usize) -> World {
        let mut world = world.clone();
        for replaced in self.changes.iter().rev().take(count).flatten() {
            match replaced {
                Replaced::Image(id, past) => {
                    restore(&mut world.images, id, past.image.as_ref());
                    restore(&mut world.deregistered, id, past.gone.as_ref());
                    restore(&mut world.recycle_bin.images, id, past.binned.as_ref());
                }
                Replaced::Snapshot(id, snapshot, binned) => {
                    restore(&mut world.snapshots, id, snapshot.as_deref());
                    restore(&mut world.recycle_bin.snapshots, id, binned.as_deref());
                }
            }
        }
        world
    }
}

/// The records that one change is about to replace.
#[derive(Debug)]
pub(crate) struct Before(Vec<Replaced>);

fn restore<T: Clone>(map: &mut std::collections::BTreeMap<String, T>, id: &str, value: Option<&T>) {
    match value {
        Some(value) => map.insert(id.to_owned(), value.clone()),
        None => map.remove(id),
    };
}

/// Ids of the images and snapshots that a change can alter.
fn touched(world: &World, change: &Change) -> Vec<String> {
    match change {
        Change::DisableImage { image_id }
        | Change::EnableImage { image_id }
        | Change::ModifyLaunchPermissions { image_id, .. }
        | Change::SetDescription { image_id, .. }
        | Change::SetImdsSupport { image_id, .. }
        | Change::EnableDeprecation { image_id, .. }
        | Change::DisableDeprecation { image_id }
        | Change::EnableProtection { image_id, .. }
        | Change::DisableProtection { image_id }
        | Change::RestoreImage { image_id } => vec![image_id.clone()],
        Change::DeregisterImage { image_id, .. } => {
            let mut ids = vec![image_id.clone()];
            if let Some(image) = world.images.get(image_id) {
                ids.extend(image.snapshots.iter().cloned());
            }
            ids
        }
        Change::CreateTags { resources, .. } | Change::DeleteTags { resources, .. } => resources.clone(),
        Change::DeleteSnapshot { snapshot_id } | Change::RestoreSnapshot { snapshot_id } => {
            vec![snapshot_id.clone()]
        }
    }
}
