//! `--metrics-file`: the gauges of one run, for `node_exporter`.

use crate::harness::Account;

#[test]
fn a_run_leaves_its_gauges_in_a_file() {
    let account = Account::demo();
    let place = account.place();
    place.run(&["run", "--metrics-file", "amiwarden.prom"]).code(0);
    let first = std::fs::read_to_string(place.path("amiwarden.prom")).unwrap();
    for line in [
        "amiwarden_last_run_success{schedule=\"run\"} 1",
        "amiwarden_images{account=\"111122223333\",region=\"us-east-1\",state=\"disabled\"} 4",
        "amiwarden_run_aws_calls{operation=\"DescribeImages\",result=\"ok\"} 1",
        "amiwarden_run_policy_errors{policy=\"retire-stale\"} 1",
        "amiwarden_ledger_ok 1",
        "amiwarden_paused 0",
    ] {
        assert!(first.lines().any(|it| it == line), "no line `{line}` in\n{first}");
    }

    place.run(&["pause"]).code(0);
    place.run(&["plan", "--metrics-file", "amiwarden.prom"]).code(0);
    let second = std::fs::read_to_string(place.path("amiwarden.prom")).unwrap();
    assert!(second.contains("amiwarden_paused 1"), "{second}");
    assert!(second.contains("{schedule=\"plan\"}") && !second.contains("{schedule=\"run\"}"), "{second}");
    assert!(!place.files().iter().any(|name| name.contains(".new")), "{:?}", place.files());
}

#[test]
fn a_file_that_cannot_be_written_does_not_hide_the_report() {
    let account = Account::demo();
    let place = account.place();
    let ended = place.run(&["run", "--format", "json", "--metrics-file", "missing/amiwarden.prom"]);
    assert_ne!(ended.code, 0);
    assert_eq!(ended.json()["totals"]["images"], 37);
    ended.says(&["missing/amiwarden.prom"]);
    let runs = place.run(&["history", "--format", "json"]).code(0);
    assert!(runs.out.contains("finished"), "{}", runs.out);
}
