//! Tells people and programs what came of a run.
//!
//! After a run, [`Notifiers::record`] turns what it came to into notifications and writes them to the store, in one
//! transaction. Delivery is a thing of its own: [`Notifiers::deliver_due`] tries what is due, one notification of each
//! notifier at a time and all notifiers at once, and writes down what became of it; a [`Courier`] does so for a service. What is not taken is tried again,
//! ever more seldom, until it is given up; what was not tried when amiwarden stopped is tried after its next start. So
//! a notifier that fails neither fails nor delays a cycle, and nothing is sent that was not written down first.
//!
//! Delivery is at least once: a reply that was lost looks like a refusal. The delivery's id tells a repetition.
//!
//! Deliberately absent: any choice of what a run does, and secrets in anything that is stored, logged or returned.

mod backoff;
mod body;
mod command;
mod courier;
mod event;
mod http;
mod once;
mod sign;
mod slack;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write;
use std::time::Duration as StdDuration;

use amiwarden_core::{CycleReport, Duration, RunId, Timestamp};
use amiwarden_ec2::{MESSAGE_BYTES_MAX, Publication, Publisher};
use sha2::{Digest, Sha256};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Channel, NotifierConfig, NotifyEvent, ReadSecretError, SecretFile};
use crate::cycle::{Horizon, Prospect};
use crate::executor::Clock;
use crate::store::{
    NewNotification, NotificationFate, NotificationLimits, Outbox, PendingNotification, Store, StoreError,
};
use backoff::{Jitter, Next, next_attempt};
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

/// What came of one look at the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Taken.
    pub(crate) delivered: usize,
    /// Not taken, and tried again later.
    pub(crate) postponed: usize,
    /// Not taken, and not tried again.
    pub(crate) given_up: usize,
}

impl Deliveries {
    /// How many were tried.
    pub(crate) fn all(self) -> usize {
        self.delivered + self.postponed + self.given_up
    }
}

/// Why a notification was not taken, without any secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DeliveryError {
    reason: String,
    /// How long the receiver asks to wait.
    retry_after: Option<Duration>,
}

impl DeliveryError {
    fn of(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None }
    }

    fn map_reason(self, change: impl FnOnce(String) -> String) -> Self {
        Self { reason: change(self.reason), ..self }
    }
}

impl From<ReadSecretError> for DeliveryError {
    fn from(error: ReadSecretError) -> Self {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::of(format!("{error}{cause}"))
    }
}

/// One attempt at a delivery.
#[derive(Clone, Copy, Debug)]
struct Attempt<'a> {
    notification: &'a NewNotification,
    now: Timestamp,
    timeout: StdDuration,
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
            recorded: tokio::sync::Notify::new(),
        })
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

    /// Tries what is due at `now`: the oldest of each notifier, all at once. Ends early when `stop` is cancelled; what
    /// was not settled then stays in the queue.
    pub(crate) async fn deliver_due(
        &self,
        outbox: &Outbox,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Result<Deliveries, StoreError> {
        let due = outbox.due(now).await?;
        let settled = due.iter().map(|pending| async move {
            let fate = tokio::select! {
                fate = self.fate(pending, now) => fate,
                () = stop.cancelled() => return Ok(None),
            };
            log(pending, &fate);
            outbox.settle(pending.id, &fate, (self.surroundings.clock)()).await?;
            Ok::<_, StoreError>(Some(fate))
        });
        let mut deliveries = Deliveries::default();
        for fate in futures::future::join_all(settled).await {
            match fate? {
                None => {}
                Some(NotificationFate::Delivered) => deliveries.delivered += 1,
                Some(NotificationFate::TryAgain { .. }) => deliveries.postponed += 1,
                Some(NotificationFate::GivenUp { .. } | NotificationFate::Dropped { .. }) => {
                    deliveries.given_up += 1;
                }
            }
        }
        Ok(deliveries)
    }

    /// Waits until something was recorded.
    async fn recorded(&self) {
        self.recorded.notified().await;
    }

    /// Delivers what is due and becomes due until the queue is empty or `within` is over. Yields how many are left.
    pub(crate) async fn flush(
        &self,
        outbox: &Outbox,
        within: StdDuration,
        stop: &CancellationToken,
    ) -> Result<usize, StoreError> {
        let over = stop.child_token();
        let deliver = async {
            while !over.is_cancelled() {
                if self.deliver_due(outbox, (self.surroundings.clock)(), &over).await?.all() > 0 {
                    continue;
                }
                let Some(next) = outbox.next_at().await? else { break };
                tokio::select! {
                    () = tokio::time::sleep(courier::until(next, (self.surroundings.clock)())) => {}
                    () = over.cancelled() => {}
                }
            }
            Ok(())
        };
        let watch = async {
            tokio::time::sleep(within).await;
            over.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            done = deliver => done?,
            () = watch => {}
        }
        outbox.pending().await
    }

    /// Tries one notification.
    async fn fate(&self, pending: &PendingNotification, now: Timestamp) -> NotificationFate {
        let notification = &pending.notification;
        let Some(notifier) = self.configured.iter().find(|it| it.name == notification.notifier) else {
            return NotificationFate::Dropped { reason: "no notifier of this name is configured".to_owned() };
        };
        if notifier.channel.kind() != notification.kind {
            let reason = format!("the notifier is now of kind {}", notifier.channel.kind());
            return NotificationFate::Dropped { reason };
        }
        let seconds = u64::try_from(notifier.timeout.as_seconds()).unwrap_or(1);
        let attempt = Attempt { notification, now, timeout: StdDuration::from_secs(seconds) };
        let Err(error) = self.send(&notifier.channel, attempt).await else {
            return NotificationFate::Delivered;
        };
        let failed = pending.attempts + 1;
        let jitter = Jitter::of(&notification.delivery_id, failed);
        let after = (self.surroundings.clock)();
        match next_attempt(failed, notifier.attempts, after, jitter, error.retry_after) {
            Next::At(at) => NotificationFate::TryAgain { at, error: error.reason },
            Next::GiveUp => NotificationFate::GivenUp { error: error.reason },
        }
    }

    async fn send(&self, channel: &Channel, attempt: Attempt<'_>) -> Result<(), DeliveryError> {
        match channel {
            Channel::Webhook { url, secret } => {
                let url = url.read()?;
                let secret = secret.as_ref().map(SecretFile::read).transpose()?;
                let to = http::Destination { url: &url, may_be_plain: true, signed_with: secret.as_ref() };
                http::post(self.client()?, &to, attempt).await
            }
            Channel::Slack { url } => {
                let url = url.read()?;
                let to = http::Destination { url: &url, may_be_plain: false, signed_with: None };
                http::post(self.client()?, &to, attempt).await
            }
            Channel::Sns { topic_arn } => self.publish(topic_arn, attempt).await,
            Channel::Command { program, arguments } => command::run(program, arguments, attempt).await,
        }
    }

    fn client(&self) -> Result<&reqwest::Client, DeliveryError> {
        self.client.as_ref().ok_or_else(|| DeliveryError::of("there is no HTTP client"))
    }

    async fn publish(&self, topic_arn: &str, attempt: Attempt<'_>) -> Result<(), DeliveryError> {
        let publisher = self.publisher.as_ref();
        let publisher = publisher.ok_or_else(|| DeliveryError::of("there is no connection to AWS"))?;
        let notification = attempt.notification;
        debug_assert!(notification.body.len() <= MESSAGE_BYTES_MAX, "bodies are cut to less");
        let publication = Publication {
            topic_arn,
            subject: &notification.subject,
            message: &notification.body,
            deduplication_id: &notification.delivery_id,
        };
        match tokio::time::timeout(attempt.timeout, publisher.publish(&publication)).await {
            Ok(answer) => answer.map(drop).map_err(|error| DeliveryError::of(error.to_string())),
            Err(_) => Err(DeliveryError::of(format!("no answer within {} s", attempt.timeout.as_secs()))),
        }
    }
}

/// Says once, here, what became of an attempt.
fn log(pending: &PendingNotification, fate: &NotificationFate) {
    let NewNotification { notifier, event, run_id, delivery_id, .. } = &pending.notification;
    let attempt = pending.attempts + 1;
    match fate {
        NotificationFate::Delivered => {
            tracing::info!(notifier, event, %run_id, delivery_id, attempt, "told {notifier} of {event}");
        }
        NotificationFate::TryAgain { at, error } => {
            tracing::warn!(
                notifier, event, %run_id, delivery_id, attempt, %at, error,
                "{notifier} could not be told of {event} ({error}): it is tried again at {at}"
            );
        }
        NotificationFate::GivenUp { error } => {
            tracing::error!(
                notifier, event, %run_id, delivery_id, attempt, error,
                "{notifier} could not be told of {event} ({error}): it is given up after {attempt} attempts"
            );
        }
        NotificationFate::Dropped { reason } => {
            tracing::warn!(
                notifier, event, %run_id, delivery_id, reason,
                "{notifier} is not told of {event}: {reason}"
            );
        }
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
