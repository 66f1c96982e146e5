//! What an incoming webhook of Slack takes: blocks for people, and a text for notifications.
//!
//! The lengths are those of Slack's reference ("Block Kit: header block, section block", "Incoming webhooks").

use std::fmt::Write;

use serde_json::{Value, json};

use super::body::by_owner;
use super::event::{Event, failures};
use crate::cycle::{Approaching, Notice};
use crate::report::plain;

/// Characters of a section's text. A header takes 150, which no title here reaches.
const SECTION_MAX: usize = 3000;

/// Slack takes 50 blocks; header, text, the count of the rest and context are four of them.
const SECTIONS_MAX: usize = 20;

/// Lines of one section.
const LINES_MAX: usize = 10;

/// Characters of one line, so that a whole section fits.
const LINE_MAX: usize = 250;

/// The message for an event.
pub(super) fn message(event: &Event<'_>, text: &str, owner_tag: &str) -> String {
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": title(event) } }),
        section(&escape(text, SECTION_MAX)),
    ];
    blocks.extend(details(event, owner_tag));
    let context = format!("amiwarden, run {}", escape(event.run_id().as_str(), LINE_MAX));
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": context }] }));
    let fallback = format!("amiwarden: {}: {}", title(event), escape(text, SECTION_MAX));
    json!({ "text": fallback, "blocks": blocks }).to_string()
}

fn title(event: &Event<'_>) -> &'static str {
    match event {
        Event::PlanReady(..) => "Plan ready",
        Event::Done(..) => "Changes carried out",
        Event::GuardTripped(_) => "A guard has tripped",
        Event::PartFailed(_) | Event::RunFailed(..) => "Run failed",
        Event::Approaching(..) => "Images approach their end",
    }
}

fn details(event: &Event<'_>, owner_tag: &str) -> Vec<Value> {
    match event {
        Event::PlanReady(report, notices) | Event::Done(report, notices) => {
            let steps = report.steps.iter().map(|(step, became)| {
                let reason = step.because.first().map(|it| it.reason.as_str()).unwrap_or_default();
                let outcome = match event {
                    Event::Done(..) => format!(" ({})", became.outcome.as_str()),
                    _ => String::new(),
                };
                let what = format!("{}{outcome}", step.change.kind());
                image_line(step.image_id.as_str(), step.name.as_deref(), &what, reason)
            });
            let mut blocks: Vec<Value> = list("*Changes*", steps).into_iter().collect();
            blocks.extend(list("*Policies say*", notices.iter().map(notice_line)));
            blocks
        }
        Event::GuardTripped(report) => {
            let tripped = report.tripped.iter().map(|it| {
                format!("*{}* in {}: {}", it.guard, it.scope, escape(&plain(&it.reason), LINE_MAX / 2))
            });
            list("*Look at the plan, then `amiwarden accept`*", tripped).into_iter().collect()
        }
        Event::PartFailed(report) => {
            list("*What failed*", failures(report).map(|it| escape(&plain(&it), LINE_MAX)))
                .into_iter()
                .collect()
        }
        Event::RunFailed(..) => Vec::new(),
        Event::Approaching(_, images) => {
            let groups = by_owner(images, owner_tag);
            let more = groups.len().saturating_sub(SECTIONS_MAX);
            let mut blocks: Vec<Value> = groups
                .into_iter()
                .take(SECTIONS_MAX)
                .filter_map(|(owner, images)| {
                    let title = match owner {
                        "" => "*without an owner*".to_owned(),
                        owner => format!("*{}*", escape(&plain(owner), LINE_MAX)),
                    };
                    list(&title, images.into_iter().map(approaching_line))
                })
                .collect();
            if more > 0 {
                blocks.push(section(&format!("and {more} more owners")));
            }
            blocks
        }
    }
}

fn notice_line(notice: &Notice) -> String {
    let reason = notice.because.first().map(|it| it.reason.as_str()).unwrap_or_default();
    image_line(notice.image_id.as_str(), notice.name.as_deref(), "notify", reason)
}

fn approaching_line(image: &Approaching) -> String {
    let reason = image.because.first().map(|it| it.reason.as_str()).unwrap_or_default();
    let what = format!("{} on {}", image.action, image.due_on);
    image_line(image.image_id.as_str(), image.name.as_deref(), &what, reason)
}

fn image_line(id: &str, name: Option<&str>, what: &str, reason: &str) -> String {
    let name = name.map(|name| format!(" {}", plain(name))).unwrap_or_default();
    escape(&format!("`{}`{name}: {what}, {}", plain(id), plain(reason)), LINE_MAX)
}

/// A section with a title and the first of some lines, already escaped; none where there are none.
fn list(title: &str, lines: impl Iterator<Item = String>) -> Option<Value> {
    let lines: Vec<String> = lines.collect();
    let mut text = title.to_owned();
    for line in lines.iter().take(LINES_MAX) {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n• {line}");
    }
    if lines.len() > LINES_MAX {
        let _ = write!(text, "\nand {} more", lines.len() - LINES_MAX);
    }
    (!lines.is_empty()).then(|| section(&text))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

/// Escapes the three characters by which Slack would take a text for a link or a mention (Slack, "Formatting text for
/// app surfaces"). The result has at most so many characters; where something was cut off, it ends in an ellipsis.
fn escape(text: &str, characters_max: usize) -> String {
    let mut escaped = String::new();
    let mut length = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let piece = match character {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            other => other.to_string(),
        };
        let rest = usize::from(characters.peek().is_some());
        if length + piece.chars().count() + rest > characters_max {
            escaped.push('…');
            break;
        }
        length += piece.chars().count();
        escaped.push_str(&piece);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_would_obey_is_escaped_within_the_limit() {
        let check = |text: &str, max: usize, expected: &str| assert_eq!(escape(text, max), expected);
        check("a & b <!channel>", 100, "a &amp; b &lt;!channel&gt;");
        check("abc", 3, "abc");
        check("abcd", 3, "ab…");
        // No escape is cut in half.
        check("a<b", 5, "a…");
        check("a<b", 6, "a&lt;b");
        check("", 3, "");
    }
}
