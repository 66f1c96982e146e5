//! Reads one scope and asks the policies, as far and only as far as they want to know.
//!
//! A policy that reads a fact which has not been fetched is suspended. What all suspended images of the scope
//! need is then fetched in batches, and they are asked again. So no call is made that no policy needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amiwarden_core::{
    CloudReader, Decision, Evaluation, Facts, FamilyRule, Gap, ImageId, Inventory, Memory, Need, PolicyName,
    PolicySettings, Timestamp, UsageSettings, Verdict, decide, derive_facts, missing,
};
use amiwarden_policy::PolicySet;
use tokio::task::JoinError;

use super::evidence::fetch_usage;
use crate::config::PolicyScope;

/// The policies with what the configuration says of where they apply.
#[derive(Clone, Debug)]
pub(crate) struct RuleBook {
    pub(crate) policies: PolicySet,
    pub(crate) scopes: BTreeMap<PolicyName, PolicyScope>,
    pub(crate) settings: BTreeMap<PolicyName, PolicySettings>,
    pub(crate) families: FamilyRule,
}

/// What was read of a scope and what the policies make of it.
#[derive(Clone, Debug)]
pub(crate) struct Survey {
    pub(crate) inventory: Inventory,
    /// What was remembered of the scope's images when the policies were asked.
    pub(crate) memory: Memory,
    pub(crate) facts: BTreeMap<ImageId, Arc<Facts>>,
    pub(crate) decisions: Vec<Decision>,
}

/// Lists the images of the reader's scope.
pub(crate) async fn list_images<R: CloudReader>(
    reader: &R,
    usage: &UsageSettings,
    now: Timestamp,
) -> Inventory {
    let mut inventory = Inventory::new(reader.scope().clone(), now).with_usage(usage.clone());
    inventory.add_images(reader.images().await);
    inventory
}

/// Asks the policies about every image of the inventory.
///
/// # Errors
///
/// Only when the evaluation itself panicked.
pub(crate) async fn ask_policies<R: CloudReader>(
    reader: &R,
    mut inventory: Inventory,
    memory: &Memory,
    rules: &Arc<RuleBook>,
    now: Timestamp,
) -> Result<Survey, JoinError> {
    let mut answered: BTreeMap<ImageId, Vec<Verdict>> = BTreeMap::new();
    let mut facts = Arc::new(derive_facts(&inventory, memory, &rules.families, now));
    // Ends: each round fetches something that was not fetched before, and there are three things to fetch.
    loop {
        let open: Vec<ImageId> = facts.keys().filter(|id| !answered.contains_key(*id)).cloned().collect();
        let round = {
            let (facts, rules) = (Arc::clone(&facts), Arc::clone(rules));
            tokio::task::spawn_blocking(move || evaluate(&rules, &facts, &open)).await?
        };
        answered.extend(round.answered);
        if round.needs.is_empty() {
            break;
        }
        fetch(reader, &mut inventory, round.needs, now).await;
        facts = Arc::new(derive_facts(&inventory, memory, &rules.families, now));
    }
    let decisions = decide_all(&facts, answered, &rules.settings);
    let facts = Arc::unwrap_or_clone(facts);
    Ok(Survey { inventory, memory: memory.clone(), facts, decisions })
}

/// What one round of evaluation yields.
#[derive(Default)]
pub(super) struct Round {
    pub(super) answered: Vec<(ImageId, Vec<Verdict>)>,
    /// What has to be fetched first, and for which images: those are not answered.
    needs: BTreeMap<Need, Vec<ImageId>>,
}

/// Evaluates policy by policy, so that each one's engine stays warm over all images.
pub(super) fn evaluate(rules: &RuleBook, facts: &BTreeMap<ImageId, Arc<Facts>>, open: &[ImageId]) -> Round {
    let mut verdicts: BTreeMap<ImageId, Vec<Verdict>> =
        open.iter().map(|id| (id.clone(), Vec::new())).collect();
    let mut suspended: BTreeSet<(Need, ImageId)> = BTreeSet::new();
    for policy in rules.policies.policies() {
        let scope = rules.scopes.get(policy.name());
        let mut evaluator = policy.evaluator(facts);
        for (id, verdicts) in &mut verdicts {
            let Some(image) = facts.get(id) else { continue };
            if scope.is_some_and(|scope| !scope.covers(image)) {
                continue;
            }
            match evaluator.evaluate(image) {
                Evaluation::Verdict(verdict) => verdicts.push(verdict),
                Evaluation::Suspended(need) => {
                    suspended.insert((need, id.clone()));
                }
            }
        }
    }
    for (id, verdicts) in &verdicts {
        if let Some(image) = facts.get(id) {
            suspended.extend(missing(image, verdicts).into_iter().map(|need| (need, id.clone())));
        }
    }
    let mut round = Round::default();
    for (need, id) in suspended {
        verdicts.remove(&id);
        round.needs.entry(need).or_default().push(id);
    }
    round.answered = verdicts.into_iter().collect();
    round
}

async fn fetch<R: CloudReader>(
    reader: &R,
    inventory: &mut Inventory,
    needs: BTreeMap<Need, Vec<ImageId>>,
    now: Timestamp,
) {
    for (need, images) in needs {
        match need {
            Need::LaunchPermissions => {
                let mut answers = reader.launch_permissions(images.clone()).await;
                for id in images {
                    let answer =
                        answers.remove(&id).unwrap_or_else(|| Err(Gap::new("there was no answer for it")));
                    inventory.launch_permissions.insert(id, answer);
                }
            }
            Need::Snapshots => inventory.add_snapshots(reader.snapshots().await),
            Need::Usage => fetch_usage(reader, inventory, now).await,
        }
    }
}

pub(super) fn decide_all(
    facts: &BTreeMap<ImageId, Arc<Facts>>,
    answered: impl IntoIterator<Item = (ImageId, Vec<Verdict>)>,
    settings: &BTreeMap<PolicyName, PolicySettings>,
) -> Vec<Decision> {
    answered
        .into_iter()
        .filter_map(|(id, verdicts)| Some(decide(facts.get(&id)?, verdicts, settings)))
        .collect()
}
