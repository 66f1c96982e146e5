//! The Recycle Bin's `ListRules` and `GetRule`: the retention rules that are in force.

use amiwarden_core::{Gap, Listing, RetainedKind, RetentionRule};
use aws_sdk_rbin::Client;
use aws_sdk_rbin::operation::get_rule::GetRuleOutput;
use aws_sdk_rbin::types::{ResourceTag, ResourceType, RetentionPeriod, RetentionPeriodUnit, RuleStatus};
use futures::stream::StreamExt;

use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits};
use crate::convert::{filled, listed};
use crate::errors::Failure;

const OPERATION: Operation =
    Operation { name: "ListRules", permissions: "rbin:ListRules", limits: PageLimits::EC2 };

const GET_RULE: &str = "GetRule";

/// How many rules are asked for at once.
const IN_FLIGHT_MAX: usize = 4;

/// The rules for images and for snapshots. A rule that is not yet in force holds nothing and is left out.
pub(crate) async fn collect(client: &Client) -> Listing<RetentionRule> {
    let kinds = [RetainedKind::Image, RetainedKind::Snapshot];
    let (images, snapshots) = futures::join!(rules_for(client, kinds[0]), rules_for(client, kinds[1]));
    let gap = pages::join(images.gap.into_iter().chain(snapshots.gap));
    Listing { items: images.items.into_iter().chain(snapshots.items).collect(), gap }
}

async fn rules_for(client: &Client, kind: RetainedKind) -> Listing<RetentionRule> {
    let listing = pages::read(OPERATION, |token| async {
        let page = client
            .list_rules()
            .resource_type(resource_type(kind))
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(OPERATION.name, &error))?;
        Ok(Page::convert(page.rules, page.next_token, |raw| {
            raw.identifier.and_then(filled).map(Some).ok_or("a rule without an identifier")
        }))
    })
    .await;
    let answers: Vec<_> = futures::stream::iter(listing.items)
        .map(|id| rule(client, id, kind))
        .buffered(IN_FLIGHT_MAX)
        .collect()
        .await;
    let mut rules = Vec::new();
    let mut gaps = Vec::new();
    for answer in answers {
        match answer {
            Ok(rule) => rules.extend(rule),
            Err(gap) => gaps.push(gap),
        }
    }
    Listing { items: rules, gap: pages::join(gaps.into_iter().chain(listing.gap)) }
}

/// The rule, if it is in force.
async fn rule(client: &Client, id: String, kind: RetainedKind) -> Result<Option<RetentionRule>, Gap> {
    let gap = |reason: &dyn std::fmt::Display| Gap::new(format!("{GET_RULE} of {id}: {reason}"));
    let reply = match client.get_rule().identifier(&id).send().await {
        Ok(reply) => reply,
        Err(error) => {
            let failure = Failure::new(GET_RULE, &error);
            // Deleted since it was listed.
            if failure.says_no_rule() {
                return Ok(None);
            }
            return Err(gap(&failure.reason("rbin:GetRule")));
        }
    };
    if reply.identifier() != Some(&id) || reply.resource_type() != Some(&resource_type(kind)) {
        return Err(gap(&"the answer is about another rule"));
    }
    match reply.status() {
        Some(RuleStatus::Available) => {}
        Some(_) => return Ok(None),
        None => return Err(gap(&"the reply does not tell whether it is in force")),
    }
    let retention_days =
        days(reply.retention_period()).ok_or_else(|| gap(&"its retention period is not in days"))?;
    let GetRuleOutput { resource_tags, exclude_resource_tags, .. } = reply;
    Ok(Some(RetentionRule {
        id,
        kind,
        retention_days,
        tags: listed(resource_tags).map(tag).collect(),
        exclude_tags: listed(exclude_resource_tags).map(excluded_tag).collect(),
    }))
}

fn resource_type(kind: RetainedKind) -> ResourceType {
    match kind {
        RetainedKind::Image => ResourceType::Ec2Image,
        RetainedKind::Snapshot => ResourceType::EbsSnapshot,
    }
}

fn days(period: Option<&RetentionPeriod>) -> Option<u32> {
    let period = period.filter(|period| *period.retention_period_unit() == RetentionPeriodUnit::Days)?;
    u32::try_from(period.retention_period_value()).ok()
}

fn tag(raw: ResourceTag) -> (String, Option<String>) {
    (raw.resource_tag_key, raw.resource_tag_value)
}

/// An empty value may stand for any. Whoever is excluded is not held, so the wider reading is the safe one.
fn excluded_tag(raw: ResourceTag) -> (String, Option<String>) {
    (raw.resource_tag_key, raw.resource_tag_value.and_then(filled))
}
