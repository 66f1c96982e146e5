//! Why nothing happens to an image, in the words of whoever decided it.

use super::Kept;
use crate::{Because, Decision, Facts, Opinion};

/// The reason that a person would name first: a rule that keeps it, a policy that failed, a contradiction,
/// something unknown, an effect that holds already, or that no rule matched.
pub(super) fn why_kept(decision: &Decision, facts: &Facts) -> Kept {
    let kept = |reason: String, because: Option<&Because>| Kept {
        image_id: facts.image.id.clone(),
        name: facts.image.name.clone(),
        scope: facts.scope.clone(),
        reason,
        policy: because.map(|because| because.policy.clone()),
        rule: because.map(|because| because.rule.clone()),
    };
    if let Some(keep) = decision.keeps.first() {
        return kept(keep.reason.clone(), Some(keep));
    }
    if let Some((policy, failure)) = decision.failures.first() {
        return Kept {
            policy: Some(policy.clone()),
            rule: failure.rule.clone(),
            ..kept(format!("the policy could not be evaluated: {}", failure.message), None)
        };
    }
    if let Some(conflict) = decision.conflicts.first() {
        let reason = format!("policies contradict each other: {}", conflict.about);
        return kept(reason, conflict.because.first());
    }
    if let Some(unresolved) = decision.unresolved.first() {
        let reason = format!("{} is not possible: {}", unresolved.kind, unresolved.reason);
        return kept(reason, unresolved.because.first());
    }
    if let Some(satisfied) = decision.satisfied.first() {
        let reason = format!("{} holds already", satisfied.kind);
        return kept(reason, satisfied.because.first());
    }
    if let Some(notice) = decision.notices.first() {
        return kept(format!("only a notice: {}", notice.reason), Some(notice));
    }
    let asked = decision.verdicts.iter().filter(|verdict| verdict.opinion == Opinion::None).count();
    match asked {
        0 => kept("no policy applies to it".to_owned(), None),
        1 => kept("the one policy that applies has no rule that matches".to_owned(), None),
        _ => kept(format!("none of the {asked} policies that apply has a rule that matches"), None),
    }
}
