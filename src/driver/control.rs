//! The driver's handle: what others may ask of it, and what it tells about itself.
//!
//! [`channel`] makes the two halves. A [`Control`] is cheap to clone and never waits for a cycle: questions are
//! answered from the last published [`Status`], and a request for a run is taken or refused at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amiwarden_core::{RunId, Timestamp};
use serde::Serialize;
use tokio::sync::{Notify, watch};

use crate::pause::PauseFile;

/// What the driver tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Status {
    /// The version of amiwarden.
    pub(crate) version: &'static str,
    /// When the service started.
    pub(crate) started_at: Timestamp,
    /// What it is doing.
    pub(crate) phase: Phase,
    /// The last run that ended, since the service started.
    pub(crate) last: Option<LastRun>,
    /// The schedules, in the order of the configuration.
    pub(crate) schedules: Vec<ScheduleStatus>,
    /// The policies in force.
    pub(crate) policies: PolicyStatus,
}

/// What the driver is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Waiting for what is due next.
    Idle,
    /// A run is under way.
    Running {
        /// The run.
        run_id: RunId,
        /// What asked for it, such as `schedule nightly`.
        command: String,
        /// When it began.
        since: Timestamp,
    },
    /// The service is about to end.
    Stopping,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LastRun {
    /// The run.
    pub(crate) run_id: RunId,
    /// When it ended.
    pub(crate) finished_at: Timestamp,
    /// Whether everything that was to be read and done was.
    pub(crate) ok: bool,
    /// In one line.
    pub(crate) summary: String,
}

/// A schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScheduleStatus {
    /// Its name.
    pub(crate) name: String,
    /// When it is due next.
    pub(crate) next_at: Option<Timestamp>,
    /// When it was last due.
    pub(crate) last_at: Option<Timestamp>,
}

/// The policies in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PolicyStatus {
    /// A digest of configuration and policies.
    pub(crate) digest: String,
    /// How many there are.
    pub(crate) count: usize,
    /// Since when they are in force.
    pub(crate) loaded_at: Timestamp,
    /// Why a newer set was refused, if the newest was.
    pub(crate) rejected: Option<String>,
}

/// The answer to a request for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requested {
    /// It begins now.
    Accepted,
    /// One is under way, or has been asked for. Nothing is queued.
    Busy,
}

/// The half for whoever asks.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    desk: Arc<Desk>,
    status: watch::Receiver<Status>,
    pause: PauseFile,
}

/// The half for the driver.
#[derive(Debug)]
pub(crate) struct DriverSide {
    desk: Arc<Desk>,
    status: watch::Sender<Status>,
}

#[derive(Debug)]
struct Desk {
    is_requested: AtomicBool,
    bell: Notify,
}

/// The two halves.
pub(crate) fn channel(first: Status, pause: PauseFile) -> (Control, DriverSide) {
    let desk = Arc::new(Desk { is_requested: AtomicBool::new(false), bell: Notify::new() });
    let (sender, receiver) = watch::channel(first);
    (Control { desk: Arc::clone(&desk), status: receiver, pause }, DriverSide { desk, status: sender })
}

impl Control {
    /// Asks for a run now.
    pub(crate) fn request_run(&self) -> Requested {
        if self.status.borrow().phase != Phase::Idle || self.desk.is_requested.swap(true, Ordering::SeqCst) {
            return Requested::Busy;
        }
        self.desk.bell.notify_one();
        Requested::Accepted
    }

    /// What the driver told last.
    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// The file that pauses all changes.
    pub(crate) fn pause(&self) -> &PauseFile {
        &self.pause
    }
}

impl DriverSide {
    /// Tells what is going on.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(change);
    }

    /// What was told last.
    pub(crate) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Waits until somebody asks for a run. Cancelling the wait loses no request.
    pub(crate) async fn requested(&self) {
        while !self.desk.is_requested.swap(false, Ordering::SeqCst) {
            self.desk.bell.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {

    use std::time::Duration;

    use super::*;

    fn halves() -> (Control, DriverSide) {
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let policies = PolicyStatus { digest: "d".to_owned(), count: 1, loaded_at: at, rejected: None };
        let status = Status {
            version: "1",
            started_at: at,
            phase: Phase::Idle,
            last: None,
            schedules: Vec::new(),
            policies,
        };
        channel(status, PauseFile::new("amiwarden.pause".into()))
    }

    #[tokio::test]
    async fn a_request_is_heard_once_whenever_it_was_made() {
        let (control, driver) = halves();
        assert_eq!(control.request_run(), Requested::Accepted);
        assert_eq!(control.request_run(), Requested::Busy, "one that waits is not queued twice");
        driver.requested().await;
        let again = tokio::time::timeout(Duration::from_millis(50), driver.requested()).await;
        assert!(again.is_err(), "it was heard already");
        assert_eq!(control.request_run(), Requested::Accepted);
        driver.requested().await;
    }

    #[tokio::test]
    async fn no_run_is_asked_for_while_one_is_under_way() {
        let (control, driver) = halves();
        let since = Timestamp::from_second(1_800_000_001).unwrap();
        let running = Phase::Running { run_id: RunId::new("r"), command: "run".to_owned(), since };
        driver.publish(|status| status.phase = running.clone());
        assert_eq!(control.request_run(), Requested::Busy);
        assert_eq!(control.status().phase, running);
        driver.publish(|status| status.phase = Phase::Idle);
        assert_eq!(control.request_run(), Requested::Accepted);
    }
}
