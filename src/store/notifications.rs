//! What people and programs are told. Each notification is here before it is tried, and stays here until it is
//! delivered or given up; then its text is forgotten and what became of it is kept. Delivery itself works on the
//! [`Outbox`](super::Outbox).

use amiwarden_core::{RunId, Timestamp};

use super::column::{count, instant, read_count};
use super::error::During;
use super::{Store, StoreError, StoreReader, Write};

const RECORD: &str = "record a notification";
const READ: &str = "read the notifications";

/// A notification that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotification {
    /// Its name through all attempts.
    pub delivery_id: String,
    /// To whom.
    pub notifier: String,
    /// The notifier's kind, for which the body is made.
    pub kind: String,
    /// The event that it is about.
    pub event: String,
    /// The run that it is about.
    pub run_id: RunId,
    /// What is new in it. One with the same news is not recorded again for a while; one without always is.
    pub news: Option<String>,
    /// One line.
    pub subject: String,
    /// What is sent.
    pub body: String,
}

/// How much is kept waiting, and how often the same is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationLimits {
    /// So many may wait for one notifier; the oldest beyond are given up.
    pub pending_max: usize,
    /// News that was recorded after this is not told again.
    pub told_since: Timestamp,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotificationId(pub(super) i64);

/// A notification that is waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingNotification {
    /// Its place in the queue.
    pub id: NotificationId,
    /// What is to be sent.
    pub notification: NewNotification,
    /// How often it was tried in vain.
    pub attempts: u32,
}

/// What became of an attempt, or of a notification that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotificationFate {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again then.
    TryAgain {
        /// When.
        at: Timestamp,
        /// Why it was not taken.
        error: String,
    },
    /// It was not, and is not tried again.
    GivenUp {
        /// Why it was not taken.
        error: String,
    },
    /// It was not tried, and will not be.
    Dropped {
        /// Why not.
        reason: String,
    },
}

/// What is known of a notification, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationRecord {
    /// Its name through all attempts.
    pub delivery_id: String,
    /// To whom.
    pub notifier: String,
    /// The event that it is about.
    pub event: String,
    /// The run that it is about.
    pub run_id: RunId,
    /// One line.
    pub subject: String,
    /// `pending`, `delivered` or `given-up`.
    pub state: String,
    /// How often it was tried.
    pub attempts: usize,
    /// Why the last attempt failed, if one did.
    pub last_error: Option<String>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it is tried next, while it is pending.
    pub next_at: Option<Timestamp>,
}

impl Store {
    /// Records what is to be sent, all of it or nothing, due at once. Yields how many were recorded: news that was told
    /// lately is left out.
    pub async fn record_notifications(
        &self,
        notifications: &[NewNotification],
        limits: NotificationLimits,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        if notifications.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin(RECORD).await?;
        let mut recorded = 0;
        for notification in notifications {
            if was_told(&mut tx, notification, limits.told_since).await? {
                continue;
            }
            insert(&mut tx, notification, now).await?;
            give_up_oldest(&mut tx, &notification.notifier, limits.pending_max, now).await?;
            recorded += 1;
        }
        tx.commit().await.during(RECORD)?;
        Ok(recorded)
    }
}

/// Whether the same was recorded for the same notifier lately.
async fn was_told(tx: &mut Write, new: &NewNotification, since: Timestamp) -> Result<bool, StoreError> {
    let Some(news) = &new.news else { return Ok(false) };
    sqlx::query_scalar(
        "select exists (
             select 1 from notification
             where notifier = ?1 and event = ?2 and news = ?3 and recorded_at > ?4
         )",
    )
    .bind(&new.notifier)
    .bind(&new.event)
    .bind(news)
    .bind(since.as_second())
    .fetch_one(&mut **tx)
    .await
    .during(RECORD)
}

async fn insert(tx: &mut Write, new: &NewNotification, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query(
        "insert into notification
             (delivery_key, notifier, kind, event, run_key, news, subject, body, state, recorded_at, next_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9, ?9)",
    )
    .bind(&new.delivery_id)
    .bind(&new.notifier)
    .bind(&new.kind)
    .bind(&new.event)
    .bind(new.run_id.as_str())
    .bind(&new.news)
    .bind(&new.subject)
    .bind(&new.body)
    .bind(now.as_second())
    .execute(&mut **tx)
    .await
    .during(RECORD)?;
    Ok(())
}

/// A receiver that has been down for long is not told of all that it missed.
async fn give_up_oldest(
    tx: &mut Write,
    notifier: &str,
    pending_max: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "update notification
         set state = 'given-up', last_error = coalesce(last_error || '; ', '') || 'newer ones took its place',
             next_at = null, body = null, settled_at = ?3
         where notification_id in (
             select notification_id from notification where notifier = ?1 and state = 'pending'
             order by notification_id desc limit -1 offset ?2
         )",
    )
    .bind(notifier)
    .bind(count(pending_max))
    .bind(now.as_second())
    .execute(&mut **tx)
    .await
    .during(RECORD)?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    delivery_key: String,
    notifier: String,
    event: String,
    run_key: String,
    subject: String,
    state: String,
    attempts: i64,
    last_error: Option<String>,
    recorded_at: i64,
    next_at: Option<i64>,
}

impl StoreReader {
    /// The newest notifications, the newest first.
    pub async fn notifications(&self, limit: usize) -> Result<Vec<NotificationRecord>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "select delivery_key, notifier, event, run_key, subject, state, attempts, last_error, recorded_at,
                    next_at
             from notification order by notification_id desc limit ?1",
        )
        .bind(count(limit))
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter().map(record).collect()
    }
}

fn record(row: Row) -> Result<NotificationRecord, StoreError> {
    Ok(NotificationRecord {
        delivery_id: row.delivery_key,
        notifier: row.notifier,
        event: row.event,
        run_id: RunId::new(row.run_key),
        subject: row.subject,
        state: row.state,
        attempts: read_count(row.attempts)?,
        last_error: row.last_error,
        recorded_at: instant(row.recorded_at)?,
        next_at: row.next_at.map(instant).transpose()?,
    })
}
