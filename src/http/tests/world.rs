//! A server on a port of its own, with a store and a driver that does nothing.

use std::net::SocketAddr;
use std::time::Duration;

use amiwarden_core::{ImageState, StepOutcome, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::{Limits, Parts, Token, router, serve};
use crate::driver::control::{DriverSide, Phase, PolicyStatus, Status, channel};
use crate::pause::PauseFile;
use crate::store::Standing;
use crate::store::tests::fixture::{
    Place, cycle_report, day, image, inventory, new_run, plan, record, run_id, scope, step, step_report,
};

pub(super) const TOKEN: &str = "correct-horse-battery-staple";

pub(super) fn start() -> Timestamp {
    day(10)
}

fn now() -> Timestamp {
    start()
}

/// Two days after [`start`].
pub(super) fn later() -> Timestamp {
    day(12)
}

pub(super) struct World {
    pub(super) place: Place,
    pub(super) driver: DriverSide,
    pub(super) address: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) server: JoinHandle<()>,
}

/// Two finished runs with one step each, and one image.
async fn fill(place: &Place) {
    let store = place.open().await;
    for n in 1..=2 {
        store.begin_run(&new_run(n)).await.unwrap();
        let seen = inventory([image(1, ImageState::Available)]);
        store.observe_images(&run_id(n), &seen, day(n.into())).await.unwrap();
        let decided = [record(1, Standing::Planned, "no launch for 91 days")];
        store.record_decisions(&run_id(n), &scope(), &decided, day(n.into())).await.unwrap();
        let plan = plan(&format!("plan-{n}"), vec![step(1)], Vec::new());
        store.record_plan(&run_id(n), &plan, day(n.into())).await.unwrap();
        let steps = [step_report(StepOutcome::NotAttempted("observing".to_owned()))];
        store.finish_run(&cycle_report(n, &plan, &steps)).await.unwrap();
    }
    store.close().await.unwrap();
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(Some(TOKEN), Limits::default(), now).await
    }

    pub(super) async fn with(token: Option<&str>, limits: Limits, now: fn() -> Timestamp) -> Self {
        let place = Place::new();
        fill(&place).await;
        let status = Status {
            version: "1.2.3",
            started_at: start(),
            phase: Phase::Idle,
            last: None,
            schedules: Vec::new(),
            policies: PolicyStatus { digest: "d".to_owned(), count: 7, loaded_at: start(), rejected: None },
        };
        let (control, driver) = channel(status, PauseFile::new(place.directory().join("pause")));
        let parts = Parts {
            control,
            store: place.store(),
            metrics: Box::new(|| Ok("amiwarden_up 1\n".to_owned())),
            token: token.map(|text| Token::new(text).unwrap()),
            ready_within: "26h".parse().unwrap(),
            now,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router(parts, limits.request), limits, stop.clone()));
        Self { place, driver, address, stop, server }
    }

    pub(super) async fn limited(limits: Limits) -> Self {
        Self::with(Some(TOKEN), limits, now).await
    }

    pub(super) async fn without_token() -> Self {
        Self::with(None, Limits::default(), now).await
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes as they are, and reads until the server closes.
    pub(super) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_all(&mut stream).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, "").await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        self.send("POST", path, Some(&format!("Bearer {token}")), body).await
    }

    pub(super) async fn send(&self, method: &str, path: &str, header: Option<&str>, body: &str) -> Answer {
        let header = header.map(|it| format!("Authorization: {it}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}Content-Length: {length}\r\n\r\n"
        );
        Answer::parse(&self.raw(format!("{head}{body}").as_bytes()).await)
    }
}

/// Everything until the connection ends; a test that waits for ever has failed.
pub(super) async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut bytes)).await;
    // A reset is an end, too.
    let _ = read.expect("the server closes the connection");
    String::from_utf8(bytes).unwrap()
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The status and the code of the error.
    pub(super) fn error(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap().to_owned())
    }
}
