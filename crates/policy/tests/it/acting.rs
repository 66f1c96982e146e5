//! The actions: what each asks for, and what it refuses.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{Action, ActionKind, FailureKind, GrantFilter, LaunchPermission, SnapshotFate, Wish};

use crate::builders::{days, failure, image, matched, now, policy};

const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-123example";
const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-123example/ou-1234-5exampl";

#[track_caller]
fn wish(expression: &str) -> Wish {
    let text = format!("rule \"r\" when image.id != \"\" {{ {expression} }}");
    let (_, proposals) = matched(&policy(&text), &image(5).build()).unwrap();
    assert_eq!(proposals.len(), 1);
    assert_eq!(proposals[0].reason, "why");
    proposals[0].wish.clone()
}

fn grants(texts: &[&str]) -> GrantFilter {
    GrantFilter::new(texts.iter().map(|text| text.parse::<LaunchPermission>().unwrap()))
}

#[test]
fn every_action_asks_for_what_it_says() {
    let check =
        |expression: &str, action: Action| assert_eq!(wish(expression), Wish::Act(action), "{expression}");
    assert_eq!(wish("keep(\"why\")"), Wish::Keep);
    assert_eq!(wish("notify(\"why\")"), Wish::Notify);
    check("strip_public(\"why\")", Action::StripPublic);
    check("strip_shares(\"why\")", Action::StripShares { except: GrantFilter::default() });
    check(
        &format!(
            "strip_shares(#{{ except_accounts: [\"444455556666\"], except_organizations: [\"{ORGANIZATION}\"], \
             except_ous: [\"{UNIT}\"] }}, \"why\")"
        ),
        Action::StripShares { except: grants(&["444455556666", ORGANIZATION, UNIT]) },
    );
    check(
        &format!("share(#{{ accounts: [\"444455556666\"], ous: [\"{UNIT}\"] }}, \"why\")"),
        Action::Share(grants(&["444455556666", UNIT])),
    );
    check("set_description(\"text\", \"why\")", Action::SetDescription("text".to_owned()));
    check("require_imdsv2(\"why\")", Action::RequireImdsV2);
    check(
        "tag(#{ Env: \"dev\" }, \"why\")",
        Action::Tag(BTreeMap::from([("Env".to_owned(), "dev".to_owned())])),
    );
    check("untag([\"Env\"], \"why\")", Action::Untag(BTreeSet::from(["Env".to_owned()])));
    check("protect(\"why\")", Action::Protect { cooldown: false });
    check("protect(#{ cooldown: true }, \"why\")", Action::Protect { cooldown: true });
    check("unprotect(\"why\")", Action::Unprotect);
    check("deprecate(now, \"why\")", Action::Deprecate(now()));
    check("deprecate(30.days, \"why\")", Action::Deprecate(days(30).after(now()).unwrap()));
    check(
        "deprecate(time(\"2027-01-01\"), \"why\")",
        Action::Deprecate("2027-01-01T00:00:00Z".parse().unwrap()),
    );
    check("undeprecate(\"why\")", Action::Undeprecate);
    check("disable(\"why\")", Action::Disable);
    check("enable(\"why\")", Action::Enable);
    check("deregister(\"why\")", Action::Deregister(SnapshotFate::Keep));
    check("deregister(#{ snapshots: \"keep\" }, \"why\")", Action::Deregister(SnapshotFate::Keep));
    check("deregister(#{ snapshots: \"delete\" }, \"why\")", Action::Deregister(SnapshotFate::Delete));
}

/// What a person may get wrong in data that only some images have.
#[test]
fn nonsense_is_refused_when_it_is_asked_for() {
    let facts = image(5).tag("T", "x").build();
    let check = |expression: &str, said: &str| {
        let text = format!("rule \"r\" when image.has_tag(\"T\") {{ {expression} }}");
        let failure = failure(&policy(&text), &facts);
        assert_eq!(failure.kind, FailureKind::Script, "{expression}");
        assert!(failure.message.contains(said), "{expression}: {}", failure.message);
    };
    check(
        "share(#{ accounts: [\"12345\"] }, \"why\")",
        "`accounts` holds account ids of twelve digits, and `12345` is none",
    );
    check("share(#{ accounts: [\"all\"] }, \"why\")", "and `all` is none");
    check(&format!("share(#{{ accounts: [\"{UNIT}\"] }}, \"why\")"), "`accounts` holds account ids");
    check(
        &format!("share(#{{ organizations: [\"{UNIT}\"] }}, \"why\")"),
        "`organizations` holds organization ARNs",
    );
    check(
        &format!("share(#{{ ous: [\"{ORGANIZATION}\"] }}, \"why\")"),
        "`ous` holds organizational unit ARNs",
    );
    check("strip_shares(#{ except_accounts: [\"arn:aws:iam::111122223333:root\"] }, \"why\")", "is none");
    check("share(#{}, \"why\")", "`share` names nobody");
    check("share(#{ accounts: [] }, \"why\")", "`share` names nobody");
    check("tag(#{}, \"why\")", "`tag` sets no tag");
    check("untag([], \"why\")", "`untag` names no tag");
    check("tag(#{ \"aws:x\": \"1\" }, \"why\")", "keys that begin with `aws:`");
    check("tag(#{ \"AWS:x\": \"1\" }, \"why\")", "keys that begin with `aws:`");
    check("untag([\"aws:x\"], \"why\")", "keys that begin with `aws:`");
    check("tag(#{ \"\": \"1\" }, \"why\")", "between 1 and 128 characters");
    check(&format!("tag(#{{ \"{}\": \"1\" }}, \"why\")", "k".repeat(129)), "between 1 and 128 characters");
    check(&format!("tag(#{{ k: \"{}\" }}, \"why\")", "v".repeat(257)), "longer than 256 characters");
    check(&format!("set_description(\"{}\", \"why\")", "d".repeat(256)), "255 characters at most");
    let many: Vec<String> = (0..51).map(|n| format!("k{n}: \"v\"")).collect();
    check(&format!("tag(#{{ {} }}, \"why\")", many.join(", ")), "50 tags at most");
    check("deprecate(9000.days * 400, \"why\")", "beyond the times that can be represented");
}

#[test]
fn limits_of_tags_are_met_exactly() {
    let key = "k".repeat(128);
    let value = "v".repeat(256);
    let expected = Action::Tag(BTreeMap::from([(key.clone(), value.clone())]));
    assert_eq!(wish(&format!("tag(#{{ \"{key}\": \"{value}\" }}, \"why\")")), Wish::Act(expected));
    let many: Vec<String> = (0..50).map(|n| format!("k{n}: \"v\"")).collect();
    assert!(
        matches!(wish(&format!("tag(#{{ {} }}, \"why\")", many.join(", "))), Wish::Act(Action::Tag(tags)) if tags.len() == 50)
    );
    let description = "d".repeat(255);
    let expected = Action::SetDescription(description.clone());
    assert_eq!(wish(&format!("set_description(\"{description}\", \"why\")")), Wish::Act(expected));
}

/// Wherever an action hides, it is found without running anything.
#[test]
fn the_text_alone_tells_which_actions_it_could_ask_for() {
    let check = |text: &str, expected: &[ActionKind]| {
        let found: Vec<_> = policy(text).actions().iter().copied().collect();
        assert_eq!(found, expected, "{text}");
    };
    let never = "when image.is_public && image.is_disabled";
    check(&format!("rule \"r\" {never} {{ keep(\"x\") }}"), &[]);
    check(&format!("rule \"r\" {never} {{ deregister(\"x\") }}"), &[ActionKind::Deregister]);
    check(
        &format!("fn f() {{ deregister(\"x\") }}\nrule \"r\" {never} {{ keep(\"x\") }}"),
        &[ActionKind::Deregister],
    );
    check(&format!("rule \"r\" {never} {{ [1].map(|n| disable(`${{n}}`)) }}"), &[ActionKind::Disable]);
    check(
        &format!("rule \"r\" {never} {{ let x = for n in 1..3 {{ break enable(\"x\"); }}; [x] }}"),
        &[ActionKind::Enable],
    );
    check(
        &format!(
            "rule \"r\" {never} {{ switch 1 {{ 1 => untag([\"a\"], \"x\"), 2..5 => unprotect(\"x\"), _ => strip_public(\"x\") }} }}"
        ),
        &[ActionKind::StripPublic, ActionKind::Untag, ActionKind::Unprotect],
    );
    check(&format!("rule \"r\" {never} {{ return disable(\"x\"); }}"), &[ActionKind::Disable]);
    check(&format!("rule \"r\" {never} {{ keep(`${{disable(\"x\")}}`) }}"), &[ActionKind::Disable]);
    check(&format!("rule \"r\" {never} {{ #{{a: \"b\"}}.tag(\"x\") }}"), &[ActionKind::Tag]);
    check(&format!("rule \"r\" {never} {{ let m = #{{a: #{{}}}}; m.a.tag(\"x\") }}"), &[ActionKind::Tag]);
    check(&format!("rule \"r\" {never} {{ keep(image.tag(\"x\")) }}"), &[]);
    check("let a = disable(\"x\");\nrule \"r\" when image.is_public { a }", &[ActionKind::Disable]);
}
