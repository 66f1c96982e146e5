//! `explain`: why one image would be changed, held back or kept, as things stand now.
//!
//! Reads only, and records nothing: an explanation is no decision.

use std::collections::BTreeMap;

use amiwarden_core::{
    Circumstances, CloudReader, Decision, Held, Image, ImageId, Inventory, Memory, Scope, Timestamp, prove,
};
use anyhow::anyhow;

use super::args::{FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::prepare;
use super::terminal;
use crate::cycle::{Background, Planner, Survey, ask_policies, list_images};
use crate::explanation::Explanation;
use crate::pause::PauseFile;
use crate::report::plain;
use crate::rules::Rules;
use crate::run::bystanders;
use crate::store::StoreReader;

pub(super) async fn explain(global: &Global, image: &str) -> Result<Outcome, Failure> {
    let rules = prepare::load_rules(prepare::load_config(global, None)?)?;
    let cloud = prepare::connect(global, &rules.config, None).await?;
    let mut listed = Vec::new();
    for scope in prepare::scopes(&cloud) {
        let reader = cloud.connection.reader(&scope, rules.config.usage.template_versions);
        let inventory = list_images(&reader, &rules.config.usage, Timestamp::now()).await;
        let has_it = inventory.images.contains_key(&ImageId::new(image));
        listed.push((reader, inventory));
        // An id is there once; a name may be in every scope.
        if has_it {
            break;
        }
    }
    let (place, id) = find(image, listed.iter().map(|(_, inventory)| inventory))?;
    let (reader, inventory) = listed.swap_remove(place);
    // A database that does not exist yet remembers nothing; one that cannot be read is a failure.
    let store = if rules.config.store.path.exists() {
        Some(prepare::open_reader(&rules.config).await?)
    } else {
        None
    };
    let scope = reader.scope().clone();
    let (memory, background) = match &store {
        Some(store) => (store.memory(&scope).await?, background(&rules, store, &scope).await?),
        None => (Memory::default(), Background::default()),
    };
    let others = bystanders(&cloud.connection, &[scope], rules.config.usage.template_versions);
    let survey = ask_policies(&reader, inventory, &memory, &rules.book, Timestamp::now()).await?;
    let explanation =
        explanation(&rules, (&reader, &others, cloud.connection.unlisted()), survey, background, &id)
            .await
            .ok_or_else(|| anyhow!("no decision was made about {image}"))?;
    let text = match global.format {
        FormatArg::Json => serde_json::to_string_pretty(&explanation.json())? + "\n",
        FormatArg::Table | FormatArg::Csv | FormatArg::Markdown => explanation.text(),
    };
    cloud.close().await;
    terminal::print(text.as_bytes())?;
    Ok(Outcome::Fine)
}

/// How many images are named where several could be meant.
const CANDIDATES_MAX: usize = 10;

/// The image that is meant, and the place of its inventory: the one of that id, else of that name, else the only one
/// whose name begins so.
fn find<'a>(
    wanted: &str,
    inventories: impl Iterator<Item = &'a Inventory> + Clone,
) -> Result<(usize, ImageId), Failure> {
    let images = inventories.clone().enumerate().flat_map(|(place, inventory)| {
        inventory.images.values().map(move |image| (place, &inventory.scope, image))
    });
    let name = |image: &'a Image| image.name.as_deref();
    let by_id: Vec<_> = images.clone().filter(|(.., image)| image.id.as_str() == wanted).collect();
    let by_name: Vec<_> = images.clone().filter(|(.., image)| name(image) == Some(wanted)).collect();
    let by_beginning: Vec<_> =
        images.filter(|(.., image)| name(image).is_some_and(|name| name.starts_with(wanted))).collect();
    let meant =
        [by_id, by_name, by_beginning].into_iter().find(|meant| !meant.is_empty()).unwrap_or_default();
    let gaps: Vec<String> = inventories
        .clone()
        .flat_map(|inventory| {
            inventory.gaps().map(move |(source, gap)| format!("{}: {source}: {gap}", inventory.scope))
        })
        .collect();
    match &meant[..] {
        // An id is never another image's; a name that is not all there is to see might be.
        [(place, _, image)] if gaps.is_empty() || image.id.as_str() == wanted => {
            Ok((*place, image.id.clone()))
        }
        [_] => {
            let gaps = gaps.join("; ");
            Err(anyhow!(
                "not all images could be listed ({gaps}), so others may be meant by {wanted}: name the id"
            )
            .into())
        }
        [] if !gaps.is_empty() => {
            let gaps = gaps.join("; ");
            Err(anyhow!("{wanted} was not found, but not all images could be listed ({gaps})").into())
        }
        [] => {
            let scopes: Vec<String> = inventories.map(|inventory| inventory.scope.to_string()).collect();
            Err(Failure::Usage(anyhow!(
                "no image {wanted} in {}: check the id or the name, and the Regions (`--region`); what happened to an \
                 image that is gone shows `amiwarden history IMAGE`",
                scopes.join(", ")
            )))
        }
        several => {
            let named = several.iter().take(CANDIDATES_MAX).map(|(_, scope, image)| {
                format!("{} ({}, {scope})", image.id, name(image).map(plain).unwrap_or_default())
            });
            let named: Vec<String> = named.collect();
            let rest = if several.len() > named.len() { ", …" } else { "" };
            Err(Failure::Usage(anyhow!(
                "{wanted} can be any of {} images; say which by its id: {}{rest}",
                several.len(),
                named.join(", ")
            )))
        }
    }
}

async fn background(rules: &Rules, store: &StoreReader, scope: &Scope) -> Result<Background, Failure> {
    Ok(Background {
        circumstances: Circumstances {
            baseline: store.baseline(scope).await?,
            pause: PauseFile::of(&rules.config).reason(),
            ..Circumstances::default()
        },
        accepted: store.accepted(scope).await?,
    })
}

/// The decision on the image within the plan that would be made now: guards look at all images together.
async fn explanation<R: CloudReader>(
    rules: &Rules,
    (reader, bystanders, unlisted): (&R, &[R], Option<&str>),
    survey: Survey,
    background: Background,
    id: &ImageId,
) -> Option<Explanation> {
    let planner = Planner {
        limits: &rules.config.limits,
        policies: &rules.book.settings,
        backgrounds: &BTreeMap::from([(survey.inventory.scope.clone(), background)]),
        bystanders,
        usage: &rules.config.usage,
        unlisted,
        concurrent_scopes: rules.config.speed.concurrent_scopes,
        clock: Timestamp::now,
    };
    let mut surveys = vec![survey];
    let assembled = planner.plan(&[reader], &mut surveys).await;
    let survey = surveys.pop()?;
    let decision: &Decision = survey.decisions.iter().find(|decision| decision.image == *id)?;
    let facts = survey.facts.get(id)?.clone();
    let held: Vec<Held> = assembled.plan.held.into_iter().filter(|held| held.image_id == *id).collect();
    let destructive = held.iter().find(|held| held.change.kind().is_destructive());
    Some(Explanation {
        held_proof: destructive.map(|held| prove(&survey.inventory, &facts.image, &held.change)),
        decision: decision.clone(),
        steps: assembled.plan.steps.into_iter().filter(|step| step.image_id == *id).collect(),
        held,
        kept: assembled.kept.into_iter().find(|kept| kept.image_id == *id),
        facts,
    })
}
