//! The program dies at every system call by which it writes its store: before it, which is after the one before.
//! `strace` does the killing, so that nothing in the program has to know of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use amiwarden_sandbox::{ExchangePoint, Verdict};

use crate::cases::{Case, run_all};
use crate::checks::{Stage, UNDISTURBED, is_sent_change};
use crate::scene::{End, Place, enforce};

/// Set it where these tests must run: without it they say that they did not where there is no `strace`, or where
/// it may not trace.
const REQUIRED_VARIABLE: &str = "CRASH_STRACE_REQUIRED";

/// Everything by which a file comes to hold something else; of which not every processor's Linux has all.
const WRITING: &str = "?openat,?write,?pwrite64,?fsync,?fdatasync,?ftruncate,?rename,?renameat,?renameat2,?unlink,\
                       ?unlinkat";

/// A thread's n-th system call of a kind on certain files.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Call {
    name: String,
    nth: usize,
}

/// Whether there is an `strace` that may do what these tests need.
fn can_trace() -> bool {
    let probe = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    let works = probe.is_ok_and(|output| output.status.success());
    if !works {
        assert!(
            std::env::var_os(REQUIRED_VARIABLE).is_none(),
            "{REQUIRED_VARIABLE} is set, and strace does not work"
        );
        // Not `eprintln!`, which the test harness keeps to itself: who runs the tests should know.
        let notice =
            b"not done: killing amiwarden at each write to its store, which needs a working strace\n";
        std::io::stderr().write_all(notice).unwrap();
    }
    works
}

/// `strace` that looks at these files only.
fn strace(files: &[PathBuf], more: &[String]) -> Vec<String> {
    let options = ["strace", "-f", "-qq", "-e"].map(str::to_owned);
    let trace = format!("trace={WRITING}");
    let paths = files.iter().flat_map(|file| ["-P".to_owned(), file.display().to_string()]);
    options.into_iter().chain([trace]).chain(paths).chain(more.iter().cloned()).collect()
}

/// `strace` that kills with SIGKILL as this call begins.
fn deadly(files: &[PathBuf], call: &Call) -> Vec<String> {
    let inject = format!("inject={}:signal=SIGKILL:when={}", call.name, call.nth);
    strace(files, &["-e".to_owned(), inject, "-o".to_owned(), "/dev/null".to_owned()])
}

/// The database with what SQLite keeps beside it.
fn database(place: &Place) -> Vec<PathBuf> {
    ["", "-wal", "-shm", "-journal"].map(|suffix| place.path(&format!("amiwarden.db{suffix}"))).into()
}

/// The ledger's head, and the file that takes its place.
fn head(place: &Place) -> Vec<PathBuf> {
    vec![place.head(), place.path("amiwarden.head.new")]
}

/// The calls of a run on these files before which it is worth dying. `strace` counts each thread's calls of each
/// kind apart; all writes to the database are one thread's.
fn calls(stage: &Stage, files: &[PathBuf]) -> Vec<Call> {
    let trace = stage.place.path("trace");
    let wrapper = strace(files, &["-o".to_owned(), trace.display().to_string()]);
    assert!(
        matches!(enforce(&stage.place, &stage.victim, &wrapper), End::Reported(_)),
        "the traced run failed"
    );
    let mut threads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        // A call that another thread's interrupted is two lines; the second begins with `<...`.
        if let Some((name, _)) = call.trim_start().split_once('(').filter(|(name, _)| !name.starts_with('<'))
        {
            threads.entry(thread.to_owned()).or_default().push(name.to_owned());
        }
    }
    threads.values().flat_map(|names| worthwhile(names)).collect::<BTreeSet<Call>>().into_iter().collect()
}

/// Of the writes that follow each other, only the first, the second and the last: between them a death leaves a
/// torn transaction like any other. With `CRASH_EVERY_WRITE` all of them.
fn worthwhile(names: &[String]) -> Vec<Call> {
    let every_write = std::env::var_os("CRASH_EVERY_WRITE").is_some();
    let (mut counts, mut calls) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let nth = counts.entry(name).and_modify(|count| *count += 1).or_insert(1);
        let starts_here = index < 2 || names[index - 2..index].iter().any(|before| before != name);
        let ends_here = names.get(index + 1) != Some(name);
        if every_write || starts_here || ends_here {
            calls.push(Call { name: name.clone(), nth: *nth });
        }
    }
    calls
}

fn case(call: Call) -> Case<Call> {
    Case { name: format!("{}-{:03}", call.name, call.nth), what: call }
}

fn undisturbed() -> Stage {
    Stage::set(|_, _| Verdict::Continue)
}

/// Deaths that were called for, and those that did not come about. Whether a run that ends can still move its log
/// into the database depends on which of its connections is closed first, so it may have fewer calls than the one
/// that was counted.
#[derive(Default)]
struct Deaths {
    called_for: AtomicUsize,
    missed: AtomicUsize,
}

impl Deaths {
    fn meet(&self, stage: &Stage, files: &[PathBuf], call: &Call) -> Result<(), String> {
        self.called_for.fetch_add(1, Ordering::SeqCst);
        match enforce(&stage.place, &stage.victim, &deadly(files, call)) {
            End::Killed => {}
            End::Reported(_) => drop(self.missed.fetch_add(1, Ordering::SeqCst)),
            End::Broken(reason) => return Err(reason),
        }
        stage.recover_and_check()
    }

    /// Fails the test if it has shown little.
    fn check(&self) {
        let (called_for, missed) =
            (self.called_for.load(Ordering::SeqCst), self.missed.load(Ordering::SeqCst));
        assert!(missed * 5 <= called_for, "{missed} of {called_for} runs were not killed");
    }
}

#[test]
fn p1_killed_at_every_write_to_the_database() {
    if !can_trace() {
        return;
    }
    let stage = undisturbed();
    let calls = calls(&stage, &database(&stage.place));
    let syncs = calls.iter().filter(|call| call.name.contains("sync")).count();
    assert!(syncs >= 20, "fewer commits than there are intents and outcomes: {syncs}");
    let deaths = Deaths::default();
    run_all("every_write_to_the_database", calls.into_iter().map(case).collect(), |call| {
        let stage = undisturbed();
        deaths.meet(&stage, &database(&stage.place), call)
    });
    deaths.check();
}

#[test]
fn p1_killed_at_every_write_of_the_ledgers_head() {
    if !can_trace() {
        return;
    }
    // A first run makes the head as it opens the store, a second one replaces it as it ends.
    for (runs_before, name) in [(0, "first"), (1, "second")] {
        let prepared = || {
            let stage = undisturbed();
            (0..runs_before).for_each(|_| drop(enforce(&stage.place, &stage.victim, &[])));
            stage
        };
        let stage = prepared();
        // In a second run the head is only read by the thread that opens the store, and which thread replaces it at
        // the end is chance: the first of each kind of call can be counted on, and opening is not among them.
        let certain = |call: &Call| runs_before == 0 || (call.nth == 1 && call.name != "openat");
        let calls = calls(&stage, &head(&stage.place)).into_iter().filter(certain).map(|call| {
            let Case { name: call_name, what } = case(call);
            Case { name: format!("{name}-{call_name}"), what }
        });
        let deaths = Deaths::default();
        run_all("every_write_of_the_ledgers_head", calls.collect(), |call| {
            let stage = prepared();
            deaths.meet(&stage, &head(&stage.place), call)
        });
        deaths.check();
    }
}

/// A scene whose program has died as the first image was being disabled: an intent stands in the store, and nothing
/// there says what became of it.
fn widowed(point: ExchangePoint) -> Stage {
    let has_died = AtomicBool::new(false);
    let stage = Stage::set(move |event, victim| {
        let is_it = event.action == "DisableImage" && !event.dry_run && event.point == point;
        if is_it && !has_died.swap(true, Ordering::SeqCst) {
            victim.kill();
            return Verdict::BreakConnection;
        }
        Verdict::Continue
    });
    assert!(matches!(enforce(&stage.place, &stage.victim, &[]), End::Killed), "it was not killed");
    stage
}

#[test]
fn p1_killed_again_at_every_commit_of_the_recovery() {
    if !can_trace() {
        return;
    }
    for (point, name) in [(ExchangePoint::Received, "not-sent"), (ExchangePoint::Applied, "applied")] {
        let stage = widowed(point);
        let commits =
            calls(&stage, &database(&stage.place)).into_iter().filter(|call| call.name.contains("sync"));
        let cases =
            commits.map(|call| Case { name: format!("{name}-{}-{:03}", call.name, call.nth), what: call });
        let deaths = Deaths::default();
        run_all("every_commit_of_the_recovery", cases.collect(), |call| {
            let stage = widowed(point);
            deaths.meet(&stage, &database(&stage.place), call)
        });
        deaths.check();
    }
}

#[test]
fn p1_nothing_is_sent_while_a_write_to_the_store_is_not_on_the_disk() {
    if !can_trace() {
        return;
    }
    let stage = undisturbed();
    let trace = stage.place.path("trace");
    let looks = "trace=?write,?writev,?sendto,?sendmsg,?pwrite64,?fsync,?fdatasync";
    let wrapper = ["strace", "-f", "-qq", "-y", "-s", "4096", "-e", looks, "-o"].map(str::to_owned);
    let wrapper: Vec<String> = wrapper.into_iter().chain([trace.display().to_string()]).collect();
    assert!(
        matches!(enforce(&stage.place, &stage.victim, &wrapper), End::Reported(_)),
        "the traced run failed"
    );
    let (mut unsynced, mut syncing, mut changes) = (0, BTreeSet::new(), 0);
    for line in fs::read_to_string(&trace).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        let is_on_log = call.contains("amiwarden.db-wal>");
        let is_sync = call.starts_with("fsync(") || call.starts_with("fdatasync(");
        if call.starts_with("pwrite64(") && is_on_log {
            unsynced += 1;
        } else if is_sync && is_on_log && call.ends_with("<unfinished ...>") {
            syncing.insert(thread);
        } else if (is_sync && is_on_log) || (call.contains("sync resumed>") && syncing.remove(thread)) {
            unsynced = 0;
        } else if is_change(call) {
            changes += 1;
            assert_eq!(unsynced, 0, "writes to the store were not on the disk when this was sent: {call}");
        }
    }
    let expected = UNDISTURBED.1.iter().filter(|event| is_sent_change(event)).count();
    assert_eq!(changes, expected, "not every request was seen");
}

/// Whether the call sends a request that changes something.
fn is_change(call: &str) -> bool {
    let sends = ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|name| call.starts_with(name));
    let reads = ["Action=Describe", "Action=Get", "Action=List", "DryRun=true"];
    sends && call.contains("Action=") && !reads.iter().any(|part| call.contains(part))
}
