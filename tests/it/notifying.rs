//! The program tells people and programs what came of a run, and never fails for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::harness::{Account, Finished, Place, having};

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
"#;

const SECRET: &str = "T0000-very-secret-path";

/// An account with an image that is stale, one that will be in three days, and one that nobody may touch.
fn account(notify: &str) -> (Account, Place) {
    let account = Account::start(
        r#"{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [
            {"name": "old", "created": "-100d"},
            {"name": "soon", "created": "-2100h", "tags": {"Owner": "web"}},
            {"name": "kept", "created": "-87d", "tags": {"amiwarden:keep": ""}}
        ]}"#,
    );
    let place = account.place();
    place.write("amiwarden.toml", &format!("{CONFIG}{notify}"));
    let policy = "rule \"stale\" when image.age > 90.days { disable(\"old\") }\n\
                  rule \"odd\" when image.name == \"kept\" { notify(\"look at it\") }\n";
    place.write("policies/only.rhai", policy);
    (account, place)
}

/// One request that came, with the names of its headers in small letters.
#[derive(Clone, Debug)]
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server that answers with these statuses one after the other, the last again and again.
struct Receiver {
    port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let seen = Arc::clone(&received);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream);
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request);
                    seen.len() - 1
                };
                let status = statuses.get(number).or(statuses.last()).unwrap();
                let reply =
                    format!("HTTP/1.1 {status} Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(reply.as_bytes()).unwrap();
            }
        });
        Self { port, received }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/{SECRET}", self.port)
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The bodies by the event that they are about.
    fn of(&self, event: &str) -> Vec<Value> {
        let all = self.received().into_iter();
        all.filter(|it| it.header("x-amiwarden-event") == event).map(|it| it.json()).collect()
    }
}

fn read(stream: &mut TcpStream) -> Received {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line == "\r\n" || line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(": ").unwrap_or((line.trim_end(), ""));
        head = format!("{head}{}: {}\n", name.to_ascii_lowercase(), value.trim_end());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    Received { head, body: String::from_utf8(body).unwrap() }
}

/// The configuration of a webhook whose URL is in the file `hook-url`.
fn webhook(more: &str) -> String {
    format!("[[notify]]\nname = \"ops\"\nkind = \"webhook\"\nurl_file = \"hook-url\"\n{more}\n")
}

/// Runs, and fails the test if the secret is in anything that was printed.
fn run(place: &Place, arguments: &[&str], code: i32) -> Finished {
    let finished = place.run(arguments).code(code);
    for said in [&finished.out, &finished.err] {
        assert!(!said.contains(SECRET), "{said}");
    }
    finished
}

#[test]
fn a_run_tells_a_webhook_what_it_came_to_and_signs_it() {
    let receiver = Receiver::start(&[200]);
    let (_account, place) = account(&webhook("secret_file = \"key\""));
    place.write("hook-url", &receiver.url()).write("key", "hunter2\n");
    let report = run(&place, &["run", "--format", "json", "-vv"], 0).json();
    let plan = receiver.of("plan-ready").remove(0);
    assert_eq!(plan["run_id"], report["run_id"]);
    assert_eq!(plan["report"]["plan_id"], report["plan_id"]);
    assert_eq!(plan["report"]["steps"], report["steps"]);
    assert_eq!(plan["report"]["totals"], report["totals"]);
    assert_eq!(plan["notices"][0]["because"][0]["reason"], "look at it", "{plan}");
    assert!(plan["text"].as_str().unwrap().starts_with("1 change is due (1 disable)"), "{plan}");
    for request in receiver.received() {
        let (time, code) = request.header("x-amiwarden-signature").split_once(",v1=").unwrap();
        let seconds = time.strip_prefix("t=").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"hunter2").unwrap();
        mac.update(format!("{seconds}.{}", request.body).as_bytes());
        let code_bytes = mac.finalize().into_bytes();
        let expected = code_bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!(code, expected);
        let age = jiff::Timestamp::now().as_second() - seconds.parse::<i64>().unwrap();
        assert!((0..120).contains(&age), "{age}");
    }
}

#[test]
fn images_that_approach_their_end_are_told_of_with_their_owner_and_day() {
    let receiver = Receiver::start(&[200]);
    let (_account, place) = account(&webhook("events = [\"approaching\"]"));
    place.write("hook-url", &receiver.url());
    run(&place, &["run"], 0);
    let told = receiver.of("approaching").remove(0);
    assert_eq!(told["mode"], "observe");
    let owners = told["owners"].as_array().unwrap();
    assert_eq!((owners.len(), &owners[0]["owner"]), (1, &"web".into()), "{told}");
    let images = owners[0]["images"].as_array().unwrap();
    assert_eq!(images.len(), 1, "{told}");
    assert_eq!((&images[0]["name"], &images[0]["action"]), (&"soon".into(), &"disable".into()));
    // 87 days and a half old: whatever second it is, older than 90 days in three days and not in two.
    assert_eq!(images[0]["due_in_days"], 3, "{told}");
    // The same is not told again at once.
    run(&place, &["run"], 0);
    assert_eq!(receiver.received().len(), 1);
}

#[test]
fn what_a_receiver_refuses_is_sent_again_under_the_same_name() {
    let receiver = Receiver::start(&[500, 503, 200]);
    let (_account, place) = account(&webhook("events = [\"done\"]"));
    place.write("hook-url", &receiver.url());
    run(&place, &["run", "--enforce", "--yes"], 0).says(&["ops could not be told of done", "status 500"]);
    let requests = receiver.received();
    assert_eq!(requests.len(), 3);
    let ids: Vec<&str> = requests.iter().map(|it| it.header("x-amiwarden-delivery")).collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.len() == 36), "{ids:?}");
    assert!(requests.iter().all(|it| it.body == requests[0].body));
    let done = requests[2].json();
    assert_eq!(having(&done["report"]["steps"], &[("outcome", "done")]).len(), 1, "{done}");
}

#[test]
fn a_notifier_that_fails_changes_nothing_of_a_run_and_is_tried_by_the_next() {
    // Nobody listens on a port that was just given back.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config =
        "[[notify]]\nname = \"chat\"\nkind = \"slack\"\nurl_file = \"hook-url\"\nevents = [\"done\"]\n";
    let (account, place) = account(config);
    place.write("hook-url", &format!("http://127.0.0.1:{port}/services/{SECRET}"));
    let started = Instant::now();
    let finished = run(&place, &["run", "--enforce", "--yes", "--format", "json", "-vvv"], 0)
        .says(&["chat could not be told of done", "notifications that are not delivered yet: 1"]);
    assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
    assert_eq!(finished.json()["totals"]["done"], 1);
    assert_eq!(account.count("DisableImage"), 1);
    run(&place, &["history"], 0);
    run(&place, &["history", "--format", "json"], 0);
    run(&place, &["audit", "export"], 0);
    run(&place, &["audit", "verify"], 0);
    for file in place.files().iter().filter(|name| name.starts_with("amiwarden")) {
        let bytes = std::fs::read(place.path(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{file}");
    }
    let receiver = Receiver::start(&[200]);
    place.write("hook-url", &receiver.url());
    // What is due by then is tried at the end of the next run, whatever that comes to.
    let deadline = Instant::now() + Duration::from_mins(2);
    while receiver.received().is_empty() {
        assert!(Instant::now() < deadline, "it was never tried again");
        run(&place, &["run"], 0);
    }
    let message = receiver.received().remove(0).json();
    assert!(
        message["text"].as_str().unwrap().starts_with("amiwarden: Changes carried out: 1 change"),
        "{message}"
    );
    assert_eq!(message["blocks"][0]["type"], "header");
}

#[test]
fn a_topic_of_sns_gets_the_document_with_a_subject() {
    let topic = "arn:aws:sns:us-east-1:111122223333:images";
    let config = format!(
        "[[notify]]\nname = \"topic\"\nkind = \"sns\"\ntopic_arn = \"{topic}\"\nevents = [\"plan-ready\", \"done\"]\n"
    );
    let (account, place) = account(&config);
    let report = run(&place, &["run", "--format", "json"], 0).json();
    let published = |account: &Account| {
        let requests = account.cloud().requests().into_iter();
        requests.filter(|request| request.action == "Publish").collect::<Vec<_>>()
    };
    let first = published(&account).remove(0);
    assert_eq!((first.service, first.status), ("sns", Some(200)));
    assert_eq!(first.parameters["TopicArn"], topic);
    let subject = &first.parameters["Subject"];
    assert!(
        subject.starts_with("amiwarden plan-ready: 1 change is due") && subject.len() <= 100,
        "{subject}"
    );
    let message: Value = serde_json::from_str(&first.parameters["Message"]).unwrap();
    assert_eq!((&message["event"], &message["run_id"]), (&"plan-ready".into(), &report["run_id"]));
    // Without the permission nothing but a warning comes of it.
    account.cloud().deny("Publish");
    run(&place, &["run", "--enforce", "--yes"], 0)
        .says(&["topic could not be told of done", "AuthorizationError"]);
    assert_eq!(account.count("DisableImage"), 1);
}

#[test]
fn a_program_gets_the_document_and_its_failure_is_a_warning() {
    let place = Place::new();
    place.write("tell", "#!/bin/sh\ncat > \"$1\"\necho \"no line\" >&2\nexit 7\n");
    std::fs::set_permissions(place.path("tell"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (program, out) = (place.path("tell"), place.path("told.json"));
    let config = format!(
        "[[notify]]\nname = \"pager\"\nkind = \"command\"\nattempts = 1\nevents = [\"plan-ready\"]\n\
         command = [\"{}\", \"{}\"]\n",
        program.display(),
        out.display()
    );
    let (_account, place) = account(&config);
    run(&place, &["run"], 0).says(&[
        "pager could not be told of plan-ready",
        "exit status: 7: no line",
        "given up",
    ]);
    let told: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
    assert_eq!(told["event"], "plan-ready");
}

#[test]
fn whoever_only_looks_or_plays_tells_nobody() {
    let receiver = Receiver::start(&[200]);
    let (_account, place) = account(&webhook(""));
    place.write("hook-url", &receiver.url());
    run(&place, &["plan"], 0);
    run(&place, &["run", "--sandbox", "--config", "amiwarden.toml"], 0);
    assert!(receiver.received().is_empty());
}

#[test]
fn a_run_of_which_something_failed_is_told_of() {
    let receiver = Receiver::start(&[200]);
    let (account, place) = account(&webhook("events = [\"run-failed\"]"));
    place.write("hook-url", &receiver.url());
    account.cloud().deny("DescribeImages");
    run(&place, &["run"], 1);
    let told = receiver.of("run-failed").remove(0);
    let failure = told["failures"][0].as_str().unwrap();
    assert!(failure.contains("could not all be read"), "{told}");
    assert_eq!(told["report"]["scopes"][0]["complete"], false);
}

#[test]
fn a_service_delivers_between_its_runs() {
    let receiver = Receiver::start(&[500, 200]);
    let schedule = "[[schedule]]\nname = \"often\"\ncron = \"*/2 * * * * *\"\n";
    let (_account, place) = account(&format!("{schedule}{}", webhook("events = [\"plan-ready\"]")));
    place.write("hook-url", &receiver.url());
    let arguments = ["serve"];
    let child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while receiver.received().len() < 2 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let finished = Finished::of(&child.wait_with_output().unwrap(), &arguments).code(0);
    assert!(!finished.err.contains(SECRET), "{}", finished.err);
    let requests = receiver.received();
    assert_eq!(requests.len(), 2, "{}", finished.err);
    let ids: Vec<&str> = requests.iter().map(|it| it.header("x-amiwarden-delivery")).collect();
    assert_eq!(ids[0], ids[1], "the same is not told anew by every run");
    assert_eq!(requests[1].json()["event"], "plan-ready");
}
