//! The observer of exchanges: its three points, their order, and what it can break.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amiwarden_sandbox::{
    ExchangeEvent, ExchangePoint, Fault, FaultKind, FleetImage, ImageState, Sandbox, Verdict,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Broken, REGION, Reply, exchange, fleet, id_of, send, signed, start};

use ExchangePoint::{Applied, Received, Replied};

/// Keeps every event, and breaks the connection at the event of a number.
fn observe(sandbox: &Sandbox, break_at: Option<u64>) -> Arc<Mutex<Vec<ExchangeEvent>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&events);
    sandbox.cloud().on_exchange(Arc::new(move |event| {
        kept.lock().unwrap().push(event.clone());
        if break_at == Some(event.number) { Verdict::BreakConnection } else { Verdict::Continue }
    }));
    events
}

async fn disable(sandbox: &Sandbox) -> Result<Reply, Broken> {
    let id = id_of(sandbox, "a");
    let parameters = [("Action", "DisableImage"), ("ImageId", id.as_str())];
    exchange(sandbox.address(), Some(&signed(REGION, "ec2")), &parameters).await
}

fn is_disabled(sandbox: &Sandbox) -> bool {
    sandbox.cloud().image_named("a").unwrap().state == ImageState::Disabled
}

#[tokio::test]
async fn every_request_is_told_of_three_times() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let id = id_of(&sandbox, "a");
    let events = observe(&sandbox, None);
    send(&sandbox, &[("Action", "DescribeImages")]).await;
    send(&sandbox, &[("Action", "DisableImage"), ("ImageId", &id), ("DryRun", "true")]).await;
    disable(&sandbox).await.unwrap();
    send(&sandbox, &[("Action", "RunInstances")]).await;
    let told: Vec<_> = events
        .lock()
        .unwrap()
        .iter()
        .map(|event| {
            (event.number, event.point, event.sequence, event.is_change, event.dry_run, event.applied)
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, Received, 1, false, false, false),
            (2, Applied, 1, false, false, false),
            (3, Replied, 1, false, false, false),
            (4, Received, 2, true, true, false),
            (5, Applied, 2, true, true, false),
            (6, Replied, 2, true, true, false),
            (7, Received, 3, true, false, false),
            (8, Applied, 3, true, false, true),
            (9, Replied, 3, true, false, true),
            (10, Received, 4, false, false, false),
            (11, Applied, 4, false, false, false),
            (12, Replied, 4, false, false, false),
        ]
    );
    let event = events.lock().unwrap()[6].clone();
    assert_eq!((event.action.as_str(), event.image_ids), ("DisableImage", vec![id]));
    sandbox.cloud().stop_observing();
    send(&sandbox, &[("Action", "DescribeImages")]).await;
    assert_eq!(events.lock().unwrap().len(), 12);
}

#[tokio::test]
async fn the_observer_sees_the_world_before_and_after_the_effect() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let cloud = sandbox.cloud().clone();
    let states = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&states);
    sandbox.cloud().on_exchange(Arc::new(move |event| {
        seen.lock().unwrap().push((event.point, cloud.image_named("a").unwrap().state));
        Verdict::Continue
    }));
    disable(&sandbox).await.unwrap();
    let (before, after) = (ImageState::Available, ImageState::Disabled);
    assert_eq!(*states.lock().unwrap(), [(Received, before), (Applied, after), (Replied, after)]);
}

#[tokio::test]
async fn breaking_the_connection_leaves_undone_or_unsaid_what_was_to_come() {
    for (break_at, applied, answered) in [(1, false, false), (2, true, false), (3, true, true)] {
        let sandbox = start(fleet([FleetImage::new("a")])).await;
        let events = observe(&sandbox, Some(break_at));
        let reply = disable(&sandbox).await;
        assert_eq!(is_disabled(&sandbox), applied, "event {break_at}");
        assert_eq!(reply.is_ok(), answered, "event {break_at}: {reply:?}");
        assert_eq!(events.lock().unwrap().len() as u64, break_at, "nothing follows");
        let record = sandbox.cloud().requests().pop().unwrap();
        assert_eq!((record.applied, record.status.is_some()), (applied, answered), "event {break_at}");
    }
}

#[tokio::test]
async fn requests_on_one_connection_are_told_of_one_after_another() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    let events = observe(&sandbox, Some(6));
    let body = "Action=DescribeRegions";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n{body}",
        signed(REGION, "ec2"),
        body.len()
    );
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    let mut received = Vec::new();
    for exchanged in 1..=2 {
        stream.write_all(request.as_bytes()).await.unwrap();
        while !received.ends_with(b"</DescribeRegionsResponse>") {
            assert_ne!(stream.read_buf(&mut received).await.unwrap(), 0);
        }
        received.clear();
        let told =
            events.lock().unwrap().iter().map(|event| (event.sequence, event.point)).collect::<Vec<_>>();
        let expected: Vec<_> =
            (1..=exchanged).flat_map(|n| [Received, Applied, Replied].map(|point| (n, point))).collect();
        assert_eq!(told, expected, "by the time the client has the reply");
    }
    let after = stream.read_buf(&mut received).await;
    assert!(matches!(after, Ok(0) | Err(_)), "the connection was broken after its second reply: {after:?}");
}

#[tokio::test]
async fn large_replies_are_told_of_when_they_are_out() {
    let images = (0..3000).map(|n| FleetImage::new(&format!("i{n}")));
    let sandbox = start(fleet(images)).await;
    let events = observe(&sandbox, None);
    let reply = send(&sandbox, &[("Action", "DescribeImages")]).await;
    assert_eq!(reply.texts("imageId").len(), 3000);
    let points: Vec<_> = events.lock().unwrap().iter().map(|event| event.point).collect();
    assert_eq!(points, [Received, Applied, Replied]);
}

#[tokio::test]
async fn broken_replies_are_never_told_of_as_sent() {
    for kind in [FaultKind::ResetBefore, FaultKind::ResetAfter, FaultKind::TruncatedBody] {
        let sandbox = start(fleet([FleetImage::new("a")])).await;
        sandbox.cloud().inject(Fault::new("*", kind));
        let events = observe(&sandbox, None);
        assert!(disable(&sandbox).await.is_err());
        let points: Vec<_> = events.lock().unwrap().iter().map(|event| event.point).collect();
        assert_eq!(points, [Received, Applied], "{kind:?}");
    }
}

#[tokio::test]
async fn a_late_change_is_told_of_when_it_happens() {
    let sandbox = start(fleet([FleetImage::new("a")])).await;
    sandbox.cloud().inject(Fault::new("DisableImage", FaultKind::AppliedLate { seconds: 1 }));
    let events = observe(&sandbox, None);
    assert_eq!(disable(&sandbox).await, Err(Broken::Reset));
    assert_eq!(events.lock().unwrap().len(), 1);
    while events.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let late = events.lock().unwrap()[1].clone();
    assert_eq!((late.point, late.applied, late.sequence), (Applied, true, 1));
    assert!(is_disabled(&sandbox));
}

/// What a crash harness does: a process of its own is killed at one event, by the observer itself.
#[tokio::test]
async fn a_client_can_be_killed_at_an_exact_point() {
    for (kill_at, applied) in [(1, false), (2, true)] {
        let sandbox = start(fleet([FleetImage::new("a")])).await;
        let client: Arc<Mutex<Option<Child>>> = Arc::default();
        let victim = Arc::clone(&client);
        sandbox.cloud().on_exchange(Arc::new(move |event| {
            if event.number != kill_at {
                return Verdict::Continue;
            }
            let mut client = victim.lock().unwrap().take().unwrap();
            client.kill().unwrap();
            client.wait().unwrap();
            Verdict::BreakConnection
        }));
        let body = format!("Action=DisableImage&ImageId={}", id_of(&sandbox, "a"));
        // Bash speaks TCP by itself, and waits for a reply until it is killed.
        let script = format!(
            "exec 3<>/dev/tcp/{}/{}; printf 'POST / HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: {}\\r\\n\
             Content-Length: {}\\r\\n\\r\\n{body}' >&3; exec cat <&3",
            sandbox.address().ip(),
            sandbox.address().port(),
            signed(REGION, "ec2"),
            body.len(),
        );
        // Held while the child is stored, so that the observer finds it.
        {
            let mut slot = client.lock().unwrap();
            let child = Command::new("bash").args(["-c", &script]).stdout(Stdio::null()).spawn().unwrap();
            *slot = Some(child);
        }
        while sandbox.cloud().requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(is_disabled(&sandbox), applied, "killed at event {kill_at}");
        assert!(client.lock().unwrap().is_none(), "the client was killed");
        let record = sandbox.cloud().requests().pop().unwrap();
        assert_eq!((record.applied, record.status), (applied, None));
    }
}
