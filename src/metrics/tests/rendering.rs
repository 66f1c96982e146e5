//! What is rendered of what was told.

use amiwarden_core::{Gap, StepOutcome};
use amiwarden_core::{Guard, Source, TrippedGuard};

use super::sample::{at, everything, metrics, report, scope};
use crate::metrics::series::{ALL, Kind};
use crate::metrics::{Metrics, ON_REQUEST, PolicySetInfo, Skipped};
use crate::pause::PauseFile;

/// Fails unless the metrics have this line.
fn has(metrics: &Metrics, line: &str) {
    let text = metrics.render().unwrap();
    assert!(text.lines().any(|it| it == line), "no line `{line}` in\n{text}");
}

fn has_no(metrics: &Metrics, part: &str) {
    let text = metrics.render().unwrap();
    assert!(!text.lines().any(|it| it.starts_with(part)), "there is `{part}` in\n{text}");
}

#[test]
fn before_the_first_run_there_is_nothing_of_runs() {
    let metrics = metrics();
    metrics.schedules(["nightly"]);
    has(&metrics, "amiwarden_build_info{version=\"9.9.9\"} 1");
    has(&metrics, "amiwarden_runs_total{schedule=\"nightly\",result=\"failed\"} 0");
    has(&metrics, "amiwarden_paused 0");
    has_no(&metrics, "amiwarden_run_");
    has_no(&metrics, "amiwarden_last_success_timestamp_seconds");
    has_no(&metrics, "amiwarden_ledger_ok");
}

#[test]
fn a_run_that_failed_keeps_the_last_success() {
    let (metrics, here) = (metrics(), scope(1, "r"));
    metrics.schedules(["nightly"]);
    metrics.attempted("nightly", std::slice::from_ref(&here), at(0));
    metrics.finished("nightly", &report([here.clone()]));
    has(&metrics, "amiwarden_last_success_timestamp_seconds{schedule=\"nightly\"} 1800000010");
    has(&metrics, "amiwarden_last_run_success{schedule=\"nightly\"} 1");

    metrics.attempted("nightly", std::slice::from_ref(&here), at(100));
    metrics.failed("nightly");
    has(&metrics, "amiwarden_last_attempt_timestamp_seconds{schedule=\"nightly\"} 1800000100");
    has(&metrics, "amiwarden_last_success_timestamp_seconds{schedule=\"nightly\"} 1800000010");
    has(&metrics, "amiwarden_last_run_success{schedule=\"nightly\"} 0");
    has(&metrics, "amiwarden_runs_total{schedule=\"nightly\",result=\"failed\"} 1");
    let labels = "{account=\"000000000001\",region=\"r\"}";
    has(&metrics, &format!("amiwarden_scope_last_attempt_timestamp_seconds{labels} 1800000100"));
    has(&metrics, &format!("amiwarden_scope_last_success_timestamp_seconds{labels} 1800000010"));
}

#[test]
fn a_scope_whose_images_were_not_all_listed_has_no_success() {
    let (metrics, here) = (metrics(), scope(1, "r"));
    let mut broken = report([here]);
    broken.scopes[0].gaps = vec![(Source::Images, Gap::new("cut short"))];
    metrics.finished("nightly", &broken);
    has(&metrics, "amiwarden_scope_incomplete_sources{account=\"000000000001\",region=\"r\"} 1");
    has(&metrics, "amiwarden_last_run_success{schedule=\"nightly\"} 0");
    has_no(&metrics, "amiwarden_scope_last_success_timestamp_seconds");
}

#[test]
fn each_scope_shows_the_last_run_that_covered_it() {
    let metrics = metrics();
    let mut one = report([scope(1, "a")]);
    one.tripped = vec![TrippedGuard {
        scope: scope(1, "a"),
        guard: Guard::Surge,
        reason: "many".to_owned(),
        counted: None,
    }];
    metrics.finished("first", &one);
    metrics.finished("second", &report([scope(1, "b")]));
    let tripped = |region: &str, value: u8| {
        format!(
            "amiwarden_guard_tripped{{account=\"000000000001\",region=\"{region}\",guard=\"surge\"}} {value}"
        )
    };
    has(&metrics, &tripped("a", 1));
    has(&metrics, &tripped("b", 0));
    has(&metrics, "amiwarden_guard_trips_total{guard=\"surge\"} 1");
    metrics.finished("first", &report([scope(1, "a")]));
    has(&metrics, &tripped("a", 0));
    has(&metrics, "amiwarden_guard_trips_total{guard=\"surge\"} 1");
}

#[test]
fn counters_grow_and_gauges_are_of_the_last_run() {
    let metrics = metrics();
    let report = everything(&[scope(1, "a")], 20, 2);
    metrics.finished("nightly", &report);
    metrics.finished("nightly", &report);
    let done = StepOutcome::Done.as_str();
    has(&metrics, &format!("amiwarden_run_steps{{action=\"disable\",outcome=\"{done}\"}} 1"));
    has(&metrics, &format!("amiwarden_steps_total{{outcome=\"{done}\"}} 28"));
    has(&metrics, "amiwarden_run_saved_monthly_cost_dollars 1.5");
    has(&metrics, "amiwarden_saved_monthly_cost_dollars_total 3");
    has(&metrics, "amiwarden_run_phase_duration_seconds{phase=\"survey\"} 1.5");
    has(&metrics, "amiwarden_run_duration_seconds 10");
    has(&metrics, "amiwarden_run_held{guard=\"opt-out\"} 1");
    has(&metrics, "amiwarden_run_aws_throttled_calls 36");
}

#[test]
fn a_refused_policy_set_shows_and_a_new_one_mends_it() {
    let metrics = metrics();
    let set = PolicySetInfo { digest: "abc".repeat(20), loaded_at: at(0), ok: true, names: Vec::new() };
    metrics.policies(set.clone());
    has(&metrics, "amiwarden_policy_set_info{digest=\"abcabcabcabc\"} 1");
    metrics.policies_refused();
    has(&metrics, "amiwarden_policy_set_ok 0");
    metrics.policies(set);
    has(&metrics, "amiwarden_policy_set_ok 1");
}

#[test]
fn a_schedule_that_is_gone_is_forgotten() {
    let metrics = metrics();
    metrics.schedules(["old", "new"]);
    metrics.skipped("old", Skipped::Missed);
    has(&metrics, "amiwarden_ticks_skipped_total{schedule=\"old\",reason=\"missed\"} 1");
    metrics.schedules(["new"]);
    has_no(&metrics, "amiwarden_ticks_skipped_total{schedule=\"old\"");
    has(&metrics, &format!("amiwarden_ticks_skipped_total{{schedule=\"{ON_REQUEST}\",reason=\"busy\"}} 0"));
}

#[test]
fn the_pause_is_looked_at_when_the_metrics_are_rendered() {
    let dir = tempfile::tempdir().unwrap();
    let pause = PauseFile::new(dir.path().join("pause"));
    let metrics = Metrics::new("1", pause.clone()).unwrap();
    has(&metrics, "amiwarden_paused 0");
    pause.set("incident").unwrap();
    has(&metrics, "amiwarden_paused 1");
}

#[test]
fn the_registry_also_tells_of_the_process() {
    let text = metrics().render().unwrap();
    assert!(text.contains("\nprocess_start_time_seconds "), "{text}");
}

#[test]
fn a_run_in_which_everything_happens_shows_every_series() {
    let metrics = metrics();
    metrics.schedules(["nightly"]);
    let names = vec![super::sample::policy(0)];
    metrics.policies(PolicySetInfo { digest: "d".to_owned(), loaded_at: at(0), ok: true, names });
    metrics.attempted("nightly", &[], at(0));
    metrics.finished("nightly", &everything(&[scope(1, "a")], 20, 2));
    metrics.restore("nightly", at(0), Some(at(1)));
    metrics.ledger(Some(1), Some(true));
    metrics.unresolved_intents(0);
    let text = metrics.render().unwrap();
    for series in ALL {
        assert!(text.contains(&format!("# HELP {} ", series.name)), "{} is never rendered", series.name);
    }
}

#[test]
fn the_file_has_gauges_alone_and_is_put_in_its_place_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("amiwarden.prom");
    std::fs::write(&path, "old").unwrap();
    let metrics = metrics();
    metrics.finished("run", &everything(&[scope(1, "a")], 20, 2));
    metrics.write_textfile(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("amiwarden_run_held"), "{text}");
    assert!(!text.starts_with("old") && !text.contains(" counter\n"), "{text}");
    assert!(!text.contains("\nprocess_"), "node_exporter tells of itself, and the names would clash");
    for series in ALL.iter().filter(|series| series.kind == Kind::Counter) {
        assert!(!text.contains(series.name), "{} is in the file", series.name);
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok() && line.split(' ').count() == 2, "a timestamp? {line}");
    }
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "nothing is left beside it");

    let error = metrics.write_textfile(&dir.path().join("missing/x.prom")).unwrap_err();
    assert!(error.to_string().contains("missing/x.prom"), "{error}");
}
