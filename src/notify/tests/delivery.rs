//! Deliveries to receivers of every kind, from the queue in a real store.

use std::sync::Arc;
use std::time::{Duration as StdDuration, Instant};

use super::receiver::{Answer, Received, Receiver};
use super::*;
use crate::config::SecretFile;
use crate::report::tests::sample;
use crate::store::NotificationRecord;

const OK: Answer = Answer::With(200, "", "");
const BROKEN: Answer = Answer::With(500, "", "in pieces");
const SECRET_PATH: &str = "/services/T000/B000/XXXXXXXX";

/// Records what a run came to that has one piece of news for everybody.
async fn record(notifiers: &Notifiers, store: &Store) -> usize {
    notifiers.record(store, &sample::observed(), &Outlook::default()).await.unwrap()
}

async fn deliver(notifiers: &Notifiers, store: &Store, at: Timestamp) -> Deliveries {
    notifiers.deliver_due(&store.outbox(), at, &CancellationToken::new()).await.unwrap()
}

/// When the next one is due, at which it is then tried.
async fn next(store: &Store) -> Option<Timestamp> {
    store.outbox().next_at().await.unwrap()
}

async fn newest(store: &Store) -> NotificationRecord {
    store.reader().notifications(1).await.unwrap().remove(0)
}

/// Whether `text` is anywhere in the files of the store.
fn is_stored(place: &Place, text: &str) -> bool {
    std::fs::read_dir(place.directory.path()).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn what_is_not_taken_is_sent_again_under_the_same_name_until_it_is() {
    let (place, receiver) = (Place::new(), Receiver::start(&[BROKEN, BROKEN, OK]).await);
    let store = place.open().await;
    let notifiers = notifiers(&[notifier("ops", webhook(&receiver.url("/hook")))]);
    assert_eq!(record(&notifiers, &store).await, 1);
    assert!(receiver.received().is_empty(), "recording sends nothing");
    let mut pauses = Vec::new();
    let mut at = now();
    for _ in 0..2 {
        assert_eq!(
            deliver(&notifiers, &store, at).await,
            Deliveries { postponed: 1, ..Deliveries::default() }
        );
        at = next(&store).await.unwrap();
        pauses.push(at.as_second() - now().as_second());
        assert_eq!(
            newest(&store).await.last_error.as_deref(),
            Some("it answered with status 500 Internal Server Error: in pieces")
        );
    }
    assert!(pauses[0] == 1 && (2..=4).contains(&pauses[1]), "{pauses:?}");
    assert_eq!(deliver(&notifiers, &store, at).await, Deliveries { delivered: 1, ..Deliveries::default() });
    let record = newest(&store).await;
    assert_eq!((record.state.as_str(), record.attempts), ("delivered", 3));
    let requests = receiver.received();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.path, "/hook");
        assert_eq!(request.headers["x-amiwarden-delivery"], record.delivery_id);
        assert_eq!(request.headers["x-amiwarden-event"], "plan-ready");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.body, requests[0].body);
    }
    let body: serde_json::Value = serde_json::from_str(&requests[0].body).unwrap();
    assert_eq!(body["run_id"], sample::observed().run_id.as_str());
}

#[tokio::test]
async fn what_is_never_taken_is_given_up_and_that_is_recorded() {
    let (place, receiver) = (Place::new(), Receiver::start(&[BROKEN]).await);
    let store = place.open().await;
    let notifiers = notifiers(&[notifier("ops", webhook(&receiver.url("/")))]);
    record(&notifiers, &store).await;
    let mut given_up = 0;
    while let Some(at) = next(&store).await {
        given_up += deliver(&notifiers, &store, at).await.given_up;
    }
    assert_eq!((given_up, receiver.received().len()), (1, 4));
    let record = newest(&store).await;
    assert_eq!((record.state.as_str(), record.attempts), ("given-up", 4));
}

#[tokio::test]
async fn a_receiver_that_is_silent_costs_its_time_and_holds_up_nobody_else() {
    let (place, silent) = (Place::new(), Receiver::start(&[Answer::Silence]).await);
    let (store, quick) = (place.open().await, Receiver::start(&[OK]).await);
    let slow = notifier("slow", webhook(&silent.url("/")));
    let notifiers = notifiers(&[slow, notifier("quick", webhook(&quick.url("/")))]);
    record(&notifiers, &store).await;
    let started = Instant::now();
    let deliveries = deliver(&notifiers, &store, now()).await;
    assert!(started.elapsed() < StdDuration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!((deliveries.delivered, deliveries.postponed), (1, 1));
    let all = store.reader().notifications(2).await.unwrap();
    let error = all.iter().find(|it| it.notifier == "slow").and_then(|it| it.last_error.as_deref());
    assert_eq!(error, Some("no answer within 1 s"));
}

#[tokio::test]
async fn a_stop_leaves_what_is_under_way_in_the_queue() {
    let (place, silent) = (Place::new(), Receiver::start(&[Answer::Silence]).await);
    let store = place.open().await;
    let configured = [notifier("ops", webhook(&silent.url("/")))];
    let (first, stop) = (notifiers(&configured), CancellationToken::new());
    record(&first, &store).await;
    let cancel = async {
        while silent.received().is_empty() {
            tokio::time::sleep(StdDuration::from_millis(10)).await;
        }
        stop.cancel();
    };
    let outbox = store.outbox();
    let (deliveries, ()) = tokio::join!(first.deliver_due(&outbox, now(), &stop), cancel);
    assert_eq!(deliveries.unwrap(), Deliveries::default());
    store.close().await.unwrap();
    drop(store);
    // After a restart it is tried again, by whoever has its name now.
    let (store, receiver) = (place.open().await, Receiver::start(&[OK]).await);
    let again = notifiers(&[notifier("ops", webhook(&receiver.url("/")))]);
    assert_eq!(deliver(&again, &store, now()).await.delivered, 1);
    let ids =
        [&silent.received()[0], &receiver.received()[0]].map(|it| it.headers["x-amiwarden-delivery"].clone());
    assert_eq!(ids[0], ids[1]);
    assert_eq!(newest(&store).await.attempts, 1);
}

#[tokio::test]
async fn a_webhook_with_a_secret_is_signed_so_that_others_can_check_it() {
    let (place, receiver) = (Place::new(), Receiver::start(&[OK]).await);
    let store = place.open().await;
    let credentials = Place::new();
    std::fs::write(credentials.path("signing-key"), "hunter2-of-the-hook\n").unwrap();
    let secret = SecretFile::at(credentials.path("signing-key"));
    let channel = Channel::Webhook { url: written(&receiver.url("/")), secret: Some(secret) };
    let notifiers = notifiers(&[notifier("ops", channel)]);
    record(&notifiers, &store).await;
    assert_eq!(deliver(&notifiers, &store, now()).await.delivered, 1);
    let Received { headers, body, .. } = receiver.received().remove(0);
    let (time, code) = headers["x-amiwarden-signature"].split_once(",v1=").unwrap();
    assert_eq!(time, format!("t={}", now().as_second()));
    assert_eq!(code, hmac_after_the_book("hunter2-of-the-hook", &format!("{}.{body}", now().as_second())));
    store.close().await.unwrap();
    // The second shows that the first would find something.
    assert!(!is_stored(&place, "hunter2-of") && is_stored(&place, "delivery_key"));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// HMAC-SHA256 after RFC 2104, from nothing but the hash function.
fn hmac_after_the_book(key: &str, message: &str) -> String {
    let pad = |byte: u8| -> Vec<u8> {
        let mut block = vec![byte; 64];
        block.iter_mut().zip(key.bytes()).for_each(|(slot, key)| *slot ^= key);
        block
    };
    let inner = Sha256::digest([&pad(0x36), message.as_bytes()].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner].concat());
    hex(&outer)
}

#[tokio::test]
async fn a_secret_url_is_in_nothing_that_is_kept_or_said() {
    let place = Place::new();
    let quoting =
        Receiver::start(&[Answer::With(404, "", "no such hook: /services/T000/B000/XXXXXXXX")]).await;
    let moved = Receiver::start(&[Answer::With(302, "Location: http://127.0.0.1:1/\r\n", "")]).await;
    let store = place.open().await;
    let slack = |url: &str| Channel::Slack { url: written(url) };
    let configured = [
        notifier("quoting", slack(&quoting.url(SECRET_PATH))),
        notifier("moved", slack(&moved.url(SECRET_PATH))),
        // Nobody listens there.
        notifier("absent", slack(&format!("http://127.0.0.1:1{SECRET_PATH}"))),
        notifier("unknown", slack(&format!("https://hooks.invalid{SECRET_PATH}"))),
        notifier("plain", slack(&format!("http://hooks.example.com{SECRET_PATH}"))),
    ];
    let notifiers = notifiers(&configured);
    record(&notifiers, &store).await;
    assert_eq!(deliver(&notifiers, &store, now()).await.postponed, 5);
    let errors: BTreeMap<String, String> = store
        .reader()
        .notifications(10)
        .await
        .unwrap()
        .into_iter()
        .map(|it| (it.notifier, it.last_error.unwrap()))
        .collect();
    for (notifier, error) in &errors {
        assert!(!error.contains("XXXX"), "{notifier}: {error}");
    }
    assert!(errors["quoting"].contains("status 404 Not Found: no such hook"), "{errors:?}");
    assert!(errors["moved"].contains("redirects are not followed"), "{errors:?}");
    assert!(errors["plain"].contains("without `https`"), "{errors:?}");
    store.close().await.unwrap();
    assert!(!is_stored(&place, "XXXXXXXX"));
    assert!(!format!("{configured:?}").contains("XXXX"));
}

#[tokio::test]
async fn a_program_gets_the_document_on_its_standard_input() {
    let place = Place::new();
    let store = place.open().await;
    let (out, note) = (place.path("out"), place.path("note"));
    let script = format!(
        "cat > '{}'; echo \"$AMIWARDEN_EVENT $AMIWARDEN_RUN_ID ${{NOTIFY_SOCKET:-none}}\" > '{}'; echo noise",
        out.display(),
        note.display()
    );
    let notifiers = notifiers(&[notifier("pager", command(&script))]);
    record(&notifiers, &store).await;
    assert_eq!(deliver(&notifiers, &store, now()).await.delivered, 1);
    let body: serde_json::Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    assert_eq!((&body["event"], &body["schema"]), (&"plan-ready".into(), &1.into()));
    let run_id = sample::observed().run_id;
    assert_eq!(std::fs::read_to_string(note).unwrap(), format!("plan-ready {run_id} none\n"));
}

#[tokio::test]
async fn a_program_that_fails_hangs_or_is_not_there_says_why() {
    let place = Place::new();
    let store = place.open().await;
    let nowhere = Channel::Command { program: place.path("nowhere"), arguments: Vec::new() };
    // What is left running keeps standard error open, and is not waited for.
    let configured = [
        notifier("fails", command("echo first >&2; printf 'bad\\033[2J luck' >&2; exit 3")),
        notifier("hangs", command("echo thinking >&2; exec sleep 20")),
        notifier("leaves", command("sleep 5 & exit 0")),
        notifier("deaf", command("exec <&-; exit 0")),
        notifier("nowhere", nowhere),
    ];
    let notifiers = notifiers(&configured);
    record(&notifiers, &store).await;
    let started = Instant::now();
    let deliveries = deliver(&notifiers, &store, now()).await;
    assert!(started.elapsed() < StdDuration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!((deliveries.delivered, deliveries.postponed), (2, 3));
    let errors: BTreeMap<String, String> = store
        .reader()
        .notifications(10)
        .await
        .unwrap()
        .into_iter()
        .filter_map(|it| Some((it.notifier, it.last_error?)))
        .collect();
    assert_eq!(errors["fails"], "/bin/sh ended with exit status: 3: first bad\u{fffd}[2J luck");
    assert_eq!(errors["hangs"], "/bin/sh did not end within 1 s: thinking");
    assert!(errors["nowhere"].contains("cannot be started: No such file"), "{errors:?}");
}

#[tokio::test]
async fn everybody_is_told_of_what_they_want_to_know_as_far_ahead_as_they_look() {
    let place = Place::new();
    let store = place.open().await;
    let near = NotifierConfig { within_days: 2, ..notifier("near", command("exit 0")) };
    let tripped = only(&[NotifyEvent::GuardTripped], notifier("tripped", command("exit 0")));
    let notifiers =
        notifiers(&[near, only(&[NotifyEvent::Approaching], notifier("far", command("exit 0"))), tripped]);
    assert_eq!(notifiers.horizon().days, 7);
    let both = vec![approaching("ami-1", None, 2), approaching("ami-2", None, 3)];
    let outlook = Outlook { approaching: both, ..Outlook::default() };
    notifiers.record(&store, &sample::quiet(), &outlook).await.unwrap();
    let mut told = Vec::new();
    for pending in store.outbox().due(now()).await.unwrap() {
        let notification = pending.notification;
        let body: serde_json::Value = serde_json::from_str(&notification.body).unwrap();
        let images = body["owners"][0]["images"].as_array().unwrap().len();
        told.push((notification.notifier, notification.event, images));
    }
    let expected = [("near", "approaching", 1), ("far", "approaching", 2)];
    assert_eq!(told, expected.map(|(one, event, n)| (one.to_owned(), event.to_owned(), n)));
}

#[tokio::test]
async fn a_run_without_a_report_is_told_of_and_old_news_is_not() {
    let place = Place::new();
    let store = place.open().await;
    let notifiers = notifiers(&[notifier("ops", command("exit 0"))]);
    let run = RunId::new("run-1");
    assert_eq!(notifiers.record_failure(&store, &run, "no credentials").await.unwrap(), 1);
    assert_eq!(newest(&store).await.subject, "amiwarden run-failed: the run failed: no credentials");
    assert_eq!(notifiers.record_failure(&store, &RunId::new("run-2"), "no credentials").await.unwrap(), 0);
    assert_eq!(notifiers.record_failure(&store, &run, "throttled").await.unwrap(), 1);
    assert_eq!(notifiers.record(&store, &sample::quiet(), &Outlook::default()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_notifier_that_is_gone_or_is_another_now_is_not_told() {
    let place = Place::new();
    let store = place.open().await;
    record(&notifiers(&[notifier("a", command("exit 0")), notifier("b", command("exit 0"))]), &store).await;
    let changed = notifiers(&[notifier("b", webhook("http://127.0.0.1:1/"))]);
    assert_eq!(deliver(&changed, &store, now()).await.given_up, 2);
    let all = store.reader().notifications(2).await.unwrap();
    let errors: Vec<_> = all.iter().map(|it| (it.attempts, it.last_error.as_deref().unwrap())).collect();
    assert_eq!(
        errors,
        [(0, "the notifier is now of kind webhook"), (0, "no notifier of this name is configured")]
    );
}

#[tokio::test]
async fn a_service_delivers_as_soon_as_something_is_recorded_and_takes_a_changed_configuration() {
    let (place, receiver) = (Place::new(), Receiver::start(&[BROKEN, OK]).await);
    let configured = [notifier("ops", webhook(&receiver.url("/")))];
    let nobody = Notifiers::new(&[], None, Surroundings::REAL).unwrap();
    let (sender, courier) = Courier::new(nobody, place.path("amiwarden.db"));
    let stop = CancellationToken::new();
    let served = tokio::spawn(courier.serve(stop.clone()));
    // There is no store yet when the service starts.
    tokio::time::sleep(StdDuration::from_millis(100)).await;
    let store = place.open().await;
    let notifiers = Arc::new(Notifiers::new(&configured, None, Surroundings::REAL).unwrap());
    sender.send(Arc::clone(&notifiers)).unwrap();
    record(&notifiers, &store).await;
    // The store is open and locked by somebody else meanwhile.
    let started = Instant::now();
    while newest(&store).await.state != "delivered" {
        assert!(started.elapsed() < StdDuration::from_secs(20), "{:?}", newest(&store).await);
        tokio::time::sleep(StdDuration::from_millis(20)).await;
    }
    assert_eq!((newest(&store).await.attempts, receiver.received().len()), (2, 2));
    stop.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_about_to_end_delivers_within_its_time_and_leaves_the_rest() {
    let (place, receiver) = (Place::new(), Receiver::start(&[BROKEN]).await);
    let store = place.open().await;
    let configured = [notifier("ops", webhook(&receiver.url("/"))), notifier("pager", command("exit 0"))];
    let notifiers = Notifiers::new(&configured, None, Surroundings::REAL).unwrap();
    record(&notifiers, &store).await;
    let started = Instant::now();
    let left = notifiers
        .flush(&store.outbox(), StdDuration::from_millis(2500), &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(left, 1);
    assert!(started.elapsed() < StdDuration::from_secs(8), "{:?}", started.elapsed());
    assert!(receiver.received().len() >= 2, "it was tried once only");
}

#[tokio::test]
async fn secrets_that_cannot_be_read_are_found_before_they_are_needed() {
    let place = Place::new();
    let store = place.open().await;
    let url = SecretSource::File(SecretFile::at(place.path("hook-url")));
    let notifiers = notifiers(&[notifier("chat", Channel::Slack { url })]);
    let unreadable = notifiers.unreadable_secrets();
    assert!(
        unreadable[0].contains("notifier chat: the secret file") && unreadable[0].contains("No such file")
    );
    record(&notifiers, &store).await;
    assert_eq!(deliver(&notifiers, &store, now()).await.postponed, 1);
    // The file may come later.
    let receiver = Receiver::start(&[OK]).await;
    std::fs::write(place.path("hook-url"), receiver.url(SECRET_PATH)).unwrap();
    assert_eq!(notifiers.unreadable_secrets(), [""; 0]);
    let at = next(&store).await.unwrap();
    assert_eq!(deliver(&notifiers, &store, at).await.delivered, 1);
    assert_eq!(receiver.received()[0].path, SECRET_PATH);
}
