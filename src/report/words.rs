//! What amiwarden does and finds, in plain words.

use std::borrow::Cow;

use amiwarden_core::{
    ActionKind, Change, ImageId, LaunchPermission, LaunchPermissions, Rehearsal, Scope, SnapshotFate,
    StepOutcome, Timestamp,
};

use super::text::clean;

/// How many names are written out before the rest is counted.
const NAMES_MAX: usize = 3;

/// The change, as a person would ask for it at `now`.
pub(super) fn change(change: &Change, now: Timestamp) -> String {
    match change {
        Change::StripPublic => "make private".to_owned(),
        Change::StripShares(grants) => format!("stop sharing with {}", principals(grants)),
        Change::Share(grants) => format!("share with {}", principals(grants)),
        Change::SetDescription(text) => format!("describe as \"{text}\""),
        Change::RequireImdsV2 => "require IMDSv2".to_owned(),
        Change::Tag(tags) => {
            format!("tag {}", some(tags.iter().map(|(key, value)| format!("{key} = {value}"))))
        }
        Change::Untag(keys) => format!("remove tag {}", some(keys.iter().cloned())),
        Change::Protect { cooldown: false } => "protect from deregistration".to_owned(),
        Change::Protect { cooldown: true } => "protect from deregistration, with cooldown".to_owned(),
        Change::Unprotect => "end deregistration protection".to_owned(),
        Change::Deprecate(at) if *at <= now => "deprecate now".to_owned(),
        Change::Deprecate(at) => format!("deprecate from {}", at.strftime("%Y-%m-%d")),
        Change::SetDeprecation(at) => format!("deprecate from {}", at.strftime("%Y-%m-%d %H:%M")),
        Change::Undeprecate => "end deprecation".to_owned(),
        Change::Disable => "disable".to_owned(),
        Change::Enable => "enable".to_owned(),
        Change::Deregister(SnapshotFate::Keep) => "deregister, keep snapshots".to_owned(),
        Change::Deregister(SnapshotFate::Delete) => "deregister, delete snapshots".to_owned(),
        Change::Restore { snapshots } if snapshots.is_empty() => "restore from the Recycle Bin".to_owned(),
        Change::Restore { .. } => "restore from the Recycle Bin, its snapshots first".to_owned(),
    }
}

fn principals(grants: &LaunchPermissions) -> String {
    some(grants.iter().map(|grant| match grant {
        LaunchPermission::Everyone => "everyone".to_owned(),
        LaunchPermission::Account(account) => account.to_string(),
        // The end of an ARN is the identifier by which people know the organization or unit.
        LaunchPermission::Organization(arn) | LaunchPermission::OrganizationalUnit(arn) => {
            arn.rsplit('/').next().unwrap_or(arn).to_owned()
        }
    }))
}

/// The first few, and how many more there are.
pub(super) fn some(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    let shown = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// That the effect of an action of this kind holds already.
fn already(kind: ActionKind) -> &'static str {
    match kind {
        ActionKind::StripPublic => "already private",
        ActionKind::StripShares => "already shared with nobody else",
        ActionKind::Share => "already shared",
        ActionKind::SetDescription => "already described so",
        ActionKind::RequireImdsv2 => "already requires IMDSv2",
        ActionKind::Tag => "already tagged",
        ActionKind::Untag => "already without the tag",
        ActionKind::Protect => "already protected from deregistration",
        ActionKind::Unprotect => "already without deregistration protection",
        ActionKind::Deprecate => "already deprecated",
        ActionKind::Undeprecate => "already not deprecated",
        ActionKind::Disable => "already disabled",
        ActionKind::Enable => "already enabled",
        ActionKind::Deregister => "already deregistered",
        ActionKind::Restore => "already restored",
    }
}

/// How planning says that the effect of an action holds.
const HOLDS_ALREADY: &str = " holds already";

/// Why an image is kept, as a person would say it.
pub(super) fn why_kept(reason: &str) -> Cow<'_, str> {
    let kind = reason.strip_suffix(HOLDS_ALREADY).and_then(kind_of);
    kind.map_or(Cow::Borrowed(reason), |kind| Cow::Borrowed(already(kind)))
}

/// Whether planning gives this reason where a rule is at its root, and not the rule itself. A rule that says the
/// same only stands in a line of its own.
pub(super) fn is_our_reason(reason: &str) -> bool {
    let names_action = |(kind, _): (&str, &str)| kind_of(kind).is_some();
    reason.starts_with("the policy could not be evaluated: ")
        || reason.starts_with("policies contradict each other: ")
        || reason.split_once(" is not possible: ").is_some_and(names_action)
        || reason.strip_suffix(HOLDS_ALREADY).and_then(kind_of).is_some()
}

fn kind_of(name: &str) -> Option<ActionKind> {
    ActionKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// What a person calls the image: its name, where it has one.
pub(super) fn label(name: Option<&str>, id: &ImageId) -> String {
    clean(name.unwrap_or(id.as_str())).into_owned()
}

/// What the rehearsal said, in one or two words.
pub(super) fn rehearsal(rehearsal: &Rehearsal) -> &'static str {
    match rehearsal {
        Rehearsal::Permitted => "permitted",
        Rehearsal::Denied(_) => "denied",
        Rehearsal::Error(_) => "error",
        Rehearsal::Skipped(_) => "not rehearsed",
    }
}

/// What became of a step, in one or two words.
pub(super) fn outcome(outcome: &StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Done => "done",
        StepOutcome::AlreadyDone => "already done",
        StepOutcome::SkippedChanged(_) => "skipped",
        StepOutcome::Failed(_) => "failed",
        StepOutcome::Unknown(_) => "unknown",
        StepOutcome::NotAttempted(_) => "not tried",
    }
}

/// What a snapshot's return code means (EC2 API reference, `DeleteSnapshotReturnCode`).
pub(super) fn snapshot_result(return_code: &str) -> &str {
    match return_code {
        "success" => "deleted",
        "skipped" => "kept: another image uses it",
        "missing-permissions" => "kept: deleting it is not permitted",
        "internal-error" | "client-error" => "kept: EC2 could not delete it",
        other => other,
    }
}

/// The account and Region of a scope.
pub(super) fn place(scope: &Scope) -> String {
    clean(&scope.to_string()).into_owned()
}
