pub(crate) mod sample;

use std::fmt::Write as _;

use amiwarden_core::{ActionKind, CycleReport, Rehearsal, StepOutcome};
use serde_json::Value;

use super::*;

fn shown(report: &CycleReport, format: Format, style: &Style) -> String {
    let mut out = Vec::new();
    render(report, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at_width(width: u16) -> Style {
    Style { width: Some(width), ..Style::default() }
}

/// Compares with `src/report/snapshots/<name>.snap`, whatever the crate is called.
fn matches_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn tables() {
    let check = |name: &str, report: &CycleReport, style: &Style| {
        matches_snapshot(name, &shown(report, Format::Table, style));
    };
    check("table_observed_100", &sample::observed(), &at_width(100));
    check("table_observed_80", &sample::observed(), &at_width(80));
    check("table_enforced_140", &sample::enforced(), &at_width(140));
    check("table_two_regions", &sample::troubled(), &Style::default());
    check("table_nothing_to_do", &sample::quiet(), &Style::default());
    let every_image =
        Style { detail: Detail::EveryImage, command: "amiwarden --sandbox".to_owned(), ..Style::default() };
    check("table_every_image", &sample::observed(), &every_image);
    check("table_planned", &sample::planned(), &at_width(100));
    check("table_preview", &sample::waiting(), &Style { stage: Stage::Preview, ..at_width(100) });
    check("table_applied_again", &sample::applied_again(), &at_width(120));
}

/// The first sentence of the report.
fn first_sentence(report: &CycleReport) -> String {
    let text = shown(report, Format::Markdown, &Style::default());
    text.lines().nth(2).unwrap().to_owned()
}

#[test]
fn the_first_sentence_says_what_became_of_the_changes() {
    let place = "in 111122223333/us-east-1";
    let check = |report: &CycleReport, expected: &str| {
        let expected = format!("{expected}, nothing is held back, no image is kept.");
        assert_eq!(first_sentence(report), expected.replace(" @ ", &format!(" {place}: ")));
    };
    let of = |outcomes: &[StepOutcome]| sample::outcomes(outcomes);
    let skipped = || StepOutcome::SkippedChanged("its state has changed".to_owned());
    let (done, already) = (StepOutcome::Done, StepOutcome::AlreadyDone);
    check(&of(&[]), "Looked at no image @ no change is due");
    check(&of(std::slice::from_ref(&done)), "Worked on 1 image @ 1 change was carried out");
    check(&of(&[done.clone(), done.clone()]), "Worked on 2 images @ 2 changes were carried out");
    check(
        &of(&[done, already.clone()]),
        "Worked on 2 images @ 1 of 2 changes was carried out, 1 was done already",
    );
    check(&of(std::slice::from_ref(&already)), "Worked on 1 image @ the only change was done already");
    check(
        &of(&[already.clone(), already, skipped()]),
        "Worked on 3 images @ none of 3 changes was carried out, 2 were done already, \
         1 was skipped because the image has changed",
    );
}

/// What is told before the question is not told as if it had happened, and not as if it had gone wrong.
#[test]
fn a_preview_says_what_is_due() {
    let report = sample::waiting();
    let preview = Style { stage: Stage::Preview, ..Style::default() };
    let text = shown(&report, Format::Table, &preview);
    assert!(text.contains("9 changes on 8 images are due") && text.contains("Nothing is changed yet."));
    for wrong in ["NOT CARRIED OUT", "OUTCOME", "Next:", "was not tried", "waiting for"] {
        assert!(!text.contains(wrong), "{wrong}: {text}");
    }
    let text = shown(&report, Format::Table, &Style::default());
    assert!(text.contains("none of 9 changes was carried out") && text.contains("NOT CARRIED OUT"), "{text}");
}

#[test]
fn a_plan_that_only_reads_is_no_alarm() {
    let text = shown(&sample::planned(), Format::Markdown, &Style::default());
    assert!(!text.contains("Not permitted") && !text.contains("not rehearsed"), "{text}");
    let rows =
        text.lines().skip_while(|line| *line != "### Changes due").filter(|line| line.ends_with("| - |"));
    assert_eq!(rows.count(), 9);
    // One that was rehearsed but in part is.
    let mut report = sample::planned();
    report.steps[0].1.rehearsal = Rehearsal::Permitted;
    let text = shown(&report, Format::Markdown, &Style::default());
    assert!(text.contains("| not rehearsed | 8 |"), "{text}");
}

#[test]
fn what_one_rule_keeps_is_one_reason() {
    let report = sample::kept_by_one_rule();
    let text = shown(&report, Format::Markdown, &Style::default());
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("`keep-used:3`")).collect();
    assert_eq!(rows, ["| 2 | used by i-a, and the like | `keep-used:3`<br>in use | web-1, web-2 |"]);
    let rows: Vec<&str> = text.lines().filter(|line| line.contains("`retire:9`")).collect();
    let expected = [
        "| 2 | already disabled | `retire:9`<br>stale | web-3, web-4 |",
        "| 1 | disable is not possible: its state is unknown | `retire:9`<br>stale | web-5 |",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn lists_look_like_reports_and_are_as_harmless() {
    let list = List {
        columns: vec![
            ListColumn { title: "WHEN", is_prose: false },
            ListColumn { title: "WHAT", is_prose: true },
        ],
        rows: vec![vec!["today".to_owned(), "a|b, \u{1b}[31mred\u{202e}".to_owned()]],
    };
    let text = |write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let table = text(&|out| list.write_table(&at_width(80), out));
    let rule = "─".repeat(23);
    let row = " today  a|b, \u{fffd}[31mred\u{fffd}";
    assert_eq!(table, format!(" WHEN   WHAT\n{rule}\n{row}\n"));
    let markdown = text(&|out| list.write_markdown(out));
    let row = "| today | a\\|b, \u{fffd}\\[31mred\u{fffd} |";
    assert_eq!(markdown, format!("| WHEN | WHAT |\n| --- | --- |\n{row}\n"));
    let csv = text(&|out| list.write_csv(out));
    assert_eq!(csv, "WHEN,WHAT\r\ntoday,\"a|b, \u{fffd}[31mred\u{fffd}\"\r\n");
}

#[test]
fn documents_for_programs_and_pull_requests() {
    let check = |name: &str, report: &CycleReport, format: Format| {
        matches_snapshot(name, &shown(report, format, &Style::default()));
    };
    check("json_enforced", &sample::enforced(), Format::Json);
    check("json_two_regions", &sample::troubled(), Format::Json);
    check("csv_enforced", &sample::enforced(), Format::Csv);
    check("markdown_observed", &sample::observed(), Format::Markdown);
    check("markdown_two_regions", &sample::troubled(), Format::Markdown);
}

/// The fields of the first version of the schema, in their order. This list is never edited but at its ends.
#[test]
fn json_has_the_fields_of_its_schema() {
    let text = shown(&sample::enforced(), Format::Json, &Style::default());
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], 1);
    let check = |at: &str, fields: &[&str]| {
        let object = document.pointer(at).unwrap().as_object().unwrap();
        for field in fields {
            assert!(object.contains_key(*field), "{at} has no {field}");
        }
        // `Value` sorts its keys, so the order is read from the text: from where the first one stands.
        let from = text.find(&format!("\"{}\"", fields[0])).unwrap();
        let places = fields.iter().map(|field| text[from..].find(&format!("\"{field}\":")).unwrap());
        assert!(places.is_sorted(), "{at} has its fields in another order");
    };
    let top = ["schema", "run_id", "plan_id", "mode", "started_at", "finished_at", "scopes", "steps", "held"];
    check("", &[&top[..], &["kept", "errors", "totals"]].concat());
    check("/scopes/0", &["account", "region", "images", "complete", "gaps"]);
    let of_step = ["action", "policy", "rule", "line", "reason", "rehearsal", "outcome", "request_id"];
    check("/steps/0", &[&["image_id", "name", "account", "region"], &of_step[..]].concat());
    let of_held = ["image_id", "account", "region", "action", "policy", "guard", "reason"];
    for (at, fields) in [
        ("/held/0", &of_held[..]),
        ("/kept/0", &["image_id", "account", "region", "reason", "policy", "rule"]),
        ("/errors/0", &["policy", "image_id", "line", "message"]),
    ] {
        let object = document.pointer(at).unwrap().as_object().unwrap();
        assert!(fields.iter().all(|field| object.contains_key(*field)), "{at}: {object:?}");
    }
    let of_totals = ["images", "steps", "held", "kept", "errors", "done", "failed", "api_calls"];
    for (field, expected) in of_totals.iter().zip([29, 9, 5, 16, 2, 5, 2, 57]) {
        assert_eq!(document["totals"][field], expected, "{field}");
    }
}

#[test]
fn json_and_csv_say_what_the_report_says() {
    let report = sample::enforced();
    let document: Value = serde_json::from_str(&shown(&report, Format::Json, &Style::default())).unwrap();
    assert_eq!(document["steps"].as_array().unwrap().len(), report.steps.len());
    assert_eq!(document["steps"][4]["snapshots"].as_array().unwrap().len(), 3);
    let outcomes: Vec<&str> = (0..9).filter_map(|step| document["steps"][step]["outcome"].as_str()).collect();
    let expected =
        ["done", "already-done", "done", "skipped-changed", "done", "failed", "not-attempted", "unknown"];
    assert_eq!(outcomes[..8], expected);
    let text = shown(&report, Format::Csv, &Style::default());
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<::csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let number = |standing: &str| rows.iter().filter(|row| &row[0] == standing).count();
    assert_eq!(number("planned"), report.steps.len());
    assert_eq!(number("held"), report.held.len());
    assert_eq!(number("kept"), report.kept.len());
    assert_eq!(number("error"), report.errors.len());
    assert!(rows.iter().filter(|row| &row[0] == "held").all(|row| !row[11].is_empty()), "held has a guard");
    assert!(text.lines().count() == rows.len() + 1 && text.ends_with("\r\n"));
}

#[test]
fn nothing_from_outside_commands_a_terminal() {
    let report = sample::hostile();
    for format in [Format::Table, Format::Json, Format::Csv, Format::Markdown] {
        let text = shown(&report, format, &Style::default());
        let is_harmless =
            |character: char| character == '\n' || character == '\r' || !text::is_unfit(character);
        assert!(text.chars().all(is_harmless), "{format:?}: {text:?}");
    }
    // Programs get the text as it was.
    let document: Value = serde_json::from_str(&shown(&report, Format::Json, &Style::default())).unwrap();
    assert_eq!(document["steps"][0]["reason"].as_str(), Some(report.steps[0].0.because[0].reason.as_str()));
    // Nobody is called, and no row of a table breaks.
    let markdown = shown(&report, Format::Markdown, &Style::default());
    assert!(!markdown.contains("@everyone") && !markdown.contains("<b>"));
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows = markdown.lines().filter(|line| line.starts_with("| ")).map(cells).collect::<Vec<_>>();
    assert_eq!(rows, [6, 6, 6, 5, 5, 5], "a header, its rule and one row, twice");
}

#[test]
fn tables_fit_the_terminal() {
    for report in [sample::observed(), sample::enforced(), sample::troubled()] {
        for width in [90, 100, 120, 160] {
            let text = shown(&report, Format::Table, &at_width(width));
            let is_command = |line: &str| line.starts_with("Next:") || line.starts_with("       amiwarden");
            let widest = text.lines().filter(|line| !is_command(line)).map(|line| line.chars().count()).max();
            assert!(widest <= Some(usize::from(width)), "{width}: {text}");
        }
    }
}

#[test]
fn identifiers_stay_whole_on_a_narrow_terminal() {
    let report = sample::enforced();
    let text = shown(&report, Format::Table, &at_width(80));
    let mut missing = String::new();
    for (step, _) in &report.steps {
        if !text.contains(step.image_id.as_str()) {
            writeln!(missing, "{}", step.image_id).unwrap();
        }
    }
    assert_eq!(missing, "");
}

#[test]
fn colour_adds_nothing_but_colour() {
    for report in [sample::enforced(), sample::troubled()] {
        let plain = shown(&report, Format::Table, &at_width(120));
        let coloured = shown(&report, Format::Table, &Style { colour: true, ..at_width(120) });
        assert!(coloured.contains("\u{1b}[1m"), "it has no colour");
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
    }
}

#[test]
fn every_kind_of_change_is_said_in_words() {
    let report = sample::every_change();
    let kinds: Vec<ActionKind> = report.steps.iter().map(|(step, _)| step.change.kind()).collect();
    assert!(ActionKind::ALL.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    let words: Vec<String> =
        report.steps.iter().map(|(step, _)| words::change(&step.change, report.started_at)).collect();
    matches_snapshot("every_change", &words.join("\n"));
}

#[test]
fn a_pipe_that_breaks_is_an_error() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    for format in [Format::Table, Format::Json, Format::Csv, Format::Markdown] {
        let result = render(&sample::observed(), format, &Style::default(), &mut Broken);
        assert_eq!(result.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe), "{format:?}");
    }
}
