//! Seeding of the Recycle Bin's retention rules.

use super::{Seeding, derived_id};
use crate::world::{RetentionRuleRecord, RetentionRuleStatus};

/// How long a rule's identifier is (botocore model of `rbin`: `RuleIdentifier`).
const ID_CHARS: usize = 11;
/// How many tags a rule can hold by, and how many it can exclude by (botocore model of `rbin`:
/// `ResourceTags`, `ExcludeResourceTags`).
const TAGS_MAX: usize = 50;
const EXCLUDE_TAGS_MAX: usize = 5;

impl Seeding<'_> {
    pub(super) fn retention_rules(&mut self) {
        for (index, rule) in self.fleet.recycle_bin_rules.iter().enumerate() {
            let path = format!("recycle_bin_rules[{index}]");
            let region = self.region(&format!("{path}.region"), rule.region.as_deref());
            let id = rule.id.clone().unwrap_or_else(|| {
                let derived = derived_id("", &["retention rule", &region, &index.to_string()]);
                derived[derived.len() - ID_CHARS..].to_owned()
            });
            if id.len() != ID_CHARS || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                self.problems.add(
                    format!("{path}.id"),
                    format!("`{id}` is not the identifier of a retention rule"),
                    "Write eleven letters and digits, or leave it out.",
                );
            }
            if !(1..=365).contains(&rule.retention_days) {
                self.problems.add(
                    format!("{path}.retention_days"),
                    format!("{} days cannot be kept", rule.retention_days),
                    "Write a number from 1 to 365.",
                );
            }
            if rule.tags.len() > TAGS_MAX || rule.exclude_tags.len() > EXCLUDE_TAGS_MAX {
                self.problems.add(
                    path.clone(),
                    "too many tags",
                    format!("Write at most {TAGS_MAX} tags, or {EXCLUDE_TAGS_MAX} excluded ones."),
                );
            }
            if !rule.tags.is_empty() && !rule.exclude_tags.is_empty() {
                self.problems.add(
                    format!("{path}.exclude_tags"),
                    "a rule that holds by tags excludes none",
                    "Leave out tags (then the rule is for the whole Region), or exclude_tags.",
                );
            }
            let record = RetentionRuleRecord {
                id: id.clone(),
                region,
                resource: rule.resource,
                retention_days: rule.retention_days,
                tags: rule.tags.clone(),
                exclude_tags: rule.exclude_tags.clone(),
                status: RetentionRuleStatus::Available,
            };
            if self.world.retention_rules.insert(id.clone(), record).is_some() {
                self.duplicate(&path, &id);
            }
        }
    }
}
