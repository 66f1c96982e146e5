//! `explain`: why one image would be changed, held back or kept, as things stand now.
//!
//! Reads only, and records nothing: an explanation is no decision.

use std::collections::BTreeSet;

use amiwarden_core::{
    ActionKind, CloudReader, Decision, ImageId, Memory, PlanRequest, ScopeDraft, Timestamp, assemble,
    draft_scope,
};
use anyhow::anyhow;

use super::args::{FormatArg, Global};
use super::failure::{Failure, Outcome};
use super::prepare::{self, Rules};
use super::terminal;
use crate::cycle::{Survey, ask_policies, list_images};
use crate::explanation::Explanation;

pub(super) async fn explain(global: &Global, image: &str) -> Result<Outcome, Failure> {
    let rules = prepare::load_rules(prepare::load_config(global, None)?)?;
    let cloud = prepare::connect(global, &rules.config, None).await?;
    let id = ImageId::new(image);
    let mut found = None;
    let mut gaps = Vec::new();
    for scope in prepare::scopes(&cloud) {
        let reader = cloud.connection.reader(&scope);
        let inventory = list_images(&reader, Timestamp::now()).await;
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
    let (memory, accepted) = match &store {
        Some(store) => (store.memory(&scope).await?, store.accepted(&scope).await?),
        None => (Memory::default(), BTreeSet::new()),
    };
    let survey = ask_policies(&reader, inventory, &memory, &rules.book, Timestamp::now()).await?;
    let explanation = explanation(&rules, &survey, &accepted, &id)
        .ok_or_else(|| anyhow!("no decision was made about {image}"))?;
    let text = match global.format {
        FormatArg::Json => serde_json::to_string_pretty(&explanation.json())? + "\n",
        FormatArg::Table | FormatArg::Csv | FormatArg::Markdown => explanation.text(),
    };
    cloud.close().await;
    terminal::print(text.as_bytes())?;
    Ok(Outcome::Fine)
}

/// The decision on the image within the plan that would be made now: guards look at all images together.
fn explanation(
    rules: &Rules,
    survey: &Survey,
    accepted: &BTreeSet<(ImageId, ActionKind)>,
    id: &ImageId,
) -> Option<Explanation> {
    let draft: ScopeDraft = draft_scope(&PlanRequest {
        inventory: &survey.inventory,
        facts: &survey.facts,
        decisions: &survey.decisions,
        limits: &rules.config.limits,
        policies: &rules.book.settings,
        accepted,
    });
    let (plan, kept) = assemble(vec![draft], &rules.config.limits, &rules.book.settings);
    let decision: &Decision = survey.decisions.iter().find(|decision| decision.image == *id)?;
    Some(Explanation {
        facts: survey.facts.get(id)?.clone(),
        decision: decision.clone(),
        steps: plan.steps.into_iter().filter(|step| step.image_id == *id).collect(),
        held: plan.held.into_iter().filter(|held| held.image_id == *id).collect(),
        kept: kept.into_iter().find(|kept| kept.image_id == *id),
    })
}
