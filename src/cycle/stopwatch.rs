//! How long each part of a run took, by the clock of the run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use amiwarden_core::{CyclePhase, PhaseDuration, Timestamp};

use crate::executor::Clock;

/// Adds up the time of each part.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    spent_ms: Mutex<BTreeMap<CyclePhase, u64>>,
}

impl Stopwatch {
    /// Begins to measure. The time counts once the answer is dropped.
    pub(super) fn start(&self, phase: CyclePhase, clock: Clock) -> Timing<'_> {
        Timing { stopwatch: self, phase, clock, since: clock() }
    }

    /// What was measured, in the order of the parts. A part that has not begun is not there.
    pub(super) fn durations(&self) -> Vec<PhaseDuration> {
        let spent = self.spent_ms.lock().unwrap_or_else(PoisonError::into_inner);
        spent
            .iter()
            .map(|(phase, spent_ms)| PhaseDuration { phase: *phase, duration_ms: *spent_ms })
            .collect()
    }
}

/// A part of a run that is under way.
#[derive(Debug)]
pub(super) struct Timing<'a> {
    stopwatch: &'a Stopwatch,
    phase: CyclePhase,
    clock: Clock,
    since: Timestamp,
}

impl Drop for Timing<'_> {
    fn drop(&mut self) {
        let spent_ms = (self.clock)().as_millisecond() - self.since.as_millisecond();
        // A clock that was set back meanwhile shows nothing.
        let spent_ms = u64::try_from(spent_ms).unwrap_or(0);
        let mut spent = self.stopwatch.spent_ms.lock().unwrap_or_else(PoisonError::into_inner);
        *spent.entry(self.phase).or_default() += spent_ms;
    }
}
