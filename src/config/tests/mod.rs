mod accounts;
mod covers;
mod deregister;
mod http;
mod limits;
mod notify;
mod problems;
mod shipped;
mod usage;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amiwarden_core::{
    BucketSize, Duration, Limits, Mode, Pace, PolicyName, Region, Share, UsageSettings, Window,
};

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

fn window(days: &[&str], hours: Option<&str>, time_zone: Option<&str>) -> Window {
    let days: Vec<String> = days.iter().map(|day| (*day).to_owned()).collect();
    Window::new(&days, hours, time_zone).unwrap()
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
    assert_eq!(config.pause_file, None);
    assert_eq!(config.settle_after, Duration::from_minutes(5));
    assert_eq!(config.usage, UsageSettings::default());
    let aws = AwsConfig {
        regions: RegionChoice::Default,
        endpoint_url: None,
        profile: None,
        accounts: Vec::new(),
        organization: None,
    };
    assert_eq!(config.aws, aws);
    assert_eq!(config.policies.dir, None);
    let speed = SpeedConfig { pace: Pace::default(), concurrent_scopes: 8, concurrent_images: 4 };
    assert_eq!(config.speed, speed);
    assert_eq!(speed.pace.share.percent(), 60);
    assert!(config.policy.is_empty());
    assert_eq!(config.origin, Some(fixture.at("amiwarden.toml")));
}

#[test]
fn every_key_is_read_besides_those_of_limits_and_usage() {
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
        [speed]
        api_share_percent = 100
        concurrent_scopes = 64
        concurrent_images = 1
        buckets = { DisableImage = { burst = 200, refill = 2.5 }, "*" = { burst = 1, refill = 0.001 } }
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
    let bucket = |burst, refill_per_second| BucketSize { burst, refill_per_second };
    let pace = Pace {
        share: Share::WHOLE,
        sizes: BTreeMap::from([("DisableImage".to_owned(), bucket(200.0, 2.5))]),
        otherwise: Some(bucket(1.0, 0.001)),
    };
    assert_eq!(config.speed, SpeedConfig { pace, concurrent_scopes: 64, concurrent_images: 1 });
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
fn variables_can_speak_of_buckets() {
    let size = |fixture: Fixture| fixture.loaded().speed.pace.sizes.remove("DisableImage");
    let expected = Some(BucketSize { burst: 9.0, refill_per_second: 3.0 });
    let value = "{ burst = 9, refill = 3 }";
    assert_eq!(size(Fixture::new().variable("AMIWARDEN_SPEED__BUCKETS__DISABLEIMAGE", value)), expected);
    let all = "{ DisableImage = { burst = 9, refill = 3 } }";
    assert_eq!(size(Fixture::new().variable("AMIWARDEN_SPEED__BUCKETS", all)), expected);
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
fn the_digest_knows_every_setting() {
    let lines = [
        "",
        "[limits]\ncollapse_percent = 31\n",
        "[limits]\nrehearse_cycles = 2\n",
        "[limits]\nwindow = { days = [\"Mon\"] }\n",
        "[limits]\nwindow = { days = [\"Mon\"], time_zone = \"Europe/Berlin\" }\n",
        "[limits]\nwindow = { days = [\"Mon\"], time_zone = \"Europe/Paris\" }\n",
        "[limits]\npause_file = \"/run/pause\"\n",
        "[limits]\nsettle_after = \"6m\"\n",
        "[usage]\nlaunch_template_versions = 1\n",
        "[usage]\nusage_reports = true\n",
        "[usage]\ndisabled_sources = [\"fleets\"]\n",
    ];
    let mut fixture = Fixture::new();
    let mut digests = std::collections::BTreeSet::new();
    for text in lines {
        fixture = fixture.and_file("amiwarden.toml", text);
        let digest = fixture.loaded().digest();
        assert_eq!(digest, fixture.loaded().digest(), "{text}");
        assert!(digests.insert(digest), "{text}");
    }
}
