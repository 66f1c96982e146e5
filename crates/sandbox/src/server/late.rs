//! Changes that happen long after their connection was broken.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cloud::Cloud;
use super::exchange::apply;
use super::observer::ExchangeEvent;
use crate::world::{Actor, Change};

/// What runs besides the connections: it ends with the sandbox.
#[derive(Debug, Clone)]
pub(super) struct Background {
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

/// A change on its way.
#[derive(Debug)]
pub(super) struct LateChange {
    /// In which account.
    pub(super) account: String,
    pub(super) change: Change,
    /// On whose behalf; the time is that at which the change arrives.
    pub(super) actor: Actor,
    /// How long it is on its way, in real time.
    pub(super) delay: Duration,
    /// What the observer is told once it has arrived.
    pub(super) event: ExchangeEvent,
}

impl Background {
    /// Carries a change out after its delay. A sandbox that ends before loses it, as a network might.
    pub(super) fn apply_late(&self, cloud: Cloud, late: LateChange) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(late.delay) => land(&cloud, late).await,
                () = stop.cancelled() => {}
            }
        });
    }
}

/// What the world refuses by now stays undone, and nobody is told.
async fn land(cloud: &Cloud, mut late: LateChange) {
    late.actor.now = cloud.now();
    match apply(cloud, &late.account, &late.change, &late.actor) {
        Ok(_) => {
            if let Err(error) = cloud.save().await {
                tracing::error!(%error, "the sandbox's state could not be written");
            }
            cloud.control().note_applied(late.event.sequence, late.actor.now);
            late.event.applied = true;
        }
        Err(error) => tracing::debug!(%error, "a late change was refused"),
    }
    // The connection is long broken: there is nothing left to decide.
    let _ = cloud.tell(&late.event);
}
