//! `[[notify]]`: who is told of what, and how they are reached.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use amiwarden_core::Duration;

use super::place::{Place, Placed, Stated};
use super::problem::{Problem, enumerate};
use super::reader::{Read, Section, count, duration, list, some_text, text, word};
use super::secret::{Secret, SecretFile, SecretSource};
use super::tree::Node;
use super::validate::{Bases, copied_or};

/// Somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifierConfig {
    /// Its name, which no other has. What is to be delivered is kept under it.
    pub name: String,
    /// How it is reached.
    pub channel: Channel,
    /// What it wants to be told of. At least one.
    pub events: BTreeSet<NotifyEvent>,
    /// So long one attempt may take: 1 second to 5 minutes.
    pub timeout: Duration,
    /// After so many failed attempts a notification is given up: 1 to 20.
    pub attempts: u32,
    /// So many days ahead it is told of images that approach their end: 1 to 90.
    pub within_days: u32,
    /// The tag whose value says whose image it is.
    pub owner_tag: String,
}

/// What somebody can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotifyEvent {
    /// A run has planned changes and carried out none, because it only observes.
    PlanReady,
    /// A run has carried out changes, or tried to.
    Done,
    /// A guard has found something wrong with a whole scope: a person has to look.
    GuardTripped,
    /// A run has failed, or something in it has.
    RunFailed,
    /// Images will be disabled or deregistered within the next days.
    Approaching,
}

/// How somebody is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A POST of JSON.
    Webhook {
        /// Where to. What it holds may be secret.
        url: SecretSource,
        /// What the request is signed with, if it is.
        secret: Option<SecretFile>,
    },
    /// An incoming webhook of Slack, or of what speaks like it.
    Slack {
        /// Where to. Whoever knows it may post.
        url: SecretSource,
    },
    /// A topic of SNS.
    Sns {
        /// The topic's ARN.
        topic_arn: String,
    },
    /// A program.
    Command {
        /// Its file.
        program: PathBuf,
        /// What it is called with.
        arguments: Vec<String>,
    },
}

impl NotifyEvent {
    /// Every event.
    pub const ALL: [Self; 5] =
        [Self::PlanReady, Self::Done, Self::GuardTripped, Self::RunFailed, Self::Approaching];

    /// Its name in the configuration and in what is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PlanReady => "plan-ready",
            Self::Done => "done",
            Self::GuardTripped => "guard-tripped",
            Self::RunFailed => "run-failed",
            Self::Approaching => "approaching",
        }
    }
}

impl Channel {
    /// Its name in the configuration, and in the store beside what was made for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Sns { .. } => "sns",
            Self::Command { .. } => "command",
        }
    }
}

const DEFAULT_TIMEOUT_SECONDS: i64 = 10;
const TIMEOUT_SECONDS_MAX: i64 = 300;
const DEFAULT_ATTEMPTS: u32 = 8;
const ATTEMPTS_MAX: u32 = 20;
const DEFAULT_WITHIN_DAYS: u32 = 7;
const WITHIN_DAYS_MAX: u32 = 90;
const DEFAULT_OWNER_TAG: &str = "Owner";

/// Notifiers beyond this are a mistake.
const NOTIFIERS_MAX: usize = 50;
const NAME_CHARACTERS_MAX: usize = 64;
const SECONDS_A_DAY: i64 = 86_400;

/// The kinds, as the file names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Webhook,
    Slack,
    Sns,
    Command,
}

const KINDS: [(&str, Kind); 4] =
    [("webhook", Kind::Webhook), ("slack", Kind::Slack), ("sns", Kind::Sns), ("command", Kind::Command)];

/// One `[[notify]]`.
#[derive(Debug)]
pub(super) struct RawNotifier {
    /// Where it begins.
    place: Place,
    /// Whether something in it could not be read. Then what seems to be missing may be just that.
    is_faulty: bool,
    name: Stated<String>,
    kind: Stated<Kind>,
    events: Option<Vec<Placed<NotifyEvent>>>,
    url: Stated<Secret>,
    url_file: Stated<String>,
    secret_file: Stated<String>,
    topic_arn: Stated<String>,
    command: Option<Vec<Placed<String>>>,
    timeout: Stated<Duration>,
    attempts: Stated<u32>,
    within: Stated<u32>,
    owner_tag: Stated<String>,
}

/// Reads every `[[notify]]`.
pub(super) fn read(top: &mut Section<'_>) -> Vec<RawNotifier> {
    let Some(tables) = top.value("notify", list) else { return Vec::new() };
    if tables.value.len() > NOTIFIERS_MAX {
        let message = format!("{} notifiers are too many: {NOTIFIERS_MAX} at most", tables.value.len());
        top.complain(Problem::new(&tables.place, message));
    }
    tables.value.into_iter().filter_map(|node| notifier(node, top.problems())).collect()
}

fn notifier(node: Node, problems: &mut Vec<Problem>) -> Option<RawNotifier> {
    let place = node.place.clone();
    let before = problems.len();
    let mut section = Section::of_node("[[notify]]", node, problems)?;
    let raw = RawNotifier {
        place,
        is_faulty: false,
        name: section.value("name", name),
        kind: section.value("kind", word(&KINDS)),
        events: events(&mut section),
        url: section.value("url", |node| text(node).map(Secret::new)),
        url_file: section.value("url_file", some_text),
        secret_file: section.value("secret_file", some_text),
        topic_arn: section.value("topic_arn", topic_arn),
        command: command(&mut section),
        timeout: section.value("timeout", timeout),
        attempts: section.value("attempts", count(1, ATTEMPTS_MAX)),
        within: section.value("within", within_days),
        owner_tag: section.value("owner_tag", some_text),
    };
    section.finish();
    Some(RawNotifier { is_faulty: problems.len() > before, ..raw })
}

fn name(node: Node) -> Read<String> {
    let place = node.place.clone();
    let name = some_text(node)?;
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if name.len() <= NAME_CHARACTERS_MAX && name.chars().all(fits) {
        return Ok(name);
    }
    let message = format!(
        "a notifier's name is up to {NAME_CHARACTERS_MAX} letters, digits, `-`, `_` and `.`, such as `ops-slack`"
    );
    Err(Problem::new(&place, message))
}

fn events(section: &mut Section<'_>) -> Option<Vec<Placed<NotifyEvent>>> {
    let node = section.node("events")?;
    let names = NotifyEvent::ALL.map(|event| (event.as_str(), event));
    let empty = |place: &Place| {
        Problem::new(place, "this names no event").with_help("leave the key out to be told of every event")
    };
    section.some_items(node, empty, |node| word(&names)(node))
}

fn command(section: &mut Section<'_>) -> Option<Vec<Placed<String>>> {
    let node = section.node("command")?;
    let empty = |place: &Place| {
        let help = "write the program and its arguments, such as `[\"/usr/local/bin/tell\", \"--now\"]`";
        Problem::new(place, "this names no program").with_help(help)
    };
    section.some_items(node, empty, text)
}

/// `arn:aws:sns:eu-west-1:111122223333:name`, in whatever partition.
fn topic_arn(node: Node) -> Read<String> {
    let place = node.place.clone();
    let arn = text(node)?;
    let parts: Vec<&str> = arn.split(':').collect();
    let is_topic = match parts[..] {
        ["arn", partition, "sns", region, account, topic] => {
            let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
            !partition.is_empty() && !region.is_empty() && is_account && !topic.is_empty()
        }
        _ => false,
    };
    if is_topic {
        return Ok(arn);
    }
    let problem = Problem::new(&place, "this is not the ARN of an SNS topic");
    Err(problem.with_help("it looks like `arn:aws:sns:eu-west-1:111122223333:images`"))
}

fn timeout(node: Node) -> Read<Duration> {
    let place = node.place.clone();
    let timeout = duration(node)?;
    if (1..=TIMEOUT_SECONDS_MAX).contains(&timeout.as_seconds()) {
        return Ok(timeout);
    }
    let message = format!("{} is out of range: `1s` to `5m` is expected", timeout.compact());
    Err(Problem::new(&place, message))
}

fn within_days(node: Node) -> Read<u32> {
    let place = node.place.clone();
    let within = duration(node)?;
    let whole = (within.as_seconds() % SECONDS_A_DAY == 0).then(|| within.as_seconds() / SECONDS_A_DAY);
    let days = whole.and_then(|days| u32::try_from(days).ok());
    days.filter(|days| (1..=WITHIN_DAYS_MAX).contains(days)).ok_or_else(|| {
        let message = format!(
            "{} is out of range: whole days, `1d` to `{WITHIN_DAYS_MAX}d`, are expected",
            within.compact()
        );
        Problem::new(&place, message)
    })
}

/// The notifiers that `raw` comes to.
pub(super) fn notifiers(
    raw: Vec<RawNotifier>,
    bases: &Bases<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<NotifierConfig> {
    let mut notifiers: Vec<(NotifierConfig, Place)> = Vec::new();
    for raw in raw {
        let Some((notifier, place)) = notifier_of(&raw, bases, problems) else { continue };
        match notifiers.iter().find(|(other, _)| other.name == notifier.name) {
            None => notifiers.push((notifier, place)),
            Some((first, at)) => {
                let message = format!("there is a notifier `{}` already", first.name);
                let help = format!("the first is at {at}: each has a name of its own");
                problems.push(Problem::new(&place, message).with_help(help));
            }
        }
    }
    notifiers.into_iter().map(|(notifier, _)| notifier).collect()
}

fn notifier_of(
    raw: &RawNotifier,
    bases: &Bases<'_>,
    problems: &mut Vec<Problem>,
) -> Option<(NotifierConfig, Place)> {
    let name = raw.required(raw.name.as_ref(), "name", "name = \"ops\"", problems);
    let kind = raw.required(raw.kind.as_ref(), "kind", "kind = \"webhook\"", problems);
    let events: BTreeSet<NotifyEvent> = match &raw.events {
        Some(events) => events.iter().map(|event| event.value).collect(),
        None => NotifyEvent::ALL.into(),
    };
    if !events.contains(&NotifyEvent::Approaching) {
        let stated = [("within", place(raw.within.as_ref())), ("owner_tag", place(raw.owner_tag.as_ref()))];
        for (key, place) in stated {
            let Some(place) = place else { continue };
            let message = format!("`{key}` is about images that are approaching, of which it is not told");
            problems.push(Problem::new(place, message).with_help("add \"approaching\" to its events"));
        }
    }
    let before = problems.len();
    let channel = channel(raw, kind?.value, bases, problems);
    let name = name.filter(|_| problems.len() == before)?;
    let default_timeout = Duration::from_seconds(DEFAULT_TIMEOUT_SECONDS);
    let notifier = NotifierConfig {
        name: name.value.clone(),
        channel: channel?,
        events,
        timeout: copied_or(raw.timeout.as_ref(), default_timeout),
        attempts: copied_or(raw.attempts.as_ref(), DEFAULT_ATTEMPTS),
        within_days: copied_or(raw.within.as_ref(), DEFAULT_WITHIN_DAYS),
        owner_tag: raw.owner_tag.as_ref().map_or(DEFAULT_OWNER_TAG, |tag| &tag.value).to_owned(),
    };
    Some((notifier, name.place.clone()))
}

fn place<T>(stated: Option<&Placed<T>>) -> Option<&Place> {
    stated.map(|stated| &stated.place)
}

impl RawNotifier {
    /// What has to be stated, or a problem.
    fn required<'a, T>(
        &self,
        stated: Option<&'a Placed<T>>,
        key: &str,
        example: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<&'a Placed<T>> {
        if stated.is_none() && !self.is_faulty {
            let problem = Problem::new(&self.place, format!("this [[notify]] has no `{key}`"));
            problems.push(problem.with_help(format!("add one, such as `{example}`")));
        }
        stated
    }
}

/// How the notifier is reached. A key of another kind is a mistake, and so is one that is missing.
fn channel(raw: &RawNotifier, kind: Kind, bases: &Bases<'_>, problems: &mut Vec<Problem>) -> Option<Channel> {
    let known: &[&str] = match kind {
        Kind::Webhook => &["url", "url_file", "secret_file"],
        Kind::Slack => &["url", "url_file"],
        Kind::Sns => &["topic_arn"],
        Kind::Command => &["command"],
    };
    let stated = [
        ("url", place(raw.url.as_ref())),
        ("url_file", place(raw.url_file.as_ref())),
        ("secret_file", place(raw.secret_file.as_ref())),
        ("topic_arn", place(raw.topic_arn.as_ref())),
        ("command", raw.command.as_ref().and_then(|command| command.first()).map(|first| &first.place)),
    ];
    let word = KINDS.iter().find(|(_, other)| *other == kind).map_or("", |(word, _)| word);
    for (key, place) in stated {
        if let Some(place) = place.filter(|_| !known.contains(&key)) {
            let problem = Problem::new(place, format!("`{key}` is no key of a notifier of kind `{word}`"));
            problems.push(problem.with_help(format!("known for it: {}", enumerate(known, "and"))));
        }
    }
    match kind {
        Kind::Webhook => Some(Channel::Webhook {
            url: url(raw, bases, Plain::Anywhere, problems)?,
            secret: raw.secret_file.as_ref().map(|file| bases.secret_file(file)),
        }),
        Kind::Slack => Some(Channel::Slack { url: url(raw, bases, Plain::ThisMachine, problems)? }),
        Kind::Sns => {
            let example = "topic_arn = \"arn:aws:sns:eu-west-1:111122223333:images\"";
            let topic = raw.required(raw.topic_arn.as_ref(), "topic_arn", example, problems)?;
            Some(Channel::Sns { topic_arn: topic.value.clone() })
        }
        Kind::Command => program(raw, problems),
    }
}

/// Where a URL may do without encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    Anywhere,
    ThisMachine,
}

fn url(
    raw: &RawNotifier,
    bases: &Bases<'_>,
    plain: Plain,
    problems: &mut Vec<Problem>,
) -> Option<SecretSource> {
    match (&raw.url, &raw.url_file) {
        (Some(url), None) => match url_fault(url.value.expose(), plain == Plain::Anywhere) {
            None => Some(SecretSource::Written(url.value.clone())),
            Some(fault) => {
                problems.push(Problem::new(&url.place, fault));
                None
            }
        },
        (None, Some(file)) => Some(SecretSource::File(bases.secret_file(file))),
        (Some(_), Some(file)) => {
            let problem = Problem::new(&file.place, "there is a `url` and a `url_file`");
            problems.push(problem.with_help("keep the file, and take the `url` out"));
            None
        }
        (None, None) => {
            if !raw.is_faulty {
                let problem = Problem::new(&raw.place, "this [[notify]] does not say where to send to");
                problems.push(problem.with_help("add `url_file = \"…\"`, or `url = \"https://…\"`"));
            }
            None
        }
    }
}

/// What is wrong with a URL, without a word of it; none when nothing is.
pub(crate) fn url_fault(url: &str, may_be_plain: bool) -> Option<&'static str> {
    let Ok(url) = reqwest::Url::parse(url) else { return Some("this is no URL, such as `https://…`") };
    let host = url.host_str().unwrap_or("").trim_matches(['[', ']']);
    let is_here =
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match url.scheme() {
        _ if host.is_empty() => Some("this URL names no host"),
        "https" => None,
        "http" if may_be_plain || is_here => None,
        "http" => Some("this URL is a secret, and without `https` everybody on the way can read it"),
        _ => Some("this URL has to begin with `https://`"),
    }
}

fn program(raw: &RawNotifier, problems: &mut Vec<Problem>) -> Option<Channel> {
    let example = "command = [\"/usr/local/bin/tell\"]";
    let first = raw.command.as_ref().and_then(|command| command.first());
    let program = raw.required(first, "command", example, problems)?;
    if !Path::new(&program.value).is_absolute() {
        let problem = Problem::new(&program.place, "the program is named without its directory");
        problems.push(problem.with_help("write its whole path, such as `/usr/local/bin/tell`"));
        return None;
    }
    let arguments = raw.command.iter().flatten().skip(1).map(|argument| argument.value.clone()).collect();
    Some(Channel::Command { program: program.value.clone().into(), arguments })
}
