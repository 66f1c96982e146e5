//! Contradictions cancel each other; what is left of one kind is merged into one action.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Action, ActionKind, Because, Conflict, GrantFilter, LaunchPermission, Mode, PolicyName, SnapshotFate,
};

/// One action that one rule asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) action: Action,
    pub(super) because: Because,
}

/// Kinds of which never both can be meant.
const EXCLUSIVE: [(ActionKind, ActionKind); 5] = [
    (ActionKind::Disable, ActionKind::Enable),
    (ActionKind::Enable, ActionKind::Deregister),
    (ActionKind::Deprecate, ActionKind::Undeprecate),
    (ActionKind::Protect, ActionKind::Unprotect),
    (ActionKind::Protect, ActionKind::Deregister),
];

/// Takes out whatever contradicts something else, and says what it was. All contradictions are found before
/// any is taken out, so the order of policies does not matter.
pub(super) fn cancel_contradictions(all: &mut Vec<Asked>) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let kinds = cancelled_kinds(all, &mut conflicts);
    let tags = contested_tags(all, &mut conflicts);
    let grants = contested_grants(all, &mut conflicts);
    all.retain(|asked| !kinds.contains(&asked.action.kind()));
    for asked in all.iter_mut() {
        match &mut asked.action {
            Action::Tag(wanted) => wanted.retain(|key, _| !tags.contains(key)),
            Action::Untag(unwanted) => unwanted.retain(|key| !tags.contains(key)),
            Action::Share(wanted) => {
                *wanted = GrantFilter::new(wanted.iter().filter(|grant| !grants.contains(grant)).cloned());
            }
            Action::StripShares { except } => {
                *except = GrantFilter::new(except.iter().chain(&grants).cloned());
            }
            _ => {}
        }
    }
    all.retain(|asked| !asks_for_nothing(&asked.action));
    conflicts
}

fn cancelled_kinds(all: &[Asked], conflicts: &mut Vec<Conflict>) -> BTreeSet<ActionKind> {
    let mut cancelled = BTreeSet::new();
    for (one, other) in EXCLUSIVE {
        let has = |kind| all.iter().any(|asked| asked.action.kind() == kind);
        if has(one) && has(other) {
            let because = who(all, |action| [one, other].contains(&action.kind()));
            conflicts.push(Conflict { about: format!("{one} against {other}"), because });
            cancelled.extend([one, other]);
        }
    }
    for kind in [ActionKind::SetDescription, ActionKind::Deprecate] {
        let mut of_kind = all.iter().filter(|asked| asked.action.kind() == kind);
        let first = of_kind.next();
        if first.is_some_and(|first| of_kind.any(|asked| asked.action != first.action)) {
            let because = who(all, |action| action.kind() == kind);
            conflicts.push(Conflict { about: format!("two different values for {kind}"), because });
            cancelled.insert(kind);
        }
    }
    cancelled
}

/// Keys that are to have two values, or a value and none.
fn contested_tags(all: &[Asked], conflicts: &mut Vec<Conflict>) -> BTreeSet<String> {
    let mut values: BTreeMap<&String, BTreeSet<Option<&String>>> = BTreeMap::new();
    for asked in all {
        match &asked.action {
            Action::Tag(tags) => {
                for (key, value) in tags {
                    values.entry(key).or_default().insert(Some(value));
                }
            }
            Action::Untag(keys) => {
                for key in keys {
                    values.entry(key).or_default().insert(None);
                }
            }
            _ => {}
        }
    }
    let contested = values.into_iter().filter(|(_, values)| values.len() > 1);
    let keys: BTreeSet<String> = contested.map(|(key, _)| key.clone()).collect();
    for key in &keys {
        let because = who(all, |action| match action {
            Action::Tag(tags) => tags.contains_key(key),
            Action::Untag(keys) => keys.contains(key),
            _ => false,
        });
        conflicts.push(Conflict { about: format!("tag \"{key}\""), because });
    }
    keys
}

/// Grants that one action gives and another takes away.
fn contested_grants(all: &[Asked], conflicts: &mut Vec<Conflict>) -> BTreeSet<LaunchPermission> {
    let strips = |grant: &LaunchPermission| {
        all.iter().any(|asked| match &asked.action {
            Action::StripShares { except } => !except.contains(grant),
            _ => false,
        })
    };
    let shared = all.iter().flat_map(|asked| match &asked.action {
        Action::Share(grants) => grants.iter().cloned().collect(),
        _ => Vec::new(),
    });
    let contested: BTreeSet<LaunchPermission> = shared.filter(|grant| strips(grant)).collect();
    for grant in &contested {
        let because = who(all, |action| match action {
            Action::Share(grants) => grants.contains(grant),
            Action::StripShares { except } => !except.contains(grant),
            _ => false,
        });
        conflicts.push(Conflict { about: format!("sharing with {grant}"), because });
    }
    contested
}

fn who(all: &[Asked], involved: impl Fn(&Action) -> bool) -> Vec<Because> {
    all.iter().filter(|asked| involved(&asked.action)).map(|asked| asked.because.clone()).collect()
}

fn asks_for_nothing(action: &Action) -> bool {
    match action {
        Action::Tag(tags) => tags.is_empty(),
        Action::Untag(keys) => keys.is_empty(),
        Action::Share(grants) => grants.iter().next().is_none(),
        _ => false,
    }
}

/// What all who ask for actions of one kind come to.
pub(super) struct Merged {
    pub(super) action: Action,
    pub(super) mode: Mode,
    pub(super) because: Vec<Because>,
}

/// The actions that are left, in the order of execution: of each kind what the policies in force ask for, and
/// besides it what those that only observe would add. The latter never alters the former.
pub(super) fn merge(all: Vec<Asked>, mode_of: impl Fn(&PolicyName) -> Mode) -> Vec<Merged> {
    let mut by_kind: BTreeMap<(ActionKind, Reverse<Mode>), Merged> = BTreeMap::new();
    for Asked { action, because } in all {
        let mode = mode_of(&because.policy);
        match by_kind.entry((action.kind(), Reverse(mode))) {
            Entry::Vacant(place) => {
                place.insert(Merged { action, mode, because: vec![because] });
            }
            Entry::Occupied(mut place) => {
                let merged = place.get_mut();
                merge_into(&mut merged.action, action);
                merged.because.push(because);
            }
        }
    }
    let mut merged: Vec<Merged> = Vec::with_capacity(by_kind.len());
    for mut next in by_kind.into_values() {
        match merged.last_mut() {
            // Observers who ask for the very same thing merely agree.
            Some(enforced) if enforced.action == next.action => enforced.because.append(&mut next.because),
            _ => merged.push(next),
        }
    }
    for Merged { because, .. } in &mut merged {
        because.sort();
        because.dedup();
    }
    merged
}

/// Merges an action of the same kind. Where two differ in degree, the safer one stands: snapshots are kept, a
/// protection cools down.
fn merge_into(merged: &mut Action, other: Action) {
    match (merged, other) {
        (Action::StripShares { except }, Action::StripShares { except: others }) => {
            *except = GrantFilter::new(except.iter().filter(|grant| others.contains(grant)).cloned());
        }
        (Action::Share(grants), Action::Share(others)) => {
            *grants = GrantFilter::new(grants.iter().chain(others.iter()).cloned());
        }
        (Action::Tag(tags), Action::Tag(others)) => tags.extend(others),
        (Action::Untag(keys), Action::Untag(others)) => keys.extend(others),
        (Action::Protect { cooldown }, Action::Protect { cooldown: other }) => *cooldown |= other,
        (Action::Deregister(fate), Action::Deregister(SnapshotFate::Keep)) => *fate = SnapshotFate::Keep,
        // The rest are equal by now: different values have cancelled each other.
        _ => {}
    }
}
