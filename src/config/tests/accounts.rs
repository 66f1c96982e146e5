//! `[[account]]` and `[organization]`.

use amiwarden_core::Region;

use super::super::*;
use super::Fixture;
use super::problems::{check, problems};

#[test]
fn accounts_are_read_in_their_order() {
    let aws = Fixture::with_file(
        r#"
        [[account]]
        id = "222233334444"
        role = "ops/amiwarden"
        external_id = "our-secret:1"
        regions = ["eu-west-1"]
        [[account]]
        id = "111122223333"
        [[account]]
        id = "333344445555"
        role = "arn:aws-us-gov:iam::333344445555:role/amiwarden"
        regions = "all"
        "#,
    )
    .loaded()
    .aws;
    let account = |id: &str, role: Option<&str>, regions| AccountConfig {
        id: id.parse().unwrap(),
        role: role.map(str::to_owned),
        external_id: None,
        regions,
    };
    let first = account(
        "222233334444",
        Some("ops/amiwarden"),
        Some(RegionChoice::Named(vec![Region::new("eu-west-1")])),
    );
    let expected = [
        AccountConfig { external_id: Some("our-secret:1".to_owned()), ..first },
        account("111122223333", None, None),
        account(
            "333344445555",
            Some("arn:aws-us-gov:iam::333344445555:role/amiwarden"),
            Some(RegionChoice::All),
        ),
    ];
    assert_eq!((aws.accounts.as_slice(), aws.organization), (&expected[..], None));
}

#[test]
fn an_organization_has_one_role_for_all_its_accounts() {
    let organization = |text: &str| Fixture::with_file(text).loaded().aws.organization;
    let plain = OrganizationConfig {
        role: "amiwarden".to_owned(),
        external_id: None,
        include: BTreeSet::new(),
        exclude: BTreeSet::new(),
    };
    assert_eq!(organization("[organization]\nenabled = true"), Some(plain.clone()));
    assert_eq!(organization("[organization]\nenabled = false\nrole = \"other\""), None);
    let by_variable = Fixture::new().variable("AMIWARDEN_ORGANIZATION__ENABLED", "true").loaded();
    assert_eq!(by_variable.aws.organization, Some(plain));
    let narrowed = organization(
        "[organization]\nenabled = true\nrole = \"ops\"\nexternal_id = \"xy\"\ninclude = [\"111122223333\"]\n\
         exclude = [\"222233334444\"]",
    )
    .unwrap();
    assert_eq!((narrowed.role.as_str(), narrowed.external_id.as_deref()), ("ops", Some("xy")));
    assert_eq!((narrowed.include.len(), narrowed.exclude.len()), (1, 1));
}

#[test]
fn what_cannot_be_meant_is_refused_where_it_stands() {
    let account = |rest: &str| format!("[[account]]\nid = \"111122223333\"\n{rest}");
    check(
        "[[account]]\nrole = \"x\"",
        "amiwarden.toml:1:1: this [[account]] does not say which account it is",
    );
    check(
        "[[account]]\nid = \"1234\"",
        "amiwarden.toml:2:6: `1234` is not an AWS account id: twelve digits are expected",
    );
    check(
        &account("role = \"arn:aws:iam::222233334444:role/amiwarden\""),
        "amiwarden.toml:3:8: this role is one of account 222233334444, not of 111122223333",
    );
    for role in
        ["arn:aws:iam::111122223333:user/me", "arn:aws:s3:::bucket", "a b", "role/", "arn:aws:iam::1:role/x"]
    {
        check(
            &account(&format!("role = \"{role}\"")),
            &format!("amiwarden.toml:3:8: `{role}` is neither the name nor the ARN of a role"),
        );
    }
    check(&account("external_id = \"ab\""), "amiwarden.toml:3:15: an external id without a role to assume");
    check(&account("role = \"x\"\nexternal_id = \"a\""), "amiwarden.toml:4:15: this is no external id");
    check(&account("regions = []"), "amiwarden.toml:3:11: this names no Region");
    check(
        "[organization]\nenabled = true\nrole = \"arn:aws:iam::111122223333:role/x\"",
        "amiwarden.toml:3:8: an ARN names a role of one account only",
    );
    check(
        "[organization]\nrole = \"x\"",
        "amiwarden.toml:2:8: the organization is not looked at, so this has no effect",
    );
    check(
        "[organization]\nenabled = true\ninclude = [\"111122223333\"]\nexclude = [\"111122223333\"]",
        "amiwarden.toml:3:12: account 111122223333 is excluded, too",
    );
}

#[test]
fn an_account_that_is_named_twice_is_told_where() {
    let twice = "[[account]]\nid = \"111122223333\"\n[[account]]\nid = \"111122223333\"\nrol = \"x\"";
    let text = problems(&Fixture::with_file(twice));
    for part in [
        "amiwarden.toml:4:6: account 111122223333 has an [[account]] already",
        "the first is at amiwarden.toml:2:6",
        "unknown key `rol` in [[account]]",
        "did you mean `role`?",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
