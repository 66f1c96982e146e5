//! What `apply`, `accept` and `undo` go back to: a plan, or what was carried out.

use amiwarden_core::{ImageId, Plan};
use anyhow::anyhow;

use super::args::UndoArgs;
use super::failure::Failure;
use crate::store::{DoneIntent, Store, Undoable};

/// The plan of this name or the beginning of one, or the newest.
pub(super) async fn stored_plan(store: &Store, name: Option<&str>) -> Result<Plan, Failure> {
    let id = match name {
        Some(beginning) => {
            let found = store.reader().plans_beginning(beginning, 3).await?;
            match &found[..] {
                [only] => only.clone(),
                [] => return Err(no_plan(&format!("there is no plan {beginning}"))),
                _ => return Err(no_plan(&format!("more than one plan begins with {beginning}"))),
            }
        }
        None => store.reader().newest_plan().await?.ok_or_else(|| no_plan("there is no plan yet"))?,
    };
    let known: Option<Plan> = store.reader().plan(&id).await?;
    known.ok_or_else(|| no_plan(&format!("there is no plan {id}")))
}

/// The changes that `amiwarden undo` was asked to take back.
pub(super) async fn what_to_undo(store: &Store, args: &UndoArgs) -> Result<Vec<DoneIntent>, Failure> {
    let what = args.what.as_str();
    let wanted = if what.starts_with("ami-") {
        let image = ImageId::new(what);
        if args.all { Undoable::AllOfImage(image) } else { Undoable::LastOfImage(image) }
    } else if let Some((plan, step)) = what.split_once('/') {
        let plan = stored_plan(store, Some(plan)).await?;
        let step: usize =
            step.parse().ok().filter(|step| (1..=plan.steps.len()).contains(step)).ok_or_else(|| {
                Failure::Usage(anyhow!(
                    "{} has no step {step}: it has steps 1 to {}",
                    plan.id,
                    plan.steps.len()
                ))
            })?;
        Undoable::Step(plan.id, step - 1)
    } else {
        Undoable::Plan(stored_plan(store, Some(what)).await?.id)
    };
    let done = store.reader().undoable(&wanted).await?;
    if done.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "nothing that was carried out, and not undone since, belongs to {what}: `amiwarden history` shows what \
             was done"
        )));
    }
    Ok(done)
}

fn no_plan(reason: &str) -> Failure {
    Failure::Usage(anyhow!("{reason}: make one with `amiwarden plan`, or look at `amiwarden history`"))
}
