//! Conditions are evaluated by a shortcut where there is one, and by Rhai elsewhere. Both give the same answer, the
//! same error in the same place, and the same record of what was read.

use amiwarden_core::{Evaluation, Fact, Need, Opinion};
use proptest::prelude::*;

use crate::builders::{FactsBuilder, image, try_policy};

/// Operands: facts of every kind, present and absent, unknown and not fetched, and values of every kind.
const OPERANDS: &[&str] = &[
    "image.age",
    "image.unused_for",
    "image.disabled_for",
    "image.is_public",
    "image.is_disabled",
    "image.in_use",
    "image.name",
    "image.description",
    "image.rank",
    "image.size_gib",
    "image.monthly_cost",
    "image.created_at",
    "image.tags",
    "image.snapshots",
    "image.is_shared",
    "image.shared_with.accounts",
    "image.tag(\"Env\")",
    "image.has_tag(\"Env\")",
    "image.tag(\"None\")",
    "image",
    "now",
    "limit",
    "label",
    "per_image",
    "90.days",
    "3",
    "1.5",
    "'c'",
    "\"dev\"",
    "true",
    "false",
    "()",
    "[]",
    "image.agee",
];

const OPERATORS: &[&str] = &["==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "??", "in"];

fn expression() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(OPERANDS).prop_map(str::to_owned);
    operand.prop_recursive(4, 12, 2, |inner| {
        prop_oneof![
            4 => (inner.clone(), prop::sample::select(OPERATORS), inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            1 => inner.prop_map(|operand| format!("!{operand}")),
        ]
    })
}

fn images() -> Vec<FactsBuilder> {
    vec![
        image(5),
        image(100).tag("Env", "dev").disabled_for(40).in_family("web", 2, 5).used(),
        image(100).facts(|facts| {
            facts.age = Fact::Unknown("no date".to_owned());
            facts.in_use = Fact::NotFetched(Need::Usage);
            facts.monthly_cost = Fact::Unknown("denied".to_owned());
        }),
    ]
}

type Place = (Option<u32>, Option<u32>);

/// A condition that is no boolean is shown from its beginning, and a block begins with its brace.
fn place(line: Option<u32>, column: Option<u32>, message: &str) -> Place {
    let whole = message.starts_with("a condition must be a boolean");
    (line, column.filter(|_| !whole))
}

/// Everything that can be seen of a policy with this condition, by line and column.
fn seen(condition: &str) -> Result<Vec<Evaluation>, Vec<(Place, String)>> {
    let text = format!(
        "const limit = 30.days; let label = \"dev\"; let per_image = image.is_public;\n\
         rule \"r\" when {condition} {{ notify(\"x\") }}"
    );
    let policy = try_policy(&text).map_err(|error| {
        let problems = error.problems.into_iter();
        problems
            .map(|problem| (place(problem.line, problem.column, &problem.message), problem.message))
            .collect::<Vec<_>>()
    })?;
    let evaluations = images().into_iter().map(|facts| match policy.evaluate(&facts.build()) {
        Evaluation::Verdict(mut verdict) => {
            if let Opinion::Failed(failure) = &mut verdict.opinion {
                (failure.line, failure.column) = place(failure.line, failure.column, &failure.message);
            }
            Evaluation::Verdict(verdict)
        }
        suspended @ Evaluation::Suspended(_) => suspended,
    });
    Ok(evaluations.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_shortcut_and_rhai_agree(condition in expression()) {
        // A block makes Rhai evaluate all of it; the blanks keep the columns.
        prop_assert_eq!(seen(&format!("  {condition}  ")), seen(&format!("{{ {condition} }}")));
    }
}

#[test]
fn they_agree_where_it_matters_most() {
    for condition in [
        "image.age > 90.days && image.in_use",
        "image.is_disabled && image.disabled_for >= limit",
        "!image.is_public && image.has_tag(\"Env\") && image.tag(\"Env\") == label",
        "image.is_public || image.tag(\"None\") == () || image.age < limit",
        "image.disabled_for > 30.days",
        "image.name && image.is_public",
        "image.is_public || image.description",
        "!image.description",
        "image.name",
        "image.description",
        "() < 30",
        "image.age > 90",
    ] {
        assert_eq!(seen(&format!("  {condition}  ")), seen(&format!("{{ {condition} }}")), "{condition}");
    }
}
