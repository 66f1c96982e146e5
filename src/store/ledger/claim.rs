//! What entries claim about rows of other tables: as little of their bodies as has to be compared.

use std::borrow::Cow;

use serde::Deserialize;

use super::body::{DecisionsBody, PlanBody};
use super::encoding::EntryKind;
use crate::store::sha::Sha;

/// What an entry vouches for.
pub(super) enum Claim<'a> {
    Plan(PlanBody),
    Decisions(DecisionsBody),
    Intent(IntentClaim<'a>),
    Outcome(OutcomeClaim),
}

/// Of an [`IntentBody`](super::IntentBody).
#[derive(Deserialize)]
pub(super) struct IntentClaim<'a> {
    pub(super) intent: i64,
    #[serde(borrow)]
    pub(super) scope: Place<'a>,
    #[serde(default)]
    pub(super) undoes: Vec<i64>,
    pub(super) sha256: Sha,
}

/// A scope.
#[derive(Deserialize)]
pub(super) struct Place<'a> {
    #[serde(borrow)]
    pub(super) account: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) region: Cow<'a, str>,
}

/// Of an [`OutcomeBody`](super::OutcomeBody).
#[derive(Deserialize)]
pub(super) struct OutcomeClaim {
    pub(super) outcome_id: i64,
    pub(super) intent: i64,
    pub(super) sha256: Sha,
}

impl<'a> Claim<'a> {
    /// `None` where the entry vouches for nothing elsewhere. A body that cannot be read is not what was hashed, which
    /// is a finding already.
    pub(super) fn read(kind: &[u8], body: &'a [u8]) -> Option<Self> {
        match EntryKind::from_name(kind)? {
            EntryKind::Plan => parse(body).map(Self::Plan),
            EntryKind::Decisions => parse(body).map(Self::Decisions),
            EntryKind::Intent => parse(body).map(Self::Intent),
            EntryKind::Outcome | EntryKind::Settlement => parse(body).map(Self::Outcome),
            EntryKind::RunStarted | EntryKind::RunDied | EntryKind::Acceptance | EntryKind::RunFinished => {
                None
            }
        }
    }
}

/// Reads a body, `None` where it is not one of that kind.
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
