//! What decides over a request before the world does: faults, buckets, denials. And the request log.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use tokio::time::Instant;

use super::buckets::Buckets;
use super::faults::{ArmedFault, FaultKind, Seen};
use super::requests::RequestRecord;
use crate::protocol::{ApiError, Service};

/// How far the denial of an action goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// Rehearsed or real.
    Always,
    /// Rehearsals are permitted: EC2's `DryRun` does not predict everything.
    RealOnly,
}

#[derive(Debug)]
pub(super) struct Control {
    pub(super) faults: Vec<ArmedFault>,
    pub(super) denials: BTreeMap<String, Denial>,
    pub(super) buckets: Option<Buckets>,
    requests: VecDeque<RequestRecord>,
    requests_max: usize,
    sequence: u64,
}

/// What was decided over a request.
#[derive(Debug)]
pub(super) struct Admission {
    /// What goes wrong, a skewed clock apart.
    pub(super) fault: Option<FaultKind>,
    /// How far the `Date` of the reply is off, in seconds.
    pub(super) clock_skew: Option<i64>,
    /// Refused before it could do anything.
    pub(super) refusal: Option<ApiError>,
    pub(super) may_delete_snapshots: bool,
}

impl Control {
    pub(super) fn new(buckets: Option<Buckets>, requests_max: usize) -> Self {
        Self {
            faults: Vec::new(),
            denials: BTreeMap::new(),
            buckets,
            requests: VecDeque::new(),
            requests_max,
            sequence: 0,
        }
    }

    /// The number of the next request.
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Decides over one request. Every fault that matches counts it; the one armed first wins. A skewed
    /// clock competes with no other fault: any reply can be misdated.
    pub(super) fn admit(&mut self, seen: &Seen<'_>, heavy: bool, now: Instant) -> Admission {
        let scope = format!("{}/{}", seen.account, seen.region);
        let met: Vec<FaultKind> = self.faults.iter_mut().filter_map(|armed| armed.meet(seen)).collect();
        let empty = |buckets: &mut Buckets| !buckets.take(&scope, seen.action, heavy, now);
        let throttled = seen.service == Service::Ec2 && self.buckets.as_mut().is_some_and(empty);
        let clock_skew = met.iter().find_map(|kind| kind.clock_skew());
        let fault = met.into_iter().find(|kind| kind.clock_skew().is_none());
        let denied = match self.denials.get(seen.action) {
            Some(Denial::Always) => true,
            Some(Denial::RealOnly) => !seen.dry_run,
            None => false,
        };
        let refusal = match fault {
            Some(FaultKind::Throttle) => Some(ApiError::throttled()),
            Some(FaultKind::Unavailable) => Some(ApiError::unavailable()),
            Some(FaultKind::ServerErrorBefore) => Some(ApiError::internal()),
            Some(FaultKind::Denied) => Some(ApiError::denied(seen.service, seen.action)),
            _ if throttled => Some(ApiError::throttled()),
            _ if denied => Some(ApiError::denied(seen.service, seen.action)),
            _ => None,
        };
        let may_delete_snapshots = !self.denials.contains_key("DeleteSnapshot");
        Admission { fault, clock_skew, refusal, may_delete_snapshots }
    }

    pub(super) fn record(&mut self, record: RequestRecord) {
        if self.requests.len() >= self.requests_max {
            self.requests.pop_front();
        }
        self.requests.push_back(record);
    }

    /// Notes that a request whose connection was broken has changed the world after all.
    pub(super) fn note_applied(&mut self, sequence: u64, at: Timestamp) {
        if let Some(record) = self.requests.iter_mut().rev().find(|record| record.sequence == sequence) {
            record.applied = true;
            record.applied_at = Some(at);
        }
    }

    pub(super) fn requests(&self) -> Vec<RequestRecord> {
        self.requests.iter().cloned().collect()
    }

    pub(super) fn forget_requests(&mut self) {
        self.requests.clear();
    }
}
