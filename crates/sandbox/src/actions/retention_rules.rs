//! The Recycle Bin's own API: `ListRules` and `GetRule`.
//!
//! A list tells neither tags nor states of rules; both are asked for rule by rule, as in AWS. Deliberately
//! absent: rules for volumes, listing by tags or locks, descriptions, locks, and changing rules. The bin
//! itself is read and emptied through EC2.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::page::PageRequest;
use super::{Context, unknown_action};
use crate::protocol::{ApiError, Parameters};
use crate::world::{ResourceKind, RetentionRuleRecord, World};

/// The largest page (botocore model of `rbin`: `MaxResults`); taken where nothing is said as well.
const PAGE_MAX: u16 = 1000;

/// One parsed request to the Recycle Bin.
#[derive(Debug)]
pub(crate) enum RuleQuery {
    /// No resource at all means volumes, of which there are no rules.
    List {
        resource: Option<ResourceKind>,
        page: PageRequest,
    },
    Get {
        id: String,
    },
}

impl RuleQuery {
    pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Self, ApiError> {
        match action {
            "ListRules" => {
                parameters.check_names(&["ResourceType", "MaxResults", "NextToken"])?;
                let resource = match parameters.required("ResourceType")? {
                    "EC2_IMAGE" => Some(ResourceKind::Image),
                    "EBS_SNAPSHOT" => Some(ResourceKind::Snapshot),
                    "EBS_VOLUME" => None,
                    other => {
                        return Err(ApiError::invalid_value("ResourceType", other, "Unknown resource type."));
                    }
                };
                let (range, default) = (1..=u64::from(PAGE_MAX), usize::from(PAGE_MAX));
                Ok(Self::List {
                    resource,
                    page: PageRequest::parse_sized(parameters, "MaxResults", range, default)?,
                })
            }
            "GetRule" => {
                parameters.check_names(&["Identifier"])?;
                Ok(Self::Get { id: parameters.required("Identifier")?.to_owned() })
            }
            _ => Err(unknown_action(action)),
        }
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        match self {
            Self::List { resource, page } => {
                let rules = world.retention_rules.values();
                let listed = rules
                    .filter(|rule| rule.region == context.region && Some(rule.resource) == *resource)
                    .map(|rule| (rule.id.clone(), rule));
                let page = page.cut(listed, context)?;
                let summaries = page.items.iter().map(|rule| summary(world, rule));
                let mut body = json!({ "Rules": summaries.collect::<Vec<Value>>() });
                page.add_token(&mut body);
                Ok(body.to_string())
            }
            Self::Get { id } => {
                let rule = world.retention_rules.get(id).filter(|rule| rule.region == context.region);
                let rule = rule.ok_or_else(|| {
                    ApiError::with_status(
                        404,
                        "ResourceNotFoundException",
                        format!("The retention rule '{id}' does not exist."),
                    )
                })?;
                let mut body = summary(world, rule);
                body["ResourceType"] = json!(rule.resource.as_str());
                body["Status"] = json!(rule.status.as_str());
                body["ResourceTags"] = tags(&rule.tags);
                body["ExcludeResourceTags"] = tags(&rule.exclude_tags);
                Ok(body.to_string())
            }
        }
    }
}

fn summary(world: &World, rule: &RetentionRuleRecord) -> Value {
    json!({
        "Identifier": rule.id,
        "RuleArn": format!("arn:aws:rbin:{}:{}:rule/{}", rule.region, world.account, rule.id),
        "RetentionPeriod": { "RetentionPeriodValue": rule.retention_days, "RetentionPeriodUnit": "DAYS" },
    })
}

fn tags(tags: &BTreeMap<String, Option<String>>) -> Value {
    let entry = |(key, value): (&String, &Option<String>)| match value {
        Some(value) => json!({ "ResourceTagKey": key, "ResourceTagValue": value }),
        None => json!({ "ResourceTagKey": key }),
    };
    tags.iter().map(entry).collect()
}
