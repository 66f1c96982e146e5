//! What is told, to whom, and what becomes of it.

mod delivery;
mod receiver;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{ActionKind, Because, Duration, ImageId, PolicyName, Region, RuleRef, Scope};

use super::deliver::Deliveries;
use super::*;
use crate::config::{Secret, SecretSource};
use crate::cycle::{Approaching, Notice};
use crate::store::StoreOptions;

/// A store in a directory of its own.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    async fn open(&self) -> Store {
        Store::open(&self.path("amiwarden.db"), StoreOptions::default()).await.unwrap()
    }
}

fn scope() -> Scope {
    Scope { account: "111122223333".parse().unwrap(), region: Region::new("us-east-1") }
}

fn because(reason: &str) -> Vec<Because> {
    let rule = RuleRef { name: "stale".to_owned(), line: 12 };
    vec![Because { policy: PolicyName::new("retire-stale"), rule, reason: reason.to_owned() }]
}

fn approaching(id: &str, owner: Option<&str>, due_in_days: u32) -> Approaching {
    let owners = owner.map(|owner| ("Owner".to_owned(), owner.to_owned()));
    Approaching {
        image_id: ImageId::new(id),
        name: Some(format!("{id}-name")),
        scope: scope(),
        action: ActionKind::Disable,
        due_on: jiff::civil::date(2026, 11, 21).saturating_add(jiff::Span::new().days(due_in_days)),
        due_in_days,
        because: because("no launch for 90 days"),
        owners: owners.into_iter().collect::<BTreeMap<_, _>>(),
    }
}

fn notice(id: &str, reason: &str) -> Notice {
    Notice { image_id: ImageId::new(id), name: None, scope: scope(), because: because(reason) }
}

fn notifier(name: &str, channel: Channel) -> NotifierConfig {
    NotifierConfig {
        name: name.to_owned(),
        channel,
        events: NotifyEvent::ALL.into(),
        timeout: Duration::from_seconds(1),
        attempts: 4,
        within_days: 7,
        owner_tag: "Owner".to_owned(),
    }
}

fn only(events: &[NotifyEvent], notifier: NotifierConfig) -> NotifierConfig {
    NotifierConfig { events: events.iter().copied().collect::<BTreeSet<_>>(), ..notifier }
}

fn written(url: &str) -> SecretSource {
    SecretSource::Written(Secret::new(url))
}

fn webhook(url: &str) -> Channel {
    Channel::Webhook { url: written(url), secret: None }
}

fn command(script: &str) -> Channel {
    Channel::Command { program: "/bin/sh".into(), arguments: vec!["-c".to_owned(), script.to_owned()] }
}

/// The time of the tests, which stands still.
fn now() -> Timestamp {
    Timestamp::from_second(1_780_000_000).unwrap()
}

fn notifiers(configured: &[NotifierConfig]) -> Notifiers {
    let surroundings = Surroundings { clock: now, delivery_id: Uuid::now_v7 };
    Notifiers::new(configured, None, surroundings).unwrap()
}
