//! Several accounts: assumed roles, an organization, and what cannot be reached.

use std::collections::BTreeSet;

use amiwarden_core::{
    AccountId, Call, CallErrorKind, CloudReader, CloudWriter, ImageId, Region, RunId, Scope, Source,
    TemplateVersions,
};
use amiwarden_ec2::{
    AccountOptions, ConnectError, ConnectOptions, Connection, OrganizationOptions, RegionChoice, connect,
};
use amiwarden_sandbox::{Fault, FaultKind, Fleet, Sandbox, SandboxOptions};

use crate::setup::options;

const FLEET: &str = r#"{
  "schema": 1, "account": "111122223333", "region": "eu-west-1", "regions": ["us-east-1"],
  "accounts": [
    { "id": "111122223333" },
    { "id": "222233334444", "role": "amiwarden", "external_id": "our-id" },
    { "id": "333344445555", "role": "amiwarden" },
    { "id": "444455556666", "role": "amiwarden", "status": "SUSPENDED" }
  ],
  "images": [
    { "name": "own" }, { "name": "of-two", "account": "222233334444" },
    { "name": "of-three", "account": "333344445555" }
  ],
  "instances": [{ "image": "own", "account": "222233334444" }]
}"#;

const OWN: &str = "111122223333";
const TWO: &str = "222233334444";
const THREE: &str = "333344445555";

async fn sandbox() -> Sandbox {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let mut options = SandboxOptions::new(Fleet::from_json(FLEET).unwrap(), now);
    options.page_size_max = 2;
    Sandbox::start(options).await.unwrap()
}

fn id(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn scope(account: &str) -> Scope {
    Scope { account: id(account), region: Region::new("eu-west-1") }
}

fn account(account: &str, role: Option<&str>, external_id: Option<&str>) -> AccountOptions {
    AccountOptions {
        account: id(account),
        role: role.map(str::to_owned),
        external_id: external_id.map(str::to_owned),
        regions: None,
    }
}

/// The account of the credentials and these.
fn with(sandbox: &Sandbox, others: &[AccountOptions]) -> ConnectOptions {
    let mut accounts = vec![account(OWN, None, None)];
    accounts.extend_from_slice(others);
    ConnectOptions { accounts, run_id: Some(RunId::new("run-1")), ..options(&sandbox.endpoint_url()) }
}

fn organization(sandbox: &Sandbox) -> ConnectOptions {
    let organization = OrganizationOptions {
        role: "amiwarden".to_owned(),
        external_id: Some("our-id".to_owned()),
        include: BTreeSet::new(),
        exclude: BTreeSet::new(),
    };
    ConnectOptions { organization: Some(organization), ..options(&sandbox.endpoint_url()) }
}

fn accounts(connection: &Connection) -> Vec<String> {
    connection.scopes().iter().map(|scope| scope.account.to_string()).collect()
}

async fn names(connection: &Connection, account: &str) -> Vec<String> {
    let listing = connection.reader(&scope(account), TemplateVersions::Pinned).images().await;
    assert_eq!(listing.gap, None, "{account}");
    listing.items.into_iter().filter_map(|image| image.name).collect()
}

fn reason(connection: &Connection, account: &str) -> String {
    let mut reasons = connection.unreached().filter(|(scope, _)| scope.account == id(account));
    let (_, reason) = reasons.next().unwrap();
    reason.to_owned()
}

#[tokio::test]
async fn each_account_is_read_and_changed_with_a_session_of_its_own() {
    let sandbox = sandbox().await;
    let arn = format!("arn:aws:iam::{TWO}:role/amiwarden");
    let others = [account(TWO, Some(&arn), Some("our-id")), account(THREE, Some("amiwarden"), None)];
    let connection = connect(with(&sandbox, &others)).await.unwrap();
    assert_eq!(connection.unreached().count(), 0);
    assert_eq!(accounts(&connection), [OWN, TWO, THREE]);
    for (account, name) in [(OWN, "own"), (TWO, "of-two"), (THREE, "of-three")] {
        assert_eq!(names(&connection, account).await, [name]);
    }
    let reader = connection.reader(&scope(TWO), TemplateVersions::Pinned);
    let uses = reader.uses(Source::Instances).await;
    assert_eq!(uses.items[0].image.as_str(), sandbox.cloud().image_named("own").unwrap().id);
    let image = reader.images().await.items.remove(0).id;
    connection.writer(&scope(TWO)).execute(&image, &Call::DisableImage).await.unwrap();
    assert_eq!(sandbox.cloud().image_of(TWO, image.as_str()).unwrap().state.as_str(), "disabled");
}

#[tokio::test]
async fn the_run_names_the_sessions_and_the_user_agent_and_each_run_has_its_own() {
    let sandbox = sandbox().await;
    let connection = connect(with(&sandbox, &[account(THREE, Some("amiwarden"), None)])).await.unwrap();
    let assumed = |sandbox: &Sandbox| -> Vec<(String, String)> {
        let requests = sandbox.cloud().requests().into_iter();
        let assumed = requests.filter(|request| request.action == "AssumeRole");
        assumed.map(|request| (request.parameters["RoleSessionName"].clone(), request.user_agent)).collect()
    };
    let first = assumed(&sandbox);
    assert_eq!(first.len(), 1, "one session for a run: {first:?}");
    assert!(first[0].0 == "amiwarden-run-1" && first[0].1.contains("app/amiwarden-run-1"), "{first:?}");
    sandbox.cloud().forget_requests();
    let next = connection.for_run(&RunId::new("run-2")).await.unwrap();
    for account in [OWN, THREE] {
        names(&next, account).await;
        names(&next, account).await;
    }
    let second = assumed(&sandbox);
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(second[0].0, "amiwarden-run-2");
    let agents = sandbox.cloud().requests().into_iter().map(|request| request.user_agent);
    for agent in agents {
        assert!(agent.contains("app/amiwarden-run-2"), "{agent}");
    }
}

#[tokio::test]
async fn one_account_alone_costs_no_request_for_another_run() {
    let sandbox = sandbox().await;
    let connection = connect(options(&sandbox.endpoint_url())).await.unwrap();
    sandbox.cloud().forget_requests();
    let next = connection.for_run(&RunId::new("run-2")).await.unwrap();
    assert_eq!(sandbox.cloud().requests(), []);
    names(&next, OWN).await;
    assert!(sandbox.cloud().requests()[0].user_agent.contains("app/amiwarden-run-2"));
}

#[tokio::test]
async fn an_account_that_cannot_be_reached_stops_no_other_and_says_why() {
    let sandbox = sandbox().await;
    let check = async |other: AccountOptions, expected: &[&str]| {
        let connection = connect(with(&sandbox, std::slice::from_ref(&other))).await.unwrap();
        assert_eq!(names(&connection, OWN).await, ["own"]);
        let reason = reason(&connection, other.account.as_str());
        for part in expected {
            assert!(reason.contains(part), "{part}: {reason}");
        }
        let scope = Scope { account: other.account, region: Region::new("eu-west-1") };
        let reader = connection.reader(&scope, TemplateVersions::Pinned);
        for gap in [reader.images().await.gap, reader.uses(Source::Instances).await.gap.clone()] {
            assert_eq!(gap.unwrap().reason, reason);
        }
        let writer = connection.writer(&scope);
        let image = ImageId::new("ami-0123456789abcdef0");
        let error = writer.execute(&image, &Call::DisableImage).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Denied);
        assert_eq!((reader.calls_sent(), writer.calls_sent()), (0, 0));
    };
    let role = "arn:aws:iam::222233334444:role/amiwarden";
    check(account(TWO, Some("amiwarden"), None), &[role, "cannot be assumed", "AccessDenied"]).await;
    check(account(TWO, Some("amiwarden"), Some("wrong")), &["cannot be assumed"]).await;
    check(account(TWO, Some("other"), Some("our-id")), &["role/other cannot be assumed"]).await;
    check(account(TWO, None, None), &["no role to assume in account 222233334444"]).await;
    check(account("444455556666", Some("amiwarden"), None), &["cannot be assumed"]).await;
    let arn = format!("arn:aws:iam::{THREE}:role/amiwarden");
    check(account(TWO, Some(&arn), None), &["is one of account 333344445555, not of 222233334444"]).await;
    sandbox.cloud().inject(Fault::new("AssumeRole", FaultKind::Denied).account(THREE).every_time());
    check(account(THREE, Some("amiwarden"), None), &["cannot be assumed", "not authorized"]).await;
}

#[tokio::test]
async fn where_no_account_can_be_reached_there_is_no_connection() {
    let sandbox = sandbox().await;
    let accounts = vec![account(TWO, Some("amiwarden"), None), account(THREE, Some("none"), None)];
    let error = connect(ConnectOptions { accounts, ..options(&sandbox.endpoint_url()) }).await.unwrap_err();
    assert!(matches!(&error, ConnectError::NoAccountReached { reasons } if reasons.len() == 2), "{error:?}");
    assert!(error.to_string().contains(TWO) && error.to_string().contains(THREE), "{error}");
}

#[tokio::test]
async fn the_accounts_of_an_organization_are_found_page_by_page() {
    let sandbox = sandbox().await;
    let connection = connect(organization(&sandbox)).await.unwrap();
    // The suspended one is not among them.
    assert_eq!(accounts(&connection), [OWN, TWO, THREE]);
    assert_eq!((connection.unreached().count(), connection.unlisted()), (0, None));
    let pages = sandbox.cloud().requests().into_iter().filter(|request| request.action == "ListAccounts");
    assert_eq!(pages.count(), 2);
    let mut narrow = organization(&sandbox);
    narrow.organization.as_mut().unwrap().exclude = [id(TWO)].into();
    assert_eq!(accounts(&connect(narrow).await.unwrap()), [OWN, THREE]);
}

#[tokio::test]
async fn an_organization_that_cannot_be_listed_leaves_what_is_known_and_a_doubt() {
    for (kind, nth) in [(FaultKind::Denied, 1), (FaultKind::Denied, 2), (FaultKind::RepeatedToken, 1)] {
        let sandbox = sandbox().await;
        let fault = Fault::new("ListAccounts", kind);
        sandbox.cloud().inject(if nth == 1 { fault.every_time() } else { fault.nth(nth) });
        let connection = connect(organization(&sandbox)).await.unwrap();
        let unlisted = connection.unlisted().unwrap();
        assert!(unlisted.starts_with("the accounts of the organization cannot be listed"), "{unlisted}");
        assert!(accounts(&connection).contains(&OWN.to_owned()), "{kind:?} {nth}");
        assert_eq!(names(&connection, OWN).await, ["own"]);
    }
}

#[tokio::test]
async fn all_regions_are_those_of_each_account() {
    let sandbox = sandbox().await;
    let mut other = account(THREE, Some("amiwarden"), None);
    other.regions = Some(RegionChoice::All);
    let connection = connect(with(&sandbox, &[other])).await.unwrap();
    let shown: Vec<String> = connection.scopes().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["111122223333/eu-west-1", "333344445555/eu-west-1", "333344445555/us-east-1"]);
}
