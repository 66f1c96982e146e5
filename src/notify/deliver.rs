//! Tries what is due, and says what became of it.

use std::error::Error;
use std::time::Duration as StdDuration;

use amiwarden_core::{Duration, Timestamp};
use amiwarden_ec2::{MESSAGE_BYTES_MAX, Publication};
use tokio_util::sync::CancellationToken;

use super::backoff::{Jitter, Next, next_attempt};
use super::{Notifiers, command, courier, http};
use crate::config::{Channel, ReadSecretError, SecretFile};
use crate::metrics::{Notified, NotifierKind};
use crate::store::{NewNotification, NotificationFate, Outbox, PendingNotification, StoreError};

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
pub(super) struct DeliveryError {
    pub(super) reason: String,
    /// How long the receiver asks to wait.
    pub(super) retry_after: Option<Duration>,
}

impl DeliveryError {
    pub(super) fn of(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None }
    }

    pub(super) fn map_reason(self, change: impl FnOnce(String) -> String) -> Self {
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
pub(super) struct Attempt<'a> {
    pub(super) notification: &'a NewNotification,
    pub(super) now: Timestamp,
    pub(super) timeout: StdDuration,
}

impl Notifiers {
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
            self.count(pending, &fate);
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

    fn count(&self, pending: &PendingNotification, fate: &NotificationFate) {
        let result = match fate {
            NotificationFate::Delivered => Notified::Delivered,
            NotificationFate::GivenUp { .. } | NotificationFate::Dropped { .. } => Notified::Failed,
            NotificationFate::TryAgain { .. } => return,
        };
        if let Some(metrics) = &self.metrics
            && let Some(kind) = NotifierKind::named(&pending.notification.kind)
        {
            metrics.notified(kind, result);
        }
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
