//! A store that cannot be written, that somebody else has, or that comes from another time: a clear error, nothing
//! sent that is not written down, and nothing lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use amiwarden::store::{NewRun, Store, StoreOptions};
use amiwarden_core::{Mode, RunId};
use amiwarden_sandbox::{ExchangeEvent, ExchangePoint, Fault, FaultKind, ImageState, Verdict};

use crate::harness::{Account, Finished, Place, having};

const CONFIG: &str = r#"
[policies]
dir = "policies"
[limits]
disable_per_cycle = 50
share_percent = 100
surge_percent = 100
min_age = "1d"
keep_newest = 0
settle_after = "0s"
"#;

const ENFORCE: [&str; 5] = ["run", "--enforce", "--yes", "--format", "json"];

/// Images that are all to be disabled, so many.
fn account(images: usize) -> (Account, Place) {
    let images: Vec<String> =
        (0..images).map(|n| format!(r#"{{"name": "web-{n}", "created": "-{}d"}}"#, 100 + n)).collect();
    let fleet = format!(
        r#"{{"schema": 1, "account": "111122223333", "region": "us-east-1", "images": [{}]}}"#,
        images.join(",")
    );
    let account = Account::start(&fleet);
    let place = account.place();
    place.write("amiwarden.toml", CONFIG);
    place.write("policies/only.rhai", "rule \"all\" when true { disable(\"old\") }\n");
    (account, place)
}

/// Starts the program through other programs.
fn through(place: &Place, wrapper: &[&str], arguments: &[&str]) -> Finished {
    let program = place.command(arguments);
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(program.get_program()).args(program.get_args());
    command.current_dir(place.path("")).env_clear().stdin(Stdio::null());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").unwrap());
    Finished::of(&command.output().unwrap(), arguments)
}

/// Runs where no file can grow beyond so many KiB: what a full disk does to a program, at a point of choice. The
/// system's signal about it is ignored, so that the program sees the error as it sees that of a full disk.
fn with_little_space(place: &Place, kib: u32, arguments: &[&str]) -> Finished {
    // POSIX counts in blocks of 512 bytes.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
    through(place, &["sh", "-c", &script, "sh"], arguments)
}

fn disabled(account: &Account) -> usize {
    account.cloud().images().into_iter().filter(|image| image.state == ImageState::Disabled).count()
}

#[test]
fn p1_a_full_disk_ends_the_run_before_anything_is_sent_that_is_not_written_down() {
    let mut ended_midway = 0;
    for kib in [4, 60, 160, 180, 200, 240, 280, 320, 360] {
        let (account, place) = account(6);
        place.run(&["plan"]).code(0);
        account.cloud().forget_requests();
        let full = with_little_space(&place, kib, &ENFORCE);
        let (sent, done) = (account.count("DisableImage"), disabled(&account));
        assert_eq!(sent, done);
        if full.code == 0 {
            assert_eq!(done, 6, "{kib} KiB");
            continue;
        }
        assert!(full.code == 1 || full.code == 2, "{}: {}", full.code, full.err);
        let full = full.says(&["the store"]);
        ended_midway += usize::from(done > 0 && done < 6);

        let again = place.run(&ENFORCE).code(0).json();
        assert_eq!(disabled(&account), 6, "{kib} KiB: {again}\nfirst: {}", full.err);
        assert_eq!(account.count("DisableImage"), 6, "{kib} KiB: a change was sent again");
        for image in account.cloud().images() {
            let history = place.run(&["history", &image.id, "--format", "json"]).code(0).json();
            let events = history["events"].as_array().unwrap();
            let of = |kind: &str| events.iter().filter(|event| event["details"]["event"] == kind).count();
            assert_eq!(of("intended"), of("outcome"), "{kib} KiB: {history}");
        }
    }
    assert!(ended_midway >= 2, "only {ended_midway} runs ended midway: choose other sizes");
}

/// What keeps even root from writing what is not writable, where the tests run as root.
fn mortal() -> Vec<&'static str> {
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout == b"0\n" {
        vec!["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner", "--"]
    } else {
        vec!["env"]
    }
}

#[test]
fn p1_a_database_that_cannot_be_written_changes_nothing() {
    // Files beside a database that is only read come and go with their readers, so its directory has to be writable.
    for (name, mode, reading) in [("amiwarden.db", 0o400, 0), ("", 0o500, 2)] {
        let (account, place) = account(1);
        place.run(&["plan"]).code(0);
        account.cloud().forget_requests();
        fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
        let refused = through(&place, &mortal(), &ENFORCE);
        let history = through(&place, &mortal(), &["history"]);
        fs::set_permissions(place.path(name), Permissions::from_mode(0o700)).unwrap();
        refused.code(2).says(&["the store", "amiwarden.db"]);
        let history = history.code(reading);
        if reading != 0 {
            history.says(&["write access to its directory"]);
        }
        assert!(account.applied().is_empty(), "{name}");
        assert_eq!(account.count("DisableImage"), 0, "{name}");
        place.run(&ENFORCE).code(0);
        assert_eq!(disabled(&account), 1, "{name}");
    }
}

/// Holds back the first request of this action until the answer is dropped. The other end tells when it has come.
fn hold(account: &Account, action: &'static str) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (has_come, come) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let held = Mutex::new(Some((has_come, released)));
    let observer = move |event: &ExchangeEvent| {
        let is_it = event.action == action && !event.dry_run && event.point == ExchangePoint::Received;
        if let Some((has_come, released)) = is_it.then(|| held.lock().unwrap().take()).flatten() {
            has_come.send(()).unwrap();
            // Ends with an error when the test lets go.
            let _ = released.recv();
        }
        Verdict::Continue
    };
    account.cloud().on_exchange(Arc::new(observer));
    (come, release)
}

#[test]
fn a_store_in_use_is_refused_to_writers_and_open_to_readers() {
    let (account, place) = account(1);
    place.run(&["plan"]).code(0);
    let (come, release) = hold(&account, "DisableImage");
    let mut command = place.command(&ENFORCE);
    let first = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    come.recv().unwrap();
    let holder = format!("(process {})", first.id());
    // Nothing of the second may need the account, which is busy with the first.
    place.run(&["accept", "p"]).code(2).says(&["in use by another amiwarden", &holder]);
    let history = place.run(&["history", "--format", "json"]).code(0).json();
    assert_eq!(history["runs"][0]["state"], "running", "{history}");
    drop(release);
    let first = Finished::of(&first.wait_with_output().unwrap(), &ENFORCE).code(0).json();
    assert_eq!(first["totals"]["done"], 1);
    assert_eq!(disabled(&account), 1);
}

#[test]
fn a_reader_does_not_keep_a_writer_out() {
    use sqlx::{ConnectOptions, Connection};
    let (account, place) = account(2);
    place.run(&["plan"]).code(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // A reader in the middle of reading, for as long as the run takes.
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(place.path("amiwarden.db")).read_only(true);
    let mut reader = runtime.block_on(options.connect()).unwrap();
    let mut reading = runtime.block_on(reader.begin()).unwrap();
    let count = "select count(*) from run";
    let before: i64 = runtime.block_on(sqlx::query_scalar(count).fetch_one(&mut *reading)).unwrap();
    place.run(&ENFORCE).code(0);
    let after: i64 = runtime.block_on(sqlx::query_scalar(count).fetch_one(&mut *reading)).unwrap();
    assert_eq!((before, after), (1, 1), "what is read is of one moment");
    drop(reading);
    assert_eq!(disabled(&account), 2);
    place.run(&ENFORCE).code(0);
}

/// Lets the store remember the beginning of a run at this time, as an amiwarden does whose clock says so.
fn remember_a_run(place: &Place, started_at: jiff::Timestamp) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = StoreOptions { ledger_head: Some(place.path("amiwarden.head")) };
        let store = Store::open(&place.path("amiwarden.db"), options).await.unwrap();
        let run = NewRun {
            run_id: RunId::new("a-run-of-another-time"),
            command: "plan".to_owned(),
            mode: Mode::Observe,
            started_at,
            version: "0".to_owned(),
            config_digest: "0".to_owned(),
            policies: Vec::new(),
        };
        store.begin_run(&run).await.unwrap();
        store.close().await.unwrap();
    });
}

#[test]
fn p2_a_clock_that_jumped_back_begins_nothing_until_somebody_has_looked() {
    let (account, place) = account(1);
    place.run(&["plan"]).code(0);
    remember_a_run(&place, jiff::Timestamp::now() + jiff::SignedDuration::from_secs(360));
    account.cloud().forget_requests();
    place.run(&ENFORCE).code(1).says(&["the clock of this machine says", "--accept clock"]);
    assert!(account.applied().is_empty());
    assert_eq!(account.count("DescribeImages"), 0, "nothing was to be read");
    place.run(&["history"]).code(0);

    place.run(&["run", "--enforce", "--yes", "--accept", "clock"]).code(0);
    assert_eq!(disabled(&account), 1);
}

#[test]
fn a_clock_that_was_set_right_by_minutes_stops_nobody() {
    let (account, place) = account(1);
    place.run(&["plan"]).code(0);
    remember_a_run(&place, jiff::Timestamp::now() + jiff::SignedDuration::from_secs(240));
    place.run(&ENFORCE).code(0);
    assert_eq!(disabled(&account), 1);
}

#[test]
fn p2_a_date_of_aws_that_is_far_off_trips_the_clock_guard() {
    for seconds in [-420, 420] {
        let (account, place) = account(1);
        let skew = Fault::new("*", FaultKind::ClockSkew { seconds }).every_time();
        account.cloud().inject(skew);
        let tripped = place.run(&ENFORCE).code(4).json();
        assert_eq!(having(&tripped["held"], &[("guard", "clock")]).len(), 1, "{seconds}: {tripped}");
        assert!(account.applied().is_empty(), "{seconds}");
        place.run(&["run", "--enforce", "--yes", "--accept", "clock"]).code(0);
        assert_eq!(disabled(&account), 1, "{seconds}");
    }
}

#[test]
fn a_date_of_aws_that_is_a_few_minutes_off_trips_nothing() {
    for seconds in [-240, 240] {
        let (account, place) = account(1);
        account.cloud().inject(Fault::new("*", FaultKind::ClockSkew { seconds }).every_time());
        place.run(&ENFORCE).code(0);
        assert_eq!(disabled(&account), 1, "{seconds}");
    }
}
