//! What a policy cannot get at, and how much it may use: each limit at its value and one past it.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use amiwarden_core::{ActionKind, FailureKind};
use amiwarden_policy::{CompilePoliciesError, EngineLimits, Modules, Policy};

use crate::builders::{Params, compile_with, failure, image, matched, no_modules};

fn limited(text: &str, limits: &EngineLimits) -> Result<Policy, CompilePoliciesError> {
    Ok(compile_with(text, &no_modules(), Params::new(), limits)?.policies()[0].clone())
}

/// The policy fails with this limit for one image, and not for the one a size smaller.
#[track_caller]
fn runs_into(text: &str, limits: &EngineLimits, fits: i64, said: &str) {
    let policy = limited(text, limits).unwrap_or_else(|error| panic!("{error}"));
    assert!(matched(&policy, &image(fits).build()).is_some(), "{text}");
    let failure = failure(&policy, &image(fits + 1).build());
    assert_eq!(failure.kind, FailureKind::Limit, "{text}: {}", failure.message);
    assert!(failure.message.contains(said), "{}", failure.message);
}

#[test]
fn computing_is_limited() {
    let limits = EngineLimits { operations_max: 2_000, ..EngineLimits::default() };
    let text =
        "rule \"r\" when image.age.whole_days > 0 { for n in 0..image.age.whole_days * 100 { } keep(\"x\") }";
    let policy = limited(text, &limits).unwrap();
    assert!(matched(&policy, &image(3).build()).is_some());
    let failure = failure(&policy, &image(300).build());
    assert_eq!((failure.kind, failure.line), (FailureKind::Limit, Some(1)));
    assert_eq!(failure.message, "it computes too much for one image");
    assert_eq!(failure.rule.unwrap().name, "r");
    // The budget is one image's, not the run's.
    let mut evaluator = policy.evaluator(&BTreeMap::new());
    for _ in 0..100 {
        let amiwarden_core::Evaluation::Verdict(verdict) = evaluator.evaluate(&image(3).build()) else {
            panic!()
        };
        assert!(matches!(verdict.opinion, amiwarden_core::Opinion::Matched { .. }));
    }
}

#[test]
fn time_is_limited() {
    let limits = EngineLimits {
        operations_max: u64::MAX,
        deadline: Duration::from_millis(20),
        ..EngineLimits::default()
    };
    let text = "rule \"r\" when image.age > 500.days { for n in 0..1000000000 { } keep(\"x\") }\n\
                rule \"s\" when image.age > 0.days { keep(\"x\") }";
    // The probes force every block, so the endless one is run into while loading, too, and does no harm.
    let policy = limited(text, &limits).unwrap();
    let begun = Instant::now();
    let failure = failure(&policy, &image(600).build());
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(failure.message.contains("took too long"), "{}", failure.message);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // The next image has its time again.
    assert!(matched(&policy, &image(10).build()).is_some());
}

/// Rhai itself forgets what a closure computed once it returns.
#[test]
fn closures_do_not_escape_the_limits() {
    let text = "rule \"r\" when image.age > 300.days {\n\
                let list = []; for n in 0..2000 { list = list + [n]; }\n\
                let others = list + []; let more = list + [];\n\
                if list.all(|a| others.all(|b| more.all(|c| a + b + c >= 0))) { keep(\"x\") }\n}\n\
                rule \"s\" when image.age > 0.days { keep(\"x\") }";
    for (limits, said) in [
        (EngineLimits { deadline: Duration::from_mins(1), ..EngineLimits::default() }, "computes too much"),
        (
            EngineLimits {
                operations_max: u64::MAX,
                deadline: Duration::from_millis(20),
                ..EngineLimits::default()
            },
            "took too long",
        ),
    ] {
        let policy = limited(text, &limits).unwrap();
        let begun = Instant::now();
        let failure = failure(&policy, &image(600).build());
        assert_eq!(failure.kind, FailureKind::Limit, "{failure:?}");
        assert!(failure.message.contains(said), "{}", failure.message);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        assert!(matched(&policy, &image(10).build()).is_some());
    }
    // Nor by calling each other through lists.
    let deep = "fn down(n) { if n == 0 { true } else { [n].all(|m| down(m - 1)) } }\n\
                rule \"r\" when down(image.age.whole_days) { keep(\"x\") }";
    let policy = limited(deep, &EngineLimits::default()).unwrap();
    assert!(matched(&policy, &image(5).build()).is_some());
    let failure = failure(&policy, &image(100_000).build());
    assert_eq!(failure.kind, FailureKind::Limit, "{failure:?}");
}

#[test]
fn depth_is_limited() {
    let limits = EngineLimits { call_levels_max: 10, ..EngineLimits::default() };
    let text = "fn down(n) { if n == 0 { 0 } else { down(n - 1) } }\n\
                rule \"r\" when down(image.age.whole_days) == 0 { keep(\"x\") }";
    runs_into(text, &limits, 9, "functions call each other too deeply");
    let nested = |depth: usize| {
        format!("rule \"r\" when {}true{} {{ keep(\"x\") }}", "(".repeat(depth), ")".repeat(depth))
    };
    assert!(limited(&nested(10), &EngineLimits::default()).is_ok());
    assert!(limited(&nested(1000), &EngineLimits::default()).is_err());
}

#[test]
fn values_are_limited() {
    let limits = EngineLimits {
        text_bytes_max: 16,
        value_bytes_max: 64,
        list_items_max: 10,
        map_entries_max: 10,
        variables_max: 20,
        ..EngineLimits::default()
    };
    let grown = |start: &str, step: &str| {
        format!(
            "rule \"r\" when image.age > 0.days {{ let x = {start}; for n in 0..image.age.whole_days {{ x = {step}; }} \
             keep(\"x\") }}"
        )
    };
    runs_into(&grown("\"\"", "x + \"a\""), &limits, 16, "a text may hold 16 bytes at most");
    runs_into(&grown("\"\"", "`${x}a`"), &limits, 64, "a value grew too large");
    runs_into(&grown("[]", "x + [1]"), &limits, 10, "a value grew too large");
    runs_into(&grown("\"a\"", "x.replace(\"a\", \"aa\")"), &limits, 4, "a text may hold 16 bytes at most");
    let joined = "rule \"r\" when image.age > 0.days { let x = []; for n in 0..image.age.whole_days { x = x + [7]; } \
                  if [x.join(\"\")].len == 1 { keep(\"x\") } }";
    let small = EngineLimits { text_bytes_max: 5, ..EngineLimits::default() };
    runs_into(joined, &small, 5, "a text may hold 5 bytes at most");
}

/// Rhai does not look at the size of a map that is assigned to by key, nor of a list that is; the steps are limited.
#[test]
fn a_map_cannot_be_grown_without_end() {
    let text = "rule \"r\" when image.age > 300.days { let m = #{}; for n in 0..10000000 { m[`${n}`] = n; } keep(\"x\") }\n\
                rule \"s\" when true { keep(\"x\") }";
    let policy = limited(text, &EngineLimits::default()).unwrap();
    assert_eq!(failure(&policy, &image(400).build()).kind, FailureKind::Limit);
}

/// More account ids than the limit of one text would hold together.
#[test]
fn long_lists_of_accounts_fit() {
    let known: Vec<String> = (0..5_000_i64).map(|n| format!("\"{}\"", 100_000_000_000 + n)).collect();
    let text = format!(
        "let known = [{}];\nrule \"r\" when \"100000004999\" in known {{ strip_shares(#{{ except_accounts: known }}, \"x\") }}",
        known.join(", ")
    );
    let policy = limited(&text, &EngineLimits::default()).unwrap();
    assert!(matched(&policy, &image(5).build()).is_some());
}

#[test]
fn files_and_functions_are_limited() {
    let rule = "rule \"r\" when true { keep(\"x\") }";
    let limits = EngineLimits { source_bytes_max: 200, functions_max: 2, ..EngineLimits::default() };
    let padded = |len: usize| format!("{rule}{}", " ".repeat(len - rule.len()));
    assert!(limited(&padded(200), &limits).is_ok());
    let refusal = limited(&padded(201), &limits).unwrap_err().to_string();
    assert!(refusal.contains("the file is larger than 200 bytes"), "{refusal}");
    let functions =
        |count: usize| (0..count).fold(rule.to_owned(), |text, n| format!("{text}\nfn f{n}() {{ }}"));
    assert!(limited(&functions(2), &limits).is_ok());
    assert!(limited(&functions(3), &limits).is_err());
}

#[test]
fn modules_are_found_below_the_directory_and_nowhere_else() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("policies");
    fs::create_dir_all(dir.join("lib")).unwrap();
    fs::write(outer.path().join("secret.rhai"), "fn f() { true }").unwrap();
    fs::write(dir.join("lib/teams.rhai"), "fn ours(image) { image.tag(\"Team\") == \"web\" }").unwrap();
    let modules = Modules::Directory(dir.clone());
    let compile = |name: &str| {
        let text = format!("import \"{name}\" as m;\nrule \"r\" when m::ours(image) {{ disable(\"x\") }}");
        compile_with(&text, &modules, Params::new(), &EngineLimits::default())
    };
    let set = compile("lib/teams").unwrap();
    let policy = &set.policies()[0];
    assert!(matched(policy, &image(5).tag("Team", "web").build()).is_some());
    assert!(matched(policy, &image(5).build()).is_none());
    let absolute = dir.join("lib/teams").display().to_string();
    for name in ["../secret", "lib/../../secret", absolute.as_str(), "", "lib/missing", "lib\\\\teams"] {
        let refusal = compile(name).unwrap_err();
        assert_eq!(refusal.problems[0].line, Some(1), "{refusal}");
    }
    assert!(compile("../secret").unwrap_err().to_string().contains("does not name a module"));
    assert!(compile("lib/missing").unwrap_err().to_string().contains("there is no module `lib/missing`"));
    // What a policy imports is read when it loads, and not again.
    fs::remove_dir_all(&dir).unwrap();
    assert!(matched(policy, &image(5).tag("Team", "web").build()).is_some());
}

fn with_modules(text: &str, modules: &[(&str, &str)]) -> Result<Policy, CompilePoliciesError> {
    let modules = modules.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let set = compile_with(text, &Modules::Embedded(modules), Params::new(), &EngineLimits::default())?;
    Ok(set.policies()[0].clone())
}

#[test]
fn modules_import_modules_and_their_actions_count() {
    let policy = with_modules(
        "import \"a\" as a;\nrule \"r\" when image.age > a::LIMIT { a::retire(image) }",
        &[
            ("a", "import \"b\" as b;\nexport const LIMIT = 9.days;\nfn retire(image) { b::gone(`${image.age} old`) }"),
            ("b", "fn gone(why) { deregister(why) }"),
        ],
    )
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(policy.actions().iter().copied().collect::<Vec<_>>(), [ActionKind::Deregister]);
    let (_, proposals) = matched(&policy, &image(10).build()).unwrap();
    assert_eq!(proposals[0].reason, "10 days old");
}

#[test]
fn mistakes_in_modules_are_placed() {
    let rule = "rule \"r\" when m::f(image) { keep(\"x\") }";
    let text = format!("import \"m\" as m;\n{rule}");
    let check = |module: &str, said: &str| {
        let refusal = with_modules(&text, &[("m", module)]).unwrap_err().to_string();
        assert!(refusal.contains(said), "{refusal}");
    };
    check("fn f(image) { image.agee > 9.days }", "built-in m.rhai:1:21");
    check("fn g(image) { true }", "the module `m` has no function `f`");
    check(
        "fn f(image) { true }\nrule \"r\" when true { keep(\"x\") }",
        "a module holds functions and constants",
    );
    check("fn f(image) { true }\nlet x = param(\"x\", 1);", "a module has no parameters");
    check("fn f(image) { ", "the file ends too early");
    check("import \"m\" as m;\nfn f(image) { true }", "import each other in a circle");
    check("fn f(image) { image.age > 9 }", "`>` cannot compare a duration with a whole number");
    let refusal = with_modules(rule, &[]).unwrap_err().to_string();
    assert!(refusal.contains("import it first: `import \"m\" as m;`"), "{refusal}");
    let refusal = with_modules(&format!("let x = 1;\n{text}"), &[("m", "fn f(image) { true }")]).unwrap_err();
    assert!(refusal.to_string().contains("imports stand at the top"), "{refusal}");
    let policy = with_modules(&text, &[("m", "fn f(image) { image.tag(\"N\").to_int() > 1 }")]).unwrap();
    let failed = failure(&policy, &image(5).tag("N", "many").build());
    assert_eq!(failed.message, "`many` is not a whole number (in built-in m.rhai, line 1, column 30)");
    assert_eq!((failed.line, failed.column), (Some(2), Some(18)));
}

#[test]
fn what_never_ends_for_any_image_is_refused_at_load() {
    for text in [
        "fn dig(n) { dig(n + 1) }\nrule \"r\" when dig(0) == 1 { keep(\"x\") }",
        "rule \"r\" when true { let s = 0; for n in 0..1000000000 { s += n; } keep(`${s}`) }",
    ] {
        let error = limited(text, &EngineLimits::default()).unwrap_err().to_string();
        assert!(error.contains("no image could ever be evaluated"), "{error}");
    }
}
