//! A connection to the canned server, and the values that most tests use.

use std::time::Duration;

use amiwarden_core::{AccountId, ImageId, Region, Scope, TemplateVersions};
use amiwarden_ec2::{
    ConnectOptions, Connection, CredentialSource, Ec2Reader, Ec2Writer, RegionChoice, StaticCredentials,
    Timing, connect,
};

use crate::server::{Reply, Server};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const IMAGE: &str = "ami-0123456789abcdef0";

/// Long enough for a busy machine. No test waits for it: see [`IMPATIENT`].
const PATIENT: Timing = Timing {
    connect: Duration::from_secs(10),
    read: Duration::from_secs(20),
    attempt: Duration::from_secs(20),
    first_pause: Duration::from_millis(1),
    report_pause: Duration::from_millis(1),
};

/// For servers that never answer.
const IMPATIENT: Timing =
    Timing { read: Duration::from_millis(250), attempt: Duration::from_millis(300), ..PATIENT };

pub(crate) fn account() -> AccountId {
    ACCOUNT.parse().unwrap()
}

pub(crate) fn image_id() -> ImageId {
    ImageId::new(IMAGE)
}

pub(crate) fn scope() -> Scope {
    Scope { account: account(), region: Region::new(REGION) }
}

/// The options that lead to `url` and look at nothing else.
pub(crate) fn options(url: &str) -> ConnectOptions {
    ConnectOptions {
        regions: RegionChoice::Named(vec![Region::new(REGION)]),
        endpoint_url: Some(url.to_owned()),
        credentials: CredentialSource::Static(StaticCredentials::sandbox()),
        timing: PATIENT,
        ..ConnectOptions::default()
    }
}

/// What STS says.
pub(crate) fn caller_identity() -> Reply {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::{ACCOUNT}:user/test</Arn><UserId>AIDA</UserId><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    Reply::Whole(200, body)
}

async fn connection(server: &Server) -> Connection {
    connect(options(&server.url)).await.unwrap()
}

pub(crate) async fn reader(server: &Server) -> Ec2Reader {
    reader_to_depth(server, TemplateVersions::Pinned).await
}

pub(crate) async fn reader_to_depth(server: &Server, depth: TemplateVersions) -> Ec2Reader {
    connection(server).await.reader(&scope(), depth)
}

pub(crate) async fn writer(server: &Server) -> Ec2Writer {
    connection(server).await.writer(&scope())
}

/// A connection to a server that may fail by `reply`, which does not wait long if that never comes.
pub(crate) async fn connection_awaiting(server: &Server, reply: &Reply) -> Connection {
    let timing = if matches!(reply, Reply::Hang) { IMPATIENT } else { PATIENT };
    connect(ConnectOptions { timing, ..options(&server.url) }).await.unwrap()
}
