mod covers;
mod problems;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amiwarden_core::{Duration, Ladder, Limits, LimitsOverride, Mode, Permanent, PolicyName, Region};

use super::*;

/// A directory to load from, and all that a load looks at besides.
pub(super) struct Fixture {
    dir: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    overrides: Overrides,
    path: Option<PathBuf>,
    without_file: WithoutFile,
}

impl Fixture {
    /// A working directory with an empty `amiwarden.toml`: without one, the machine's file would be read.
    pub(super) fn new() -> Self {
        Self::with_file("")
    }

    /// A working directory with this as its `amiwarden.toml`.
    pub(super) fn with_file(text: &str) -> Self {
        let nothing = Self {
            dir: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
            overrides: Overrides::default(),
            path: None,
            without_file: WithoutFile::Search,
        };
        nothing.and_file("amiwarden.toml", text)
    }

    pub(super) fn and_file(self, name: &str, text: &str) -> Self {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flags(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }

    fn named(self, path: &str) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(super) fn load(&self) -> Result<Config, LoadConfigError> {
        load(&LoadRequest {
            path: self.path.as_deref(),
            without_file: self.without_file,
            environment: &self.environment,
            working_dir: self.dir.path(),
            overrides: self.overrides.clone(),
        })
    }

    fn loaded(&self) -> Config {
        self.load().unwrap_or_else(|error| panic!("{error}"))
    }
}

fn policy(name: &str) -> PolicyName {
    PolicyName::new(name)
}

#[test]
fn an_empty_file_is_a_configuration_that_changes_nothing() {
    let fixture = Fixture::with_file("");
    let config = fixture.loaded();
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.limits_stated, LimitsStated::default());
    assert_eq!(config.store.path, fixture.at("amiwarden.db"));
    assert_eq!(config.store.ledger_head, fixture.at("amiwarden.head"));
    assert_eq!(config.aws, AwsConfig { regions: RegionChoice::Default, endpoint_url: None, profile: None });
    assert_eq!(config.policies.dir, None);
    assert_eq!(config.speed.concurrent_scopes, 8);
    assert!(config.policy.is_empty());
    assert_eq!(config.origin, Some(fixture.at("amiwarden.toml")));
}

#[test]
fn every_key_is_read() {
    let config = Fixture::with_file(
        r#"
        mode = "enforce"
        [store]
        path = "state/a.db"
        ledger_head = "/var/lib/a.head"
        [aws]
        regions = ["eu-west-1", "us-gov-west-1", "eu-west-1"]
        endpoint_url = "http://127.0.0.1:4566"
        profile = "images"
        [policies]
        dir = "rules"
        family = { tag = "Line", name_pattern = "^(?<family>[a-z]+)" }
        [[policy]]
        file = "retire-stale.rhai"
        mode = "observe"
        params = { max_age = "120d", most = 3, share = 0.5, strict = true, accounts = ["1"], owners = { a = "b" } }
        scope = { accounts = ["111122223333"], regions = ["eu-west-1"], tags = { Env = "dev" }, names = ["web-*"] }
        limits = { disable_per_cycle = 1, deregister_per_cycle = 1, other_per_cycle = 1, min_age = "30d", min_hold = "30d", keep_newest = 2 }
        [limits]
        disable_per_cycle = 2
        deregister_per_cycle = 3
        other_per_cycle = 4
        share_percent = 5
        surge_percent = 6
        min_age = "8d"
        min_hold = "12h"
        keep_newest = 0
        permanent = "allow"
        ladder = "any"
        opt_out_tag = "keep"
        [speed]
        concurrent_scopes = 64
        "#,
    );
    let dir = config.dir.path().to_owned();
    let config = config.loaded();
    assert_eq!(config.mode, Mode::Enforce);
    assert_eq!(config.store.path, dir.join("state/a.db"));
    assert_eq!(config.store.ledger_head, Path::new("/var/lib/a.head"));
    let regions = vec![Region::new("eu-west-1"), Region::new("us-gov-west-1")];
    assert_eq!(config.aws.regions, RegionChoice::Named(regions));
    assert_eq!(config.aws.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
    assert_eq!(config.aws.profile.as_deref(), Some("images"));
    assert_eq!(config.policies.dir, Some(dir.join("rules")));
    let limits = Limits {
        disable_per_cycle: 2,
        deregister_per_cycle: 3,
        other_per_cycle: 4,
        share_percent: 5,
        surge_percent: 6,
        min_age: Duration::from_days(8),
        min_hold: Duration::from_seconds(12 * 3600),
        keep_newest: 0,
        permanent: Permanent::Allow,
        ladder: Ladder::Any,
        opt_out_tag: "keep".to_owned(),
    };
    assert_eq!(config.limits, limits);
    assert_eq!(config.limits_stated, LimitsStated { deregister_per_cycle: true, share_percent: true });
    assert_eq!(config.speed.concurrent_scopes, 64);
    let retire = &config.policy[&policy("retire-stale")];
    assert_eq!(retire.mode, Some(Mode::Observe));
    let param = |name: &str| &retire.params[name].value;
    assert_eq!(param("max_age"), &ParamValue::Text("120d".to_owned()));
    assert_eq!(param("most"), &ParamValue::Integer(3));
    assert_eq!(param("share"), &ParamValue::Float(0.5));
    assert_eq!(param("strict"), &ParamValue::Boolean(true));
    assert_eq!(param("accounts"), &ParamValue::List(vec![ParamValue::Text("1".to_owned())]));
    let owners = BTreeMap::from([("a".to_owned(), ParamValue::Text("b".to_owned()))]);
    assert_eq!(param("owners"), &ParamValue::Map(owners));
    let own = LimitsOverride {
        disable_per_cycle: Some(1),
        deregister_per_cycle: Some(1),
        other_per_cycle: Some(1),
        min_age: Some(Duration::from_days(30)),
        min_hold: Some(Duration::from_days(30)),
        keep_newest: Some(2),
    };
    assert_eq!(retire.limits, own);
    assert_eq!(config.settings_of(&policy("retire-stale")).limits, own);
}

#[test]
fn the_stricter_mode_holds() {
    let check = |global: &str, own: &str, expected: Mode| {
        let own = if own.is_empty() { String::new() } else { format!("mode = \"{own}\"") };
        let text = format!("mode = \"{global}\"\n[[policy]]\nfile = \"a.rhai\"\n{own}\n");
        assert_eq!(Fixture::with_file(&text).loaded().mode_of(&policy("a")), expected, "{text}");
    };
    check("observe", "enforce", Mode::Observe);
    check("enforce", "observe", Mode::Observe);
    check("enforce", "enforce", Mode::Enforce);
    check("enforce", "", Mode::Enforce);
    assert_eq!(Fixture::new().loaded().mode_of(&policy("unheard-of")), Mode::Observe);
}

#[test]
fn variables_go_over_the_file_and_flags_over_both() {
    let fixture =
        Fixture::with_file("[aws]\nprofile = \"file\"\n[limits]\nmin_age = \"1d\"\nkeep_newest = 5\n")
            .variable("AMIWARDEN_LIMITS__MIN_AGE", "14d")
            .variable("AMIWARDEN_LIMITS__SHARE_PERCENT", "20")
            .variable("AMIWARDEN_AWS__PROFILE", "variable")
            .variable("AMIWARDEN_AWS__REGIONS", "eu-west-1, eu-north-1")
            .variable("AMIWARDEN_MODE", "enforce")
            .variable("AMIWARDEN_POLICIES__FAMILY__TAG", "Line")
            .variable("UNRELATED", "left alone");
    let config = fixture.loaded();
    assert_eq!(config.limits.min_age, Duration::from_days(14));
    assert_eq!(config.limits.keep_newest, 5);
    assert_eq!(config.limits_stated, LimitsStated { deregister_per_cycle: false, share_percent: true });
    assert_eq!(config.mode, Mode::Enforce);
    assert_eq!(config.aws.profile.as_deref(), Some("variable"));
    let two = RegionChoice::Named(vec![Region::new("eu-west-1"), Region::new("eu-north-1")]);
    assert_eq!(config.aws.regions, two);

    let flags = Overrides {
        mode: Some(Mode::Observe),
        db: Some("b.db".into()),
        policies_dir: Some("rules".into()),
        regions: vec!["all".to_owned()],
        profile: Some("flag".to_owned()),
        endpoint_url: Some("https://localhost".to_owned()),
    };
    let fixture = fixture.flags(flags);
    let config = fixture.loaded();
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.store.path, fixture.at("b.db"));
    assert_eq!(config.store.ledger_head, fixture.at("b.head"));
    assert_eq!(config.policies.dir, Some(fixture.at("rules")));
    assert_eq!(config.aws.regions, RegionChoice::All);
    assert_eq!(config.aws.profile.as_deref(), Some("flag"));
    assert_eq!(config.aws.endpoint_url.as_deref(), Some("https://localhost"));
}

#[test]
fn a_variable_may_hold_a_list_in_tomls_form() {
    let check = |value: &str, expected: RegionChoice| {
        let config = Fixture::new().variable("AMIWARDEN_AWS__REGIONS", value).loaded();
        assert_eq!(config.aws.regions, expected, "{value}");
    };
    check(r#"["eu-west-1"]"#, RegionChoice::Named(vec![Region::new("eu-west-1")]));
    check("eu-west-1", RegionChoice::Named(vec![Region::new("eu-west-1")]));
    check("all", RegionChoice::All);
}

#[test]
fn the_file_is_looked_for_where_it_was_said_to_be() {
    let mode = |fixture: &Fixture| fixture.loaded().mode;
    let both = || Fixture::with_file("mode = \"observe\"").and_file("etc/other.toml", "mode = \"enforce\"");
    assert_eq!(mode(&both()), Mode::Observe);
    assert_eq!(mode(&both().named("etc/other.toml")), Mode::Enforce);
    assert_eq!(mode(&both().variable("AMIWARDEN_CONFIG", "etc/other.toml")), Mode::Enforce);
    let named = both().variable("AMIWARDEN_CONFIG", "etc/other.toml").named("amiwarden.toml");
    assert_eq!(mode(&named), Mode::Observe);
    // What the file names is beside the file, not beside whoever reads it.
    let elsewhere = both().named("etc/other.toml");
    assert_eq!(elsewhere.loaded().store.path, elsewhere.at("etc/amiwarden.db"));
    // What a variable names is beside whoever sets it.
    let variable = both().named("etc/other.toml").variable("AMIWARDEN_STORE__PATH", "a.db");
    assert_eq!(variable.loaded().store.path, variable.at("a.db"));
}

#[test]
fn a_file_that_is_named_has_to_exist() {
    for fixture in [Fixture::new().named("no.toml"), Fixture::new().variable("AMIWARDEN_CONFIG", "no.toml")] {
        let error = fixture.load().unwrap_err();
        assert_eq!(error.to_string(), "the configuration no.toml cannot be read");
        assert!(std::error::Error::source(&error).is_some(), "the cause is kept");
    }
}

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
    assert_eq!(template.store.path, fixture.at("amiwarden.db"));
    assert_eq!(template.store.ledger_head, fixture.at("amiwarden.head"));
    assert_eq!(template.aws, default.aws);
    assert_eq!(template.speed, default.speed);
    // The one difference: `init` writes a policy directory beside the file.
    assert_eq!(template.policies.dir, Some(fixture.at("policies")));
    assert_eq!(default.policies.dir, None);
    assert_eq!(format!("{:?}", template.policies.family), format!("{:?}", default.policies.family));
    assert!(template.policy.is_empty());
    // Whoever only ran `init` has not chosen any limits for deregistering.
    assert_eq!(template.limits_stated, LimitsStated::default());
}

#[test]
fn every_line_of_the_template_that_is_marked_as_a_comment_can_be_used() {
    let is_setting = |line: &str| line.starts_with("[[") || line.split(' ').nth(1) == Some("=");
    let used: Vec<String> = TEMPLATE
        .lines()
        .map(|line| {
            let bare = line.trim_start_matches("# ");
            if is_setting(bare) { bare.to_owned() } else { line.to_owned() }
        })
        .collect();
    let config = Fixture::with_file(&used.join("\n")).loaded();
    assert_eq!(config.aws.profile.as_deref(), Some("images"));
    assert!(matches!(&config.aws.regions, RegionChoice::Named(regions) if regions.len() == 2));
    assert!(config.aws.endpoint_url.is_some() && config.policies.dir.is_some());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.limits_stated, LimitsStated { deregister_per_cycle: true, share_percent: true });
    let retire = &config.policy[&policy("retire-stale")];
    assert!(retire.mode.is_some() && retire.params.len() == 2 && retire.limits.keep_newest == Some(2));
    assert!(!retire.scope.names.is_empty() && !retire.scope.tags.is_empty());
}

#[test]
fn deregistering_is_enforced_only_within_limits_that_somebody_wrote_down() {
    let check = |text: &str, policies: &[&str], expected: Option<(&[&str], bool, bool)>| {
        let enforced: Vec<PolicyName> = policies.iter().map(|name| policy(name)).collect();
        let result = Fixture::with_file(text).loaded().check_deregister(&enforced);
        let found = result.err().map(|error| (error.policies, error.needs_per_cycle, error.needs_share));
        let expected = expected.map(|(names, cap, share)| {
            (names.iter().map(|name| policy(name)).collect::<Vec<_>>(), cap, share)
        });
        assert_eq!(found, expected, "{text}");
    };
    check("", &[], None);
    check("", &["a"], Some((&["a"], true, true)));
    check("[limits]\nderegister_per_cycle = 10\n", &["a"], Some((&["a"], false, true)));
    check("[limits]\nshare_percent = 10\n", &["a", "b"], Some((&["a", "b"], true, false)));
    check("[limits]\nderegister_per_cycle = 0\nshare_percent = 0\n", &["a"], None);
    let own = "[limits]\nshare_percent = 10\n[[policy]]\nfile = \"a.rhai\"\nlimits = { deregister_per_cycle = 1 }\n";
    check(own, &["a"], None);
    check(own, &["a", "b"], Some((&["b"], true, false)));
}
