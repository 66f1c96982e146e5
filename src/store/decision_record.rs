//! A decision as it is remembered: what stands for each action and why, and what the policies said.
//!
//! Reasons and the values of facts count days, so they are stored but are no part of what makes two decisions the
//! same one: an image that is 91 days old today and 92 tomorrow has one decision, not two.

use amiwarden_core::{
    Action, ActionKind, Because, Decision, FailureKind, Guard, Held, ImageId, Kept, Opinion, PolicyFailure,
    PolicyName, RuleRef, Step, Verdict, Wish,
};
use serde::{Deserialize, Serialize};

/// What was decided about one image, and on what grounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The image.
    pub image_id: ImageId,
    /// What stands, action by action and policy by policy. Never empty for an image that planning has seen.
    pub entries: Vec<DecisionEntry>,
    /// The verdicts of policies that matched or failed, with the facts that they read.
    pub verdicts: Vec<Verdict>,
    /// The policies that were asked and had no opinion.
    pub without_opinion: Vec<PolicyName>,
}

/// What stands for one action, by one policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionEntry {
    /// The action; none where no single one is meant, as with a `keep`.
    pub kind: Option<ActionKind>,
    /// What stands.
    pub standing: Standing,
    /// The policy whose word it was, where it was one's.
    pub policy: Option<PolicyName>,
    /// And its rule.
    pub rule: Option<RuleRef>,
    /// Why, in the words of the day on which it was first decided.
    pub reason: String,
}

/// How an action, or an image, came out of deciding and planning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A step of the plan.
    Planned,
    /// Held back by this guard.
    Held(Guard),
    /// The image is kept.
    Kept,
    /// A `keep` or a failed policy stands against it.
    Vetoed,
    /// Its effect holds already.
    Satisfied,
    /// Contradicted by another rule.
    Conflict,
    /// Something that it depends on is unknown.
    Unresolved,
    /// The policy could not be evaluated.
    Failed,
    /// Somebody is to be told.
    Notice,
}

impl Standing {
    /// Its name in reports; a guard has its own besides.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Held(_) => "held",
            Self::Kept => "kept",
            Self::Vetoed => "vetoed",
            Self::Satisfied => "satisfied",
            Self::Conflict => "conflict",
            Self::Unresolved => "unresolved",
            Self::Failed => "failed",
            Self::Notice => "notice",
        }
    }
}

impl DecisionRecord {
    /// From a decision and what planning made of it. `held`, `planned` and `kept` are those of this image.
    pub fn new(decision: &Decision, held: &[&Held], planned: &[&Step], kept: Option<&Kept>) -> Self {
        let mut entries = Vec::new();
        for step in planned {
            let kind = Some(step.change.kind());
            entries.extend(step.because.iter().map(|why| entry(kind, Standing::Planned, why, None)));
        }
        for held in held {
            let (kind, standing) = (Some(held.change.kind()), Standing::Held(held.guard));
            let reason = Some(held.reason.as_str());
            entries.extend(held.because.iter().map(|why| entry(kind, standing, why, reason)));
        }
        entries.extend(decision.keeps.iter().map(|why| entry(None, Standing::Kept, why, None)));
        entries.extend(decision.failures.iter().map(|(policy, failure)| failed(policy, failure)));
        for vetoed in &decision.vetoed {
            let all = vetoed.because.iter();
            entries.extend(all.map(|why| entry(Some(vetoed.kind), Standing::Vetoed, why, None)));
        }
        for satisfied in &decision.satisfied {
            let all = satisfied.because.iter();
            entries.extend(all.map(|why| entry(Some(satisfied.kind), Standing::Satisfied, why, None)));
        }
        for conflict in &decision.conflicts {
            let about = Some(conflict.about.as_str());
            let all = conflict.because.iter();
            entries.extend(all.map(|why| entry(None, Standing::Conflict, why, about)));
        }
        for unresolved in &decision.unresolved {
            let (kind, reason) = (Some(unresolved.kind), Some(unresolved.reason.as_str()));
            let all = unresolved.because.iter();
            entries.extend(all.map(|why| entry(kind, Standing::Unresolved, why, reason)));
        }
        entries.extend(decision.notices.iter().map(|why| entry(None, Standing::Notice, why, None)));
        // Whatever stands above explains why the image is kept; only where nothing does, planning's word is needed.
        if entries.is_empty() {
            entries.extend(kept.map(kept_entry));
        }
        let (silent, verdicts): (Vec<&Verdict>, Vec<&Verdict>) =
            decision.verdicts.iter().partition(|verdict| verdict.opinion == Opinion::None);
        Self {
            image_id: decision.image.clone(),
            entries,
            verdicts: verdicts.into_iter().cloned().collect(),
            without_opinion: silent.into_iter().map(|verdict| verdict.policy.clone()).collect(),
        }
    }

    /// What makes two decisions about an image the same one, as bytes.
    pub(super) fn key(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Key {
            entries: self
                .entries
                .iter()
                .map(|entry| (entry.kind, entry.standing, entry.policy.as_ref(), entry.rule.as_ref()))
                .collect(),
            verdicts: self.verdicts.iter().map(VerdictKey::of).collect(),
            without_opinion: &self.without_opinion,
        })
    }
}

fn entry(
    kind: Option<ActionKind>,
    standing: Standing,
    because: &Because,
    reason: Option<&str>,
) -> DecisionEntry {
    DecisionEntry {
        kind,
        standing,
        policy: Some(because.policy.clone()),
        rule: Some(because.rule.clone()),
        reason: reason.unwrap_or(&because.reason).to_owned(),
    }
}

fn failed(policy: &PolicyName, failure: &PolicyFailure) -> DecisionEntry {
    DecisionEntry {
        kind: None,
        standing: Standing::Failed,
        policy: Some(policy.clone()),
        rule: failure.rule.clone(),
        reason: failure.message.clone(),
    }
}

fn kept_entry(kept: &Kept) -> DecisionEntry {
    DecisionEntry {
        kind: None,
        standing: Standing::Kept,
        policy: kept.policy.clone(),
        rule: kept.rule.clone(),
        reason: kept.reason.clone(),
    }
}

#[derive(Serialize)]
struct Key<'a> {
    entries: Vec<EntryKey<'a>>,
    verdicts: Vec<VerdictKey<'a>>,
    without_opinion: &'a [PolicyName],
}

type EntryKey<'a> = (Option<ActionKind>, Standing, Option<&'a PolicyName>, Option<&'a RuleRef>);

#[derive(Serialize)]
struct VerdictKey<'a> {
    policy: &'a PolicyName,
    opinion: OpinionKey<'a>,
    facts: Vec<&'a str>,
}

#[derive(Serialize)]
enum OpinionKey<'a> {
    None,
    Matched { rule: &'a RuleRef, wishes: Vec<WishKey<'a>> },
    Failed { kind: FailureKind, rule: Option<&'a RuleRef>, line: Option<u32>, column: Option<u32> },
}

#[derive(Serialize)]
enum WishKey<'a> {
    Keep,
    Notify,
    Act(&'a Action),
    /// Its date is left out: a policy may name it as so long from now.
    Deprecate,
}

impl<'a> VerdictKey<'a> {
    fn of(verdict: &'a Verdict) -> Self {
        let opinion = match &verdict.opinion {
            Opinion::None => OpinionKey::None,
            Opinion::Matched { rule, proposals } => OpinionKey::Matched {
                rule,
                wishes: proposals.iter().map(|proposal| WishKey::of(&proposal.wish)).collect(),
            },
            Opinion::Failed(failure) => OpinionKey::Failed {
                kind: failure.kind,
                rule: failure.rule.as_ref(),
                line: failure.line,
                column: failure.column,
            },
        };
        let facts = verdict.facts_read.iter().map(|fact| fact.name.as_str()).collect();
        Self { policy: &verdict.policy, opinion, facts }
    }
}

impl<'a> WishKey<'a> {
    fn of(wish: &'a Wish) -> Self {
        match wish {
            Wish::Keep => Self::Keep,
            Wish::Notify => Self::Notify,
            Wish::Act(Action::Deprecate(_)) => Self::Deprecate,
            Wish::Act(action) => Self::Act(action),
        }
    }
}
