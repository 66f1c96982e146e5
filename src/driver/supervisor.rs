//! What systemd is told: ready, reloading, stopping, a line of status, and that the watchdog is fed.
//!
//! Without systemd (no `NOTIFY_SOCKET`) nothing is told, and nothing is different.

use sd_notify::NotifyState;
use tokio::time::{Duration, Interval, MissedTickBehavior};

/// Tells the service manager.
#[derive(Debug)]
pub(crate) struct Supervisor {
    is_there: bool,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// Whoever started this process.
    pub(crate) fn of_this_process() -> Self {
        let is_there = std::env::var_os("NOTIFY_SOCKET").is_some();
        Self { is_there, watchdog: sd_notify::watchdog_enabled() }
    }

    /// The service is up.
    pub(super) fn ready(&self) {
        self.tell(&[NotifyState::Ready]);
    }

    /// Configuration and policies are being read again; [`ready`](Self::ready) ends it.
    pub(super) fn reloading(&self) {
        // `Type=notify-reload` pairs the answer with its question by this time (sd_notify(3)).
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the monotonic clock cannot be read"),
        }
    }

    /// The service is about to end.
    pub(super) fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// What the service is doing, for `systemctl status`.
    pub(super) fn status(&self, text: &str) {
        self.tell(&[NotifyState::Status(text)]);
    }

    /// The service is alive.
    pub(super) fn feed_watchdog(&self) {
        if self.watchdog.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// How often the service has to look after itself: twice in each of the watchdog's periods, as
    /// `sd_watchdog_enabled(3)` recommends.
    pub(super) fn heartbeat(&self) -> Interval {
        const WITHOUT_WATCHDOG: Duration = Duration::from_secs(30);
        let period = self.watchdog.map_or(WITHOUT_WATCHDOG, |watchdog| watchdog / 2);
        let mut interval = tokio::time::interval(period.max(Duration::from_millis(10)));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }

    fn tell(&self, state: &[NotifyState<'_>]) {
        if self.is_there
            && let Err(error) = sd_notify::notify(state)
        {
            tracing::warn!(%error, "the service manager cannot be told");
        }
    }
}
