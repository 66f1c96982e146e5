//! Schedules: when runs are due.
//!
//! When a schedule is next due, and what becomes of a time that was missed, are pure functions of the expression and
//! the clock; tokio-cron-scheduler only rings (`bell`). Its own cron jobs keep a fixed offset from UTC and so drift
//! at every change to daylight saving time, and it forgets everything at a restart.
//!
//! Deliberately absent: running anything, and remembering. The driver runs, the store remembers.

mod bell;
mod due;
mod expression;
mod host;

use amiwarden_core::{AccountId, Duration, Mode, PolicyName, Region, Timestamp};
use sha2::{Digest, Sha256};

pub(crate) use bell::{Bell, BellError, Ring};
pub(crate) use due::{AtRing, AtStart, at_ring, at_start};
pub use expression::{Expression, ParseExpressionError};
pub(crate) use host::host_id;

/// A time at which runs are due, again and again, and what they are to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its name: in the log, in metrics, and by which the store knows when it last ran.
    pub name: String,
    /// When it is due.
    pub expression: Expression,
    /// A run begins up to so much later than the expression says; how much is the same for one host and schedule.
    pub jitter: Duration,
    /// What becomes of times that passed while nobody was there to run.
    pub missed: Missed,
    /// Whether it carries out anything. The stricter of this and the configuration's holds.
    pub mode: Option<Mode>,
    /// The policies whose changes are carried out; all where there are none. The others are asked too, and observe:
    /// what one of them keeps is kept.
    pub policies: Vec<PolicyName>,
    /// The accounts that are looked at; all where there are none.
    pub accounts: Vec<AccountId>,
    /// The Regions that are looked at; all where there are none.
    pub regions: Vec<Region>,
}

/// What becomes of times that passed while nobody was there to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// However many passed, one run follows at once.
    RunOnce,
    /// Nothing; the next time counts.
    Skip,
}

impl Schedule {
    /// The first time after `after` at which it is due on `host`. None where the expression never fires again.
    pub fn next_after(&self, after: Timestamp, host: &str) -> Option<Timestamp> {
        let delay = self.delay(host);
        let next = self.expression.next_after(after.checked_sub(delay).ok()?)?;
        next.checked_add(delay).ok()
    }

    /// The next `count` times.
    pub fn next_times(&self, after: Timestamp, host: &str, count: usize) -> Vec<Timestamp> {
        std::iter::successors(self.next_after(after, host), |last| self.next_after(*last, host))
            .take(count)
            .collect()
    }

    /// So much later than the expression says it is due on `host`: spread evenly over hosts and schedules, and the
    /// same after every restart.
    fn delay(&self, host: &str) -> jiff::SignedDuration {
        let most = self.jitter.as_seconds();
        let digest = Sha256::digest(format!("{host}\n{}", self.name));
        let number = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        let seconds = number % (most.max(0).unsigned_abs() + 1);
        jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
