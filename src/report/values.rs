//! Parts of reports as JSON, for programs, with the names that reports and policies use.
//!
//! The store keeps these values in a form of its own, which is hashed and therefore never changes; what is shown is
//! made here.

use amiwarden_core::{Action, Change, GrantFilter, Opinion, Reading, Step, Verdict, Wish};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::store::{DecisionRecord, SavedState};

/// A change: its kind as `action`, and what it is about.
pub(crate) fn change(change: &Change) -> Value {
    let details = match change {
        Change::StripPublic
        | Change::RequireImdsV2
        | Change::Unprotect
        | Change::Undeprecate
        | Change::Disable
        | Change::Enable => json!({}),
        Change::StripShares(grants) | Change::Share(grants) => json!({ "grants": grants }),
        Change::SetDescription(text) => json!({ "description": text }),
        Change::Tag(tags) => json!({ "tags": tags }),
        Change::Untag(keys) => json!({ "keys": keys }),
        Change::Protect { cooldown } => json!({ "cooldown": cooldown }),
        Change::Deprecate(at) | Change::SetDeprecation(at) => json!({ "at": at }),
        Change::Deregister(fate) => json!({ "snapshots": fate }),
        Change::Restore { snapshots } => json!({ "snapshots": snapshots }),
    };
    with(details, "action", json!(change.kind()))
}

/// A verdict: its opinion is `none`, `matched` or `failed`.
pub(crate) fn verdict(verdict: &Verdict) -> Value {
    let opinion = match &verdict.opinion {
        Opinion::None => json!({ "opinion": "none" }),
        Opinion::Matched { rule, proposals } => {
            let proposals = proposals.iter().map(|it| with(wish(&it.wish), "reason", json!(it.reason)));
            json!({ "opinion": "matched", "rule": rule, "proposals": proposals.collect::<Vec<_>>() })
        }
        Opinion::Failed(failure) => json!({ "opinion": "failed", "failure": failure }),
    };
    let opinion = with(opinion, "policy", json!(verdict.policy));
    with(opinion, "facts_read", json!(verdict.facts_read))
}

/// What a rule asks for: `keep`, `notify` or an action's kind, and what it is about.
fn wish(wish: &Wish) -> Value {
    let action = match wish {
        Wish::Keep => return json!({ "wish": "keep" }),
        Wish::Notify => return json!({ "wish": "notify" }),
        Wish::Act(action) => action,
    };
    let grants = |filter: &GrantFilter| filter.iter().map(|grant| json!(grant)).collect::<Vec<_>>();
    let details = match action {
        Action::StripPublic
        | Action::RequireImdsV2
        | Action::Unprotect
        | Action::Undeprecate
        | Action::Disable
        | Action::Enable => json!({}),
        Action::StripShares { except } => json!({ "except": grants(except) }),
        Action::Share(filter) => json!({ "grants": grants(filter) }),
        Action::SetDescription(text) => json!({ "description": text }),
        Action::Tag(tags) => json!({ "tags": tags }),
        Action::Untag(keys) => json!({ "keys": keys }),
        Action::Protect { cooldown } => json!({ "cooldown": cooldown }),
        Action::Deprecate(at) => json!({ "at": at }),
        Action::Deregister(fate) => json!({ "snapshots": fate }),
    };
    with(details, "wish", json!(action.kind()))
}

/// A step, with its change as [`change`] shows it.
pub(crate) fn step(step: &Step) -> Value {
    with(json!(step), "change", change(&step.change))
}

/// What a decision was, with its verdicts as [`verdict`] shows them.
pub(crate) fn decision(record: &DecisionRecord) -> Value {
    let verdicts: Vec<Value> = record.verdicts.iter().map(verdict).collect();
    with(json!(record), "verdicts", Value::Array(verdicts))
}

/// An image before a change. What is absent is null; what could not be read is an object with its text.
pub(crate) fn before(before: &SavedState) -> Value {
    let mut value = json!(before);
    if let (Some(image), Some(Value::Object(shown))) = (&before.image, value.get_mut("image")) {
        put(shown, "created_at", reading(&image.created_at));
        put(shown, "deprecated_at", reading(&image.deprecated_at));
        put(shown, "last_launched_at", reading(&image.last_launched_at));
        put(shown, "public", reading(&image.public));
    }
    value
}

fn reading<T: Serialize>(reading: &Reading<T>) -> Value {
    match reading {
        Reading::Present(value) => json!(value),
        Reading::Absent => Value::Null,
        Reading::Unreadable(text) => json!({ "unreadable": text }),
    }
}

fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

/// The object with one more field, or with this one in its place.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        put(fields, name, value);
    }
    object
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use amiwarden_core::{PolicyName, Proposal, RuleRef, SnapshotFate};

    use super::*;

    #[test]
    fn changes_have_the_names_that_policies_use() {
        let check = |it: Change, expected: Value| assert_eq!(change(&it), expected);
        check(Change::RequireImdsV2, json!({ "action": "require_imdsv2" }));
        check(
            Change::Deregister(SnapshotFate::Delete),
            json!({ "action": "deregister", "snapshots": "delete" }),
        );
        let tags = BTreeMap::from([("Present".to_owned(), "Disable".to_owned())]);
        check(Change::Tag(tags), json!({ "action": "tag", "tags": { "Present": "Disable" } }));
        check(
            Change::Untag(BTreeSet::from(["Tag".to_owned()])),
            json!({ "action": "untag", "keys": ["Tag"] }),
        );
        check(Change::Protect { cooldown: true }, json!({ "action": "protect", "cooldown": true }));
    }

    #[test]
    fn verdicts_name_their_opinion_and_their_wishes() {
        let rule = RuleRef { name: "stale".to_owned(), line: 12 };
        let proposal = |wish| Proposal { wish, reason: "old".to_owned() };
        let proposals = vec![proposal(Wish::Keep), proposal(Wish::Act(Action::Disable))];
        let opinion = Opinion::Matched { rule, proposals };
        let it = Verdict { policy: PolicyName::new("retire"), opinion, facts_read: Vec::new() };
        assert_eq!(
            verdict(&it),
            json!({
                "policy": "retire", "opinion": "matched", "rule": { "name": "stale", "line": 12 },
                "proposals": [{ "wish": "keep", "reason": "old" }, { "wish": "disable", "reason": "old" }],
                "facts_read": [],
            })
        );
        let silent = verdict(&Verdict { opinion: Opinion::None, ..it });
        assert_eq!(silent, json!({ "policy": "retire", "opinion": "none", "facts_read": [] }));
    }

    #[test]
    fn what_could_not_be_read_is_told_from_what_is_absent() {
        assert_eq!(reading(&Reading::Present(true)), json!(true));
        assert_eq!(reading::<bool>(&Reading::Absent), Value::Null);
        let unreadable = reading::<bool>(&Reading::Unreadable("soon".to_owned()));
        assert_eq!(unreadable, json!({ "unreadable": "soon" }));
    }
}
