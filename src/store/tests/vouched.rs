//! Whoever changes a row that the ledger vouches for is found, and the finding names the row.

use super::specimen::Specimen;
use crate::store::LedgerFinding;

#[tokio::test]
async fn every_row_that_the_ledger_vouches_for() {
    let specimen = Specimen::new().await;
    let tables: [(&str, &str, i64, &[&str]); 4] = [
        (
            "plan",
            "plan_id",
            2,
            &["plan_key = plan_key || 'x'", "run_id = 3 - run_id", "at = at + 1", "body = '{}'"],
        ),
        (
            "decision",
            "decision_id",
            3,
            &[
                "image_id = 3",
                "run_id = 3 - run_id",
                "at = at + 1",
                "body = coalesce(body, '') || ' '",
                "digest = x'00'",
            ],
        ),
        (
            "intent",
            "intent_id",
            4,
            &[
                "run_id = 3 - run_id",
                "plan_id = 3 - plan_id",
                "step_index = step_index + 1",
                "scope_id = 77",
                "image_key = 'ami-0'",
                "step = step || ' '",
                "before = cast(x'ff' as text)",
                "at = at + 1",
            ],
        ),
        (
            "outcome",
            "outcome_id",
            6,
            &["intent_id = 5 - intent_id", "outcome = 'skipped-changed'", "report = '{}'", "at = at - 1"],
        ),
    ];
    for (table, id, rows, edits) in tables {
        for row in 1..=rows {
            let edits = edits.iter().map(|edit| format!("update {table} set {edit} where {id} = {row}"));
            let deletion = format!("delete from {table} where {id} = {row}");
            let renumbered = format!("update {table} set {id} = {id} + 100 where {id} = {row}");
            // What a decision's row is called is of no account; its order among the rows is.
            let renumbered = (table != "decision" && table != "plan").then_some(renumbered);
            for sql in edits.chain([deletion]).chain(renumbered) {
                let findings = specimen.mutilate(&sql).await;
                let is_named = |finding: &LedgerFinding| match finding {
                    LedgerFinding::Contents { what, .. } => match table {
                        "plan" => what.starts_with("plan-"),
                        "decision" => what.contains("decided"),
                        "intent" => *what == format!("intent {row}"),
                        _ => what.contains("outcome of intent"),
                    },
                    _ => false,
                };
                assert!(findings.iter().any(is_named), "{sql}: {findings:?}");
            }
        }
        let columns: String = specimen
            .columns_of(table)
            .await
            .into_iter()
            .skip(1)
            .map(|name| format!(", {name}"))
            .collect::<Vec<_>>()
            .concat();
        let columns = columns.replace("plan_key", "plan_key || 'x'");
        let sql = format!("insert into {table} select 77{columns} from {table} where {id} = 1");
        let findings = specimen.mutilate(&sql).await;
        let is_named = |finding: &LedgerFinding| match finding {
            LedgerFinding::Unrecorded { rows: 1, ids, .. } => *ids == [77],
            // A run that has decided is known by the set of its decisions.
            LedgerFinding::Contents { what, .. } => table == "decision" && what.contains("decided"),
            _ => false,
        };
        assert!(findings.iter().any(is_named), "{sql}: {findings:?}");
    }
}

#[tokio::test]
async fn every_row_that_says_what_was_decided_when_and_what_an_intent_undoes() {
    let specimen = Specimen::new().await;
    let decided = "what was decided about 111122223333/eu-west-1";
    let changed = [
        ("update decision_set set at = at + 1 where run_id = 1", decided),
        ("update decision_set set images = images + 1 where run_id > 1", decided),
        ("update decision_set set digest = zeroblob(32) where run_id > 1", decided),
        ("update decision_set set scope_id = 77 where run_id = 1", decided),
        ("delete from decision_set where run_id > 1", decided),
        ("update undo set undone_intent_id = 3 where undone_intent_id = 1", "intent 3"),
        ("update undo set intent_id = 4 where undone_intent_id = 1", "intent 3"),
        ("delete from undo where undone_intent_id = 2", "intent 3"),
        ("insert into undo values (3, 4)", "intent 3"),
    ];
    for (sql, expected) in changed {
        let findings = specimen.mutilate(sql).await;
        let is_named = |finding: &LedgerFinding| matches!(finding, LedgerFinding::Contents { what, .. } if what == expected);
        assert!(findings.iter().any(is_named), "{sql}: {findings:?}");
    }
    let added = [
        ("insert into undo values (4, 1)", "undone intents", 4),
        (
            "insert into scope values (77, '111122223333', 'eu-north-1');
             insert into decision_set values (1, 77, 0, 0, x'00')",
            "sets of decisions",
            1,
        ),
    ];
    for (sql, what, id) in added {
        let findings = specimen.mutilate(sql).await;
        assert_eq!(findings, [LedgerFinding::Unrecorded { what, rows: 1, ids: vec![id] }], "{sql}");
    }
}
