//! What entries say. A body names what it is about and holds the digest of what is stored elsewhere.

use std::collections::BTreeMap;

use amiwarden_core::{ActionKind, ImageId, PlanId, PolicyName, Scope, Tally, Totals};
use serde::{Deserialize, Serialize};

use crate::store::IntentId;
use crate::store::sha::Sha;

/// Of [`EntryKind::RunStarted`](super::EntryKind::RunStarted).
#[derive(Debug, Serialize)]
pub(in crate::store) struct RunStartedBody<'a> {
    pub(in crate::store) command: &'a str,
    pub(in crate::store) mode: &'a str,
    pub(in crate::store) version: &'a str,
    pub(in crate::store) config_digest: &'a str,
    /// The policies' own digests.
    pub(in crate::store) policies: BTreeMap<&'a PolicyName, &'a str>,
}

/// Of [`EntryKind::Decisions`](super::EntryKind::Decisions).
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct DecisionsBody {
    pub(in crate::store) scope: Scope,
    /// Images that a decision stands for.
    pub(in crate::store) images: usize,
    /// Over all of them.
    pub(in crate::store) sha256: Sha,
}

/// Of [`EntryKind::Plan`](super::EntryKind::Plan).
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct PlanBody {
    pub(in crate::store) plan: PlanId,
    pub(in crate::store) sha256: Sha,
}

/// Of [`EntryKind::Acceptance`](super::EntryKind::Acceptance).
#[derive(Debug, Serialize)]
pub(in crate::store) struct AcceptanceBody<'a> {
    pub(in crate::store) plan: &'a PlanId,
    pub(in crate::store) accepted: Vec<(&'a Scope, &'a ImageId, ActionKind)>,
    /// Scopes, and what is taken for the truth about them although much is missing in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) counts: Vec<(&'a Scope, &'a Tally)>,
}

/// Of [`EntryKind::Intent`](super::EntryKind::Intent).
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct IntentBody {
    pub(in crate::store) intent: IntentId,
    pub(in crate::store) plan: PlanId,
    pub(in crate::store) scope: Scope,
    pub(in crate::store) image: ImageId,
    pub(in crate::store) action: ActionKind,
    /// The intents that it undoes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::store) undoes: Vec<IntentId>,
    /// Over the whole row.
    pub(in crate::store) sha256: Sha,
}

/// Of [`EntryKind::Outcome`](super::EntryKind::Outcome) and
/// [`EntryKind::Settlement`](super::EntryKind::Settlement).
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct OutcomeBody {
    /// The row.
    pub(in crate::store) outcome_id: i64,
    pub(in crate::store) intent: IntentId,
    pub(in crate::store) outcome: String,
    pub(in crate::store) request_id: Option<String>,
    /// Over the whole row.
    pub(in crate::store) sha256: Sha,
}

/// Of [`EntryKind::RunFinished`](super::EntryKind::RunFinished).
#[derive(Debug, Serialize)]
pub(in crate::store) struct RunFinishedBody<'a> {
    pub(in crate::store) state: &'a str,
    pub(in crate::store) plan: &'a PlanId,
    pub(in crate::store) totals: Totals,
}

/// Of entries whose kind, run and time say everything.
#[derive(Debug, Serialize)]
pub(in crate::store) struct EmptyBody {}
