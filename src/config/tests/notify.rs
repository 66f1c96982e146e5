//! `[[notify]]`.

use amiwarden_core::Duration;

use super::super::*;
use super::Fixture;
use super::problems::{check, messages, problems};

fn only(text: &str) -> NotifierConfig {
    let mut notify = Fixture::with_file(text).loaded().notify;
    assert_eq!(notify.len(), 1, "{text}");
    notify.remove(0)
}

#[test]
fn every_kind_is_read_with_its_defaults() {
    let fixture = Fixture::with_file(
        r#"
        [[notify]]
        name = "ops"
        kind = "webhook"
        url = "http://alerts.internal:8080/in"
        secret_file = "keys/ops"
        events = ["done", "approaching"]
        timeout = "30s"
        attempts = 3
        within = "30d"
        owner_tag = "Team"
        [[notify]]
        name = "chat.1"
        kind = "slack"
        url_file = "/run/secrets/hook"
        [[notify]]
        name = "topic"
        kind = "sns"
        topic_arn = "arn:aws-us-gov:sns:us-gov-west-1:111122223333:images"
        [[notify]]
        name = "pager"
        kind = "command"
        command = ["/usr/local/bin/page", "--quiet", ""]
        "#,
    );
    let [ops, chat, topic, pager] = &fixture.loaded().notify[..] else { panic!("four are expected") };
    let Channel::Webhook { url, secret: Some(_) } = &ops.channel else { panic!("{ops:?}") };
    assert_eq!(url.read().unwrap().expose(), "http://alerts.internal:8080/in");
    assert_eq!(ops.events, [NotifyEvent::Done, NotifyEvent::Approaching].into());
    let own = (ops.timeout, ops.attempts, ops.within_days, ops.owner_tag.as_str());
    assert_eq!(own, (Duration::from_seconds(30), 3, 30, "Team"));
    assert!(matches!(&chat.channel, Channel::Slack { url: SecretSource::File(_) }), "{chat:?}");
    assert_eq!(chat.events, NotifyEvent::ALL.into());
    let default = (chat.timeout, chat.attempts, chat.within_days, chat.owner_tag.as_str());
    assert_eq!(default, (Duration::from_seconds(10), 8, 7, "Owner"));
    assert!(matches!(&topic.channel, Channel::Sns { topic_arn } if topic_arn.ends_with(":images")));
    let Channel::Command { program, arguments } = &pager.channel else { panic!("{pager:?}") };
    assert_eq!(
        (program.to_str(), &arguments[..]),
        (Some("/usr/local/bin/page"), &["--quiet".to_owned(), String::new()][..])
    );
    assert!(Fixture::with_file("").loaded().notify.is_empty());
}

#[test]
fn a_relative_file_is_a_credential_or_lies_beside_the_configuration() {
    let file = "[[notify]]\nname = \"a\"\nkind = \"slack\"\nurl_file = \"hook\"\n";
    let credentials = tempfile::tempdir().unwrap();
    let read = |fixture: &Fixture| match &fixture.loaded().notify[0].channel {
        Channel::Slack { url } => url.read().map(|secret| secret.expose().to_owned()),
        other => panic!("{other:?}"),
    };
    let fixture = Fixture::with_file(file).and_file("hook", "https://beside\n");
    assert_eq!(read(&fixture).unwrap(), "https://beside");
    let fixture = fixture.variable("CREDENTIALS_DIRECTORY", credentials.path().to_str().unwrap());
    assert_eq!(read(&fixture).unwrap(), "https://beside");
    std::fs::write(credentials.path().join("hook"), "https://credential\n").unwrap();
    assert_eq!(read(&fixture).unwrap(), "https://credential");
}

#[test]
fn numbers_are_taken_up_to_their_limits() {
    let with =
        |line: &str| format!("[[notify]]\nname = \"a\"\nkind = \"command\"\ncommand = [\"/a\"]\n{line}\n");
    assert_eq!(only(&with("timeout = \"5m\"")).timeout, Duration::from_minutes(5));
    assert_eq!(only(&with("timeout = \"1s\"")).timeout, Duration::from_seconds(1));
    assert_eq!(only(&with("attempts = 20")).attempts, 20);
    assert_eq!(only(&with("within = \"90d\"")).within_days, 90);
    assert_eq!(only(&with("within = \"24h\"")).within_days, 1);
    let refused = |line: &str, expected: &str| {
        check(
            &with(line),
            &format!("amiwarden.toml:5:{}: {expected}", line.find(['"', '0', '2', '[']).unwrap() + 1),
        );
    };
    refused("timeout = \"0s\"", "0s is out of range: `1s` to `5m` is expected");
    refused("timeout = \"301s\"", "301s is out of range: `1s` to `5m` is expected");
    refused("attempts = 0", "0 is out of range: 1 to 20 is expected");
    refused("attempts = 21", "21 is out of range: 1 to 20 is expected");
    refused("within = \"0d\"", "0s is out of range: whole days, `1d` to `90d`, are expected");
    refused("within = \"91d\"", "91d is out of range: whole days, `1d` to `90d`, are expected");
    refused("within = \"36h\"", "36h is out of range: whole days, `1d` to `90d`, are expected");
    refused("events = []", "this names no event");
}

#[test]
fn every_problem_is_said_with_its_place_and_a_remedy() {
    let text = r#"[[notify]]
name = "ops team"
kind = "mail"

[[notify]]
kind = "webhook"

[[notify]]
name = "a"
kind = "slack"
url = "http://hooks.example.com/services/T0/B0/s3cr3t"

[[notify]]
name = "b"
kind = "sns"
url = "https://example.com/s3cr3t"
topic_arn = "images"
events = ["done", "tripped"]

[[notify]]
name = "c"
kind = "command"
command = ["page"]
within = "3d"
events = ["done"]

[[notify]]
name = "c"
kind = "webhook"
url = "https://example.com/s3cr3t"
url_file = "hook"

[[notify]]
name = "d"
kind = "command"
command = ["/a"]
[[notify]]
name = "d"
kind = "command"
command = ["/b"]
url_fil = "x"
"#;
    insta::assert_snapshot!(problems(&Fixture::with_file(text)));
}

#[test]
fn no_message_holds_what_may_be_a_secret() {
    for url in ["ftp://example.com/s3cr3t", "http://example.com/s3cr3t", "s3cr3t", "https://", "data:s3cr3t"]
    {
        let text = format!("[[notify]]\nname = \"a\"\nkind = \"slack\"\nurl = \"{url}\"\nnonsense = 1\n");
        let said = problems(&Fixture::with_file(&text));
        assert!(!said.contains("s3cr3t"), "{said}");
        assert!(said.contains("url = **"), "{said}");
    }
    // Not even where the file cannot be read at all.
    let said = problems(&Fixture::with_file("[[notify]]\nurl = \"https://hooks.example.com/s3cr3t\n"));
    assert!(!said.contains("s3cr3t"), "{said}");
}

#[test]
fn a_secret_is_no_part_of_the_digest_and_the_rest_is() {
    let digest = |url: &str, name: &str| {
        let text = format!(
            "[[notify]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"https://example.com/{url}\"\n"
        );
        let fixture = Fixture::with_file(&text).and_file("other.toml", &text);
        let mut config = fixture.loaded();
        // Each fixture has a directory of its own, which is no matter here.
        config.origin = None;
        config.store.path = "a".into();
        config.store.ledger_head = "b".into();
        config.digest()
    };
    assert_eq!(digest("s3cr3t", "a"), digest("another", "a"));
    assert_ne!(digest("s3cr3t", "a"), digest("s3cr3t", "b"));
}

#[test]
fn more_notifiers_than_anybody_needs_are_a_mistake() {
    let table = |n: usize| format!("[[notify]]\nname = \"n{n}\"\nkind = \"command\"\ncommand = [\"/a\"]\n");
    let text: Vec<String> = (0..51).map(table).collect();
    let text = text.concat();
    let said = messages(&text);
    assert!(said[0].ends_with("51 notifiers are too many: 50 at most"), "{said:?}");
}
