//! The smallest HTTP client that can see a reply, a broken reply, and no reply.

use std::net::SocketAddr;

use amiwarden_sandbox::{Fleet, FleetImage, Sandbox, SandboxOptions};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "us-east-1";

/// The moment at which every sandbox of these tests starts.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// A fleet of images in the default account and Region.
pub(crate) fn fleet(images: impl IntoIterator<Item = FleetImage>) -> Fleet {
    Fleet { images: images.into_iter().collect(), ..Fleet::empty(ACCOUNT, REGION) }
}

pub(crate) async fn start(fleet: Fleet) -> Sandbox {
    start_with(SandboxOptions::new(fleet, now())).await
}

pub(crate) async fn start_with(options: SandboxOptions) -> Sandbox {
    Sandbox::start(options).await.unwrap()
}

/// The id of an image by its name.
pub(crate) fn id_of(sandbox: &Sandbox, name: &str) -> String {
    sandbox.cloud().image_named(name).unwrap().id
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Reply {
    /// The text of every element of a name, in order.
    pub(crate) fn texts(&self, element: &str) -> Vec<&str> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        self.body.split(&open).skip(1).map(|rest| rest.split(&close).next().unwrap()).collect()
    }

    /// The text of the only element of a name.
    pub(crate) fn text(&self, element: &str) -> &str {
        let texts = self.texts(element);
        assert_eq!(texts.len(), 1, "{element} in {}", self.body);
        texts[0]
    }

    /// Status and error code, `200 -` for a success.
    pub(crate) fn outcome(&self) -> String {
        let code = self.texts("Code");
        format!("{} {}", self.status, code.first().unwrap_or(&"-"))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.texts("nextToken").first().map(|token| (*token).to_owned())
    }
}

/// Sends a signed EC2 request for the default Region.
pub(crate) async fn send(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Reply {
    send_in(sandbox, REGION, parameters).await
}

/// Sends a signed EC2 request for a Region.
pub(crate) async fn send_in(sandbox: &Sandbox, region: &str, parameters: &[(&str, &str)]) -> Reply {
    let reply = exchange(sandbox.address(), Some(&signed(region, "ec2")), parameters).await;
    reply.unwrap()
}

/// Sends a signed request of AWS query to Auto Scaling in the default Region.
pub(crate) async fn send_auto_scaling(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Reply {
    let authorization = signed(REGION, "autoscaling");
    exchange(sandbox.address(), Some(&authorization), parameters).await.unwrap()
}

/// Sends a signed request to SNS in the default Region.
pub(crate) async fn send_sns(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> Reply {
    let authorization = signed(REGION, "sns");
    exchange(sandbox.address(), Some(&authorization), parameters).await.unwrap()
}

/// Sends a signed request of AWS JSON 1.1 to Systems Manager in the default Region.
pub(crate) async fn send_ssm(sandbox: &Sandbox, operation: &str, body: &str) -> Reply {
    let headers = format!(
        "Authorization: {}\r\nContent-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AmazonSSM.{operation}\r\n",
        signed(REGION, "ssm")
    );
    exchange_raw(sandbox.address(), "POST /", &headers, body).await.unwrap()
}

/// Sends a signed request of REST-JSON to the Recycle Bin in a Region; `target` is method and path.
pub(crate) async fn send_rbin(sandbox: &Sandbox, region: &str, target: &str, body: &str) -> Reply {
    try_send_rbin(sandbox, region, target, body).await.unwrap()
}

/// As [`send_rbin`], for replies that may break.
pub(crate) async fn try_send_rbin(
    sandbox: &Sandbox,
    region: &str,
    target: &str,
    body: &str,
) -> Result<Reply, Broken> {
    let authorization = signed(region, "rbin");
    let headers = format!("Authorization: {authorization}\r\nContent-Type: application/json\r\n");
    exchange_raw(sandbox.address(), target, &headers, body).await
}

/// An `Authorization` header such as SDKs send.
pub(crate) fn signed(region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/{region}/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=00"
    )
}

/// What went wrong on the way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection was reset before the head of the reply was complete.
    Reset,
    /// The connection was closed before the head of the reply was complete.
    NoReply,
    /// The body is shorter than announced.
    Truncated { announced: usize, received: usize },
}

/// One request on a connection of its own.
pub(crate) async fn exchange(
    address: SocketAddr,
    authorization: Option<&str>,
    parameters: &[(&str, &str)],
) -> Result<Reply, Broken> {
    let body = parameters
        .iter()
        .fold(form_urlencoded::Serializer::new(String::new()), |mut form, (name, value)| {
            form.append_pair(name, value);
            form
        })
        .finish();
    let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{authorization}");
    exchange_raw(address, "POST /", &headers, &body).await
}

/// As [`exchange`], of any method, path, headers (each with its line end) and body.
async fn exchange_raw(address: SocketAddr, target: &str, headers: &str, body: &str) -> Result<Reply, Broken> {
    let request = format!(
        "{target} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = Vec::new();
    let ended = stream.read_to_end(&mut received).await;
    match read_reply(&String::from_utf8(received).unwrap()) {
        Err(Broken::NoReply) if ended.is_err() => Err(Broken::Reset),
        reply => reply,
    }
}

fn read_reply(received: &str) -> Result<Reply, Broken> {
    let (head, body) = received.split_once("\r\n\r\n").ok_or(Broken::NoReply)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let announced = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned))
        .unwrap()
        .parse()
        .unwrap();
    if body.len() < announced {
        return Err(Broken::Truncated { announced, received: body.len() });
    }
    Ok(Reply { status, headers: head.to_lowercase(), body: body.to_owned() })
}
