//! What all verdicts on one image come to.
//!
//! The steps, in this order: collect what is asked for; let contradictions cancel each other; let `keep` and
//! every failure veto the lifecycle; resolve what is left into changes. A failed policy counts as a `keep`,
//! because what it would have said is unknown.
//!
//! Deliberately absent: limits and guards. They look at the plan as a whole and stand in `guard` and `plan`.

mod conflict;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    Action, ActionKind, Change, Fact, Facts, ImageId, Mode, Need, Opinion, PolicyFailure, PolicyName,
    PolicySettings, Resolution, RuleRef, Verdict, Wish,
};
use conflict::{Asked, Merged, cancel_contradictions, merge};

/// Who asks for something, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Because {
    /// The policy.
    pub policy: PolicyName,
    /// The rule of it that matched.
    pub rule: RuleRef,
    /// Its reason.
    pub reason: String,
}

/// What to do with one image before any guard has looked, and why nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The image.
    pub image: ImageId,
    /// Changes to make, in the order of execution: at most one of a kind that policies in force ask for, and
    /// besides it at most one that only observing policies ask for.
    pub changes: Vec<PlannedChange>,
    /// Rules that keep the image.
    pub keeps: Vec<Because>,
    /// Rules that want somebody told.
    pub notices: Vec<Because>,
    /// Policies that could not be evaluated.
    pub failures: Vec<(PolicyName, PolicyFailure)>,
    /// Actions that were dropped because the image is to be kept.
    pub vetoed: Vec<Vetoed>,
    /// Actions whose effect holds already.
    pub satisfied: Vec<Satisfied>,
    /// Contradictions between policies, or within one.
    pub conflicts: Vec<Conflict>,
    /// Actions that come to nothing because something that they depend on is unknown.
    pub unresolved: Vec<Unresolved>,
    /// Every verdict, as it was given.
    pub verdicts: Vec<Verdict>,
}

/// A change and all who ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedChange {
    /// The change.
    pub change: Change,
    /// Whether a policy that is in force asks for exactly this change, or only policies that observe.
    pub mode: Mode,
    /// At least one.
    pub because: Vec<Because>,
}

/// A lifecycle action that a `keep` or a failure vetoed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vetoed {
    /// What was asked for.
    pub kind: ActionKind,
    /// By whom.
    pub because: Vec<Because>,
}

/// An action whose effect holds already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Satisfied {
    /// What was asked for.
    pub kind: ActionKind,
    /// By whom.
    pub because: Vec<Because>,
}

/// Actions that contradict each other and therefore do not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// What they contradict each other about, such as `disable against enable` or `tag "Env"`.
    pub about: String,
    /// Who asked for them.
    pub because: Vec<Because>,
}

/// An action that comes to nothing because something is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    /// What was asked for.
    pub kind: ActionKind,
    /// What is unknown.
    pub reason: String,
    /// Who asked for it.
    pub because: Vec<Because>,
}

/// What has to be fetched before these verdicts can be decided on: an action on launch permissions has to
/// know which there are.
pub fn missing(facts: &Facts, verdicts: &[Verdict]) -> BTreeSet<Need> {
    asked(verdicts)
        .filter_map(|(action, _)| match action {
            Action::StripShares { .. } | Action::Share(_) => match facts.launch_permissions {
                Fact::NotFetched(need) => Some(need),
                Fact::Known(_) | Fact::Unknown(_) => None,
            },
            _ => None,
        })
        .collect()
}

/// Joins the verdicts of all policies on one image.
///
/// A policy that only observes can keep, veto and contradict like any other, but nothing that it asks for becomes
/// part of a change that is carried out. One that `policies` does not name only observes.
pub fn decide(
    facts: &Facts,
    verdicts: Vec<Verdict>,
    policies: &BTreeMap<PolicyName, PolicySettings>,
) -> Decision {
    let mut decision = Decision {
        image: facts.image.id.clone(),
        changes: Vec::new(),
        keeps: wishes(&verdicts, &Wish::Keep),
        notices: wishes(&verdicts, &Wish::Notify),
        failures: failures(&verdicts),
        vetoed: Vec::new(),
        satisfied: Vec::new(),
        conflicts: Vec::new(),
        unresolved: Vec::new(),
        verdicts: Vec::new(),
    };
    let is_kept = !decision.keeps.is_empty() || !decision.failures.is_empty();
    let mut all: Vec<Asked> =
        asked(&verdicts).map(|(action, because)| Asked { action: action.clone(), because }).collect();
    decision.conflicts = cancel_contradictions(&mut all);
    let mode_of = |policy: &PolicyName| policies.get(policy).map_or(Mode::Observe, |it| it.mode);
    for Merged { action, mode, because } in merge(all, mode_of) {
        let kind = action.kind();
        if is_kept && kind.is_lifecycle() {
            decision.vetoed.push(Vetoed { kind, because });
            continue;
        }
        match action.resolve(facts) {
            Resolution::Change(change) => decision.changes.push(PlannedChange { change, mode, because }),
            Resolution::Satisfied => decision.satisfied.push(Satisfied { kind, because }),
            Resolution::Unknown(reason) => {
                decision.unresolved.push(Unresolved { kind, reason, because });
            }
            Resolution::NotFetched(need) => {
                let reason = format!("its {need} were not read");
                decision.unresolved.push(Unresolved { kind, reason, because });
            }
        }
    }
    decision.verdicts = verdicts;
    decision
}

/// Every proposal, with who makes it.
fn proposals(verdicts: &[Verdict]) -> impl Iterator<Item = (&Wish, Because)> {
    verdicts.iter().flat_map(|verdict| {
        let matched = match &verdict.opinion {
            Opinion::Matched { rule, proposals } => Some((rule, proposals)),
            Opinion::None | Opinion::Failed(_) => None,
        };
        matched.into_iter().flat_map(|(rule, proposals)| {
            proposals.iter().map(|proposal| {
                let because = Because {
                    policy: verdict.policy.clone(),
                    rule: rule.clone(),
                    reason: proposal.reason.clone(),
                };
                (&proposal.wish, because)
            })
        })
    })
}

fn asked(verdicts: &[Verdict]) -> impl Iterator<Item = (&Action, Because)> {
    proposals(verdicts).filter_map(|(wish, because)| match wish {
        Wish::Act(action) => Some((action, because)),
        Wish::Keep | Wish::Notify => None,
    })
}

fn wishes(verdicts: &[Verdict], wanted: &Wish) -> Vec<Because> {
    proposals(verdicts).filter(|(wish, _)| *wish == wanted).map(|(_, because)| because).collect()
}

fn failures(verdicts: &[Verdict]) -> Vec<(PolicyName, PolicyFailure)> {
    verdicts
        .iter()
        .filter_map(|verdict| match &verdict.opinion {
            Opinion::Failed(failure) => Some((verdict.policy.clone(), failure.clone())),
            Opinion::None | Opinion::Matched { .. } => None,
        })
        .collect()
}
