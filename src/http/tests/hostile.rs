//! Slow, huge and broken requests: they end, and others are answered meanwhile. Nothing here depends on how fast the
//! machine is: what is to time out has a short limit, and what is not a long one.

use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::super::Limits;
use super::world::{Answer, TOKEN, World, read_all};

const SHORT: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let world = World::limited(Limits { head: SHORT, ..Limits::default() }).await;
    let mut slow = world.connect().await;
    slow.write_all(b"G").await.unwrap();
    assert_eq!(world.get("/healthz").await.status, 200);
    let answer = read_all(&mut slow).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let world = World::limited(Limits { request: SHORT, ..Limits::default() }).await;
    let head = format!(
        "POST /api/v1/pause HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Content-Length: 20\r\n\r\n{{\"re"
    );
    let answer = Answer::parse(&world.raw(head.as_bytes()).await);
    assert_eq!(answer.error(), (503, "timed-out".to_owned()));
}

#[tokio::test]
async fn a_connection_does_not_live_for_ever() {
    let limits = Limits { connection: SHORT, drain: SHORT, ..Limits::default() };
    let world = World::limited(limits).await;
    let mut idle = world.connect().await;
    assert_eq!(read_all(&mut idle).await, "");
}

#[tokio::test]
async fn a_huge_body_is_refused_unread() {
    let world = World::new().await;
    let head = |length: usize, token: &str| {
        format!(
            "POST /api/v1/pause HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let answer = Answer::parse(&world.raw(head(10 << 20, TOKEN).as_bytes()).await);
    assert_eq!(answer.error(), (413, "too-large".to_owned()));
    let answer = Answer::parse(&world.raw(head(10 << 20, "wrong").as_bytes()).await);
    assert_eq!(answer.error().0, 401, "the token is asked for before the body");
    // One byte too many, in pieces whose number is not told in advance.
    let body = "a".repeat((16 << 10) + 1);
    let chunked = format!(
        "POST /api/v1/pause HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    let answer = Answer::parse(&world.raw(chunked.as_bytes()).await);
    assert_eq!(answer.error().0, 413);
}

#[tokio::test]
async fn garbage_is_refused() {
    let world = World::new().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n: nothing\r\n\r\n",
        b"POST /api/v1/run HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = Answer::parse(&world.raw(garbage).await);
        assert_eq!(answer.status, 400, "{garbage:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(64 << 10));
    let answer = world.raw(long.as_bytes()).await;
    assert!(answer.is_empty() || (400..500).contains(&Answer::parse(&answer).status), "{answer}");
    assert_eq!(world.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn hundreds_of_idle_connections_keep_nobody_out() {
    let world = World::limited(Limits { head: SHORT, connections: 64, ..Limits::default() }).await;
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(world.connect().await);
    }
    assert_eq!(world.get("/healthz").await.status, 200);
    for mut stream in idle {
        assert_eq!(read_all(&mut stream).await, "");
    }
}

#[tokio::test]
async fn so_many_connections_and_no_more_are_served() {
    let world = World::limited(Limits { connections: 2, ..Limits::default() }).await;
    let idle = [world.connect().await, world.connect().await];
    let mut third = world.connect().await;
    third.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    let waiting = tokio::time::timeout(SHORT, third.peek(&mut byte)).await;
    assert!(waiting.is_err(), "it waits for a place");
    drop(idle);
    assert_eq!(Answer::parse(&read_all(&mut third).await).status, 200);
}

#[tokio::test]
async fn the_end_is_not_held_up_by_anybody() {
    let world = World::limited(Limits { drain: SHORT, ..Limits::default() }).await;
    let mut idle = world.connect().await;
    let mut slow = world.connect().await;
    slow.write_all(b"POST /api/v1/run HTTP/1.1\r\nContent-Length: 5\r\n").await.unwrap();
    assert_eq!(world.get("/healthz").await.status, 200);
    world.stop.cancel();
    tokio::time::timeout(Duration::from_mins(1), world.server).await.unwrap().unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    assert_eq!(read_all(&mut slow).await, "");
}
