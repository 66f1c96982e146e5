//! One policy's answer for one image.

use serde::{Deserialize, Serialize};

use crate::{Action, Need, PolicyName};

/// What came of evaluating one policy for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evaluation {
    /// An answer.
    Verdict(Verdict),
    /// A fact was read that has not been fetched. Fetch it and evaluate again.
    Suspended(Need),
}

/// An answer, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The policy.
    pub policy: PolicyName,
    /// What it says.
    pub opinion: Opinion,
    /// Every fact that was read on the way, in the order of first reading.
    pub facts_read: Vec<FactReading>,
}

/// What a policy says of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opinion {
    /// No rule matched.
    None,
    /// This rule matched first.
    Matched {
        /// The rule.
        rule: RuleRef,
        /// What it asks for. At least one.
        proposals: Vec<Proposal>,
    },
    /// The policy could not be evaluated: the image is kept.
    Failed(PolicyFailure),
}

/// A rule and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleRef {
    /// Its name.
    pub name: String,
    /// The line of its `rule`, counted from 1.
    pub line: u32,
}

/// One thing that a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// What.
    pub wish: Wish,
    /// Why, in the policy's words.
    pub reason: String,
}

/// What a rule can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// Leave the image's life alone, whatever other policies say.
    Keep,
    /// Tell somebody.
    Notify,
    /// Change something.
    Act(Action),
}

/// A fact that a policy read, with the value that it saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactReading {
    /// The fact's name in policies, such as `unused_for` or `tag("Env")`.
    pub name: String,
    /// The value as a policy would print it.
    pub value: String,
}

/// Why a policy has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFailure {
    /// What sort of failure.
    pub kind: FailureKind,
    /// What is wrong and how to mend it.
    pub message: String,
    /// The line in the policy, counted from 1, where it is known.
    pub line: Option<u32>,
    /// The column, counted from 1, where it is known.
    pub column: Option<u32>,
    /// The rule that was being evaluated.
    pub rule: Option<RuleRef>,
}

/// The sorts of failures, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// It read a fact that is unknown.
    UnknownFact,
    /// It compared or combined values that do not go together, or misused a function.
    Type,
    /// A rule yielded something else than actions.
    NotActions,
    /// It computed too much: too many steps, too deep, too large, or too long.
    Limit,
    /// Anything else.
    Script,
}
