//! The policies that come with amiwarden: what they say of typical images.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use amiwarden_core::{
    Action, ActionKind, Evaluation, Fact, Facts, GrantFilter, ImageState, LaunchPermission, Need, Opinion,
    Proposal, Reading, SnapshotFate, Wish,
};
use amiwarden_policy::{ParamValue, Policy};

use crate::builders::{FactsBuilder, Params, days, days_ago, image, matched, policy_with};

const NAMES: [&str; 7] = [
    "deprecate-first",
    "keep-newest-per-family",
    "require-imdsv2",
    "retire-stale",
    "strip-public",
    "tag-owners",
    "unshare-unknown-accounts",
];

const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-123example";
const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-123example/ou-1234-5exampl";

fn shipped_with(name: &str, params: Params) -> Policy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../policies/{name}.rhai"));
    policy_with(&fs::read_to_string(path).unwrap(), params)
}

fn shipped(name: &str) -> Policy {
    shipped_with(name, Params::new())
}

fn text(text: &str) -> ParamValue {
    ParamValue::Text(text.to_owned())
}

fn texts(items: &[&str]) -> ParamValue {
    ParamValue::List(items.iter().map(|item| text(item)).collect())
}

/// The rule that matches, and the one thing that it asks for.
#[track_caller]
fn check(policy: &Policy, facts: FactsBuilder, expected: Option<(&str, Wish)>) {
    let facts = facts.build();
    let found = matched(policy, &facts).map(|(rule, proposals)| {
        let wishes: Vec<Wish> = proposals.into_iter().map(|proposal| proposal.wish).collect();
        (rule, wishes)
    });
    assert_eq!(found, expected.map(|(rule, wish)| (rule.to_owned(), vec![wish])));
}

fn act(action: Action) -> Wish {
    Wish::Act(action)
}

#[track_caller]
fn reason(policy: &Policy, facts: FactsBuilder) -> String {
    let (_, proposals) = matched(policy, &facts.build()).unwrap();
    let [Proposal { reason, .. }] = &*proposals else { panic!("{proposals:?}") };
    reason.clone()
}

#[test]
fn every_shipped_policy_is_tested_here_and_explains_itself() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut found: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().into_string().unwrap().strip_suffix(".rhai").map(str::to_owned)
        })
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
    for name in NAMES {
        let policy = shipped(name);
        assert!(!policy.description().is_empty(), "{name}");
        assert!(!policy.rules().is_empty(), "{name}");
    }
}

#[test]
fn retire_stale_disables_then_deregisters() {
    let policy = shipped("retire-stale");
    let disable = Some(("stale", act(Action::Disable)));
    let deregister = Some(("held long enough", act(Action::Deregister(SnapshotFate::Keep))));
    let keep = |rule| Some((rule, Wish::Keep));
    check(&policy, image(10), None);
    check(&policy, image(90), None);
    check(&policy, image(91), disable.clone());
    // Old, but launched lately.
    check(&policy, image(500).facts(|facts| facts.unused_for = Fact::Known(days(5))), None);
    check(&policy, image(500).used(), keep("stale"));
    check(&policy, image(500).disabled_for(29), None);
    check(&policy, image(500).disabled_for(30), deregister);
    check(&policy, image(500).disabled_for(30).used(), keep("held long enough"));
    check(&policy, image(500).image(|image| image.state = ImageState::Pending), None);
    assert_eq!(reason(&policy, image(91)), "no launch for 91 days");
    assert_eq!(reason(&policy, image(500).disabled_for(31)), "disabled for 31 days");
    assert_eq!(reason(&policy, image(91).used()), "no launch for 91 days, but still in use");
}

#[test]
fn retire_stale_does_as_it_is_configured() {
    let params =
        [("max_age", text("10d")), ("hold", text("1w")), ("delete_snapshots", ParamValue::Bool(true))];
    let policy = shipped_with("retire-stale", params.map(|(key, value)| (key.to_owned(), value)).into());
    check(&policy, image(11), Some(("stale", act(Action::Disable))));
    let delete = act(Action::Deregister(SnapshotFate::Delete));
    check(&policy, image(50).disabled_for(7), Some(("held long enough", delete)));
}

#[test]
fn retire_stale_asks_for_usage_only_where_it_matters() {
    let policy = shipped("retire-stale");
    let unread = |facts: FactsBuilder| {
        facts.facts(|facts| {
            facts.in_use = Fact::NotFetched(Need::Usage);
            facts.used_by = Fact::NotFetched(Need::Usage);
        })
    };
    check(&policy, unread(image(10)), None);
    check(&policy, unread(image(500).disabled_for(3)), None);
    for due in [image(500), image(500).disabled_for(40)] {
        assert_eq!(policy.evaluate(&unread(due).build()), Evaluation::Suspended(Need::Usage));
    }
}

#[test]
fn retire_stale_keeps_what_it_cannot_be_sure_of() {
    let policy = shipped("retire-stale");
    let doubtful = image(500).facts(|facts| facts.in_use = Fact::Unknown("denied".to_owned())).build();
    let Evaluation::Verdict(verdict) = policy.evaluate(&doubtful) else { panic!("suspended") };
    let Opinion::Failed(failure) = verdict.opinion else { panic!("{:?}", verdict.opinion) };
    assert!(failure.message.contains("`in_use` is unknown: denied"), "{}", failure.message);
}

#[test]
fn strip_public_spares_what_is_public_on_purpose() {
    let policy = shipped("strip-public");
    let public = |facts: FactsBuilder| {
        facts
            .image(|image| image.public = Reading::Present(true))
            .facts(|facts| facts.is_public = Fact::Known(true))
    };
    check(&policy, image(5), None);
    check(&policy, public(image(5)), Some(("public by accident", act(Action::StripPublic))));
    check(&policy, public(image(5)).tag("amiwarden:public-ok", ""), None);
}

#[test]
fn unshare_has_no_opinion_without_a_list() {
    let policy = shipped("unshare-unknown-accounts");
    let unread = |facts: &mut Facts| facts.launch_permissions = Fact::NotFetched(Need::LaunchPermissions);
    check(&policy, image(5).shared_with(&["444455556666", ORGANIZATION]), None);
    // It does not even look.
    check(&policy, image(5).facts(unread), None);
}

#[test]
fn unshare_leaves_exactly_what_is_known() {
    let params = BTreeMap::from([
        ("known_accounts".to_owned(), texts(&["444455556666"])),
        ("known_organizations".to_owned(), texts(&[ORGANIZATION])),
    ]);
    let policy = shipped_with("unshare-unknown-accounts", params);
    let grant = |text: &str| text.parse::<LaunchPermission>().unwrap();
    let except = GrantFilter::new([grant("444455556666"), grant(ORGANIZATION)]);
    let strip = Some(("shared with strangers", act(Action::StripShares { except })));
    check(&policy, image(5), None);
    check(&policy, image(5).shared_with(&["444455556666", ORGANIZATION]), None);
    check(&policy, image(5).shared_with(&["444455556666", "777788889999"]), strip.clone());
    check(&policy, image(5).shared_with(&[UNIT]), strip);
    check(&policy, image(5).shared_with(&["777788889999"]).disabled_for(3), None);
    let said = reason(&policy, image(5).shared_with(&["444455556666", "777788889999", UNIT]));
    assert_eq!(said, "shared with 777788889999, which is not known");
}

#[test]
fn keep_newest_vetoes_for_the_newest_of_each_family() {
    let policy = shipped("keep-newest-per-family");
    let keep = Some(("one of the newest", Wish::Keep));
    check(&policy, image(5), None);
    check(&policy, image(5).in_family("web", 0, 9), keep.clone());
    check(&policy, image(5).in_family("web", 2, 9), keep);
    check(&policy, image(5).in_family("web", 3, 9), None);
    check(&policy, image(5).in_family("web", 0, 9).disabled_for(1), None);
    let said = reason(&policy, image(5).in_family("web", 1, 9));
    assert_eq!(said, "among the newest 3 of its family");
}

#[test]
fn deprecate_first_asks_once() {
    let policy = shipped("deprecate-first");
    let due = |age: i64| Some(("due for deprecation", act(Action::Deprecate(days_ago(age - 60)))));
    check(&policy, image(59), None);
    check(&policy, image(60), due(60));
    check(&policy, image(75), due(75));
    check(&policy, image(61).disabled_for(3), None);
    // Once EC2 has a date, also one that somebody chose, there is nothing left to ask for.
    let dated = |days| {
        let at = days_ago(days);
        image(61).image(|image| image.deprecated_at = Reading::Present(at)).facts(|facts| {
            facts.deprecated_at = Fact::Known(Some(at));
        })
    };
    check(&policy, dated(1), None);
    check(&policy, dated(-300), None);
}

#[test]
fn require_imdsv2_asks_for_machine_images_only() {
    let policy = shipped("require-imdsv2");
    check(&policy, image(5), Some(("version 1 allowed", act(Action::RequireImdsV2))));
    check(&policy, image(5).image(|image| image.imds_support = Some("v2.0".to_owned())), None);
    check(&policy, image(5).image(|image| image.image_type = Some("kernel".to_owned())), None);
    check(&policy, image(5).disabled_for(2), None);
}

#[test]
fn tag_owners_takes_the_team_or_says_that_there_is_none() {
    let policy = shipped("tag-owners");
    let tag = |key: &str, value: &str| {
        Some(("no owner", act(Action::Tag([(key.to_owned(), value.to_owned())].into()))))
    };
    check(&policy, image(5).tag("Owner", "ann"), None);
    check(&policy, image(5), tag("Owner", "unowned"));
    check(&policy, image(5).tag("Team", "web"), tag("Owner", "web"));
    check(&policy, image(5).image(|image| image.state = ImageState::Pending), None);
    let params = [("key", text("owner")), ("from", text("Squad")), ("otherwise", text("nobody"))];
    let policy = shipped_with("tag-owners", params.map(|(key, value)| (key.to_owned(), value)).into());
    check(&policy, image(5).tag("Team", "web"), tag("owner", "nobody"));
    check(&policy, image(5).tag("Squad", "web"), tag("owner", "web"));
}

/// Whatever an ordinary image lacks, no shipped policy fails on it.
#[test]
fn no_shipped_policy_fails_on_ordinary_images() {
    let bare = |facts: FactsBuilder| {
        facts.image(|image| {
            image.name = None;
            image.architecture = None;
            image.ena_support = None;
            image.block_devices.clear();
        })
    };
    let images: Vec<Arc<Facts>> = [
        image(1),
        image(1000),
        bare(image(1000)),
        image(1000).disabled_for(100),
        bare(image(1000)).disabled_for(0),
        image(1000).used(),
        image(1000).in_family("web", 0, 1),
        image(1000).in_family("web", 0, 1).disabled_for(100),
        image(1000).shared_with(&["all", "444455556666", UNIT]),
        image(1000).image(|image| image.state = ImageState::Failed),
        image(1000).image(|image| image.state = ImageState::Other("new".to_owned())),
        image(1000).tag("Team", "web").tag("Owner", ""),
    ]
    .into_iter()
    .map(FactsBuilder::build)
    .collect();
    for name in NAMES {
        for params in [Params::new(), Params::from([("known_ous".to_owned(), texts(&[UNIT]))])] {
            if !params.is_empty() && name != "unshare-unknown-accounts" {
                continue;
            }
            let policy = shipped_with(name, params);
            for facts in &images {
                // Panics with the failure, if there is one.
                matched(&policy, facts);
            }
        }
    }
}

#[test]
fn the_texts_tell_which_policies_can_deregister() {
    let deregistering: Vec<&str> =
        NAMES.into_iter().filter(|name| shipped(name).actions().contains(&ActionKind::Deregister)).collect();
    assert_eq!(deregistering, ["retire-stale"]);
    let kinds = |name| shipped(name).actions().iter().copied().collect::<Vec<_>>();
    assert_eq!(kinds("retire-stale"), [ActionKind::Disable, ActionKind::Deregister]);
    assert_eq!(kinds("keep-newest-per-family"), []);
    // Asking for a tag is not setting one.
    assert_eq!(kinds("strip-public"), [ActionKind::StripPublic]);
    assert_eq!(kinds("tag-owners"), [ActionKind::Tag]);
}
