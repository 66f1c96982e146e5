//! Which events a run gives cause to, and what is said of them.

use amiwarden_core::{CycleReport, Mode, StepOutcome};
use serde_json::Value;

use super::*;
use crate::report::tests::sample;

fn outlook() -> Outlook {
    Outlook {
        notices: vec![notice("ami-7", "look at <it> & tell")],
        approaching: vec![
            approaching("ami-1", Some("web"), 1),
            approaching("ami-2", None, 3),
            approaching("ami-3", Some("web"), 7),
        ],
    }
}

fn kinds(report: &CycleReport, outlook: &Outlook) -> Vec<&'static str> {
    events(report, outlook).iter().map(|event| event.kind().as_str()).collect()
}

/// The document of the event of this kind.
fn document(report: &CycleReport, outlook: &Outlook, kind: NotifyEvent) -> Value {
    let events = events(report, outlook);
    let event = events.iter().find(|event| event.kind() == kind).unwrap();
    serde_json::from_str(&body::body(event, &text::line(event), "Owner").unwrap()).unwrap()
}

fn message(report: &CycleReport, outlook: &Outlook, kind: NotifyEvent) -> Value {
    let events = events(report, outlook);
    let event = events.iter().find(|event| event.kind() == kind).unwrap();
    serde_json::from_str(&slack::message(event, &text::line(event), "Owner")).unwrap()
}

#[test]
fn a_run_gives_cause_to_what_it_came_to() {
    let nothing = Outlook::default();
    let noticed = Outlook { notices: vec![notice("ami-7", "x")], ..Outlook::default() };
    let near = Outlook { approaching: vec![approaching("ami-1", None, 1)], ..Outlook::default() };
    let check = |report: &CycleReport, outlook: &Outlook, expected: &[&str]| {
        assert_eq!(kinds(report, outlook), expected);
    };
    check(&sample::quiet(), &nothing, &[]);
    check(&sample::quiet(), &noticed, &["done"]);
    check(&sample::quiet(), &near, &["approaching"]);
    check(&CycleReport { mode: Mode::Observe, ..sample::quiet() }, &noticed, &["plan-ready"]);
    check(&sample::observed(), &nothing, &["plan-ready"]);
    check(&sample::enforced(), &nothing, &["done", "run-failed"]);
    check(&sample::troubled(), &near, &["plan-ready", "guard-tripped", "run-failed", "approaching"]);
}

#[test]
fn a_run_in_which_nothing_was_tried_or_that_was_told_to_stop_is_not_done_and_has_not_failed() {
    let mut report = sample::enforced();
    for (_, became) in &mut report.steps {
        became.rehearsal = amiwarden_core::Rehearsal::Permitted;
        became.outcome = StepOutcome::NotAttempted("it was told to stop".to_owned());
    }
    report.interrupted = true;
    assert_eq!(kinds(&report, &Outlook::default()), [""; 0]);
}

#[test]
fn a_line_says_what_matters() {
    let lines = |report: &CycleReport, outlook: &Outlook| -> Vec<String> {
        events(report, outlook).iter().map(text::line).collect()
    };
    insta::assert_debug_snapshot!("lines_observed", lines(&sample::observed(), &outlook()));
    insta::assert_debug_snapshot!("lines_enforced", lines(&sample::enforced(), &outlook()));
    insta::assert_debug_snapshot!("lines_troubled", lines(&sample::troubled(), &Outlook::default()));
}

#[test]
fn the_document_holds_the_report_with_its_true_totals() {
    let report = sample::observed();
    let document = document(&report, &outlook(), NotifyEvent::PlanReady);
    assert_eq!((&document["schema"], &document["event"]), (&1.into(), &"plan-ready".into()));
    assert_eq!(document["run_id"], report.run_id.as_str());
    assert_eq!(document["report"]["steps"].as_array().unwrap().len(), report.steps.len());
    assert_eq!(document["report"]["totals"]["kept"], report.kept.len());
    assert_eq!(document["report"]["kept"], Value::Array(Vec::new()));
    assert_eq!(document["truncated"], serde_json::json!({ "kept": report.kept.len() }));
    assert_eq!(document["notices"][0]["because"][0]["reason"], "look at <it> & tell");
}

#[test]
fn a_large_document_is_cut_and_says_so() {
    let mut report = sample::observed();
    let step = report.steps[0].clone();
    report.steps = vec![step.clone(); 5000];
    let short = document(&report, &Outlook::default(), NotifyEvent::PlanReady);
    let shown = short["report"]["steps"].as_array().unwrap().len();
    assert!(shown < 5000, "{shown}");
    assert_eq!(short["truncated"]["steps"], 5000 - shown);
    assert_eq!(short["report"]["totals"]["steps"], 5000);
    // Reasons as long as policies can make them leave room for fewer.
    let mut long = step;
    long.0.because[0].reason = "x".repeat(4096);
    report.steps = vec![long; 5000];
    let events = events(&report, &outlook()).len();
    assert_eq!(events, 2);
    let outlook = outlook();
    let event = super::events(&report, &outlook).remove(0);
    let text = body::body(&event, "line", "Owner").unwrap();
    assert!(text.len() <= 200 << 10, "{}", text.len());
    let fewer: Value = serde_json::from_str(&text).unwrap();
    assert!((1..shown).contains(&fewer["report"]["steps"].as_array().unwrap().len()));
}

#[test]
fn approaching_images_are_grouped_by_owner() {
    let document = document(&sample::observed(), &outlook(), NotifyEvent::Approaching);
    let groups = document["owners"].as_array().unwrap();
    let shown: Vec<(Option<&str>, Vec<&str>)> = groups
        .iter()
        .map(|group| {
            let images = group["images"].as_array().unwrap();
            (group["owner"].as_str(), images.iter().filter_map(|it| it["image_id"].as_str()).collect())
        })
        .collect();
    assert_eq!(shown, [(None, vec!["ami-2"]), (Some("web"), vec!["ami-1", "ami-3"])]);
    let image = &groups[0]["images"][0];
    assert_eq!((&image["due_on"], &image["due_in_days"]), (&"2026-11-24".into(), &3.into()));
    assert_eq!(
        (&image["action"], &image["because"][0]["policy"]),
        (&"disable".into(), &"retire-stale".into())
    );
}

/// Every text of a message, with the limit that Slack sets for it.
fn texts(message: &Value) -> Vec<(String, usize)> {
    let blocks = message["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "{}", blocks.len());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut texts = vec![(text(&message["text"]), 4000)];
    for block in blocks {
        texts.push(match block["type"].as_str().unwrap() {
            "header" => (text(&block["text"]["text"]), 150),
            "section" => (text(&block["text"]["text"]), 3000),
            "context" => (text(&block["elements"][0]["text"]), 3000),
            other => panic!("{other}"),
        });
    }
    texts
}

#[test]
fn slack_is_sent_what_it_takes_and_nothing_that_it_obeys() {
    let many = (0..500).map(|n| approaching(&format!("ami-{n}"), Some(&format!("<!here> {n}")), 1));
    let outlook = Outlook { approaching: many.collect(), ..outlook() };
    let mut long = sample::troubled();
    for (step, _) in &mut long.steps {
        step.because[0].reason = "<&>".repeat(4000);
    }
    long.tripped[0].reason = "<&>".repeat(4000);
    for report in [&sample::hostile(), &long, &sample::enforced()] {
        for kind in kinds_of(report, &outlook) {
            let message = message(report, &outlook, kind);
            for (text, max) in texts(&message) {
                assert!(text.chars().count() <= max, "{} > {max}", text.chars().count());
                assert!(!text.is_empty() && !text.contains(['<', '>', '\u{1b}', '\u{202e}']), "{text}");
                for (at, _) in text.match_indices('&') {
                    let rest = &text[at..];
                    assert!(
                        ["&amp;", "&lt;", "&gt;"].iter().any(|escape| rest.starts_with(escape)),
                        "{rest}"
                    );
                }
            }
        }
    }
}

fn kinds_of(report: &CycleReport, outlook: &Outlook) -> Vec<NotifyEvent> {
    events(report, outlook).iter().map(Event::kind).collect()
}

#[test]
fn a_message_for_slack_reads_well() {
    let shown = |report: &CycleReport, kind| {
        let message = message(report, &outlook(), kind);
        texts(&message).into_iter().map(|(text, _)| text).collect::<Vec<_>>().join("\n--\n")
    };
    insta::assert_snapshot!("slack_done", shown(&sample::enforced(), NotifyEvent::Done));
    insta::assert_snapshot!("slack_approaching", shown(&sample::observed(), NotifyEvent::Approaching));
    insta::assert_snapshot!("slack_tripped", shown(&sample::troubled(), NotifyEvent::GuardTripped));
}

#[test]
fn the_same_is_no_news() {
    let news = |report: &CycleReport, outlook: &Outlook| -> Vec<Option<String>> {
        events(report, outlook).iter().map(Event::news).collect()
    };
    let (report, outlook) = (sample::troubled(), outlook());
    assert_eq!(news(&report, &outlook), news(&report, &outlook));
    let other_run = CycleReport { run_id: RunId::new("another"), ..report.clone() };
    assert_eq!(news(&report, &outlook), news(&other_run, &outlook));
    let fewer = Outlook { approaching: outlook.approaching[..2].to_vec(), ..outlook.clone() };
    let (before, after) = (news(&report, &outlook), news(&report, &fewer));
    assert_eq!(before[..3], after[..3]);
    assert_ne!(before[3], after[3]);
    assert_eq!(news(&sample::enforced(), &Outlook::default())[0], None);
}
