//! The guards that look at all candidates together: surge, share of the scope, and the caps per cycle.
//!
//! All of them take the oldest first, so the order in which images are read makes no difference, and what is
//! held back in one cycle comes first in the next.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Candidate;
use crate::{ActionKind, Guard, ImageId, Limits, LimitsOverride, PolicyName, Scope, TrippedGuard};

/// What a guard lets through and what it holds back, with the reason.
pub(crate) struct Sifted {
    pub(crate) passed: Vec<Candidate>,
    pub(crate) held: Vec<(Candidate, String)>,
}

/// Holds every disable and deregister of the scope when there are too many of them, except those that a person
/// has accepted.
pub(crate) fn surge(
    scope: &Scope,
    candidates: Vec<Candidate>,
    images: usize,
    limits: &Limits,
    accepted: &BTreeSet<(ImageId, ActionKind)>,
) -> (Sifted, Option<TrippedGuard>) {
    let is_counted = |candidate: &Candidate| {
        let kind = candidate.change.kind();
        kind.is_destructive() && !accepted.contains(&(candidate.facts.image.id.clone(), kind))
    };
    let count = candidates.iter().filter(|candidate| is_counted(candidate)).count();
    let percent = usize::try_from(limits.surge_percent).unwrap_or(usize::MAX);
    if count.saturating_mul(100) <= images.saturating_mul(percent) {
        return (Sifted { passed: candidates, held: Vec::new() }, None);
    }
    let reason = format!(
        "{count} of {images} images would be disabled or deregistered, more than {percent} %: \
         look at them, then accept the plan"
    );
    let (held, passed): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_counted);
    let held = held.into_iter().map(|candidate| (candidate, reason.clone())).collect();
    (Sifted { passed, held }, Some(TrippedGuard { scope: scope.clone(), guard: Guard::Surge, reason }))
}

/// Lets so many disables and deregisters through as the scope's share allows.
pub(crate) fn share(candidates: Vec<Candidate>, images: usize, limits: &Limits) -> Sifted {
    let allowed = limits.share_of(images);
    let reason = format!(
        "one cycle may take {allowed} of this scope's {images} images ({} %), the oldest first",
        limits.share_percent
    );
    let mut taken = 0;
    sift(candidates, |candidate| {
        if !candidate.change.kind().is_destructive() {
            return None;
        }
        if taken >= allowed {
            return Some(reason.clone());
        }
        taken += 1;
        None
    })
}

/// Lets so many actions of each kind through as one cycle may hold, globally and of each policy.
pub(crate) fn per_cycle(
    candidates: Vec<Candidate>,
    limits: &Limits,
    overrides: &BTreeMap<&PolicyName, &LimitsOverride>,
) -> Sifted {
    let mut taken: BTreeMap<ActionKind, u32> = BTreeMap::new();
    let mut taken_by: BTreeMap<(PolicyName, ActionKind), u32> = BTreeMap::new();
    sift(candidates, |candidate| {
        let kind = candidate.change.kind();
        let cap = limits.per_cycle(kind);
        if taken.get(&kind).copied().unwrap_or(0) >= cap {
            return Some(format!("one cycle may hold {cap} of {kind}, the oldest first"));
        }
        let policies: BTreeSet<&PolicyName> =
            candidate.because.iter().map(|because| &because.policy).collect();
        for policy in &policies {
            let cap = overrides.get(*policy).and_then(|limits| limits.per_cycle(kind));
            let used = taken_by.get(&((*policy).clone(), kind)).copied().unwrap_or(0);
            if let Some(cap) = cap.filter(|cap| used >= *cap) {
                return Some(format!("one cycle may hold {cap} of {kind} by {policy}, the oldest first"));
            }
        }
        *taken.entry(kind).or_default() += 1;
        for policy in policies {
            *taken_by.entry((policy.clone(), kind)).or_default() += 1;
        }
        None
    })
}

fn sift(mut candidates: Vec<Candidate>, mut hold: impl FnMut(&Candidate) -> Option<String>) -> Sifted {
    candidates.sort_by_cached_key(Candidate::order);
    let mut sifted = Sifted { passed: Vec::new(), held: Vec::new() };
    for candidate in candidates {
        match hold(&candidate) {
            None => sifted.passed.push(candidate),
            Some(reason) => sifted.held.push((candidate, reason)),
        }
    }
    sifted
}
