//! Reads what a plan lacks: the uses of what is to be taken away, and whether it could be restored.
//!
//! A plan is made, what it lacks is read, and it is made again, until nothing is missing. The cheap and general comes
//! first; a source that is asked image by image is asked only about what every other guard lets pass. So an image that
//! is held anyway costs no call.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    ActionKind, Assembled, CandidateUses, Circumstances, CloudReader, Coverage, Gap, ImageId, Inventory,
    Limits, Listing, Memory, PlanRequest, PolicyName, PolicySettings, Scope, Source, Timestamp,
    UsageSettings, Wanted, assemble, draft_scope,
};
use futures::StreamExt;

use super::Survey;
use crate::executor::Clock;

/// What the guards look at besides what was read of a scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background {
    pub(crate) circumstances: Circumstances,
    /// What a person has accepted.
    pub(crate) accepted: BTreeSet<(ImageId, ActionKind)>,
}

/// Makes plans of surveys.
pub(crate) struct Planner<'a, R> {
    pub(crate) limits: &'a Limits,
    pub(crate) policies: &'a BTreeMap<PolicyName, PolicySettings>,
    pub(crate) backgrounds: &'a BTreeMap<Scope, Background>,
    /// Readers of accounts that no plan is made for, and that may use the images all the same.
    pub(crate) bystanders: &'a [R],
    /// Which sources of usage count.
    pub(crate) usage: &'a UsageSettings,
    /// Why there may be more accounts than are known, if so.
    pub(crate) unlisted: Option<&'a str>,
    pub(crate) concurrent_scopes: usize,
    pub(crate) clock: Clock,
}

impl<R: CloudReader> Planner<'_, R> {
    /// Makes the plan, reading what it lacks. Whatever could not be read holds back what depends on it.
    pub(crate) async fn plan(&self, readers: &[&R], surveys: &mut Vec<Survey>) -> Assembled {
        let own = surveys.len();
        surveys.extend(self.bystanders.iter().map(|reader| self.bystander(reader)));
        let readers: Vec<&R> = readers.iter().copied().chain(self.bystanders).collect();
        introduce_neighbours(surveys);
        if let Some(reason) = self.unlisted {
            doubt_neighbours(surveys, reason, (self.clock)());
        }
        let assembled = self.plan_own(&readers, surveys, own).await;
        surveys.truncate(own);
        assembled
    }

    /// Nothing is asked about it, and nothing decided.
    fn bystander(&self, reader: &R) -> Survey {
        let inventory = Inventory::new(reader.scope().clone(), (self.clock)()).with_usage(self.usage.clone());
        Survey { inventory, memory: Memory::default(), facts: BTreeMap::new(), decisions: Vec::new() }
    }

    /// Plans for the first `own` of `surveys`. The others only tell what they use.
    async fn plan_own(&self, readers: &[&R], surveys: &mut [Survey], own: usize) -> Assembled {
        // Ends: each round reads a source of a scope, or asks about an image, that was not read or asked about before.
        loop {
            let assembled = self.assemble(&surveys[..own]);
            if assembled.wanted.is_empty() {
                return assembled;
            }
            let wanted = with_neighbours(&assembled.wanted, surveys);
            let reading = surveys.iter_mut().filter_map(|survey| {
                let inventory = &mut survey.inventory;
                let reader = readers.iter().find(|reader| *reader.scope() == inventory.scope)?;
                Some((*reader, inventory, wanted.get(reader.scope())?))
            });
            futures::stream::iter(reading)
                .for_each_concurrent(self.concurrent_scopes, |(reader, inventory, wanted)| {
                    fetch(reader, inventory, wanted, self.clock)
                })
                .await;
            ask_neighbours(surveys, &wanted, (self.clock)());
        }
    }

    fn assemble(&self, surveys: &[Survey]) -> Assembled {
        let nothing = Background::default();
        let drafts = surveys.iter().map(|survey| {
            let background = self.backgrounds.get(&survey.inventory.scope).unwrap_or(&nothing);
            draft_scope(&PlanRequest {
                inventory: &survey.inventory,
                facts: &survey.facts,
                decisions: &survey.decisions,
                circumstances: &background.circumstances,
                limits: self.limits,
                policies: self.policies,
                accepted: &background.accepted,
            })
        });
        assemble(drafts.collect(), self.limits, self.policies)
    }
}

/// Reads every source of usage that is read as a whole and has not been.
pub(crate) async fn fetch_usage<R: CloudReader>(reader: &R, inventory: &mut Inventory, now: Timestamp) {
    let unread: Vec<Source> = unread_usage(inventory).collect();
    fetch_sources(reader, inventory, &unread, now).await;
}

fn unread_usage(inventory: &Inventory) -> impl Iterator<Item = Source> {
    inventory.usage.bulk().filter(|source| *inventory.coverage(*source) == Coverage::NotRead)
}

async fn fetch_sources<R: CloudReader>(
    reader: &R,
    inventory: &mut Inventory,
    sources: &[Source],
    now: Timestamp,
) {
    let listings = futures::future::join_all(sources.iter().map(|source| reader.uses(*source))).await;
    for (source, listing) in sources.iter().zip(listings) {
        inventory.add_uses(*source, listing, now);
    }
}

async fn fetch<R: CloudReader>(reader: &R, inventory: &mut Inventory, wanted: &Wanted, clock: Clock) {
    let now = clock();
    let bulk: Vec<Source> =
        wanted.usage.iter().copied().filter(|source| *source != Source::OtherAccounts).collect();
    fetch_sources(reader, inventory, &bulk, now).await;
    if wanted.retention_rules {
        inventory.retention_rules = Some(reader.retention_rules().await);
    }
    if wanted.snapshots {
        inventory.add_snapshots(reader.snapshots().await);
    }
    for (source, images) in &wanted.candidates {
        let images: Vec<ImageId> = images.iter().cloned().collect();
        ask_about(reader, inventory, *source, &images, clock()).await;
    }
}

/// Asks a source about single images.
pub(super) async fn ask_about<R: CloudReader>(
    reader: &R,
    inventory: &mut Inventory,
    source: Source,
    images: &[ImageId],
    now: Timestamp,
) {
    let mut answers = reader.candidate_uses(source, images.to_vec(), now).await;
    // A reader that forgets an image has not proven anything about it.
    for image in images {
        let no_answer = || CandidateUses {
            uses: Vec::new(),
            gap: Some(Gap::new("there was no answer for it")),
            as_of: now,
        };
        answers.entry(image.clone()).or_insert_with(no_answer);
    }
    inventory.add_candidate_uses(source, answers);
}

/// Whether what one of them uses may be an image of the other.
pub(super) fn are_neighbours(one: &Scope, other: &Scope) -> bool {
    one.region == other.region && one.account != other.account
}

fn introduce_neighbours(surveys: &mut [Survey]) {
    let scopes: Vec<Scope> = surveys.iter().map(|survey| survey.inventory.scope.clone()).collect();
    for survey in surveys {
        let own = &survey.inventory.scope;
        survey.inventory.has_neighbours = scopes.iter().any(|scope| are_neighbours(own, scope));
    }
}

/// Where not all accounts are known, nobody can tell that none of the others uses an image.
fn doubt_neighbours(surveys: &mut [Survey], reason: &str, now: Timestamp) {
    for survey in surveys {
        survey.inventory.has_neighbours = true;
        survey.inventory.add_uses(Source::OtherAccounts, Listing::partial(Vec::new(), reason), now);
    }
}

/// Who wants to know what its neighbours use wants their usage to be read.
fn with_neighbours(wanted: &BTreeMap<Scope, Wanted>, surveys: &[Survey]) -> BTreeMap<Scope, Wanted> {
    let mut all = wanted.clone();
    let asking = wanted.iter().filter(|(_, wanted)| wanted.usage.contains(&Source::OtherAccounts));
    for (scope, _) in asking {
        for survey in surveys.iter().filter(|survey| are_neighbours(scope, &survey.inventory.scope)) {
            let neighbour = all.entry(survey.inventory.scope.clone()).or_default();
            neighbour.usage.extend(unread_usage(&survey.inventory));
        }
    }
    all
}

fn ask_neighbours(surveys: &mut [Survey], wanted: &BTreeMap<Scope, Wanted>, now: Timestamp) {
    for index in 0..surveys.len() {
        let own = &surveys[index].inventory;
        let asks = wanted.get(&own.scope).is_some_and(|wanted| wanted.usage.contains(&Source::OtherAccounts));
        if asks {
            let neighbours = surveys.iter().map(|survey| &survey.inventory);
            let neighbours = neighbours.filter(|other| are_neighbours(&own.scope, &other.scope));
            let listing = own.uses_by_neighbours(neighbours);
            surveys[index].inventory.add_uses(Source::OtherAccounts, listing, now);
        }
    }
}
