//! The service asked over HTTP: it listens before it is ready, and takes orders.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::daemon::Daemon;
use super::{DISABLE, check_store, runs, scene};

/// Due once a year, so that only what is asked for happens.
const SELDOM: &str = "[[schedule]]\nname = \"seldom\"\ncron = \"0 0 29 2 *\"\nmissed = \"skip\"\n";

const TOKEN: &str = "correct-horse-battery-staple";

/// The status and the body of the answer.
pub(super) fn ask(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn json(address: &str, path: &str) -> Value {
    let (status, body) = ask(address, "GET", path, "");
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

#[test]
fn it_tells_what_it_does_and_runs_when_it_is_asked_to() {
    let more = format!("{SELDOM}[http]\ntoken_file = \"token\"\n");
    let (account, place) = scene(DISABLE, &more);
    let config = std::fs::read_to_string(place.path("amiwarden.toml")).unwrap();
    let config = config.replace("[limits]\n", "[limits]\nrehearse_cycles = 0\npause_file = \"pause\"\n");
    place.write("amiwarden.toml", &config).write("token", &format!("{TOKEN}\n"));
    let daemon = Daemon::start(&place, &[]);
    daemon.told("READY=1");
    let address = daemon.address();
    assert_eq!(ask(&address, "GET", "/readyz", "").0, 200);
    assert_eq!(json(&address, "/api/v1/status")["schedules"][0]["name"], "seldom");
    assert_eq!(ask(&address, "POST", "/api/v1/pause", "{\"reason\": \"a test\"}").0, 200);
    daemon.logs("paused over HTTP by 127.0.0.1");

    let run = |expected: u64| {
        let before = runs(&place).len();
        assert_eq!(ask(&address, "POST", "/api/v1/run", "").0, 202);
        daemon.until("the run has ended", || {
            let status = json(&address, "/api/v1/status");
            status["phase"]["name"] == "idle" && runs(&place).len() == before + 1
        });
        assert_eq!(account.count("DisableImage"), usize::try_from(expected).unwrap());
    };
    run(0);
    assert_eq!(ask(&address, "POST", "/api/v1/resume", "").0, 200);
    run(3);
    let told = json(&address, "/api/v1/runs?limit=1");
    assert_eq!(told["runs"][0], runs(&place)[0], "as `history` tells it");
    let id = told["runs"][0]["run_id"].as_str().unwrap();
    let detail = json(&address, &format!("/api/v1/runs/{id}"));
    assert_eq!(detail["totals"]["done"], 3, "{detail}");
    assert_eq!(detail["steps"].as_array().unwrap().len(), 3, "{detail}");
    let image = detail["steps"][0]["image_id"].as_str().unwrap();
    let history = place.run(&["history", image, "--format", "json"]).code(0).json();
    assert_eq!(json(&address, &format!("/api/v1/images/{image}"))["events"], history["events"]);

    assert_eq!(daemon.terminate(), 0);
    assert!(TcpStream::connect(&address).is_err(), "nobody listens any more");
    check_store(&place);
}

#[test]
fn a_place_where_nothing_can_listen_and_a_token_that_is_none_are_refused_at_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (_account, mut place) = scene(DISABLE, &format!("{SELDOM}[http]\ntoken_file = \"token\"\n"));
    place.set("AMIWARDEN_HTTP__LISTEN", &address);
    place.run(&["serve"]).code(2).says(&["token_file", "cannot be read"]);
    place.write("token", "short");
    place.run(&["serve"]).code(2).says(&["token_file", "at least 16 characters"]);
    place.write("token", TOKEN);
    place.run(&["serve"]).code(2).says(&["[http] listen", &address, "off"]);
}
