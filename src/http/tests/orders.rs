//! What is ordered, and by whom.

use std::fs;

use super::super::{Endpoint, Kind, Token};
use super::world::{TOKEN, World};
use crate::config::SecretFile;
use crate::driver::control::Phase;

fn orders() -> Vec<&'static str> {
    let orders = Endpoint::ALL.into_iter().filter(|it| it.kind() == Kind::Order);
    orders.map(Endpoint::path).collect()
}

#[tokio::test]
async fn no_order_is_taken_without_the_token() {
    let world = World::new().await;
    assert_eq!(orders().len(), 3);
    for path in orders() {
        for header in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer wrong"),
            Some(&format!("Bearer {TOKEN}x")),
            Some(&format!("Basic {TOKEN}")),
            Some(TOKEN),
        ] {
            let answer = world.send("POST", path, header, r#"{"reason": "x"}"#).await;
            assert_eq!(answer.error(), (401, "unauthorized".to_owned()), "{path} {header:?}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
            assert!(!answer.body.contains(TOKEN));
        }
    }
    assert!(world.get("/api/v1/status").await.json()["paused"].is_null());
}

#[tokio::test]
async fn no_order_is_taken_where_no_token_is_configured() {
    let world = World::without_token().await;
    for path in orders() {
        let answer = world.post(path, TOKEN, r#"{"reason": "x"}"#).await;
        assert_eq!(answer.error(), (403, "no-token-configured".to_owned()), "{path}");
        assert!(answer.body.contains("[http] token_file"), "{}", answer.body);
    }
    assert_eq!(world.get("/api/v1/status").await.status, 200);
}

#[tokio::test]
async fn a_pause_is_set_and_ended() {
    let world = World::new().await;
    let file = world.place.directory().join("pause");
    let paused =
        world.post("/api/v1/pause", TOKEN, "{\"reason\": \"an\\nincident \\u001b[2J\"}").await.json();
    assert_eq!(paused["changed"], true);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("an incident [2J (since ") && text.contains("by 127.0.0.1:"), "{text:?}");
    let again = world.post("/api/v1/pause", TOKEN, r#"{"reason": "another"}"#).await.json();
    assert_eq!(again["changed"], false);
    assert!(again["paused"].as_str().unwrap().contains("an incident"), "the first reason stays: {again}");
    let resumed = world.post("/api/v1/resume", TOKEN, "").await.json();
    assert_eq!((&resumed["changed"], &resumed["paused"]), (&true.into(), &().into()));
    assert!(!file.exists());
    assert_eq!(world.post("/api/v1/resume", TOKEN, "").await.json()["changed"], false);
}

#[tokio::test]
async fn a_pause_needs_a_reason() {
    let world = World::new().await;
    let long = format!(r#"{{"reason": "{}"}}"#, "a".repeat(501));
    for body in
        ["", "{}", "[", "an incident", r#"{"reason": " \n"}"#, r#"{"reason": "a", "for": "1d"}"#, &long]
    {
        let answer = world.post("/api/v1/pause", TOKEN, body).await;
        assert_eq!(answer.error(), (400, "bad-request".to_owned()), "{body}");
    }
    assert!(!world.place.directory().join("pause").exists());
}

#[tokio::test]
async fn a_run_is_asked_for_once() {
    let world = World::new().await;
    assert_eq!(world.post("/api/v1/run", TOKEN, "").await.status, 202);
    assert_eq!(world.post("/api/v1/run", TOKEN, "").await.error(), (409, "busy".to_owned()));
    world.driver.requested().await;
    world.driver.publish(|status| status.phase = Phase::Stopping);
    assert_eq!(world.post("/api/v1/run", TOKEN, "").await.error().0, 409);
}

#[test]
fn what_is_no_token_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let file = SecretFile::at(path.clone());
    assert!(Token::load(&file).is_err(), "it is not there");
    fs::write(&path, format!(" {TOKEN} \n")).unwrap();
    let token = Token::load(&file).unwrap();
    assert!(token.is(TOKEN.as_bytes()) && !token.is(b"another"));
    assert_eq!(format!("{token:?}"), "Token(..)");
    for unfit in [" ", "fifteen-charact", "sixteen with blanks"] {
        fs::write(&path, unfit).unwrap();
        let error = Token::load(&file).unwrap_err().to_string();
        assert!(error.contains("holds no token") && !error.contains("fifteen"), "{error}");
    }
}
