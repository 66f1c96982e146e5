//! How many requests a plan takes, and how long they take at least.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ApiClass, Pace};
use crate::{Mode, Plan, Scope, Step, Timestamp};

/// What rehearsing and carrying out a plan takes at least. The time is that of the token buckets alone, all full at
/// the start: latency comes on top where it is longer than what the buckets allow, and so does waiting for EC2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Requests to AWS.
    pub api_calls: u64,
    /// How long they take, in milliseconds, rounded down.
    pub duration_ms: u64,
}

/// Requests to EC2 by account, Region and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic(BTreeMap<Scope, BTreeMap<&'static str, u64>>);

impl Traffic {
    /// One more request. Requests that list everything without filter or pages are not counted here: their class is
    /// another.
    pub fn add(&mut self, scope: &Scope, operation: &'static str) {
        if let Some(operations) = self.0.get_mut(scope) {
            *operations.entry(operation).or_default() += 1;
        } else {
            self.0.insert(scope.clone(), BTreeMap::from([(operation, 1)]));
        }
    }

    /// How many they are.
    pub fn total(&self) -> u64 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    /// The shortest time in seconds in which a scope's requests can be sent. Each operation has a bucket of its own,
    /// so the slowest decides.
    fn floor_of(&self, scope: &Scope, pace: &Pace) -> f64 {
        let of_bucket = |(operation, calls): (&&'static str, &u64)| {
            let size = pace.bucket(operation, ApiClass::of(operation, true));
            // So many requests are far below where this loses precision.
            #[expect(clippy::cast_precision_loss, reason = "counts of requests are below 2^52")]
            let calls = *calls as f64;
            ((calls - size.burst) / size.refill_per_second).max(0.0)
        };
        self.0.get(scope).into_iter().flatten().map(of_bucket).fold(0.0, f64::max)
    }

    fn joined(phases: &[Self]) -> Self {
        let mut all = Self::default();
        for (scope, operations) in phases.iter().flat_map(|phase| &phase.0) {
            let of_scope = all.0.entry(scope.clone()).or_default();
            for (operation, calls) in operations {
                *of_scope.entry(operation).or_default() += calls;
            }
        }
        all
    }
}

impl Estimate {
    /// Of these phases, one after the other, each in up to `concurrent_scopes` scopes at a time.
    ///
    /// Two bounds hold: no bucket passes more than its burst and its refill over all phases, and no phase works on
    /// more scopes at a time than it may, while the buckets of the others refill.
    pub fn of(phases: &[Traffic], pace: &Pace, concurrent_scopes: usize) -> Self {
        let all = Traffic::joined(phases);
        let slowest_bucket = all.0.keys().map(|scope| all.floor_of(scope, pace)).fold(0.0, f64::max);
        let at_a_time = u32::try_from(concurrent_scopes.max(1)).unwrap_or(u32::MAX);
        let in_turn: f64 = phases
            .iter()
            .map(|phase| {
                let floors = phase.0.keys().map(|scope| phase.floor_of(scope, pace));
                floors.sum::<f64>() / f64::from(at_a_time)
            })
            .sum();
        let milliseconds = slowest_bucket.max(in_turn) * 1000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        Self { api_calls: all.total(), duration_ms: milliseconds as u64 }
    }
}

/// What rehearsing `plan`, and then carrying out those of its steps that a policy enforces, takes at least.
pub fn estimate(plan: &Plan, pace: &Pace, concurrent_scopes: usize, now: Timestamp) -> Estimate {
    let (mut rehearsal, mut execution) = (Traffic::default(), Traffic::default());
    for step in &plan.steps {
        if !rehearsal.0.contains_key(&step.scope) {
            // Whether the endpoint honours DryRun is asked once.
            rehearsal.add(&step.scope, "DescribeImages");
        }
        add_calls(&mut rehearsal, step, now);
        if step.mode == Mode::Enforce {
            execution.add(&step.scope, "DescribeImages");
            if step.reads_launch_permissions() {
                execution.add(&step.scope, "DescribeImageAttribute");
            }
            add_calls(&mut execution, step, now);
        }
    }
    Estimate::of(&[rehearsal, execution], pace, concurrent_scopes)
}

fn add_calls(traffic: &mut Traffic, step: &Step, now: Timestamp) {
    for call in step.change.calls(now) {
        traffic.add(&step.scope, call.operation());
    }
}
