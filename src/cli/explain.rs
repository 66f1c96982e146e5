//! `explain`: why one image would be changed, held back or kept, as things stand now.
//!
//! Reads only, and records nothing: an explanation is no decision.

use std::collections::BTreeMap;

use amiwarden_core::{Circumstances, CloudReader, Decision, Held, ImageId, Memory, Scope, Timestamp, prove};
use anyhow::anyhow;

use super::args::{FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::prepare;
use super::terminal;
use crate::cycle::{Background, Planner, Survey, ask_policies, list_images};
use crate::explanation::Explanation;
use crate::pause::PauseFile;
use crate::rules::Rules;
use crate::run::bystanders;
use crate::store::StoreReader;

pub(super) async fn explain(global: &Global, image: &str) -> Result<Outcome, Failure> {
    let rules = prepare::load_rules(prepare::load_config(global, None)?)?;
    let cloud = prepare::connect(global, &rules.config, None).await?;
    let id = ImageId::new(image);
    let mut found = None;
    let mut gaps = Vec::new();
    for scope in prepare::scopes(&cloud) {
        let reader = cloud.connection.reader(&scope, rules.config.usage.template_versions);
        let inventory = list_images(&reader, &rules.config.usage, Timestamp::now()).await;
        if inventory.images.contains_key(&id) {
            found = Some((reader, inventory));
            break;
        }
        gaps.extend(inventory.gaps().map(|(source, gap)| format!("{scope}: {source}: {gap}")));
    }
    let Some((reader, inventory)) = found else {
        if !gaps.is_empty() {
            let gaps = gaps.join("; ");
            return Err(anyhow!("{image} was not found, but not all images could be listed ({gaps})").into());
        }
        let scopes: Vec<String> = prepare::scopes(&cloud).iter().map(ToString::to_string).collect();
        return Err(Failure::Usage(anyhow!(
            "no image {image} in {}: check the id, and the Regions (`--region`); what happened to an image that \
             is gone shows `amiwarden history {image}`",
            scopes.join(", ")
        )));
    };
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
