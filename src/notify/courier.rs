//! Delivers in a service: beside the cycles, whenever something is due.
//!
//! Between two looks at the queue it is closed, and it needs no turn at the store: a run that is under way, or somebody
//! at the command line, keeps the store to themselves meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use amiwarden_core::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Notifiers;
use crate::store::{OpenStoreError, Outbox, StoreError};

/// While nothing is due, the queue is looked at this often. It is also looked at when something is recorded.
const IDLE: Duration = Duration::from_mins(1);

/// After the queue could not be read or written, delivery rests this long.
const PAUSE: Duration = Duration::from_secs(30);

/// Carries notifications to whoever is configured at the moment.
pub(crate) struct Courier {
    notifiers: watch::Receiver<Arc<Notifiers>>,
    store: PathBuf,
}

/// Why the queue cannot be worked on.
#[derive(Debug, thiserror::Error)]
enum DeliverError {
    #[error(transparent)]
    Open(#[from] OpenStoreError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Courier {
    /// A courier for the store at this path, and what tells it of a changed configuration.
    pub(crate) fn new(first: Notifiers, store: PathBuf) -> (watch::Sender<Arc<Notifiers>>, Self) {
        let (sender, notifiers) = watch::channel(Arc::new(first));
        (sender, Self { notifiers, store })
    }

    /// Delivers whatever is due and becomes due, until `stop` is cancelled. What is under way then stays in the queue.
    pub(crate) async fn serve(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let notifiers = Arc::clone(&self.notifiers.borrow_and_update());
            let rest = match self.look(&notifiers, &stop).await {
                Ok(next) => next.map_or(IDLE, |next| until(next, Timestamp::now()).min(IDLE)),
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the queue of notifications failed"
                    );
                    PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = notifiers.recorded() => {}
                // An error means that nobody can change the configuration any more.
                Ok(()) = self.notifiers.changed() => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Delivers what is due. Yields when the next is.
    async fn look(
        &self,
        notifiers: &Notifiers,
        stop: &CancellationToken,
    ) -> Result<Option<Timestamp>, DeliverError> {
        let Some(outbox) = Outbox::open(&self.store).await? else { return Ok(None) };
        let next = deliver(notifiers, &outbox, stop).await;
        outbox.close().await;
        Ok(next?)
    }
}

async fn deliver(
    notifiers: &Notifiers,
    outbox: &Outbox,
    stop: &CancellationToken,
) -> Result<Option<Timestamp>, StoreError> {
    while notifiers.deliver_due(outbox, Timestamp::now(), stop).await?.all() > 0 {}
    outbox.next_at().await
}

/// How long it is until then: a little late rather than a little early, because the queue counts in seconds.
pub(super) fn until(then: Timestamp, now: Timestamp) -> Duration {
    let seconds = u64::try_from(then.as_second() - now.as_second()).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_millis(50)
}
