//! What does not compile, and how that is said.

use std::collections::BTreeMap;

use amiwarden_core::PolicyName;
use amiwarden_policy::{EngineLimits, Modules, ParamValue, PolicySet, PolicySource};

use crate::builders::{Params, compile_with, no_modules, policy, policy_with, refusal};

#[track_caller]
fn refused(text: &str, said: &str) {
    let refusal = refusal(text);
    assert!(refusal.contains(said), "{text}\n{refusal}");
}

#[test]
fn a_mistake_is_shown_with_its_place_and_a_remedy() {
    let text = "//! Old ones.\nlet max_age = param(\"max_age\", 90.days);\n\nrule \"old\" when image.agee > max_age {\n    disable(\"old\")\n}\n";
    let expected = "\
error: `image` has no fact `agee`
 --> policies/p.rhai:4:23
  |
4 | rule \"old\" when image.agee > max_age {
  |                       ^^^^
  = help: did you mean `age`?

the policies were not loaded: 1 error";
    assert_eq!(refusal(text), expected);
}

#[test]
fn every_problem_of_every_file_is_reported() {
    let source = |name: &str, text: &str| PolicySource {
        name: PolicyName::new(name),
        origin: format!("{name}.rhai"),
        text: text.to_owned(),
    };
    let sources = vec![
        source(
            "b",
            "rule \"r\" when image.nam == \"x\" { disabel(\"x\") }\nrule \"r\" when true { keep(\"x\") }",
        ),
        source("fine", "rule \"r\" when image.is_public { keep(\"x\") }"),
        source("a", "rule \"r\" when image.age > 90 { keep(\"x\") }"),
        source("c", "rule \"r\" when ( { keep(\"x\") }"),
    ];
    let params = BTreeMap::from([(
        PolicyName::new("fine"),
        BTreeMap::from([("max_age".to_owned(), ParamValue::Int(3))]),
    )]);
    let error = PolicySet::compile(sources, &no_modules(), &params, &EngineLimits::default()).unwrap_err();
    let places: Vec<_> = error
        .problems
        .iter()
        .map(|problem| (problem.origin.as_str(), problem.line, problem.column))
        .collect();
    let expected = [
        ("a.rhai", Some(1), Some(25)),
        ("b.rhai", Some(1), Some(21)),
        ("b.rhai", Some(1), Some(34)),
        ("b.rhai", Some(2), Some(1)),
        ("c.rhai", Some(1), Some(30)),
        ("fine.rhai", None, None),
    ];
    assert_eq!(places, expected, "{error}");
}

#[test]
fn names_that_do_not_exist_are_refused_with_a_suggestion() {
    let rule = |condition: &str, block: &str| format!("rule \"r\" when {condition} {{ {block} }}");
    let condition = |text: &str, said: &str| refused(&rule(text, "keep(\"x\")"), said);
    condition("image.unusedfor > 9.days", "did you mean `unused_for`?");
    condition("image.shared_with.acounts == []", "did you mean `accounts`?");
    condition("image.shared_with.users == []", "it has accounts, organizations, ous");
    condition("image.tag == \"x\"", "`image.tag(\"Env\")`");
    condition("image.age() > 9.days", "`age` is a fact, not a method");
    condition("image.has_tags(\"x\")", "there is no method `has_tags`");
    condition("image.age > 9.dayz", "a number has no unit `dayz`");
    condition("image.age > 3.months", "the length of months and years varies");
    condition("image.name.startswith(\"x\")", "did you mean `starts_with`?");
    condition("iamge.age > 9.days", "did you mean `image`?");
    condition("image.age > max_aeg", "there is no variable `max_aeg` here");
    refused(
        "let max_age = 9.days;\nrule \"r\" when image.age > max_aeg { keep(\"x\") }",
        "did you mean `max_age`?",
    );
    refused(&rule("true", "disabel(\"x\")"), "did you mean `disable`?");
    refused(&rule("true", "lib::f(image)"), "there is no module called `lib` here");
    // Also where it would rarely be looked at.
    refused(&rule("image.is_public && image.agee > 9.days", "keep(\"x\")"), "`agee`");
    refused(&rule("true", "if image.is_public { keep(`${image.agee}`) } else { keep(\"x\") }"), "`agee`");
    refused("fn f(image) { image.agee }\nrule \"r\" when true { keep(\"x\") }", "`agee`");
    refused(&rule("true", "for n in 1..3 { break image.agee; }"), "`agee`");
    refused("let n = 3;\nfn f() { n }\nrule \"r\" when true { keep(\"x\") }", "pass `n` to it");
    refused("fn f() { image.age }\nrule \"r\" when true { keep(\"x\") }", "pass `image` to it");
}

#[test]
fn actions_are_checked_at_load() {
    let block = |block: &str, said: &str| {
        refused(&format!("rule \"r\" when image.is_public && image.is_disabled {{ {block} }}"), said);
    };
    block("disable()", "`disable` takes 1 argument(s), not 0");
    block("deprecate(\"old\")", "`deprecate` takes 2 argument(s), not 1");
    block("disable(90)", "`disable` cannot take (a whole number)");
    block("deprecate(90, \"old\")", "`deprecate` cannot take (a whole number, text)");
    block("disable(\"\")", "`disable` needs a reason");
    block("keep(\"  \")", "`keep` needs a reason");
    block("true", "yields an action or a list of actions, not a boolean");
    block("42", "not a whole number");
    block("[keep(\"x\"), 42]", "not a whole number");
    block("image.disable(\"x\")", "`disable` is an action, not a method");
    block(
        "deregister(#{ snapshot: \"delete\" }, \"x\")",
        "`deregister` has no option `snapshot`: it knows `snapshots`",
    );
    block("deregister(#{ snapshots: \"drop\" }, \"x\")", "\"delete\" or \"keep\"");
    block("deregister(#{ snapshots: true }, \"x\")", "\"delete\" or \"keep\"");
    block("protect(#{ cooldown: 1 }, \"x\")", "wants `cooldown` to be a boolean");
    block("strip_shares(#{ except_acounts: [] }, \"x\")", "has no option `except_acounts`");
    block(
        "strip_shares(#{ except_accounts: \"1\" }, \"x\")",
        "wants `except_accounts` to be a list, not text",
    );
    block("share(#{ accounts: [123456789012] }, \"x\")", "wants `accounts` to be text, not a whole number");
    block("tag(#{ A: 1 }, \"x\")", "wants `A` to be text");
    block("untag([1], \"x\")", "wants `key` to be text");
}

#[test]
fn everything_has_its_place() {
    let rule = "rule \"r\" when true { keep(\"x\") }\n";
    refused("", "the file has no rule");
    refused("let x = 1;", "the file has no rule");
    refused(&format!("{rule}{rule}"), "there are two rules named \"r\": the first stands in line 1");
    refused("rule \"\" when true { keep(\"x\") }", "a rule needs a name");
    refused(
        "rule stale when true { keep(\"x\") }",
        "a rule reads `rule \"name\" when <condition> { <action> }`",
    );
    refused("rule \"r\" if true { keep(\"x\") }", "a rule reads");
    refused(&format!("fn f() {{ {rule} }}\n{rule}"), "a `rule` stands at the top level");
    refused(&format!("rule \"a\" when true {{ {rule} }}"), "a `rule` stands at the top level");
    refused(&format!("if true {{ }}\n{rule}"), "only `import`, `let`, `const`, `fn` and `rule` stand");
    refused(&format!("let x = 1; x = 2;\n{rule}"), "only `import`, `let`, `const`, `fn` and `rule` stand");
    refused(&format!("keep(\"x\");\n{rule}"), "only `import`, `let`, `const`, `fn` and `rule` stand");
    refused(&format!("let x = 1; let x = 2;\n{rule}"), "`x` is defined twice");
    refused(&format!("fn disable(x) {{ x }}\n{rule}"), "`disable` is built in");
    refused(&format!("fn len(x) {{ x }}\n{rule}"), "`len` is built in");
    refused("rule \"r\" when true { keep(\"x\") ", "the file ends too early");
    refused("rule \"r\" when image.id === \"x\" { keep(\"x\") }", "Should it be `==`?");
    refused(
        "rule \"r\" when image.id = \"x\" { keep(\"x\") }",
        "`rule \"name\" when <condition> { <action> }`",
    );
}

#[test]
fn words_that_would_hide_or_hang_are_refused() {
    let block =
        |block: &str, said: &str| refused(&format!("rule \"r\" when true {{ {block}; keep(\"x\") }}"), said);
    block("while true { }", "use `for x in list { … }`");
    block("loop { }", "use `for x in list { … }`");
    block("do { } while true", "use `for x in list { … }`");
    block("try { image.age } catch { }", "an unknown fact must not be swallowed");
    block("throw \"x\"", "an unknown fact must not be swallowed");
    block("eval(\"1\")", "`eval`");
    block("Fn(\"disable\")", "`Fn`");
    block("let f = |x| x; f.call(1)", "`call`");
    block("print(\"x\")", "a policy prints nothing");
    block("debug(\"x\")", "a policy prints nothing");
    block("sleep(1)", "there is no function `sleep`");
    block("timestamp()", "there is no function `timestamp`");
    block("parse_json(\"1\")", "there is no function `parse_json`");
    block("1 << 2", "`<<`");
    block("import \"x\" as y", "stands at the top of a file");
}

#[test]
fn parameters_are_checked_against_their_declarations() {
    let rule = "rule \"r\" when image.age > max_age { keep(\"x\") }";
    let text =
        format!("let max_age = param(\"max_age\", 90.days);\nlet list = param(\"list\", [\"a\"]);\n{rule}");
    let said = |key: &str, value: ParamValue| {
        let params = Params::from([(key.to_owned(), value)]);
        compile_with(&text, &no_modules(), params, &EngineLimits::default()).unwrap_err().to_string()
    };
    let check = |key: &str, value: ParamValue, expected: &str| {
        let said = said(key, value);
        assert!(said.contains(expected), "{said}");
    };
    check("max_age", ParamValue::Int(90), "`max_age` wants a duration such as \"90d\", got 90");
    check("max_age", ParamValue::Text("90".to_owned()), "wants a duration such as \"90d\", got \"90\"");
    check("max_age", ParamValue::Text("3 months".to_owned()), "wants a duration");
    check("list", ParamValue::List(vec![ParamValue::Int(1)]), "a list, of which each item is text, got [1]");
    check("list", ParamValue::Text("a".to_owned()), "wants a list");
    check("maxage", ParamValue::Int(1), "did you mean `max_age`?");
    check("zebra", ParamValue::Int(1), "it declares list, max_age");
    refused(
        &format!("let max_age = param(\"a\", 1.days); let b = param(\"a\", 2);\n{rule}"),
        "`a` is declared twice",
    );
    refused(&format!("let max_age = param(\"a\");\n{rule}"), "wants a name and a default");
    refused(&format!("let max_age = param(\"a\", ());\n{rule}"), "needs a default whose type");
    refused(&format!("let max_age = param(\"a\", 1.days) * 2;\n{rule}"), "the whole right-hand side");
    refused("rule \"r\" when image.age > param(\"a\", 1.days) { keep(\"x\") }", "the whole right-hand side");
    refused(
        &format!("let max_age = param(\"a\", image.age);\n{rule}"),
        "before everything that depends on the image",
    );
    refused(
        &format!("let age = image.age; let max_age = param(\"a\", 1.days);\n{rule}"),
        "before everything",
    );
}

#[test]
fn parameters_take_the_configured_value() {
    let text = r#"
        let length = param("length", 90.days);
        let count = param("count", 3);
        let share = param("share", 0.5);
        let on = param("on", true);
        let name = param("name", "web");
        let at = param("at", time("2026-01-01"));
        let least = param("least", version("1.0"));
        let list = param("list", []);
        let map = param("map", #{});
        rule "r" when on { keep("x") }
    "#;
    let shown = |params: Params| -> Vec<String> {
        policy_with(text, params).parameters().iter().map(|parameter| parameter.value.clone()).collect()
    };
    let defaults = ["90 days", "3", "0.5", "true", "web", "2026-01-01T00:00:00Z", "1.0", "[]", "#{}"];
    assert_eq!(shown(Params::new()), defaults);
    let of_text = |text: &str| ParamValue::Text(text.to_owned());
    let params = Params::from(
        [
            ("length", of_text("2w")),
            ("count", ParamValue::Int(7)),
            ("share", ParamValue::Int(1)),
            ("on", ParamValue::Bool(false)),
            ("name", of_text("api")),
            ("at", of_text("2026-02-01T00:00:00Z")),
            ("least", of_text("2.1")),
            ("list", ParamValue::List(vec![of_text("a"), of_text("b")])),
            ("map", ParamValue::Map(BTreeMap::from([("k".to_owned(), of_text("v"))]))),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let configured =
        ["14 days", "7", "1.0", "false", "api", "2026-02-01T00:00:00Z", "2.1", "[a, b]", "#{k: v}"];
    assert_eq!(shown(params), configured);
    let first = &policy_with(text, Params::new()).parameters()[0].clone();
    assert_eq!((first.name.as_str(), first.kind, first.line), ("length", "a duration", 2));
}

#[test]
fn the_digest_names_text_parameters_and_modules() {
    let text = "let n = param(\"n\", 1);\nrule \"r\" when n == 1 { keep(\"x\") }";
    let digest = |text: &str, params: Params| policy_with(text, params).digest().to_owned();
    let one = digest(text, Params::new());
    assert_eq!(one.len(), 64);
    assert_eq!(one, digest(text, Params::new()));
    // The value in force counts, not whether it was configured.
    assert_eq!(one, digest(text, Params::from([("n".to_owned(), ParamValue::Int(1))])));
    assert_ne!(one, digest(text, Params::from([("n".to_owned(), ParamValue::Int(2))])));
    assert_ne!(one, digest(&format!("{text} "), Params::new()));
    let with_module = |module: &str| {
        let modules = Modules::Embedded(BTreeMap::from([("m".to_owned(), module.to_owned())]));
        let text = "import \"m\" as m;\nrule \"r\" when m::f() { keep(\"x\") }";
        let set = compile_with(text, &modules, Params::new(), &EngineLimits::default()).unwrap();
        set.policies()[0].digest().to_owned()
    };
    assert_ne!(with_module("fn f() { true }"), with_module("fn f() { false }"));
}

#[test]
fn what_looks_like_a_mistake_is_warned_of() {
    let warnings = |text: &str| -> Vec<String> {
        let set = compile_with(text, &no_modules(), Params::new(), &EngineLimits::default()).unwrap();
        set.warnings().iter().map(ToString::to_string).collect()
    };
    let found = warnings(
        "rule \"all\" when true { keep(\"x\") }\nrule \"late\" when image.is_public { keep(\"x\") }",
    );
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("warning: this rule can never match: \"all\" before it always does"),
        "{}",
        found[0]
    );
    assert!(found[0].contains("policies/p.rhai:2:1"), "{}", found[0]);
    let found = warnings("rule \"r\" when image.disabled_for > 30.days { keep(\"x\") }");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("cannot compare () with a duration"), "{}", found[0]);
    let careful = "rule \"r\" when image.is_disabled && image.disabled_for > 30.days { keep(\"x\") }";
    assert_eq!(warnings(careful), [""; 0]);
}

/// What depends on the image must not keep a correct policy from loading.
#[test]
fn correct_policies_load_whatever_the_image() {
    for text in [
        "rule \"r\" when image.is_disabled && image.disabled_for + 1.days > 30.days { keep(\"x\") }",
        "rule \"r\" when image.has_tag(\"Ttl\") && image.age > duration(image.tag(\"Ttl\")) { keep(\"x\") }",
        "rule \"r\" when image.has_tag(\"N\") && image.tag(\"N\").to_int() > 5 { keep(\"x\") }",
        "rule \"r\" when image.name != () && version(image.name) > version(\"1\") { keep(image.name) }",
        "rule \"r\" when image.used_by.len > 3 { keep(image.used_by[3].id) }",
        "rule \"r\" when image.tags.contains(\"A\") && image.tags.A == \"b\" { keep(\"x\") }",
        "rule \"r\" when image.family != () && image.rank < 3 { keep(image.family) }",
        "rule \"r\" when image.is_public { if image.state == \"x\" { keep(\"x\") } }",
    ] {
        policy(text);
    }
}
