//! How a policy is read: rules, blocks, variables, functions, and the record of what was looked at.

use std::collections::BTreeMap;

use amiwarden_core::{Evaluation, Fact, FailureKind, Need, Opinion, Wish};

use crate::builders::{failure, image, keeps, matched, policy, value, verdict};

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = policy(
        r#"
        //! First comes first.
        rule "young" when image.age < 10.days { keep("young") }
        rule "middle" when image.age < 50.days { keep("middle") }
        rule "any" when image.age < 100.days { keep("any") }
        "#,
    );
    let check = |age: i64, expected: Option<(&str, u32)>| {
        let opinion = verdict(&policy, &image(age).build()).opinion;
        let found = match &opinion {
            Opinion::Matched { rule, .. } => Some((rule.name.as_str(), rule.line)),
            Opinion::None => None,
            Opinion::Failed(failure) => panic!("{failure:?}"),
        };
        assert_eq!(found, expected, "{age}");
    };
    check(5, Some(("young", 3)));
    check(20, Some(("middle", 4)));
    check(70, Some(("any", 5)));
    check(200, None);
    assert_eq!(policy.description(), "First comes first.");
    assert_eq!(policy.rules().len(), 3);
}

#[test]
fn a_block_yields_an_action_or_several() {
    let check = |block: &str, reasons: &[&str]| {
        let text = format!("rule \"r\" when image.age > 0.days {{ {block} }}");
        let (_, proposals) = matched(&policy(&text), &image(5).build()).unwrap();
        let found: Vec<_> = proposals.iter().map(|proposal| proposal.reason.as_str()).collect();
        assert_eq!(found, reasons, "{block}");
    };
    check("keep(\"a\")", &["a"]);
    check("[keep(\"a\"), notify(\"b\")]", &["a", "b"]);
    check("[[keep(\"a\")], notify(\"b\")]", &["a", "b"]);
    check("let why = `age ${image.age}`; disable(why)", &["age 5 days"]);
    check("if image.age > 3.days { return keep(\"old\"); } notify(\"young\")", &["old"]);
    check("return notify(\"x\");", &["x"]);
    check("notify(\"x\");", &["x"]);
    check("switch image.state { \"available\" => disable(\"on\"), _ => keep(\"off\") }", &["on"]);
    check("let all = []; for n in 1..=3 { all = all + [notify(`${n}`)]; } all", &["1", "2", "3"]);
    check("[1, 2].map(|n| notify(`n${n}`))", &["n1", "n2"]);
}

#[test]
fn a_block_that_yields_no_action_fails() {
    let young = image(5).build();
    let check = |block: &str| {
        let text = format!("rule \"r\" when image.id != \"\" {{ {block} }}");
        let failure = failure(&policy(&text), &young);
        assert_eq!(failure.kind, FailureKind::NotActions, "{block}");
        assert_eq!(failure.rule.unwrap().name, "r");
        assert_eq!(failure.line, Some(1));
    };
    check("");
    check("let x = 1;");
    check("if image.age > 9.days { keep(\"x\") }");
    check("[]");
    check("[1].filter(|n| n > 1)");
}

#[test]
fn top_level_variables_are_worked_out_once_or_for_each_image() {
    let policy = policy(
        r#"
        const LIMIT = 30.days;
        let names = ["web", "api"];
        let is_old = image.age > LIMIT;
        let label = if is_old { "old" } else { "young" };
        rule "ours" when image.name.split("-")[0] in names && label == "old" { keep(label) }
        let since = now - image.created_at;
        rule "other" when since == image.age { notify(`${since}`) }
        "#,
    );
    let mut evaluator = policy.evaluator(&BTreeMap::new());
    for _ in 0..3 {
        for (age, expected) in [(40, "old"), (20, "20 days"), (31, "old")] {
            let Evaluation::Verdict(verdict) = evaluator.evaluate(&image(age).build()) else { panic!() };
            let Opinion::Matched { proposals, .. } = verdict.opinion else { panic!("{:?}", verdict.opinion) };
            assert_eq!(proposals[0].reason, expected);
        }
    }
}

#[test]
fn functions_see_their_parameters_and_constants() {
    let policy = policy(
        r#"
        const LIMIT = 30.days;
        fn is_old(image, limit) { image.age > limit }
        fn why(image) { `older than ${global::LIMIT}: ${image.age}` }
        rule "old" when is_old(image, LIMIT) { keep(why(image)) }
        "#,
    );
    let (_, proposals) = matched(&policy, &image(31).build()).unwrap();
    assert_eq!(proposals[0].reason, "older than 30 days: 31 days");
    assert!(matched(&policy, &image(30).build()).is_none());
}

/// A closure makes what it captures shared; the next image must not see the one before.
#[test]
fn closures_do_not_carry_an_image_over_to_the_next() {
    let policy = policy(
        r#"
        let known = ["444455556666"];
        rule "named" when [1].any(|_n| image.name == "web-5") { keep("five") }
        rule "known" when image.shared_with.accounts.all(|account| account in known) { keep(image.name) }
        "#,
    );
    let mut evaluator = policy.evaluator(&BTreeMap::new());
    for (facts, expected) in [
        (image(5), Some("five")),
        (image(6), Some("web-6")),
        (image(7).shared_with(&["777788889999"]), None),
        (image(5), Some("five")),
        (image(8).shared_with(&["444455556666"]), Some("web-8")),
    ] {
        let Evaluation::Verdict(verdict) = evaluator.evaluate(&facts.build()) else { panic!() };
        let reason = match verdict.opinion {
            Opinion::Matched { proposals, .. } => Some(proposals[0].reason.clone()),
            Opinion::None => None,
            Opinion::Failed(failure) => panic!("{failure:?}"),
        };
        assert_eq!(reason.as_deref(), expected);
        assert!(verdict.facts_read.iter().any(|reading| reading.name == "name"));
    }
}

/// Nothing that a policy does for one image can be seen for the next.
#[test]
fn values_that_hold_for_every_image_cannot_be_changed() {
    let check = |block: &str, said: &str| {
        let text = format!("let seen = [1];\nrule \"r\" when image.age > 0.days {{ {block}; keep(\"x\") }}");
        let refusal = crate::builders::refusal(&text);
        assert!(refusal.contains(said), "{block}: {refusal}");
    };
    check("seen = [2]", "`seen` cannot be changed");
    check("seen += [2]", "`seen` cannot be changed");
    check("seen[0] = 2", "`seen` cannot be changed");
    check("image = 5", "`image` cannot be changed");
    check("now = 5", "`now` cannot be changed");
    check("let image = 5", "`image` is taken");
    check("for now in [1] { }", "`now` is taken");
}

#[test]
fn every_fact_can_be_read_by_its_name() {
    let rich = image(100).disabled_for(3).tag("Env", "dev").in_family("web", 1, 4).used();
    let rich = rich.shared_with(&[
        "444455556666",
        "arn:aws:organizations::111122223333:organization/o-1",
        "arn:aws:organizations::111122223333:ou/o-1/ou-1",
    ]);
    let rich = rich.build();
    let check = |fact: &str, expected: &str| {
        assert_eq!(value(&format!("image.{fact}"), &rich).as_deref(), Ok(expected), "{fact}");
    };
    check("id", "ami-00000100");
    check("name", "web-100");
    check("description", "()");
    check("account", "111122223333");
    check("region", "eu-west-1");
    check("family", "web");
    check("rank", "1");
    check("family_size", "4");
    check("created_at", "2026-02-21T12:00:00Z");
    check("age", "100 days");
    check("deprecated_at", "()");
    check("is_deprecated", "false");
    check("last_launched_at", "()");
    check("unused_for", "100 days");
    check("disabled_at", "2026-05-29T12:00:00Z");
    check("disabled_for", "3 days");
    check("state", "disabled");
    check("is_available", "false");
    check("is_disabled", "true");
    check("is_public", "false");
    check("is_protected", "false");
    check("is_backup_managed", "false");
    check("is_shared", "true");
    check("shared_with.accounts", "[444455556666]");
    check("shared_with.organizations", "[arn:aws:organizations::111122223333:organization/o-1]");
    check("shared_with.ous", "[arn:aws:organizations::111122223333:ou/o-1/ou-1]");
    check("in_use", "true");
    check("used_by", "[#{account: 111122223333, id: i-1, kind: instance}]");
    check("used_by[0].kind", "instance");
    check("tags", "#{Env: dev}");
    check("tags.Env", "dev");
    check("tag(\"Env\")", "dev");
    check("tag(\"env\")", "()");
    check("has_tag(\"Env\")", "true");
    check("architecture", "x86_64");
    check("ena_support", "true");
    check("snapshots", "[snap-1]");
    check("size_gib", "8");
    check("is_encrypted", "true");
    check("monthly_cost", "0.4");
    check("source_image_id", "()");
    check("product_codes", "[]");
    // The rest have values of kinds that were seen above; here it counts that they have one at all.
    for info in amiwarden_policy::facts() {
        assert!(value(&format!("image.{}", info.name), &rich).is_ok(), "{}", info.name);
    }
}

#[test]
fn what_was_read_is_recorded_once_in_order_with_its_value() {
    let policy = policy(
        r#"
        rule "a" when image.is_public { keep("x") }
        rule "b" when image.tag("Env") == "dev" && image.has_tag("Owner") { keep("x") }
        rule "c" when image.is_public == false && image.age > 3.days && image.shared_with.accounts == [] {
            keep(`${image.age} ${image.tag("Env")}`)
        }
        rule "d" when image.in_use { keep("x") }
        "#,
    );
    let verdict = verdict(&policy, &image(5).tag("Env", "dev").build());
    let found: Vec<(&str, &str)> =
        verdict.facts_read.iter().map(|reading| (reading.name.as_str(), reading.value.as_str())).collect();
    let expected = [
        ("is_public", "false"),
        ("tag(\"Env\")", "dev"),
        ("has_tag(\"Owner\")", "false"),
        ("age", "5 days"),
        ("shared_with.accounts", "[]"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_unknown_fact_fails_and_cannot_be_explained_away() {
    let doubtful = image(5).facts(|facts| facts.age = Fact::Unknown("no date".to_owned())).build();
    for condition in [
        "image.age > 1.days",
        "(image.age ?? 100.days) > 1.days",
        "image.age == ()",
        "image?.age != ()",
        "[1].any(|_n| image.age > 1.days)",
        "!image.is_public && image.age > 1.days",
    ] {
        let text = format!("rule \"r\" when {condition} {{ disable(\"x\") }}");
        let failure = failure(&policy(&text), &doubtful);
        assert_eq!(failure.kind, FailureKind::UnknownFact, "{condition}");
        assert_eq!(failure.message, "`age` is unknown: no date", "{condition}");
        assert_eq!(failure.rule.unwrap().name, "r");
    }
    // What is not read does not matter.
    let text = "rule \"r\" when image.is_public && image.age > 1.days { disable(\"x\") }";
    assert!(matched(&policy(text), &doubtful).is_none());
}

#[test]
fn a_fact_that_was_not_fetched_suspends() {
    let unread = image(5)
        .facts(|facts| {
            facts.in_use = Fact::NotFetched(Need::Usage);
            facts.monthly_cost = Fact::NotFetched(Need::Snapshots);
            facts.launch_permissions = Fact::NotFetched(Need::LaunchPermissions);
        })
        .build();
    let check = |condition: &str, expected: Option<Need>| {
        let text = format!("rule \"r\" when {condition} {{ keep(\"x\") }}");
        match policy(&text).evaluate(&unread) {
            Evaluation::Suspended(need) => assert_eq!(Some(need), expected, "{condition}"),
            Evaluation::Verdict(verdict) => {
                assert_eq!((verdict.opinion, expected), (Opinion::None, None), "{condition}");
            }
        }
    };
    check("image.in_use", Some(Need::Usage));
    check("image.monthly_cost > 1.0", Some(Need::Snapshots));
    check("image.is_shared", Some(Need::LaunchPermissions));
    check("image.shared_with.ous == []", Some(Need::LaunchPermissions));
    check("(image.in_use ?? true) == true", Some(Need::Usage));
    check("[1].any(|_n| image.in_use)", Some(Need::Usage));
    check("image.is_public && image.in_use", None);
    check("image.age > 10.days && image.in_use", None);
}

/// After an evaluation that ended early, the next one starts afresh.
#[test]
fn failures_and_suspensions_leave_nothing_behind() {
    let policy = policy(
        r#"
        fn deep(image) { if image.in_use { 1 } else { 2 } }
        let depth = deep(image);
        rule "r" when depth == 2 { let x = 1; keep(`${x}`) }
        "#,
    );
    let mut evaluator = policy.evaluator(&BTreeMap::new());
    let unread = image(5).facts(|facts| facts.in_use = Fact::NotFetched(Need::Usage)).build();
    let denied = image(5).facts(|facts| facts.in_use = Fact::Unknown("denied".to_owned())).build();
    for _ in 0..100 {
        assert_eq!(evaluator.evaluate(&unread), Evaluation::Suspended(Need::Usage));
        let Evaluation::Verdict(verdict) = evaluator.evaluate(&denied) else { panic!() };
        assert!(matches!(verdict.opinion, Opinion::Failed(_)));
        let Evaluation::Verdict(verdict) = evaluator.evaluate(&image(5).build()) else { panic!() };
        let Opinion::Matched { proposals, .. } = verdict.opinion else { panic!("{:?}", verdict.opinion) };
        assert!(keeps(&proposals));
        assert_eq!(proposals[0].wish, Wish::Keep);
    }
}

#[test]
fn texts_lists_and_maps_have_what_the_guide_says() {
    let facts = image(5).tag("Name", "Web-1").build();
    let check = |expression: &str, expected: &str| {
        assert_eq!(value(expression, &facts).as_deref(), Ok(expected), "{expression}");
    };
    check("\"äbc\".len()", "3");
    check("\"\".is_empty()", "true");
    check("\"abc\".contains(\"b\")", "true");
    check("\"b\" in \"abc\"", "true");
    check("\"abc\".starts_with(\"ab\") && \"abc\".ends_with(\"bc\")", "true");
    check("\" a \".trim()", "a");
    check("image.tag(\"Name\").to_lower()", "web-1");
    check("\"a\".to_upper()", "A");
    check("\"a,b\".split(\",\")", "[a, b]");
    check("\"a-b-c\".replace(\"-\", \"+\")", "a+b+c");
    check("\"42\".to_int() + 1", "43");
    check("\"0.5\".to_float() + 1.to_float()", "1.5");
    check("\"web-12\".matches(`^web-\\d+$`)", "true");
    check("[3, 1].len()", "2");
    check("[].is_empty()", "true");
    check("[1, 2].contains(2)", "true");
    check("3 in [1, 2]", "false");
    check("2 in 1..3", "true");
    check("[1, 2, 3].filter(|n| n > 1)", "[2, 3]");
    check("[1, 2].map(|n| n * 2)", "[2, 4]");
    check("[1, 2].any(|n| n > 1) && [1, 2].all(|n| n > 0)", "true");
    check("[\"a\", \"b\"].join(\", \")", "a, b");
    check("#{a: 1, b: 2}.keys()", "[a, b]");
    check("#{a: 1}.contains(\"a\")", "true");
    check("\"a\" in #{a: 1}", "true");
    check("#{a: 1}.len()", "1");
    check("#{a: [1, ()]}", "#{a: [1, ()]}");
}
