//! What becomes of a time at which a schedule was due.

use amiwarden_core::{Duration, Timestamp};

use super::{Missed, Schedule};

/// Rung later than this, a time counts as missed: the machine slept, or its clock was set.
const LATE_AFTER: Duration = Duration::from_minutes(5);

/// What is to be done about times that passed before the service started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtStart {
    /// None passed.
    Nothing,
    /// The schedule is new: what passed before is nothing that it missed.
    New,
    /// At least one passed, this one first: one run makes up for all of them.
    RunOnce(Timestamp),
    /// At least one passed, this one first, and nothing is to be done but to say so.
    Skip(Timestamp),
}

/// Decides at a start. `last` is the last time that was dealt with, or when the schedule was first seen.
pub(crate) fn at_start(schedule: &Schedule, last: Option<Timestamp>, now: Timestamp, host: &str) -> AtStart {
    let Some(last) = last else { return AtStart::New };
    match schedule.next_after(last, host) {
        Some(due_at) if due_at <= now => match schedule.missed {
            Missed::RunOnce => AtStart::RunOnce(due_at),
            Missed::Skip => AtStart::Skip(due_at),
        },
        Some(_) | None => AtStart::Nothing,
    }
}

/// What is to be done when the bell rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtRing {
    /// Run.
    Start,
    /// A run is under way. It is not queued: the next time comes anyway.
    Busy,
    /// It is too late.
    Missed,
}

/// Decides when the bell rings for the time `due_at`.
pub(crate) fn at_ring(missed: Missed, due_at: Timestamp, now: Timestamp, is_running: bool) -> AtRing {
    let is_late = now.duration_since(due_at).as_secs() > LATE_AFTER.as_seconds();
    if is_running {
        AtRing::Busy
    } else if is_late && missed == Missed::Skip {
        AtRing::Missed
    } else {
        AtRing::Start
    }
}
