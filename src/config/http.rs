//! `[http]`: where the service answers, and to whom.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use amiwarden_core::Duration;

use super::place::Stated;
use super::problem::Problem;
use super::reader::{Read, Section, duration, some_text, text};
use super::secret::SecretFile;
use super::tree::Node;
use super::validate::{Bases, copied_or};

/// Where the service answers, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where it listens.
    pub listen: Listen,
    /// The file that holds the token for the routes that change something. Without it, those are refused.
    pub token_file: Option<SecretFile>,
    /// So old the end of the last cycle may be for the service to call itself ready.
    pub ready_within: Duration,
}

/// Where the service listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address. Port 0 is any that is free.
    At(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("\"off\""),
            Self::At(address) => write!(f, "\"{address}\""),
        }
    }
}

/// What the file says of it.
#[derive(Debug)]
pub(super) struct RawHttp {
    listen: Stated<Listen>,
    token_file: Stated<String>,
    ready_within: Stated<Duration>,
}

/// On this machine only.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9464));

/// A day, for a service that runs daily, and some time to come to the end.
const DEFAULT_READY_WITHIN: Duration = Duration::from_minutes(26 * 60);

/// Reads the section.
pub(super) fn read(mut section: Section<'_>) -> RawHttp {
    let raw = RawHttp {
        listen: section.value("listen", listen),
        token_file: section.value("token_file", some_text),
        ready_within: section.value("ready_within", ready_within),
    };
    section.finish();
    raw
}

fn listen(node: Node) -> Read<Listen> {
    let place = node.place.clone();
    let text = text(node)?;
    let parsed = if text == "off" { Some(Listen::Off) } else { text.parse().ok().map(Listen::At) };
    parsed.ok_or_else(|| {
        let problem = Problem::new(&place, format!("`{text}` is no address to listen at"));
        problem.with_help(format!("write an IP address and a port, such as \"{DEFAULT_LISTEN}\", or \"off\""))
    })
}

fn ready_within(node: Node) -> Read<Duration> {
    let place = node.place.clone();
    let duration = duration(node)?;
    if duration > Duration::from_minutes(0) {
        return Ok(duration);
    }
    let problem = Problem::new(&place, "nothing would ever be ready");
    Err(problem.with_help("write the time between two cycles, and some more, such as \"26h\""))
}

/// What it comes to.
pub(super) fn settings(raw: &RawHttp, bases: &Bases<'_>) -> HttpConfig {
    HttpConfig {
        listen: copied_or(raw.listen.as_ref(), Listen::At(DEFAULT_LISTEN)),
        token_file: raw.token_file.as_ref().map(|it| bases.secret_file(it)),
        ready_within: copied_or(raw.ready_within.as_ref(), DEFAULT_READY_WITHIN),
    }
}
