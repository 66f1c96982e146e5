//! The guards that look at one image and one change.

use crate::{
    ActionKind, Fact, Facts, Guard, ImageState, Inventory, Ladder, Limits, LimitsOverride, Permanent,
};

/// What the guards of one image look at.
pub(crate) struct ImageCheck<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) inventory: &'a Inventory,
    pub(crate) kind: ActionKind,
    /// Whether the same image is to be disabled in this cycle.
    pub(crate) is_disabled_too: bool,
    pub(crate) limits: &'a Limits,
    /// The limits of every policy that asks for the change.
    pub(crate) overrides: &'a [&'a LimitsOverride],
}

/// Why a guard holds the change back, if it does.
type Holds = fn(&ImageCheck<'_>) -> Option<String>;

/// The first guard that holds the change back, with its reason; `None` when none does.
pub(crate) fn check_image(check: &ImageCheck<'_>) -> Option<(Guard, String)> {
    let guards: [(Guard, Holds); 12] = [
        (Guard::OptOut, opt_out),
        (Guard::Pending, pending),
        (Guard::BackupManaged, backup_managed),
        (Guard::Protected, protected),
        (Guard::OneRung, one_rung),
        (Guard::Ladder, ladder),
        (Guard::MinimumAge, minimum_age),
        (Guard::MinimumHold, minimum_hold),
        (Guard::NewestOfFamily, newest_of_family),
        (Guard::UsageProof, usage_proof),
        (Guard::Completeness, completeness),
        (Guard::RecycleBin, recycle_bin),
    ];
    guards.into_iter().find_map(|(guard, holds)| Some((guard, holds(check)?)))
}

fn opt_out(check: &ImageCheck<'_>) -> Option<String> {
    let key = &check.limits.opt_out_tag;
    check.facts.image.tags.contains_key(key).then(|| format!("it carries the tag {key}"))
}

fn pending(check: &ImageCheck<'_>) -> Option<String> {
    let state = &check.facts.image.state;
    match state {
        // A failed image can be launched by nobody; removing or tagging it is ordinary hygiene.
        ImageState::Available
        | ImageState::Disabled
        | ImageState::Failed
        | ImageState::Invalid
        | ImageState::Error => None,
        ImageState::Pending | ImageState::Transient | ImageState::Deregistered | ImageState::Other(_) => {
            Some(format!("it is {state}"))
        }
    }
}

fn backup_managed(check: &ImageCheck<'_>) -> Option<String> {
    (check.kind.is_lifecycle() && check.facts.image.is_backup_managed())
        .then(|| "AWS Backup manages it and refuses others: expire its recovery point instead".to_owned())
}

fn protected(check: &ImageCheck<'_>) -> Option<String> {
    let protection = &check.facts.image.protection;
    (check.kind == ActionKind::Deregister && protection.protects())
        .then(|| format!("its deregistration protection is `{}`", protection.as_str()))
}

fn one_rung(check: &ImageCheck<'_>) -> Option<String> {
    (check.kind == ActionKind::Deregister && check.is_disabled_too)
        .then(|| "it is to be disabled in this cycle; deregistering can follow in a later one".to_owned())
}

fn ladder(check: &ImageCheck<'_>) -> Option<String> {
    let needs_disabled = check.limits.ladder == Ladder::DisabledFirst;
    let state = &check.facts.image.state;
    (check.kind == ActionKind::Deregister && needs_disabled && *state != ImageState::Disabled).then(|| {
        format!("it is {state}; only disabled images are deregistered (ladder = \"disabled-first\")")
    })
}

fn minimum_age(check: &ImageCheck<'_>) -> Option<String> {
    if !check.kind.is_lifecycle() {
        return None;
    }
    let minimum = strictest(check.limits.min_age, check.overrides, |limits| limits.min_age);
    match &check.facts.age {
        Fact::Known(age) if *age >= minimum => None,
        Fact::Known(age) => Some(format!("it is {age} old, less than {minimum}")),
        doubt => Some(format!("its age is not known: {}", words(doubt))),
    }
}

fn minimum_hold(check: &ImageCheck<'_>) -> Option<String> {
    if check.kind != ActionKind::Deregister {
        return None;
    }
    let minimum = strictest(check.limits.min_hold, check.overrides, |limits| limits.min_hold);
    match &check.facts.disabled_for {
        Fact::Known(Some(held)) if *held >= minimum => None,
        Fact::Known(Some(held)) => Some(format!("it has been disabled for {held}, less than {minimum}")),
        // Only reached with `ladder = "any"`, where an image may go that was never disabled.
        Fact::Known(None) => None,
        doubt => Some(format!("how long it has been disabled is not known: {}", words(doubt))),
    }
}

fn newest_of_family(check: &ImageCheck<'_>) -> Option<String> {
    if !check.kind.is_destructive() || check.facts.image.state != ImageState::Available {
        return None;
    }
    let family = check.facts.family.as_ref()?;
    let keep = strictest(check.limits.keep_newest, check.overrides, |limits| limits.keep_newest);
    match &family.rank {
        Fact::Known(rank) if *rank >= keep => None,
        Fact::Known(0) => Some(format!("it is the newest launchable image of {}", family.name)),
        Fact::Known(rank) => Some(format!(
            "{rank} launchable images of {} are newer, and the newest {keep} are kept",
            family.name
        )),
        doubt => Some(format!("its rank in {} is not known: {}", family.name, words(doubt))),
    }
}

fn usage_proof(check: &ImageCheck<'_>) -> Option<String> {
    if !check.kind.is_destructive() {
        return None;
    }
    match &check.facts.in_use {
        Fact::Known(false) => None,
        Fact::Known(true) => {
            let uses = check.inventory.uses.get(&check.facts.image.id).map_or(&[][..], Vec::as_slice);
            Some(match uses {
                [] => "something uses it".to_owned(),
                [only] => format!("used by {only}"),
                [first, others @ ..] => format!("used by {first} and {} more", others.len()),
            })
        }
        doubt => Some(format!("it cannot be ruled out that something uses it: {}", words(doubt))),
    }
}

fn completeness(check: &ImageCheck<'_>) -> Option<String> {
    if !check.kind.is_destructive() {
        return None;
    }
    let (source, gap) = check.inventory.gaps().next()?;
    Some(format!("the {source} of the scope were not all read: {gap}"))
}

fn recycle_bin(check: &ImageCheck<'_>) -> Option<String> {
    (check.kind == ActionKind::Deregister && check.limits.permanent == Permanent::Refuse).then(|| {
        "no Recycle Bin rule is known to cover it, so it could not be restored \
         (limits.permanent = \"allow\" accepts that)"
            .to_owned()
    })
}

/// The strictest of the global limit and those of the policies: for all of these, larger is stricter.
fn strictest<T: Ord + Copy>(
    global: T,
    overrides: &[&LimitsOverride],
    limit: impl Fn(&LimitsOverride) -> Option<T>,
) -> T {
    overrides.iter().filter_map(|limits| limit(limits)).fold(global, T::max)
}

fn words<T>(fact: &Fact<T>) -> String {
    match fact {
        Fact::Known(_) => "known".to_owned(),
        Fact::Unknown(reason) => reason.clone(),
        Fact::NotFetched(need) => format!("{need} not read"),
    }
}
