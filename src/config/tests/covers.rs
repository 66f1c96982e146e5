//! Which images a policy looks at.

use std::sync::Arc;

use amiwarden_core::{FamilyRule, Image, Inventory, Listing, Memory, Region, Scope, Timestamp, derive_facts};

use super::super::*;

/// The facts of one image of account 111122223333 in eu-west-1 with the tag `Env` = `dev`.
fn facts(name: Option<&str>) -> Arc<amiwarden_core::Facts> {
    let image: Image = serde_json::from_value(serde_json::json!({
        "id": "ami-1", "owner": "111122223333", "name": name, "state": "available",
        "created_at": "Absent", "deprecated_at": "Absent", "last_launched_at": "Absent", "public": "Absent",
        "protection": "disabled", "tags": { "Env": "dev" }, "block_devices": [], "lineage": {}, "product_codes": []
    }))
    .unwrap();
    let scope = Scope { account: "111122223333".parse().unwrap(), region: Region::new("eu-west-1") };
    let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut inventory = Inventory::new(scope, now);
    inventory.add_images(Listing::complete(vec![image]));
    let families = FamilyRule::new(None, None).unwrap();
    derive_facts(&inventory, &Memory::default(), &families, now).pop_first().unwrap().1
}

#[test]
fn each_part_of_a_scope_narrows_it() {
    let check = |scope: &str, name: Option<&str>, expected: bool| {
        let text = format!("[[policy]]\nfile = \"a.rhai\"\nscope = {{ {scope} }}\n");
        let config = super::Fixture::with_file(&text).loaded();
        let scope = &config.policy[&PolicyName::new("a")].scope;
        assert_eq!(scope.covers(&facts(name)), expected, "{text}");
    };
    let web = Some("web-1");
    check("", web, true);
    check("", None, true);
    check(r#"accounts = ["111122223333", "444455556666"]"#, web, true);
    check(r#"accounts = ["444455556666"]"#, web, false);
    check(r#"regions = ["us-east-1", "eu-west-1"]"#, web, true);
    check(r#"regions = ["us-east-1"]"#, web, false);
    check(r#"tags = { Env = "dev" }"#, web, true);
    check(r#"tags = { Env = "prod" }"#, web, false);
    check(r#"tags = { Env = "dev", Team = "a" }"#, web, false);
    check(r#"names = ["db-*", "web-*"]"#, web, true);
    check(r#"names = ["db-*"]"#, web, false);
    check(r#"names = ["*"]"#, None, false);
    check(r#"accounts = ["111122223333"], names = ["db-*"]"#, web, false);
}

#[test]
fn name_patterns_match_whole_names() {
    let check = |pattern: &str, name: &str, expected: bool| {
        let pattern: NamePattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(name), expected, "{pattern} {name}");
    };
    check("web-*", "web-1", true);
    check("web-*", "web-", true);
    check("web-*", "my-web-1", false);
    check("web-?", "web-1", true);
    check("web-?", "web-12", false);
    check("*base*", "golden-base-3", true);
    check("web.1", "web.1", true);
    check("web.1", "webx1", false);
    check("base (v2) [x]", "base (v2) [x]", true);
    check("*", "", true);
}

#[test]
fn a_pattern_that_fits_no_name_is_refused() {
    let check = |pattern: &str, expected: ParseNamePatternError| {
        assert_eq!(pattern.parse::<NamePattern>(), Err(expected), "{pattern}");
    };
    check("", ParseNamePatternError::Empty);
    check("^web", ParseNamePatternError::Character('^'));
    check("{web,db}-*", ParseNamePatternError::Character('{'));
    check("wéb", ParseNamePatternError::Character('é'));
    assert!("x".repeat(128).parse::<NamePattern>().is_ok());
    check(&"x".repeat(129), ParseNamePatternError::TooLong);
}
