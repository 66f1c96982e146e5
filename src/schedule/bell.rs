//! The bell: tokio-cron-scheduler rings once for each time that is due.

use std::collections::BTreeMap;
use std::time::Duration;

use amiwarden_core::Timestamp;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

/// More rings than this wait for nobody: the driver listens all the time.
const RINGS_MAX: usize = 64;

/// A schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ring {
    /// Which.
    pub(crate) schedule: String,
    /// Since when.
    pub(crate) due_at: Timestamp,
}

/// The bell cannot be set.
#[derive(Debug, thiserror::Error)]
#[error("the scheduler refused")]
pub(crate) struct BellError(#[from] JobSchedulerError);

/// Rings once for each time that was set. One time for each schedule.
pub(crate) struct Bell {
    scheduler: JobScheduler,
    set: BTreeMap<String, Uuid>,
    sender: mpsc::Sender<Ring>,
    rings: mpsc::Receiver<Ring>,
}

impl Bell {
    /// One with nothing set.
    pub(crate) async fn start() -> Result<Self, BellError> {
        let scheduler = JobScheduler::new().await?;
        scheduler.start().await?;
        let (sender, rings) = mpsc::channel(RINGS_MAX);
        Ok(Self { scheduler, set: BTreeMap::new(), sender, rings })
    }

    /// Sets the time of `schedule`, instead of the one before.
    pub(crate) async fn set(
        &mut self,
        schedule: &str,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), BellError> {
        self.clear(schedule).await?;
        let ring = Ring { schedule: schedule.to_owned(), due_at };
        let sender = self.sender.clone();
        // Whole seconds, rounded up: the scheduler cuts fractions off and would ring before the time.
        let wait = due_at.duration_since(now);
        let seconds = wait.as_secs() + i64::from(wait.subsec_nanos() > 0);
        let wait = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let job = Job::new_one_shot_async(wait, move |_, _| {
            let (sender, ring) = (sender.clone(), ring.clone());
            // Nobody listens any more when the service is about to end.
            Box::pin(async move { drop(sender.send(ring).await) })
        })?;
        let id = self.scheduler.add(job).await?;
        self.set.insert(schedule.to_owned(), id);
        Ok(())
    }

    /// Takes the time of `schedule` back.
    pub(crate) async fn clear(&mut self, schedule: &str) -> Result<(), BellError> {
        if let Some(id) = self.set.remove(schedule) {
            self.scheduler.remove(&id).await?;
        }
        Ok(())
    }

    /// The next ring. Cancelling the wait loses none.
    pub(crate) async fn ring(&mut self) -> Ring {
        loop {
            match self.rings.recv().await {
                Some(ring) => {
                    self.set.remove(&ring.schedule);
                    return ring;
                }
                // Cannot be: the bell holds a sender itself.
                None => std::future::pending::<()>().await,
            }
        }
    }
}
