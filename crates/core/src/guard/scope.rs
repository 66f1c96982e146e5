//! The guards that look at all candidates together: surge, share of the scope, and the caps per cycle.
//!
//! All of them take the oldest first, so the order in which images are read makes no difference, and what is
//! held back in one cycle comes first in the next.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::share_of;
use crate::plan::Candidate;
use crate::{
    ActionKind, Guard, ImageId, Limits, LimitsOverride, Mode, PolicyName, PolicySettings, Scope, TrippedGuard,
};

/// What a guard lets through and what it holds back, with the reason.
pub(crate) struct Sifted {
    pub(crate) passed: Vec<Candidate>,
    pub(crate) held: Vec<(Candidate, String)>,
}

/// What a surge is measured against.
pub(crate) struct SurgeLimits<'a> {
    pub(crate) global_percent: u32,
    pub(crate) policies: &'a BTreeMap<PolicyName, PolicySettings>,
    /// What a person has accepted.
    pub(crate) accepted: &'a BTreeSet<(ImageId, ActionKind)>,
}

/// Holds every disable and deregister of the scope when there are too many of them, in all or by one policy, except
/// those that a person has accepted. What only observing policies ask for is counted by itself: it happens to
/// nobody.
pub(crate) fn surge(
    scope: &Scope,
    mut candidates: Vec<Candidate>,
    images: usize,
    limits: &SurgeLimits<'_>,
) -> (Sifted, Vec<TrippedGuard>) {
    let own = limits.policies.iter().filter_map(|(policy, settings)| {
        settings.limits.surge_percent.map(|percent| (Some(policy), percent))
    });
    let mut held = Vec::new();
    let mut tripped = Vec::new();
    for (policy, percent) in std::iter::once((None, limits.global_percent)).chain(own) {
        for mode in [Mode::Enforce, Mode::Observe] {
            let is_counted = |candidate: &Candidate| {
                let kind = candidate.change.kind();
                candidate.mode == mode
                    && kind.is_destructive()
                    && policy.is_none_or(|policy| candidate.is_asked_for_by(policy))
                    && !limits.accepted.contains(&(candidate.facts.image.id.clone(), kind))
            };
            let count = candidates.iter().filter(|candidate| is_counted(candidate)).count();
            if count.saturating_mul(100) <= images.saturating_mul(percent as usize) {
                continue;
            }
            let by = policy.map(|policy| format!(" by {policy}")).unwrap_or_default();
            let reason = format!(
                "{count} of {images} images would be disabled or deregistered{by}, more than {percent} %: \
                 look at them, then accept the plan"
            );
            let (too_many, passed) = candidates.into_iter().partition::<Vec<_>, _>(is_counted);
            candidates = passed;
            held.extend(too_many.into_iter().map(|candidate| (candidate, reason.clone())));
            tripped.push(TrippedGuard { scope: scope.clone(), guard: Guard::Surge, reason, counted: None });
        }
    }
    (Sifted { passed: candidates, held }, tripped)
}

/// Lets so many disables and deregisters through as the scope's share allows, in all and by each policy. Observing
/// policies have a share of their own, so that they take nothing from those in force.
pub(crate) fn share(
    candidates: Vec<Candidate>,
    images: usize,
    limits: &Limits,
    policies: &BTreeMap<PolicyName, PolicySettings>,
) -> Sifted {
    let mut taken: BTreeMap<(Mode, Option<PolicyName>), usize> = BTreeMap::new();
    sift(candidates, |candidate| {
        if !candidate.change.kind().is_destructive() {
            return None;
        }
        let asking: BTreeSet<&PolicyName> = candidate.because.iter().map(|because| &because.policy).collect();
        let own = asking
            .into_iter()
            .filter_map(|policy| Some((Some(policy.clone()), policies.get(policy)?.limits.share_percent?)));
        let shares: Vec<(Option<PolicyName>, u32)> =
            std::iter::once((None, limits.share_percent)).chain(own).collect();
        for (policy, percent) in &shares {
            let allowed = share_of(images, *percent);
            if taken.get(&(candidate.mode, policy.clone())).copied().unwrap_or(0) >= allowed {
                let by = policy.as_ref().map(|policy| format!(" by {policy}")).unwrap_or_default();
                return Some(format!(
                    "one cycle may take {allowed} of this scope's {images} images{by} ({percent} %), the oldest first"
                ));
            }
        }
        for (policy, _) in shares {
            *taken.entry((candidate.mode, policy)).or_default() += 1;
        }
        None
    })
}

/// Lets so many actions of each kind through as one cycle may hold, globally and of each policy; observing
/// policies have caps of their own.
pub(crate) fn per_cycle(
    candidates: Vec<Candidate>,
    limits: &Limits,
    overrides: &BTreeMap<&PolicyName, &LimitsOverride>,
) -> Sifted {
    let mut taken: BTreeMap<(Mode, ActionKind), u32> = BTreeMap::new();
    let mut taken_by: BTreeMap<(PolicyName, ActionKind), u32> = BTreeMap::new();
    sift(candidates, |candidate| {
        let kind = candidate.change.kind();
        let cap = limits.per_cycle(kind);
        if taken.get(&(candidate.mode, kind)).copied().unwrap_or(0) >= cap {
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
        *taken.entry((candidate.mode, kind)).or_default() += 1;
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
