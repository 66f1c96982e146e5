//! `[limits]`, and `limits` of a `[[policy]]`: how they are read, their defaults, and that a policy is held
//! tighter by its own, never looser.

use std::fmt;
use std::path::PathBuf;

use amiwarden_core::{Duration, Ladder, Limits, LimitsOverride, Permanent, Window};

use super::StoreConfig;
use super::place::Stated;
use super::problem::Problem;
use super::reader::{Read, Section, count, duration, some_text, word};
use super::tree::Node;
use super::validate::{Bases, copied_or};
use super::window::window;

/// So old an intent has to be before amiwarden believes that a change which does not show has not happened.
/// EC2 shows changes after seconds, but promises no time (EC2 Developer Guide, "Eventual consistency").
pub(super) const DEFAULT_SETTLE_AFTER: Duration = Duration::from_minutes(5);

/// What `[limits]` says.
#[derive(Debug)]
pub(super) struct RawLimits {
    pub(super) common: RawCommonLimits,
    pub(super) collapse_percent: Stated<u32>,
    pub(super) pause_file: Stated<String>,
    pub(super) settle_after: Stated<Duration>,
}

/// What `[limits]` and `limits` of a `[[policy]]` both know.
#[derive(Debug)]
pub(super) struct RawCommonLimits {
    pub(super) disable_per_cycle: Stated<u32>,
    pub(super) deregister_per_cycle: Stated<u32>,
    pub(super) other_per_cycle: Stated<u32>,
    pub(super) share_percent: Stated<u32>,
    pub(super) surge_percent: Stated<u32>,
    pub(super) min_age: Stated<Duration>,
    pub(super) min_hold: Stated<Duration>,
    pub(super) keep_newest: Stated<u32>,
    pub(super) permanent: Stated<Permanent>,
    pub(super) ladder: Stated<Ladder>,
    pub(super) opt_out_tag: Stated<String>,
    pub(super) rehearse_cycles: Stated<u32>,
    pub(super) window: Stated<Window>,
}

/// Reads `[limits]`.
pub(super) fn read_global(mut section: Section<'_>) -> RawLimits {
    let raw = RawLimits {
        common: read_common(&mut section, "[limits] window"),
        collapse_percent: section.value("collapse_percent", count(0, 100)),
        pause_file: section.value("pause_file", some_text),
        settle_after: section.value("settle_after", duration),
    };
    section.finish();
    raw
}

/// Reads `limits` of a `[[policy]]`.
pub(super) fn read_own(mut section: Section<'_>) -> RawCommonLimits {
    let raw = read_common(&mut section, "[[policy]] limits window");
    section.finish();
    raw
}

fn read_common(section: &mut Section<'_>, window_name: &'static str) -> RawCommonLimits {
    RawCommonLimits {
        disable_per_cycle: section.value("disable_per_cycle", count(0, u32::MAX)),
        deregister_per_cycle: section.value("deregister_per_cycle", count(0, u32::MAX)),
        other_per_cycle: section.value("other_per_cycle", count(0, u32::MAX)),
        share_percent: section.value("share_percent", count(0, 100)),
        surge_percent: section.value("surge_percent", count(0, 100)),
        min_age: section.value("min_age", duration),
        min_hold: section.value("min_hold", duration),
        keep_newest: section.value("keep_newest", count(0, u32::MAX)),
        permanent: section
            .value("permanent", word(&[("refuse", Permanent::Refuse), ("allow", Permanent::Allow)])),
        ladder: section
            .value("ladder", word(&[("disabled-first", Ladder::DisabledFirst), ("any", Ladder::Any)])),
        opt_out_tag: section.value("opt_out_tag", tag_key),
        rehearse_cycles: section.value("rehearse_cycles", count(0, u32::MAX)),
        window: window(section, window_name),
    }
}

/// A tag key has 1 to 128 characters, and `aws:` is reserved (EC2 User Guide, "Tag your Amazon EC2 resources").
fn tag_key(node: Node) -> Read<String> {
    let place = node.place.clone();
    let key = some_text(node)?;
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(Problem::new(&place, "nobody but AWS can set tags that begin with `aws:`"));
    }
    if key.chars().count() > 128 {
        return Err(Problem::new(&place, "a tag key has at most 128 characters"));
    }
    Ok(key)
}

/// The limits for all policies.
pub(super) fn global(raw: &RawLimits) -> Limits {
    let default = Limits::default();
    let common = &raw.common;
    Limits {
        disable_per_cycle: copied_or(common.disable_per_cycle.as_ref(), default.disable_per_cycle),
        deregister_per_cycle: copied_or(common.deregister_per_cycle.as_ref(), default.deregister_per_cycle),
        other_per_cycle: copied_or(common.other_per_cycle.as_ref(), default.other_per_cycle),
        share_percent: copied_or(common.share_percent.as_ref(), default.share_percent),
        surge_percent: copied_or(common.surge_percent.as_ref(), default.surge_percent),
        collapse_percent: copied_or(raw.collapse_percent.as_ref(), default.collapse_percent),
        min_age: copied_or(common.min_age.as_ref(), default.min_age),
        min_hold: copied_or(common.min_hold.as_ref(), default.min_hold),
        keep_newest: copied_or(common.keep_newest.as_ref(), default.keep_newest),
        permanent: copied_or(common.permanent.as_ref(), default.permanent),
        ladder: copied_or(common.ladder.as_ref(), default.ladder),
        opt_out_tag: common.opt_out_tag.as_ref().map_or(default.opt_out_tag, |it| it.value.clone()),
        rehearse_cycles: copied_or(common.rehearse_cycles.as_ref(), default.rehearse_cycles),
        window: common.window.as_ref().map(|it| it.value.clone()),
    }
}

/// The file that pauses amiwarden while it exists. It cannot be one that amiwarden writes itself.
pub(super) fn pause_file(
    raw: &RawLimits,
    store: &StoreConfig,
    bases: &Bases<'_>,
    problems: &mut Vec<Problem>,
) -> Option<PathBuf> {
    let stated = raw.pause_file.as_ref()?;
    let path = bases.resolve(stated);
    let own_files = [(&store.path, "the database"), (&store.ledger_head, "the ledger's head")];
    if let Some((_, what)) = own_files.into_iter().find(|(own, _)| **own == path) {
        let message = format!("this is {what}, so amiwarden would be paused for ever");
        problems.push(Problem::new(&stated.place, message));
    }
    Some(path)
}

/// A policy's own limits. One that is looser than the global one would not hold, and is a mistake.
pub(super) fn own(raw: RawCommonLimits, global: &Limits, problems: &mut Vec<Problem>) -> LimitsOverride {
    let mut check = Tightness { problems };
    LimitsOverride {
        disable_per_cycle: check.at_most(
            "disable_per_cycle",
            raw.disable_per_cycle,
            global.disable_per_cycle,
        ),
        deregister_per_cycle: check.at_most(
            "deregister_per_cycle",
            raw.deregister_per_cycle,
            global.deregister_per_cycle,
        ),
        other_per_cycle: check.at_most("other_per_cycle", raw.other_per_cycle, global.other_per_cycle),
        share_percent: check.at_most("share_percent", raw.share_percent, global.share_percent),
        surge_percent: check.at_most("surge_percent", raw.surge_percent, global.surge_percent),
        min_age: check.at_least("min_age", raw.min_age, global.min_age),
        min_hold: check.at_least("min_hold", raw.min_hold, global.min_hold),
        keep_newest: check.at_least("keep_newest", raw.keep_newest, global.keep_newest),
        permanent: check.own("permanent", raw.permanent, |own| match (own, global.permanent) {
            (Permanent::Allow, Permanent::Refuse) => Some(("allow".to_owned(), "refuse".to_owned())),
            (Permanent::Allow, Permanent::Allow) | (Permanent::Refuse, _) => None,
        }),
        ladder: check.own("ladder", raw.ladder, |own| match (own, global.ladder) {
            (Ladder::Any, Ladder::DisabledFirst) => Some(("any".to_owned(), "disabled-first".to_owned())),
            (Ladder::Any, Ladder::Any) | (Ladder::DisabledFirst, _) => None,
        }),
        // These two hold besides the global ones, so none is looser.
        opt_out_tag: raw.opt_out_tag.map(|it| it.value),
        window: raw.window.map(|it| it.value),
        rehearse_cycles: check.at_least("rehearse_cycles", raw.rehearse_cycles, global.rehearse_cycles),
    }
}

/// Compares a policy's own limits with the global ones.
struct Tightness<'p> {
    problems: &'p mut Vec<Problem>,
}

impl Tightness<'_> {
    /// A limit that is tighter the smaller it is.
    fn at_most<T: Copy + Ord + fmt::Display>(&mut self, key: &str, own: Stated<T>, global: T) -> Option<T> {
        self.own(key, own, |own| (own > global).then(|| (own.to_string(), global.to_string())))
    }

    /// A limit that is tighter the larger it is.
    fn at_least<T: Copy + Ord + fmt::Display>(&mut self, key: &str, own: Stated<T>, global: T) -> Option<T> {
        self.own(key, own, |own| (own < global).then(|| (own.to_string(), global.to_string())))
    }

    /// A limit of which `looser` shows the own value and the global one where the own one is looser.
    fn own<T: Copy>(
        &mut self,
        key: &str,
        own: Stated<T>,
        looser: impl FnOnce(T) -> Option<(String, String)>,
    ) -> Option<T> {
        let own = own?;
        if let Some((shown, global)) = looser(own.value) {
            let message = format!("{key} is looser here ({shown}) than for all policies ({global})");
            let help =
                format!("a policy can be held tighter, never looser: change it here or in [limits] {key}");
            self.problems.push(Problem::new(&own.place, message).with_help(help));
        }
        Some(own.value)
    }
}
