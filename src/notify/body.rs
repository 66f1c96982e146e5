//! The JSON that programs get: the event, a line for people, and the report, cut to what receivers take.
//!
//! Its fields are added to, never renamed, like those of the report that it holds.

use std::collections::BTreeMap;

use amiwarden_core::Because;
use serde_json::{Map, Value, json};

use super::event::{Event, failures};
use crate::cycle::{Approaching, Notice};
use crate::report::excerpt;

/// The version of the document.
const SCHEMA: u32 = 1;

/// So many bytes a document has at most. SNS takes 256 KiB, and its JSON is escaped once more by some receivers.
const BYTES_MAX: usize = 200 << 10;

/// So many entries each list has at most; fewer where the document would be too large.
const ENTRIES: [usize; 4] = [100, 25, 5, 0];

/// What stands for the owner of an image without an owner's tag.
const NOBODY: &str = "";

/// The document for an event.
pub(super) fn body(event: &Event<'_>, text: &str, owner_tag: &str) -> Result<String, serde_json::Error> {
    let mut document = String::new();
    for entries_max in ENTRIES {
        document = serde_json::to_string(&document_of(event, text, owner_tag, entries_max)?)?;
        if document.len() <= BYTES_MAX {
            break;
        }
    }
    Ok(document)
}

fn document_of(
    event: &Event<'_>,
    text: &str,
    owner_tag: &str,
    entries_max: usize,
) -> Result<Value, serde_json::Error> {
    let mut left_out: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut document = Map::new();
    document.insert("schema".to_owned(), json!(SCHEMA));
    document.insert("event".to_owned(), json!(event.kind().as_str()));
    document.insert("run_id".to_owned(), json!(event.run_id()));
    document.insert("text".to_owned(), json!(text));
    match event {
        Event::PlanReady(report, notices) | Event::Done(report, notices) => {
            let (report, cut) = excerpt(report, entries_max)?;
            left_out = cut;
            document.insert("report".to_owned(), report);
            let told = notices.iter().take(entries_max).map(notice).collect();
            document.insert("notices".to_owned(), Value::Array(told));
            note(&mut left_out, "notices", notices.len(), entries_max);
        }
        Event::GuardTripped(report) | Event::PartFailed(report) => {
            let (report_value, cut) = excerpt(report, entries_max)?;
            left_out = cut;
            document.insert("report".to_owned(), report_value);
            if let Event::PartFailed(_) = event {
                let all: Vec<String> = failures(report).collect();
                document
                    .insert("failures".to_owned(), json!(all.iter().take(entries_max).collect::<Vec<_>>()));
                note(&mut left_out, "failures", all.len(), entries_max);
            }
        }
        Event::RunFailed(_, reason) => {
            document.insert("failures".to_owned(), json!([reason]));
        }
        Event::Approaching(report, images) => {
            document.insert("mode".to_owned(), json!(report.mode));
            document.insert("owner_tag".to_owned(), json!(owner_tag));
            let shown = &images[..images.len().min(entries_max)];
            document.insert("owners".to_owned(), owners(shown, owner_tag));
            note(&mut left_out, "images", images.len(), entries_max);
        }
    }
    document.insert("truncated".to_owned(), json!(left_out));
    Ok(Value::Object(document))
}

fn note(
    left_out: &mut BTreeMap<&'static str, usize>,
    list: &'static str,
    there_are: usize,
    entries_max: usize,
) {
    if there_are > entries_max {
        left_out.insert(list, there_are - entries_max);
    }
}

fn notice(notice: &Notice) -> Value {
    json!({
        "image_id": notice.image_id,
        "name": notice.name,
        "account": notice.scope.account,
        "region": notice.scope.region,
        "because": becauses(&notice.because),
    })
}

/// The images by whose they are, in the order of the owners; those that are nobody's come first, under `null`.
fn owners(images: &[Approaching], owner_tag: &str) -> Value {
    let groups = by_owner(images, owner_tag).into_iter().map(|(owner, images)| {
        let owner = if owner == NOBODY { Value::Null } else { json!(owner) };
        let images: Vec<Value> = images.into_iter().map(approaching).collect();
        json!({ "owner": owner, "images": images })
    });
    Value::Array(groups.collect())
}

/// The images by the value of the owner's tag, empty for those without.
pub(super) fn by_owner<'a>(
    images: &'a [Approaching],
    owner_tag: &str,
) -> BTreeMap<&'a str, Vec<&'a Approaching>> {
    let mut groups: BTreeMap<&str, Vec<&Approaching>> = BTreeMap::new();
    for image in images {
        let owner = image.owners.get(owner_tag).map_or(NOBODY, |owner| owner.trim());
        groups.entry(owner).or_default().push(image);
    }
    groups
}

fn approaching(image: &Approaching) -> Value {
    json!({
        "image_id": image.image_id,
        "name": image.name,
        "account": image.scope.account,
        "region": image.scope.region,
        "action": image.action,
        "due_on": image.due_on.to_string(),
        "due_in_days": image.due_in_days,
        "because": becauses(&image.because),
    })
}

fn becauses(because: &[Because]) -> Vec<Value> {
    because
        .iter()
        .map(|it| json!({ "policy": it.policy, "rule": it.rule.name, "line": it.rule.line, "reason": it.reason }))
        .collect()
}
