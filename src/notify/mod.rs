//! Tells people and programs what came of a run.
//!
//! After a run, [`Notifiers::record`] turns what it came to into notifications and writes them to the store, in one
//! transaction. Delivery is a thing of its own: [`Notifiers::deliver_due`] tries what is due, one notification of each
//! notifier at a time and all notifiers at once, and writes down what became of it; a [`Courier`] does so for a service.
//! What is not taken is tried again, ever more seldom, until it is given up; what was not tried when amiwarden stopped is
//! tried after its next start. So a notifier that fails neither fails nor delays a cycle, and nothing is sent that was
//! not written down first.
//!
//! Delivery is at least once: a reply that was lost looks like a refusal. The delivery's id tells a repetition.
//!
//! Deliberately absent: any choice of what a run does, and secrets in anything that is stored, logged or returned.

mod backoff;
mod body;
mod command;
mod courier;
mod deliver;
mod event;
mod http;
mod once;
mod sign;
mod slack;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write;

use amiwarden_core::{CycleReport, Duration, RunId, Timestamp};
use amiwarden_ec2::Publisher;
use sha2::{Digest, Sha256};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Channel, NotifierConfig, NotifyEvent, SecretFile};
use crate::cycle::{Horizon, Prospect};
use crate::executor::Clock;
use crate::metrics::Metrics;
use crate::store::{NewNotification, NotificationLimits, Store, StoreError};
use deliver::DeliveryError;
use event::{Event, events};

pub(crate) use courier::Courier;
pub(crate) use event::Outlook;
pub(crate) use once::Ended;

/// So many notifications wait for one notifier at most.
const PENDING_MAX: usize = 100;

/// The same news is told again after a day at the earliest.
const REPEATED_AFTER: Duration = Duration::from_minutes(24 * 60);

/// Everybody who wants to be told.
pub(crate) struct Notifiers {
    configured: Vec<NotifierConfig>,
    /// There is one where a notifier is reached by HTTP.
    client: Option<reqwest::Client>,
    /// There is one where the caller is connected to AWS.
    publisher: Option<Publisher>,
    surroundings: Surroundings,
    /// What counts deliveries, in a service.
    metrics: Option<Metrics>,
    /// Rings when something was recorded.
    recorded: tokio::sync::Notify,
}

/// What makes one run of the program differ from the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) clock: Clock,
    /// A name for a delivery that no other has.
    pub(crate) delivery_id: fn() -> Uuid,
}

impl Surroundings {
    /// Those of the program proper.
    pub(crate) const REAL: Self = Self { clock: Timestamp::now, delivery_id: Uuid::now_v7 };
}

/// The notifiers cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for notifiers cannot be made: check that the system's certificates can be read")]
pub(crate) struct BuildNotifiersError(#[from] reqwest::Error);

/// Notifications cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordNotificationsError {
    /// The store refused.
    #[error("the notifications of the run could not be recorded")]
    Store(#[from] StoreError),
    /// A report has no JSON form.
    #[error("the notifications of the run could not be written")]
    Body(#[from] serde_json::Error),
}

impl Notifiers {
    /// Those that are configured. `publisher` is what reaches topics of SNS, where the caller is connected to AWS.
    pub(crate) fn new(
        configured: &[NotifierConfig],
        publisher: Option<Publisher>,
        surroundings: Surroundings,
    ) -> Result<Self, BuildNotifiersError> {
        let is_http = |notifier: &NotifierConfig| match notifier.channel {
            Channel::Webhook { .. } | Channel::Slack { .. } => true,
            Channel::Sns { .. } | Channel::Command { .. } => false,
        };
        Ok(Self {
            client: if configured.iter().any(is_http) { Some(http::client()?) } else { None },
            configured: configured.to_vec(),
            publisher,
            surroundings,
            metrics: None,
            recorded: tokio::sync::Notify::new(),
        })
    }

    /// The same, with `metrics` to count what is delivered and what is given up.
    #[must_use]
    pub(crate) fn counted_by(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Whether nobody wants to be told anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// How far ahead somebody wants to be told of images; not at all where nobody does.
    pub(crate) fn horizon(&self) -> Horizon {
        let asking = self.configured.iter().filter(|it| it.events.contains(&NotifyEvent::Approaching));
        Horizon {
            days: asking.clone().map(|it| it.within_days).max().unwrap_or(0),
            owner_tags: asking.map(|it| it.owner_tag.clone()).collect::<BTreeSet<_>>(),
        }
    }

    /// What there is to tell besides the report. It takes a while where somebody wants to be told of approaching images.
    ///
    /// # Errors
    ///
    /// Only when the evaluation of the policies panicked.
    pub(crate) async fn look_ahead(
        &self,
        mut prospect: Prospect,
        stop: &CancellationToken,
    ) -> Result<Outlook, JoinError> {
        let notices = std::mem::take(&mut prospect.notices);
        let approaching = prospect.approaching(self.horizon(), stop.clone()).await?;
        Ok(Outlook { notices, approaching })
    }

    /// Says in the log what cannot be read now that deliveries will need.
    pub(crate) fn warn_of_secrets(&self) {
        for unreadable in self.unreadable_secrets() {
            tracing::warn!("{unreadable}");
        }
    }

    fn unreadable_secrets(&self) -> Vec<String> {
        let unreadable = |notifier: &NotifierConfig| {
            let read = match &notifier.channel {
                Channel::Webhook { url, secret } => {
                    url.read().and_then(|_| secret.as_ref().map(SecretFile::read).transpose()).err()
                }
                Channel::Slack { url } => url.read().err(),
                Channel::Sns { .. } | Channel::Command { .. } => None,
            };
            read.map(|error| format!("notifier {}: {}", notifier.name, DeliveryError::from(error).reason))
        };
        self.configured.iter().filter_map(unreadable).collect()
    }

    /// Writes down what there is to tell of a run, to whom. Nothing is sent yet. Yields how many notifications it came
    /// to.
    pub(crate) async fn record(
        &self,
        store: &Store,
        report: &CycleReport,
        outlook: &Outlook,
    ) -> Result<usize, RecordNotificationsError> {
        let mut notifications = Vec::new();
        for notifier in &self.configured {
            // Each looks as far ahead as it wants, which may be less than another does.
            let mut own = Outlook { notices: outlook.notices.clone(), approaching: Vec::new() };
            let is_near = |due_in_days: u32| due_in_days <= notifier.within_days;
            own.approaching.extend(outlook.approaching.iter().filter(|it| is_near(it.due_in_days)).cloned());
            for event in events(report, &own) {
                notifications.extend(self.notification(notifier, &event)?);
            }
        }
        self.write(store, &notifications).await
    }

    /// The same for a run that came to no report.
    pub(crate) async fn record_failure(
        &self,
        store: &Store,
        run_id: &RunId,
        reason: &str,
    ) -> Result<usize, RecordNotificationsError> {
        let mut notifications = Vec::new();
        for notifier in &self.configured {
            notifications.extend(self.notification(notifier, &Event::RunFailed(run_id, reason))?);
        }
        self.write(store, &notifications).await
    }

    async fn write(
        &self,
        store: &Store,
        notifications: &[NewNotification],
    ) -> Result<usize, RecordNotificationsError> {
        let now = (self.surroundings.clock)();
        let limits = NotificationLimits {
            pending_max: PENDING_MAX,
            told_since: REPEATED_AFTER.before(now).unwrap_or(Timestamp::MIN),
        };
        let recorded = store.record_notifications(notifications, limits, now).await?;
        if recorded > 0 {
            self.recorded.notify_one();
        }
        Ok(recorded)
    }

    /// The notification of an event as the notifier takes it; none where it does not want to be told.
    fn notification(
        &self,
        notifier: &NotifierConfig,
        event: &Event<'_>,
    ) -> Result<Option<NewNotification>, serde_json::Error> {
        if !notifier.events.contains(&event.kind()) {
            return Ok(None);
        }
        let line = text::line(event);
        let body = match notifier.channel {
            Channel::Slack { .. } => slack::message(event, &line, &notifier.owner_tag),
            Channel::Webhook { .. } | Channel::Sns { .. } | Channel::Command { .. } => {
                body::body(event, &line, &notifier.owner_tag)?
            }
        };
        Ok(Some(NewNotification {
            delivery_id: (self.surroundings.delivery_id)().to_string(),
            notifier: notifier.name.clone(),
            kind: notifier.channel.kind().to_owned(),
            event: event.kind().as_str().to_owned(),
            run_id: event.run_id().clone(),
            news: event.news(),
            subject: format!("amiwarden {}: {line}", event.kind().as_str()),
            body,
        }))
    }

    /// Waits until something was recorded.
    async fn recorded(&self) {
        self.recorded.notified().await;
    }
}

/// A digest by which equal news is known.
fn hex_digest(news: &[String]) -> String {
    let mut hash = Sha256::new();
    for item in news {
        hash.update(item.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
