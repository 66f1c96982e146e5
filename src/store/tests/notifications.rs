//! The queue of notifications.

use super::fixture::{Place, day, run_id};
use crate::store::{NewNotification, NotificationFate, NotificationLimits, Store};

const LIMITS_MAX: usize = 3;

fn limits(since: i64) -> NotificationLimits {
    NotificationLimits { pending_max: LIMITS_MAX, told_since: day(since) }
}

fn new(n: u32, notifier: &str, news: Option<&str>) -> NewNotification {
    NewNotification {
        delivery_id: format!("delivery-{n}"),
        notifier: notifier.to_owned(),
        kind: "webhook".to_owned(),
        event: "done".to_owned(),
        run_id: run_id(1),
        news: news.map(str::to_owned),
        subject: "3 changes".to_owned(),
        body: format!("body {n}"),
    }
}

async fn record(store: &Store, all: &[NewNotification], today: i64) -> usize {
    store.record_notifications(all, limits(today - 1), day(today)).await.unwrap()
}

/// The deliveries that are due on a day.
async fn due(store: &Store, today: i64) -> Vec<String> {
    let due = store.outbox().due(day(today)).await.unwrap();
    due.into_iter().map(|it| it.notification.delivery_id).collect()
}

async fn settle(store: &Store, delivery: &str, fate: NotificationFate, today: i64) {
    let due = store.outbox().due(day(100)).await.unwrap();
    let it = due.into_iter().find(|it| it.notification.delivery_id == delivery).unwrap();
    store.outbox().settle(it.id, &fate, day(today)).await.unwrap();
}

/// Delivery, state, attempts and the last error of all, the oldest first.
async fn states(store: &Store) -> Vec<String> {
    let mut all = store.reader().notifications(100).await.unwrap();
    all.reverse();
    all.iter()
        .map(|it| {
            let error = it.last_error.as_deref().unwrap_or("-");
            format!("{} {} {} {error}", it.delivery_id, it.state, it.attempts)
        })
        .collect()
}

#[tokio::test]
async fn each_notifier_is_told_in_order_and_waits_for_its_own_only() {
    let place = Place::new();
    let store = place.open().await;
    let all = [new(1, "a", None), new(2, "a", None), new(3, "b", None)];
    assert_eq!(record(&store, &all, 1).await, 3);
    assert_eq!(due(&store, 0).await, [""; 0]);
    assert_eq!(due(&store, 1).await, ["delivery-1", "delivery-3"]);
    let try_again = NotificationFate::TryAgain { at: day(5), error: "refused".to_owned() };
    settle(&store, "delivery-1", try_again, 1).await;
    settle(&store, "delivery-3", NotificationFate::Delivered, 1).await;
    // The second waits for the first.
    assert_eq!(due(&store, 4).await, [""; 0]);
    assert_eq!(store.outbox().next_at().await.unwrap(), Some(day(5)));
    assert_eq!(due(&store, 5).await, ["delivery-1"]);
    settle(&store, "delivery-1", NotificationFate::GivenUp { error: "gone".to_owned() }, 5).await;
    assert_eq!(due(&store, 5).await, ["delivery-2"]);
    assert_eq!(
        states(&store).await,
        ["delivery-1 given-up 2 gone", "delivery-2 pending 0 -", "delivery-3 delivered 1 -"]
    );
}

#[tokio::test]
async fn what_waits_is_there_after_a_restart_and_what_is_settled_is_forgotten() {
    let place = Place::new();
    let store = place.open().await;
    record(&store, &[new(1, "a", None), new(2, "b", None)], 1).await;
    settle(&store, "delivery-1", NotificationFate::Delivered, 1).await;
    store.close().await.unwrap();
    drop(store);
    let store = place.open().await;
    let waiting = store.outbox().due(day(1)).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].notification, new(2, "b", None));
    let mut connection = place.connect().await;
    let kept: Vec<String> = sqlx::query_scalar("select body from notification where body is not null")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(kept, ["body 2"]);
}

#[tokio::test]
async fn the_same_news_is_told_once_in_a_while() {
    let place = Place::new();
    let store = place.open().await;
    assert_eq!(record(&store, &[new(1, "a", Some("x"))], 1).await, 1);
    assert_eq!(record(&store, &[new(2, "a", Some("x"))], 1).await, 0);
    assert_eq!(
        record(&store, &[new(3, "a", Some("y")), new(4, "b", Some("x")), new(5, "a", None)], 1).await,
        3
    );
    assert_eq!(record(&store, &[new(6, "a", Some("x"))], 2).await, 1);
}

#[tokio::test]
async fn a_queue_that_is_full_gives_up_its_oldest() {
    let place = Place::new();
    let store = place.open().await;
    let all: Vec<_> = (1..=5).map(|n| new(n, "a", None)).chain([new(6, "b", None)]).collect();
    record(&store, &all, 1).await;
    assert_eq!(due(&store, 1).await, ["delivery-3", "delivery-6"]);
    let states = states(&store).await;
    assert_eq!(states[1], "delivery-2 given-up 0 newer ones took its place");
    assert_eq!(states[2], "delivery-3 pending 0 -");
}

#[tokio::test]
async fn what_is_settled_stays_settled() {
    let place = Place::new();
    let store = place.open().await;
    record(&store, &[new(1, "a", None)], 1).await;
    let it = store.outbox().due(day(1)).await.unwrap().remove(0);
    store.outbox().settle(it.id, &NotificationFate::Delivered, day(1)).await.unwrap();
    let late = NotificationFate::TryAgain { at: day(2), error: "late".to_owned() };
    store.outbox().settle(it.id, &late, day(1)).await.unwrap();
    assert_eq!(states(&store).await, ["delivery-1 delivered 1 -"]);
    assert_eq!(store.outbox().next_at().await.unwrap(), None);
    // The ledger and the structure are as they were.
    assert!(store.verify().await.unwrap().findings.is_empty());
}
