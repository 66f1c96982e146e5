//! The actions: functions that return what a policy wishes for. They do nothing.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    Action, ActionKind, Duration, FailureKind, GrantFilter, LaunchPermission, Proposal, SnapshotFate,
    Timestamp, Wish,
};
use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use crate::fault::{Certainty, RhaiError, raise, raise_type, raise_value};
use crate::value::Kind;

/// Tags on one resource (Amazon EC2 User Guide, "Tag your Amazon EC2 resources", tag restrictions).
const TAGS_MAX: usize = 50;
/// Characters of a tag's key, and of its value (same page).
const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;
/// AWS keeps this prefix for itself, in any case of letters (same page).
const TAG_PREFIX_RESERVED: &str = "aws:";
/// Characters of an image's description (EC2 API Reference, `CopyImage`: "up to 255 characters").
const DESCRIPTION_MAX: usize = 255;

/// The wishes that are no actions on the image.
pub(crate) const KEEP: &str = "keep";
pub(crate) const NOTIFY: &str = "notify";

/// What an action function returns.
#[derive(Clone, Debug)]
pub(crate) struct Wished {
    wish: Deferred,
    reason: String,
}

/// A wish, where a duration may still have to be counted from the time of the run.
#[derive(Clone, Debug)]
enum Deferred {
    Ready(Wish),
    DeprecateIn(Duration),
}

impl Wished {
    /// The proposal, for a run at `now`.
    pub(crate) fn into_proposal(self, now: Timestamp) -> Result<Proposal, RhaiError> {
        let wish = match self.wish {
            Deferred::Ready(wish) => wish,
            Deferred::DeprecateIn(length) => {
                let at = length.after(now).ok_or_else(|| {
                    raise_value("the date to deprecate at lies beyond the times that can be represented")
                })?;
                Wish::Act(Action::Deprecate(at))
            }
        };
        Ok(Proposal { wish, reason: self.reason })
    }
}

/// Whether `name` is one that this module registers.
pub(crate) fn is_action(name: &str) -> bool {
    name == KEEP || name == NOTIFY || kind_of(name).is_some()
}

/// The kind of action that a function of this name asks for.
pub(crate) fn kind_of(name: &str) -> Option<ActionKind> {
    ActionKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}

/// Registers the actions.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Wished>("an action");
    engine.register_fn(KEEP, |why: &str| wished(KEEP, Wish::Keep, why));
    engine.register_fn(NOTIFY, |why: &str| wished(NOTIFY, Wish::Notify, why));
    register_plain(engine);
    register_sharing(engine);
    register_tags(engine);
    engine.register_fn("deprecate", |at: Timestamp, why: &str| act(Action::Deprecate(at), why));
    engine.register_fn("deprecate", |length: Duration, why: &str| {
        let reason = checked_reason("deprecate", why)?;
        Ok::<_, RhaiError>(Wished { wish: Deferred::DeprecateIn(length), reason })
    });
    engine.register_fn("deregister", |options: Map, why: &str| {
        let fate = snapshot_fate(&options)?;
        act(Action::Deregister(fate), why)
    });
    engine.register_fn("protect", |options: Map, why: &str| {
        let cooldown = cooldown(&options)?;
        act(Action::Protect { cooldown }, why)
    });
    engine.register_fn("set_description", |text: &str, why: &str| {
        if text.chars().count() > DESCRIPTION_MAX {
            return Err(raise_value(format!("a description holds {DESCRIPTION_MAX} characters at most")));
        }
        act(Action::SetDescription(text.to_owned()), why)
    });
}

fn register_plain(engine: &mut Engine) {
    let everything = || Action::StripShares { except: GrantFilter::default() };
    engine.register_fn("strip_public", |why: &str| act(Action::StripPublic, why));
    engine.register_fn("strip_shares", move |why: &str| act(everything(), why));
    engine.register_fn("require_imdsv2", |why: &str| act(Action::RequireImdsV2, why));
    engine.register_fn("protect", |why: &str| act(Action::Protect { cooldown: false }, why));
    engine.register_fn("unprotect", |why: &str| act(Action::Unprotect, why));
    engine.register_fn("undeprecate", |why: &str| act(Action::Undeprecate, why));
    engine.register_fn("disable", |why: &str| act(Action::Disable, why));
    engine.register_fn("enable", |why: &str| act(Action::Enable, why));
    engine.register_fn("deregister", |why: &str| act(Action::Deregister(SnapshotFate::Keep), why));
}

fn register_sharing(engine: &mut Engine) {
    engine.register_fn("strip_shares", |except: Map, why: &str| {
        let names = ["except_accounts", "except_organizations", "except_ous"];
        let except = grants("strip_shares", &except, names)?;
        act(Action::StripShares { except }, why)
    });
    engine.register_fn("share", |with: Map, why: &str| {
        let with = grants("share", &with, ["accounts", "organizations", "ous"])?;
        if with.iter().next().is_none() {
            return Err(raise_value("`share` names nobody to share with"));
        }
        act(Action::Share(with), why)
    });
}

fn register_tags(engine: &mut Engine) {
    engine.register_fn("tag", |tags: Map, why: &str| {
        let tags = checked_tags(&tags)?;
        act(Action::Tag(tags), why)
    });
    engine.register_fn("untag", |keys: Array, why: &str| {
        let mut checked = BTreeSet::new();
        for key in &keys {
            let key = text_of("untag", "key", key)?;
            checked.insert(checked_key("untag", &key)?);
        }
        if checked.is_empty() {
            return Err(raise_value("`untag` names no tag"));
        }
        act(Action::Untag(checked), why)
    });
}

fn act(action: Action, why: &str) -> Result<Wished, RhaiError> {
    let name = action.kind().as_str();
    wished(name, Wish::Act(action), why)
}

fn wished(name: &str, wish: Wish, why: &str) -> Result<Wished, RhaiError> {
    Ok(Wished { wish: Deferred::Ready(wish), reason: checked_reason(name, why)? })
}

fn checked_reason(name: &str, why: &str) -> Result<String, RhaiError> {
    if why.trim().is_empty() {
        return Err(raise(
            FailureKind::Script,
            Certainty::Always,
            format!("`{name}` needs a reason that is not empty: it is what people will read in the audit"),
        ));
    }
    Ok(why.to_owned())
}

/// An error for options that no image makes right.
fn misuse(message: impl Into<String>) -> RhaiError {
    raise(FailureKind::Type, Certainty::Always, message)
}

fn only_keys(action: &str, options: &Map, known: &[&str]) -> Result<(), RhaiError> {
    match options.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Err(misuse(format!("`{action}` has no option `{key}`: it knows {known}")))
        }
    }
}

fn snapshot_fate(options: &Map) -> Result<SnapshotFate, RhaiError> {
    only_keys("deregister", options, &["snapshots"])?;
    let wanted = options.get("snapshots").and_then(|value| value.clone().into_immutable_string().ok());
    match wanted.as_deref() {
        Some("delete") => Ok(SnapshotFate::Delete),
        Some("keep") => Ok(SnapshotFate::Keep),
        _ => Err(misuse("`deregister` wants `snapshots` to be \"delete\" or \"keep\"")),
    }
}

fn cooldown(options: &Map) -> Result<bool, RhaiError> {
    only_keys("protect", options, &["cooldown"])?;
    let wanted = options.get("cooldown").and_then(|value| value.as_bool().ok());
    wanted.ok_or_else(|| misuse("`protect` wants `cooldown` to be a boolean"))
}

/// Account ids and ARNs, checked: an ARN of an organizational unit does not pass as that of an organization.
fn grants(action: &str, options: &Map, names: [&str; 3]) -> Result<GrantFilter, RhaiError> {
    only_keys(action, options, &names)?;
    let expected = ["account ids of twelve digits", "organization ARNs", "organizational unit ARNs"];
    let mut grants = Vec::new();
    for (place, name) in names.into_iter().enumerate() {
        let Some(value) = options.get(name) else { continue };
        let Some(list) = value.read_lock::<Array>() else {
            let kind = Kind::of(value).name();
            return Err(raise_type([value], format!("`{action}` wants `{name}` to be a list, not {kind}")));
        };
        for item in list.iter() {
            let text = text_of(action, name, item)?;
            let grant = text.parse::<LaunchPermission>().ok();
            let fits = match &grant {
                Some(LaunchPermission::Account(_)) => place == 0,
                Some(LaunchPermission::Organization(_)) => place == 1,
                Some(LaunchPermission::OrganizationalUnit(_)) => place == 2,
                Some(LaunchPermission::Everyone) | None => false,
            };
            match grant {
                Some(grant) if fits => grants.push(grant),
                _ => {
                    let expected = expected.get(place).copied().unwrap_or_default();
                    return Err(raise_value(format!("`{name}` holds {expected}, and `{text}` is none")));
                }
            }
        }
    }
    Ok(GrantFilter::new(grants))
}

fn text_of(action: &str, what: &str, value: &Dynamic) -> Result<ImmutableString, RhaiError> {
    value.clone().into_immutable_string().map_err(|_| {
        let kind = Kind::of(value).name();
        raise_type([value], format!("`{action}` wants `{what}` to be text, not {kind}"))
    })
}

fn checked_tags(tags: &Map) -> Result<BTreeMap<String, String>, RhaiError> {
    if tags.is_empty() {
        return Err(raise_value("`tag` sets no tag"));
    }
    if tags.len() > TAGS_MAX {
        return Err(raise_value(format!("a resource holds {TAGS_MAX} tags at most")));
    }
    let mut checked = BTreeMap::new();
    for (key, value) in tags {
        let value = text_of("tag", key, value)?;
        if value.chars().count() > TAG_VALUE_MAX {
            return Err(raise_value(format!(
                "the value of tag `{key}` is longer than {TAG_VALUE_MAX} characters"
            )));
        }
        checked.insert(checked_key("tag", key)?, value.to_string());
    }
    Ok(checked)
}

fn checked_key(action: &str, key: &str) -> Result<String, RhaiError> {
    if key.is_empty() || key.chars().count() > TAG_KEY_MAX {
        return Err(raise_value(format!(
            "`{action}`: a tag's key has between 1 and {TAG_KEY_MAX} characters, and `{key}` has not"
        )));
    }
    let reserved = key.get(..TAG_PREFIX_RESERVED.len());
    if reserved.is_some_and(|start| start.eq_ignore_ascii_case(TAG_PREFIX_RESERVED)) {
        return Err(raise_value(format!("`{action}`: AWS keeps keys that begin with `aws:` for itself")));
    }
    Ok(key.to_owned())
}
