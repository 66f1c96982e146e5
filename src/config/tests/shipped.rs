//! The configurations that come with amiwarden.

use amiwarden_core::{Duration, Ladder, Limits, LimitsOverride, Mode, Permanent, UsageSettings};

use super::super::*;
use super::{Fixture, policy, window};

#[test]
fn the_sandbox_uses_its_own_configuration() {
    let ours =
        || Fixture::with_file("[store]\npath = \"production.db\"").variable("AMIWARDEN_CONFIG", "x.toml");
    let fixture = Fixture { without_file: WithoutFile::Sandbox, ..ours() };
    let config = fixture.loaded();
    assert_eq!(config.origin, None);
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.store.path, fixture.at("amiwarden-sandbox.db"));
    assert_eq!(config.limits.permanent, Permanent::Allow);
    assert_eq!((config.limits.share_percent, config.limits.surge_percent), (50, 60));
    assert_eq!(config.limits.min_age, Duration::from_days(1));
    // Nothing that would hold the demo fleet back, whatever was in the database before.
    assert_eq!((config.limits.collapse_percent, &config.limits.window), (100, &None));
    assert_eq!(config.pause_file, None);
    assert_eq!(config.usage, UsageSettings::default());
    let known = &config.policy[&policy("unshare-unknown-accounts")].params["known_accounts"].value;
    let accounts = ["222233334444", "333344445555"].map(|account| ParamValue::Text(account.to_owned()));
    assert_eq!(known, &ParamValue::List(accounts.into()));
    // It may enforce deregistering: its limits are written down.
    assert_eq!(config.check_deregister(&[policy("retire-stale")]), Ok(()));
    // A file that is named all the same is used.
    let named = Fixture { without_file: WithoutFile::Sandbox, ..ours() }.named("amiwarden.toml");
    assert_eq!(named.loaded().store.path, named.at("production.db"));
}

#[test]
fn the_template_says_what_holds_without_it() {
    let fixture = Fixture::with_file(TEMPLATE);
    let (template, default) = (fixture.loaded(), Fixture::with_file("").loaded());
    assert_eq!(template.mode, default.mode);
    assert_eq!(template.limits, default.limits);
    assert_eq!(template.pause_file, default.pause_file);
    assert_eq!(template.settle_after, default.settle_after);
    assert_eq!(template.usage, default.usage);
    assert_eq!(template.store.path, fixture.at("amiwarden.db"));
    assert_eq!(template.store.ledger_head, fixture.at("amiwarden.head"));
    assert_eq!(template.aws, default.aws);
    assert_eq!(template.speed, default.speed);
    assert_eq!(template.http, default.http);
    // The one difference: `init` writes a policy directory beside the file.
    assert_eq!(template.policies.dir, Some(fixture.at("policies")));
    assert_eq!(default.policies.dir, None);
    assert_eq!(format!("{:?}", template.policies.family), format!("{:?}", default.policies.family));
    assert!(template.policy.is_empty() && template.notify.is_empty());
    // Whoever only ran `init` has not chosen any limits for deregistering.
    assert_eq!(template.limits_stated, LimitsStated::default());
}

#[test]
fn every_line_of_the_template_that_is_marked_as_a_comment_can_be_used() {
    let is_setting = |line: &str| line.starts_with('[') || line.split(' ').nth(1) == Some("=");
    let used: Vec<String> = TEMPLATE
        .lines()
        .map(|line| {
            let bare = line.trim_start_matches("# ");
            if is_setting(bare) { bare.to_owned() } else { line.to_owned() }
        })
        .collect();
    let fixture = Fixture::with_file(&used.join("\n"));
    let config = fixture.loaded();
    assert_eq!(config.aws.profile.as_deref(), Some("images"));
    assert!(matches!(&config.aws.regions, RegionChoice::Named(regions) if regions.len() == 2));
    assert!(config.aws.endpoint_url.is_some() && config.policies.dir.is_some());
    let open = window(&["Mon", "Tue", "Wed", "Thu"], Some("09:00-16:00"), Some("Europe/Berlin"));
    assert_eq!(config.limits, Limits { window: Some(open), ..Limits::default() });
    assert_eq!(config.limits_stated, LimitsStated { deregister_per_cycle: true, share_percent: true });
    assert_eq!(config.pause_file, Some(fixture.at("amiwarden.pause")));
    let retire = &config.policy[&policy("retire-stale")];
    assert!(retire.mode.is_some() && retire.params.len() == 2);
    let own = LimitsOverride {
        disable_per_cycle: Some(20),
        deregister_per_cycle: Some(5),
        other_per_cycle: Some(100),
        share_percent: Some(5),
        surge_percent: Some(10),
        min_age: Some(Duration::from_days(30)),
        min_hold: Some(Duration::from_days(14)),
        keep_newest: Some(2),
        permanent: Some(Permanent::Refuse),
        ladder: Some(Ladder::DisabledFirst),
        opt_out_tag: Some("retire-stale:keep".to_owned()),
        rehearse_cycles: Some(3),
        window: Some(window(&[], Some("09:00-12:00"), Some("Europe/Berlin"))),
    };
    assert_eq!(retire.limits, own);
    assert!(!retire.scope.names.is_empty() && !retire.scope.tags.is_empty());
    let account = &config.aws.accounts[0];
    assert!(account.role.is_some() && account.external_id.is_some() && account.regions.is_some());
    let organization = config.aws.organization.as_ref().unwrap();
    assert_eq!((organization.include.len(), organization.exclude.len()), (2, 1));
    let kinds: Vec<&str> = config.notify.iter().map(|notifier| notifier.channel.kind()).collect();
    assert_eq!(kinds, ["webhook", "slack", "sns", "command"]);
    // What is written there is what holds without it.
    let (webhook, slack) = (&config.notify[0], &config.notify[1]);
    assert_eq!(
        (&webhook.events, webhook.timeout, webhook.attempts),
        (&slack.events, slack.timeout, slack.attempts)
    );
    assert_eq!((webhook.within_days, &webhook.owner_tag), (slack.within_days, &slack.owner_tag));
}
