//! An observer of every request, by which a test acts at an exact point of an exchange.
//!
//! A crash harness counts the events of one run of a client, then kills the client at each of them in
//! turn. Nothing here waits or reads a clock: as long as the client sends the same requests one after
//! another, the same number is the same point.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What a test installs with [`Cloud::on_exchange`](super::Cloud::on_exchange).
pub type ExchangeObserver = Arc<dyn Fn(&ExchangeEvent) -> Verdict + Send + Sync>;

/// A request has come to a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeEvent {
    /// The number of the event, from 1 since the observer was installed.
    pub number: u64,
    /// Where the request is.
    pub point: ExchangePoint,
    /// The number of the request, as in [`RequestRecord::sequence`](super::RequestRecord::sequence).
    pub sequence: u64,
    /// Its action, empty where it names none.
    pub action: String,
    /// The images that it names.
    pub image_ids: Vec<String>,
    /// Whether it carries `DryRun=true`.
    pub dry_run: bool,
    /// Whether its action is one that changes the world, rehearsed or not.
    pub is_change: bool,
    /// Whether it has changed the world by now.
    pub applied: bool,
}

/// The points of an exchange. A request comes to the first two, and to the third where its reply is
/// sent whole; a request that is carried out late comes to the second when that happens, long after its
/// connection was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExchangePoint {
    /// It was read completely, and nothing of it was done.
    Received,
    /// It was carried out or refused, the state file holds its effect, and no byte of the reply was sent.
    Applied,
    /// The last byte of the reply was handed to the socket: the client may have it.
    Replied,
}

/// What is to become of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// The connection is broken: what was not done is not done, and what was not sent is not sent.
    BreakConnection,
}

/// The installed observer, if any, with its count.
#[derive(Default)]
pub(super) struct Observation {
    installed: Mutex<Option<Installed>>,
    /// Held while the observer runs, so that events come one at a time and in the order of their numbers.
    turn: Mutex<()>,
}

struct Installed {
    observer: ExchangeObserver,
    events: u64,
}

impl Observation {
    pub(super) fn install(&self, observer: Option<ExchangeObserver>) {
        *self.installed.lock().unwrap_or_else(PoisonError::into_inner) =
            observer.map(|observer| Installed { observer, events: 0 });
    }

    /// Tells the observer. It may look at the cloud and program it, for no other lock is held.
    pub(super) fn tell(&self, event: &ExchangeEvent) -> Verdict {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, observer) = {
            let mut installed = self.installed.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(installed) = installed.as_mut() else { return Verdict::Continue };
            installed.events += 1;
            (installed.events, Arc::clone(&installed.observer))
        };
        observer(&ExchangeEvent { number, ..event.clone() })
    }
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observation").finish_non_exhaustive()
    }
}
