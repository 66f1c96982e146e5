//! The guards that look at one image and one change.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::{
    Change, Circumstances, Fact, Facts, Guard, Image, ImageState, Inventory, Ladder, Limits, LimitsOverride,
    Permanent, PolicyName, Proof, RecycleBinCover, Timestamp,
};

/// What the guards of one image look at.
pub(crate) struct ImageCheck<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) inventory: &'a Inventory,
    pub(crate) circumstances: &'a Circumstances,
    pub(crate) change: &'a Change,
    /// Whether the same image is to be disabled in this cycle.
    pub(crate) is_disabled_too: bool,
    /// What is known of the image's uses, if the change takes it away.
    pub(crate) proof: Option<&'a Proof>,
    /// Whether it could be restored, if the change deregisters it.
    pub(crate) cover: Option<&'a RecycleBinCover>,
    pub(crate) limits: &'a Limits,
    /// The limits of every policy that asks for the change.
    pub(crate) overrides: &'a [(&'a PolicyName, &'a LimitsOverride)],
}

impl ImageCheck<'_> {
    fn is_deregistering(&self) -> bool {
        matches!(self.change, Change::Deregister(_))
    }

    fn is_lifecycle(&self) -> bool {
        self.change.kind().is_lifecycle()
    }

    fn is_destructive(&self) -> bool {
        self.change.kind().is_destructive()
    }

    /// The strictest of the global limit and those of the policies: for all of these, larger is stricter.
    fn strictest<T: Ord + Copy>(&self, global: T, limit: impl Fn(&LimitsOverride) -> Option<T>) -> T {
        self.overrides.iter().filter_map(|(_, limits)| limit(limits)).fold(global, T::max)
    }
}

/// Why a guard holds the change back, if it does.
type Holds = fn(&ImageCheck<'_>) -> Option<String>;

/// The first guard among those that `looks` says look, which holds the change back, with its reason; `None` when none
/// does. What has not been read yet holds nothing back here: whoever makes the plan has to see to it.
pub(crate) fn check_image(check: &ImageCheck<'_>, looks: fn(Guard) -> bool) -> Option<(Guard, String)> {
    let guards: [(Guard, Holds); 15] = [
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
        (Guard::NewPolicy, new_policy),
        (Guard::Window, window),
        (Guard::Pause, pause),
    ];
    guards
        .into_iter()
        .filter(|(guard, _)| looks(*guard))
        .find_map(|(guard, holds)| Some((guard, holds(check)?)))
}

fn opt_out(check: &ImageCheck<'_>) -> Option<String> {
    let (image, now) = (&check.facts.image, check.facts.now);
    let own = check.overrides.iter().filter_map(|(_, limits)| limits.opt_out_tag.as_deref());
    std::iter::once(check.limits.opt_out_tag.as_str()).chain(own).find_map(|key| opted_out(image, key, now))
}

/// Why the image is to be left alone by its tag `key`, if it is: for ever, or until the date that is the tag's
/// value. A day counts to its end in UTC. A value that is no date means for ever.
pub fn opted_out(image: &Image, key: &str, now: Timestamp) -> Option<String> {
    let value = image.tags.get(key)?;
    match until(value.trim()) {
        Some(until) if until <= now => None,
        Some(_) => Some(format!("it carries the tag {key} until {}", value.trim())),
        None => Some(format!("it carries the tag {key}")),
    }
}

fn until(value: &str) -> Option<Timestamp> {
    let end_of = |day: Date| day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok().map(|end| end.timestamp());
    value.parse::<Timestamp>().ok().or_else(|| value.parse::<Date>().ok().and_then(end_of))
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
    (check.is_lifecycle() && check.facts.image.is_backup_managed())
        .then(|| "AWS Backup manages it and refuses others: expire its recovery point instead".to_owned())
}

fn protected(check: &ImageCheck<'_>) -> Option<String> {
    let protection = &check.facts.image.protection;
    (check.is_deregistering() && protection.protects())
        .then(|| format!("its deregistration protection is `{}`", protection.as_str()))
}

fn one_rung(check: &ImageCheck<'_>) -> Option<String> {
    (check.is_deregistering() && check.is_disabled_too)
        .then(|| "it is to be disabled in this cycle; deregistering can follow in a later one".to_owned())
}

fn ladder(check: &ImageCheck<'_>) -> Option<String> {
    let own = check.overrides.iter().any(|(_, limits)| limits.ladder == Some(Ladder::DisabledFirst));
    let needs_disabled = own || check.limits.ladder == Ladder::DisabledFirst;
    let state = &check.facts.image.state;
    (check.is_deregistering() && needs_disabled && *state != ImageState::Disabled).then(|| {
        format!("it is {state}; only disabled images are deregistered (ladder = \"disabled-first\")")
    })
}

fn minimum_age(check: &ImageCheck<'_>) -> Option<String> {
    if !check.is_lifecycle() {
        return None;
    }
    let minimum = check.strictest(check.limits.min_age, |limits| limits.min_age);
    match &check.facts.age {
        Fact::Known(age) if *age >= minimum => None,
        Fact::Known(age) => Some(format!("it is {age} old, less than {minimum}")),
        doubt => Some(format!("its age is not known: {}", words(doubt))),
    }
}

fn minimum_hold(check: &ImageCheck<'_>) -> Option<String> {
    if !check.is_deregistering() {
        return None;
    }
    let minimum = check.strictest(check.limits.min_hold, |limits| limits.min_hold);
    match &check.facts.disabled_for {
        Fact::Known(Some(held)) if *held >= minimum => None,
        Fact::Known(Some(held)) => Some(format!("it has been disabled for {held}, less than {minimum}")),
        // Only reached with `ladder = "any"`, where an image may go that was never disabled.
        Fact::Known(None) => None,
        doubt => Some(format!("how long it has been disabled is not known: {}", words(doubt))),
    }
}

fn newest_of_family(check: &ImageCheck<'_>) -> Option<String> {
    if !check.is_destructive() || check.facts.image.state != ImageState::Available {
        return None;
    }
    let family = check.facts.family.as_ref()?;
    let keep = check.strictest(check.limits.keep_newest, |limits| limits.keep_newest);
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
    let proof = check.proof?;
    let uses: Vec<_> = proof.uses().collect();
    match uses[..] {
        [] => {}
        [only] => return Some(format!("used by {only}")),
        [first, ref others @ ..] => return Some(format!("used by {first} and {} more", others.len())),
    }
    let doubts: Vec<String> = proof.doubts().map(|(source, reason)| format!("{source}: {reason}")).collect();
    (!doubts.is_empty())
        .then(|| format!("it cannot be ruled out that something uses it ({})", doubts.join("; ")))
}

fn completeness(check: &ImageCheck<'_>) -> Option<String> {
    if !check.is_destructive() {
        return None;
    }
    let (source, gap) = check.inventory.gaps().next()?;
    Some(format!("the {source} of the scope were not all read: {gap}"))
}

fn recycle_bin(check: &ImageCheck<'_>) -> Option<String> {
    match check.cover? {
        RecycleBinCover::NotCovered(reason) => {
            Some(format!("{reason}, so it could not be restored (limits.permanent = \"allow\" accepts that)"))
        }
        RecycleBinCover::Covered { .. }
        | RecycleBinCover::RulesNotRead
        | RecycleBinCover::SnapshotsNotRead => None,
    }
}

fn new_policy(check: &ImageCheck<'_>) -> Option<String> {
    let rehearsed = check.circumstances.rehearsed_cycles.as_ref()?;
    check.overrides.iter().find_map(|(policy, limits)| {
        let wanted = limits.rehearse_cycles.unwrap_or(0).max(check.limits.rehearse_cycles);
        let cycles = rehearsed.get(*policy).copied().unwrap_or(0);
        (cycles < wanted).then(|| {
            format!("{policy} has been rehearsed in {cycles} of {wanted} cycles since it last changed")
        })
    })
}

fn window(check: &ImageCheck<'_>) -> Option<String> {
    let own = check.overrides.iter().filter_map(|(_, limits)| limits.window.as_ref());
    let closed = check.limits.window.iter().chain(own).find(|window| !window.is_open(check.facts.now))?;
    Some(format!("changes happen {closed}"))
}

fn pause(check: &ImageCheck<'_>) -> Option<String> {
    check.circumstances.pause.clone()
}

/// Whether the Recycle Bin has to cover an image before it is deregistered.
pub(crate) fn must_be_restorable(limits: &Limits, overrides: &[(&PolicyName, &LimitsOverride)]) -> bool {
    limits.permanent == Permanent::Refuse
        || overrides.iter().any(|(_, limits)| limits.permanent == Some(Permanent::Refuse))
}

fn words<T>(fact: &Fact<T>) -> String {
    match fact {
        Fact::Known(_) => "known".to_owned(),
        Fact::Unknown(reason) => reason.clone(),
        Fact::NotFetched(need) => format!("{need} not read"),
    }
}
