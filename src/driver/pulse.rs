//! Whether a run still moves: the watchdog is fed from this, not from a lone timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::{Duration, Instant};

/// A run that has neither sent a request nor come a step further for so long hangs. Every request has time-outs of
/// about a minute, and waiting for a token takes seconds, so this is far from anything that happens by itself.
const STALLED_AFTER: Duration = Duration::from_mins(15);

/// How often a run is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When a run last moved.
#[derive(Clone, Debug)]
pub(super) struct Pulse {
    began: Instant,
    last: Arc<Last>,
}

#[derive(Debug, Default)]
struct Last {
    count: AtomicU64,
    moved_after_ms: AtomicU64,
}

impl Pulse {
    /// Of a run that begins now.
    pub(super) fn begin(now: Instant) -> Self {
        Self { began: now, last: Arc::default() }
    }

    /// Takes note of how much has moved in all.
    pub(super) fn observe(&self, count: u64, now: Instant) {
        if self.last.count.swap(count, Ordering::Relaxed) != count {
            let elapsed =
                u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX);
            self.last.moved_after_ms.store(elapsed, Ordering::Relaxed);
        }
    }

    /// Whether it has moved lately.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        let moved = Duration::from_millis(self.last.moved_after_ms.load(Ordering::Relaxed));
        now.saturating_duration_since(self.began).saturating_sub(moved) < STALLED_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_does_not_move_is_not_alive() {
        let began = Instant::now();
        let almost = STALLED_AFTER.mul_f64(0.99);
        let pulse = Pulse::begin(began);
        assert!(pulse.is_alive(began + almost));
        pulse.observe(1, began + almost);
        assert!(pulse.is_alive(began + almost * 2));
        pulse.observe(1, began + almost * 2);
        assert!(!pulse.is_alive(began + almost + STALLED_AFTER), "the same count is no movement");
    }
}
