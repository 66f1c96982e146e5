//! The end of a run: what there is to tell is written down, and a program that ends with its run delivers it.
//!
//! A service delivers beside its cycles, for as long as it takes; a program that is about to end has a bounded time, and
//! leaves the rest to its next run. Whatever goes wrong is a warning in the log and never the run's failure.

use std::error::Error;
use std::time::Duration;

use amiwarden_core::{CycleReport, RunId};
use tokio_util::sync::CancellationToken;

use super::Notifiers;
use crate::cycle::Prospect;
use crate::store::Store;

/// So long a program that has done its work stays to deliver.
const WITHIN: Duration = Duration::from_secs(20);

/// How the run ended that is told of.
pub(crate) enum Ended<'a> {
    /// With a report.
    Report(&'a CycleReport, Box<Prospect>),
    /// Without one, for this reason.
    Failure(&'a RunId, &'a (dyn Error + 'static)),
}

impl Notifiers {
    /// Writes down what there is to tell of a run, and delivers as much of it as possible within 20 seconds.
    pub(crate) async fn tell_once(&self, store: &Store, ended: Ended<'_>, stop: &CancellationToken) {
        if self.is_empty() {
            return;
        }
        self.note(store, ended, stop).await;
        match self.flush(&store.outbox(), WITHIN, stop).await {
            Ok(0) => {}
            Ok(waiting) => tracing::warn!(
                waiting,
                "notifications that are not delivered yet: {waiting}; the next run tries again"
            ),
            Err(error) => warn(&error),
        }
    }

    /// Writes down what there is to tell of a run. Cancelling `stop` leaves out what would take long to find out.
    pub(crate) async fn note(&self, store: &Store, ended: Ended<'_>, stop: &CancellationToken) {
        if self.is_empty() {
            return;
        }
        let recorded = match ended {
            Ended::Report(report, prospect) => match self.look_ahead(*prospect, stop).await {
                Ok(outlook) => self.record(store, report, &outlook).await,
                Err(error) => return warn(&error),
            },
            Ended::Failure(run_id, error) => self.record_failure(store, run_id, &chain(error)).await,
        };
        if let Err(error) = recorded {
            warn(&error);
        }
    }
}

fn warn(error: &(dyn Error + 'static)) {
    let error = chain(error);
    tracing::warn!(error, "not everybody can be told what came of the run: {error}");
}

/// An error with all its causes, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
