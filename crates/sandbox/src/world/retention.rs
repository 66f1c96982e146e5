//! Retention rules of the Recycle Bin: what they say, and what they hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One retention rule (Recycle Bin API: `Rule`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRuleRecord {
    /// Eleven letters and digits (botocore model of `rbin`: `RuleIdentifier`).
    pub id: String,
    /// The Region whose resources the rule holds.
    pub region: String,
    /// The kind of resource that it holds.
    pub resource: ResourceKind,
    /// For how many days a resource stays in the bin, from 1 to 365.
    pub retention_days: u32,
    /// Tags of which a resource must have one; none at all means every resource of the Region. A tag
    /// without a value asks for the key only.
    pub tags: BTreeMap<String, Option<String>>,
    /// Tags that keep a resource out; of rules for the whole Region only.
    pub exclude_tags: BTreeMap<String, Option<String>>,
    /// Whether the rule is in force.
    pub status: RetentionRuleStatus,
}

/// What a retention rule holds. Volumes, which the API knows too, are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceKind {
    /// EBS-backed images.
    Image,
    /// EBS snapshots.
    Snapshot,
}

/// The state of a retention rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetentionRuleStatus {
    /// Being created or changed; it holds nothing yet.
    Pending,
    /// In force.
    Available,
}

impl RetentionRuleRecord {
    /// Whether a resource of the rule's kind, with these tags in this Region, goes to the bin instead of
    /// being deleted. Only rules in the state `available` retain (Recycle Bin API: `GetRule`); one tag that
    /// fits is enough, and one excluded tag too (EBS User Guide: recycle-bin-concepts).
    pub fn covers(&self, region: &str, tags: &BTreeMap<String, String>) -> bool {
        let carries = |(key, wanted): (&String, &Option<String>)| {
            tags.get(key).is_some_and(|value| wanted.as_ref().is_none_or(|wanted| wanted == value))
        };
        self.status == RetentionRuleStatus::Available
            && self.region == region
            && if self.tags.is_empty() {
                !self.exclude_tags.iter().any(carries)
            } else {
                self.tags.iter().any(carries)
            }
    }
}

impl ResourceKind {
    /// The kind as the Recycle Bin API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "EC2_IMAGE",
            Self::Snapshot => "EBS_SNAPSHOT",
        }
    }
}

impl RetentionRuleStatus {
    /// The state as the Recycle Bin API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{ResourceKind, RetentionRuleRecord, RetentionRuleStatus};

    fn rule(tags: &[(&str, Option<&str>)], exclude_tags: &[(&str, Option<&str>)]) -> RetentionRuleRecord {
        let owned = |tags: &[(&str, Option<&str>)]| {
            tags.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
        };
        RetentionRuleRecord {
            id: "0123456789a".to_owned(),
            region: "us-east-1".to_owned(),
            resource: ResourceKind::Image,
            retention_days: 7,
            tags: owned(tags),
            exclude_tags: owned(exclude_tags),
            status: RetentionRuleStatus::Available,
        }
    }

    #[test]
    fn a_rule_covers_by_region_by_one_tag_and_never_what_it_excludes() {
        let tags = BTreeMap::from([("Team".to_owned(), "web".to_owned())]);
        for (rule, covered, case) in [
            (rule(&[], &[]), true, "every resource of the Region"),
            (rule(&[("Team", Some("web"))], &[]), true, "key and value"),
            (rule(&[("Team", None)], &[]), true, "key alone"),
            (rule(&[("Team", Some("db"))], &[]), false, "another value"),
            (rule(&[("team", None)], &[]), false, "keys are case-sensitive"),
            (rule(&[("Absent", None), ("Team", Some("web"))], &[]), true, "one of two"),
            (rule(&[], &[("Team", Some("web"))]), false, "excluded"),
            (rule(&[], &[("Team", Some("db")), ("Absent", None)]), true, "excluded tags that do not fit"),
        ] {
            assert_eq!(rule.covers("us-east-1", &tags), covered, "{case}");
            assert!(!rule.covers("eu-west-1", &tags), "{case}, in another Region");
            let pending = RetentionRuleRecord { status: RetentionRuleStatus::Pending, ..rule };
            assert!(!pending.covers("us-east-1", &tags), "{case}, but pending");
        }
    }
}
