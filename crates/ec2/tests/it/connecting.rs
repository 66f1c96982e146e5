//! From options to a connection, and what is said when there is none.

use amiwarden_core::{Region, RunId, Scope};
use amiwarden_ec2::{ConnectError, ConnectOptions, RegionChoice, connect};

use crate::server::{Reply, Server};
use crate::setup::{REGION, account, options, scope};

fn regions(names: &[&str]) -> RegionChoice {
    RegionChoice::Named(names.iter().map(|name| Region::new(*name)).collect())
}

fn region_list(names: &[&str]) -> Reply {
    let items: Vec<_> =
        names.iter().map(|name| format!("<item><regionName>{name}</regionName></item>")).collect();
    let items = items.concat();
    Reply::ok("DescribeRegions", &format!("<regionInfo>{items}</regionInfo>"))
}

async fn fails(options: ConnectOptions) -> ConnectError {
    connect(options).await.unwrap_err()
}

#[tokio::test]
async fn the_account_is_the_one_that_sts_names() {
    let server = Server::scripted([]).await;
    let connection = connect(options(&server.url)).await.unwrap();
    assert_eq!(connection.account(), &account());
    assert_eq!(connection.scopes(), [scope()]);
    assert_eq!(server.requests(), [], "an endpoint of one's own may answer for any Region");
}

#[tokio::test]
async fn named_regions_keep_their_order_and_count_once() {
    let server = Server::scripted([]).await;
    let options =
        ConnectOptions { regions: regions(&["us-east-1", REGION, "us-east-1"]), ..options(&server.url) };
    let connection = connect(options).await.unwrap();
    let names: Vec<_> = connection.scopes().iter().map(|scope| scope.region.as_str().to_owned()).collect();
    assert_eq!(names, ["us-east-1", REGION]);
}

#[tokio::test]
async fn all_regions_are_those_that_are_enabled() {
    let server = Server::scripted([region_list(&["us-east-1", "eu-west-1"])]).await;
    let all = ConnectOptions { regions: RegionChoice::All, ..options(&server.url) };
    let connection = connect(all.clone()).await.unwrap();
    let scope = |region: &str| Scope { account: account(), region: Region::new(region) };
    assert_eq!(connection.scopes(), [scope("eu-west-1"), scope("us-east-1")]);
    let request = &server.requests()[0];
    assert_eq!(request.action, "DescribeRegions");
    assert!(!request.form.contains_key("AllRegions"));
    let server = Server::scripted([Reply::error(403, "UnauthorizedOperation", "No.")]).await;
    let error = fails(ConnectOptions { endpoint_url: Some(server.url.clone()), ..all }).await;
    assert!(error.to_string().contains("ec2:DescribeRegions"), "{error}");
}

#[tokio::test]
async fn a_region_that_is_none_is_named_with_the_remedy() {
    let server = Server::scripted([]).await;
    let options = |choice| ConnectOptions { regions: choice, ..options(&server.url) };
    for name in ["Ireland", "eu-west", "eu-west-1a", ""] {
        let error = fails(options(regions(&[REGION, name]))).await;
        let text = error.to_string();
        assert!(text.contains(&format!("`{name}`")) && text.contains("eu-west-1"), "{text}");
    }
    assert!(matches!(fails(options(regions(&[]))).await, ConnectError::NoRegionNamed));
    // Nothing is looked up for fixed credentials, so there is no default either.
    let error = fails(options(RegionChoice::Default)).await;
    assert!(matches!(error, ConnectError::NoRegion), "{error}");
    assert!(error.to_string().contains("--region"), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_nobody_serves_is_named() {
    let server = Server::scripted([]).await;
    server.close().await;
    let error = fails(options(&server.url)).await;
    assert!(matches!(error, ConnectError::EndpointUnreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&server.url), "{error}");
    for url in ["127.0.0.1:4566", "localhost", "", "http://", "ftp://127.0.0.1"] {
        let error = fails(options(url)).await;
        assert!(matches!(error, ConnectError::EndpointAddress { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn what_sts_refuses_is_told_apart() {
    async fn refused(reply: Reply) -> ConnectError {
        let server = Server::with_sts(reply).await;
        fails(options(&server.url)).await
    }
    /// STS nests its errors differently from EC2.
    fn sts_error(status: u16, code: &str) -> Reply {
        let body = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>words</Message></Error><RequestId>r</RequestId></ErrorResponse>"
        );
        Reply::Whole(status, body)
    }
    let expired = refused(sts_error(403, "ExpiredToken")).await;
    assert!(matches!(expired, ConnectError::ExpiredCredentials(_)), "{expired:?}");
    assert!(expired.to_string().contains("aws sso login"), "{expired}");
    let invalid = refused(sts_error(403, "InvalidClientTokenId")).await;
    assert!(matches!(invalid, ConnectError::CredentialsRefused { .. }), "{invalid:?}");
    assert!(invalid.to_string().contains(REGION), "{invalid}");
    let broken = refused(sts_error(500, "InternalFailure")).await;
    assert!(matches!(broken, ConnectError::Asking { .. }), "{broken:?}");
    let account = |text: &str| {
        let result = format!("<GetCallerIdentityResult>{text}</GetCallerIdentityResult>");
        Reply::Whole(200, format!("<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"))
    };
    let none = refused(account("")).await;
    assert!(matches!(none, ConnectError::NoAccount), "{none:?}");
    let odd = refused(account("<Account>me</Account>")).await;
    assert!(matches!(odd, ConnectError::Account(_)), "{odd:?}");
}

#[tokio::test]
async fn the_run_is_part_of_the_user_agent() {
    let server = Server::scripted([region_list(&[REGION])]).await;
    let with_run = |run: &str| ConnectOptions {
        regions: RegionChoice::All,
        run_id: Some(RunId::new(run)),
        ..options(&server.url)
    };
    connect(with_run("0190-abc")).await.unwrap();
    let agent = &server.requests()[0].headers["user-agent"];
    assert!(agent.contains("app/amiwarden-0190-abc"), "{agent}");
    let error = fails(with_run("not a token")).await;
    assert!(matches!(error, ConnectError::RunId { .. }), "{error:?}");
}
