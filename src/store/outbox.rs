//! The queue of notifications, as delivery works on it.
//!
//! A service delivers at all times and runs only now and then, and between its runs the store is free for whoever is at
//! the command line. So an outbox takes no turn at the store: it reads and writes nothing but its own table, in short
//! transactions for which SQLite's own locks are enough. What is in the ledger is none of its business.

use std::path::Path;

use amiwarden_core::{RunId, Timestamp};
use sqlx::SqlitePool;

use super::column::{instant, read_count};
use super::error::During;
use super::notifications::{NewNotification, NotificationFate, NotificationId, PendingNotification};
use super::{OpenStoreError, Store, StoreError, open};

const SETTLE: &str = "record what became of a notification";
const READ: &str = "read the notifications that wait";

/// The queue of notifications. Clones share it.
#[derive(Clone, Debug)]
pub struct Outbox {
    pool: SqlitePool,
}

impl Store {
    /// The queue of this store.
    pub fn outbox(&self) -> Outbox {
        Outbox { pool: self.inner.writer.clone() }
    }
}

impl Outbox {
    /// Opens the queue of the store at `path`, beside whoever has it open; none where there is no store.
    ///
    /// # Errors
    ///
    /// As [`StoreReader::open`](super::StoreReader::open).
    pub async fn open(path: &Path) -> Result<Option<Self>, OpenStoreError> {
        Ok(open::open_beside(path).await?.map(|pool| Self { pool }))
    }

    /// Closes the file. Not for the queue of an open [`Store`], which would be closed with it.
    pub async fn close(self) {
        self.pool.close().await;
    }

    /// Records what became of an attempt to deliver a notification. One that is no longer pending stays as it is.
    pub async fn settle(
        &self,
        id: NotificationId,
        fate: &NotificationFate,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (state, error, next_at, tried) = match fate {
            NotificationFate::Delivered => ("delivered", None, None, 1),
            NotificationFate::TryAgain { at, error } => ("pending", Some(error), Some(at.as_second()), 1),
            NotificationFate::GivenUp { error } => ("given-up", Some(error), None, 1),
            NotificationFate::Dropped { reason } => ("given-up", Some(reason), None, 0),
        };
        let mut tx = self.pool.begin_with("begin immediate").await.during(SETTLE)?;
        sqlx::query(
            "update notification
             set state = ?2, attempts = attempts + ?6, last_error = coalesce(?3, last_error), next_at = ?4,
                 body = case when ?4 is null then null else body end,
                 settled_at = case when ?4 is null then ?5 end
             where notification_id = ?1 and state = 'pending'",
        )
        .bind(id.0)
        .bind(state)
        .bind(error)
        .bind(next_at)
        .bind(now.as_second())
        .bind(tried)
        .execute(&mut *tx)
        .await
        .during(SETTLE)?;
        tx.commit().await.during(SETTLE)
    }

    /// The oldest notification of each notifier that is due at `now` and waits behind no other: an earlier one that is
    /// not due yet holds up those after it, so that nobody is told of the end before the beginning.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<PendingNotification>, StoreError> {
        let mut connection = self.pool.acquire().await.during(READ)?;
        let rows: Vec<PendingRow> = sqlx::query_as(
            "select notification_id, delivery_key, notifier, kind, event, run_key, news, subject, body, attempts
             from notification
             where notification_id in (
                 select min(notification_id) from notification where state = 'pending' group by notifier
             ) and next_at <= ?1
             order by notification_id",
        )
        .bind(now.as_second())
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        Ok(rows.into_iter().map(pending).collect())
    }

    /// When the next notification is due; none when none is pending.
    pub async fn next_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut connection = self.pool.acquire().await.during(READ)?;
        let next: Option<i64> = sqlx::query_scalar(
            "select min(next_at) from notification
             where notification_id in (
                 select min(notification_id) from notification where state = 'pending' group by notifier
             )",
        )
        .fetch_one(&mut *connection)
        .await
        .during(READ)?;
        next.map(instant).transpose()
    }

    /// How many notifications are waiting.
    pub async fn pending(&self) -> Result<usize, StoreError> {
        let mut connection = self.pool.acquire().await.during(READ)?;
        let pending: i64 = sqlx::query_scalar("select count(*) from notification where state = 'pending'")
            .fetch_one(&mut *connection)
            .await
            .during(READ)?;
        read_count(pending)
    }
}

#[derive(sqlx::FromRow)]
struct PendingRow {
    notification_id: i64,
    delivery_key: String,
    notifier: String,
    kind: String,
    event: String,
    run_key: String,
    news: Option<String>,
    subject: String,
    body: String,
    attempts: u32,
}

fn pending(row: PendingRow) -> PendingNotification {
    PendingNotification {
        id: NotificationId(row.notification_id),
        attempts: row.attempts,
        notification: NewNotification {
            delivery_id: row.delivery_key,
            notifier: row.notifier,
            kind: row.kind,
            event: row.event,
            run_id: RunId::new(row.run_key),
            news: row.news,
            subject: row.subject,
            body: row.body,
        },
    }
}
