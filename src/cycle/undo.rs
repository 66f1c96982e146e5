//! Planning an undo: what brings images back to what they were before the selected changes.

use std::collections::BTreeMap;

use amiwarden_core::{
    Because, Change, CloudReader, CloudWriter, DoneChange, Figures, Guard, Held, Image, ImageId, ImageState,
    Inventory, Kept, LaunchPermissions, Listing, Plan, PolicyName, Present, Proof, RuleRef, Scope,
    ScopeFigures, ScopeReport, SnapshotId, Source, Step, Undo, prove, undo,
};

use super::evidence::{are_neighbours, ask_about, fetch_usage};
use super::{Cycle, CycleError, Link, Planned};
use crate::store::{DoneIntent, IntentId};

/// The name under which reports show who asks for an undo.
/// In the place of a policy's name, where a change takes another back.
pub(crate) const UNDO: &str = "undo";

/// Which intents each step of an undo takes back, by the step's place in the plan.
pub(crate) type Undoes = BTreeMap<usize, Vec<IntentId>>;

/// A planned undo.
pub(crate) struct PlannedUndo {
    pub(crate) planned: Planned,
    pub(crate) undoes: Undoes,
}

/// What was gathered for one image.
#[derive(Default)]
struct OfImage {
    steps: Vec<(Step, Vec<IntentId>)>,
    held: Vec<Held>,
    kept: Vec<Kept>,
}

/// What is read once for each scope.
#[derive(Default)]
struct Readings {
    bins: BTreeMap<Scope, RecycleBin>,
    /// Who uses images.
    inventories: BTreeMap<Scope, Inventory>,
}

/// What is in the Recycle Bin of a scope.
struct RecycleBin {
    images: Listing<ImageId>,
    snapshots: Listing<SnapshotId>,
}

impl<R: CloudReader, W: CloudWriter> Cycle<'_, R, W> {
    /// Looks at the image of every change in `done` and plans what brings it back.
    pub(crate) async fn plan_undo(&self, done: Vec<DoneIntent>) -> Result<PlannedUndo, CycleError> {
        self.progress.phase_of("looking at the images", done.len());
        let mut images: BTreeMap<(Scope, ImageId), Vec<DoneIntent>> = BTreeMap::new();
        for intent in done {
            let key = (intent.step.scope.clone(), intent.step.image_id.clone());
            images.entry(key).or_default().push(intent);
        }
        let mut scopes: BTreeMap<Scope, usize> = BTreeMap::new();
        let mut readings = Readings::default();
        let mut all = OfImage::default();
        for ((scope, _), done) in images {
            *scopes.entry(scope.clone()).or_default() += 1;
            let of_image = match self.links.iter().find(|link| *link.reader.scope() == scope) {
                Some(link) => self.plan_image(link, &done, &mut readings).await,
                None => refuse_all(&done, "this run does not reach its account and Region (`--region`)"),
            };
            all.steps.extend(of_image.steps);
            all.held.extend(of_image.held);
            all.kept.extend(of_image.kept);
            self.progress.advance();
        }
        let undoes = all.steps.iter().enumerate();
        let undoes = undoes.map(|(index, (_, intents))| (index, intents.clone())).collect();
        let mut plan = Plan::of_steps(all.steps.into_iter().map(|(step, _)| step).collect());
        plan.held = all.held;
        let scope_report = |(scope, images)| ScopeReport {
            scope,
            images,
            gaps: Vec::new(),
            dry_run_error: None,
            figures: ScopeFigures::default(),
        };
        let planned = Planned {
            plan,
            kept: all.kept,
            scopes: scopes.into_iter().map(scope_report).collect(),
            errors: Vec::new(),
            conflicts: Vec::new(),
            surveys: Vec::new(),
            figures: Figures::default(),
            accepted_plan: None,
        };
        Ok(PlannedUndo { planned, undoes })
    }

    async fn plan_image(&self, link: &Link<R, W>, done: &[DoneIntent], readings: &mut Readings) -> OfImage {
        let present = match self.present(link, done, &mut readings.bins).await {
            Ok(present) => present,
            Err(reason) => return refuse_all(done, &reason),
        };
        let changes: Vec<DoneChange> = done.iter().map(done_change).collect();
        let undo = undo(&changes, &present, self.started_at);
        let last_known = || done.iter().rev().find_map(|done| done.before.image.clone());
        let image = match &present {
            Present::Listed { image, .. } => Some(Image::clone(image)),
            Present::InRecycleBin { .. } | Present::Gone => last_known(),
        };
        let mut of_image = OfImage { kept: kept(done, &undo), ..OfImage::default() };
        let Some(image) = image else { return of_image };
        let scope = link.reader.scope();
        let mut steps = undo.steps(scope, &image, &present, &because(done));
        // What is to be known about the image is said once, not at each of its steps.
        if let Some(first) = steps.first_mut().and_then(|step| step.because.first_mut()) {
            for note in &undo.notes {
                first.reason.push_str("; ");
                first.reason.push_str(note);
            }
        }
        if let Some(step) = steps.iter().find(|step| step.change == Change::Disable) {
            let proof = self.prove(link, &image, &mut readings.inventories).await;
            if let Some(reason) = doubt(&proof) {
                of_image.held.push(hold(step, reason));
                let rest = "is not undone: it waits for the image to be disabled again, which is held";
                let waiting = done.iter().filter(|done| done.step.change != Change::Enable);
                of_image.kept.extend(waiting.map(|done| {
                    let reason = format!("{} {rest}", done.step.change.kind());
                    keep(done, reason, Some(rule(done)))
                }));
                return of_image;
            }
        }
        let intents = intents_of(done, &steps, &undo);
        of_image.steps = steps.into_iter().zip(intents).collect();
        of_image
    }

    /// What there is of the image now. An error says why that cannot be told.
    async fn present(
        &self,
        link: &Link<R, W>,
        done: &[DoneIntent],
        bins: &mut BTreeMap<Scope, RecycleBin>,
    ) -> Result<Present, String> {
        let Some(first) = done.first() else { return Ok(Present::Gone) };
        let id = &first.step.image_id;
        let image =
            link.reader.image(id).await.map_err(|error| format!("the image could not be read: {error}"))?;
        if let Some(image) = image.filter(|image| image.state != ImageState::Deregistered) {
            let launch_permissions = self.permissions(link, &image).await?;
            return Ok(Present::Listed { image: Box::new(image), launch_permissions });
        }
        let scope = link.reader.scope();
        if !bins.contains_key(scope) {
            let bin = RecycleBin {
                images: link.reader.recycled_images().await,
                snapshots: link.reader.recycled_snapshots().await,
            };
            bins.insert(scope.clone(), bin);
        }
        let Some(bin) = bins.get(scope) else { return Ok(Present::Gone) };
        if !bin.images.items.contains(id) {
            return match &bin.images.gap {
                Some(gap) => Err(format!("the Recycle Bin could not be read: {gap}")),
                None => Ok(Present::Gone),
            };
        }
        let last = done.iter().rev().find_map(|done| done.before.image.as_ref());
        let own: Vec<SnapshotId> = last.map(|image| image.snapshots().cloned().collect()).unwrap_or_default();
        if let Some(gap) = bin.snapshots.gap.as_ref().filter(|_| !own.is_empty()) {
            return Err(format!("the snapshots in the Recycle Bin could not be read: {gap}"));
        }
        let snapshots = own.into_iter().filter(|snapshot| bin.snapshots.items.contains(snapshot)).collect();
        Ok(Present::InRecycleBin { snapshots })
    }

    async fn permissions(&self, link: &Link<R, W>, image: &Image) -> Result<LaunchPermissions, String> {
        if image.state == ImageState::Disabled {
            return Ok(LaunchPermissions::new());
        }
        match link.reader.launch_permissions(vec![image.id.clone()]).await.remove(&image.id) {
            Some(Ok(permissions)) => Ok(permissions),
            Some(Err(gap)) => Err(format!("its launch permissions could not be read: {gap}")),
            None => Err("its launch permissions were not answered for".to_owned()),
        }
    }

    /// Disabling an image again needs the same proof as disabling it in the first place, that other accounts do not use
    /// it included. Sources that are read as a
    /// whole are read once for each scope.
    async fn prove(
        &self,
        link: &Link<R, W>,
        image: &Image,
        inventories: &mut BTreeMap<Scope, Inventory>,
    ) -> Proof {
        let now = (self.clock)();
        let scope = link.reader.scope();
        let readers = self.links.iter().map(|link| &link.reader).chain(self.bystanders);
        let concerned =
            readers.filter(|other| other.scope() == scope || are_neighbours(scope, other.scope()));
        for reader in concerned {
            let inventory = inventories.entry(reader.scope().clone()).or_insert_with(|| {
                Inventory::new(reader.scope().clone(), now).with_usage(self.usage.clone())
            });
            fetch_usage(reader, inventory, now).await;
        }
        let neighbours: Vec<Inventory> =
            inventories.values().filter(|other| are_neighbours(scope, &other.scope)).cloned().collect();
        let inventory = inventories
            .entry(scope.clone())
            .or_insert_with(|| Inventory::new(scope.clone(), now).with_usage(self.usage.clone()));
        inventory.images = BTreeMap::from([(image.id.clone(), image.clone())]);
        let elsewhere = match self.unlisted {
            Some(reason) => Some(Listing::partial(Vec::new(), reason)),
            None if neighbours.is_empty() => None,
            None => Some(inventory.uses_by_neighbours(neighbours.iter())),
        };
        if let Some(elsewhere) = elsewhere {
            inventory.has_neighbours = true;
            inventory.add_uses(Source::OtherAccounts, elsewhere, now);
        }
        let sources: Vec<Source> = self.usage.per_candidate().collect();
        for source in sources {
            ask_about(&link.reader, inventory, source, std::slice::from_ref(&image.id), now).await;
        }
        prove(inventory, image, &Change::Disable)
    }
}

fn done_change(done: &DoneIntent) -> DoneChange {
    DoneChange {
        change: done.step.change.clone(),
        image: done.before.image.clone(),
        launch_permissions: done.before.launch_permissions.clone(),
    }
}

/// Why nobody can be sure that nothing uses the image, if so.
fn doubt(proof: &Proof) -> Option<String> {
    if let Some(user) = proof.uses().next() {
        return Some(format!("used by {user}"));
    }
    let doubts: Vec<String> = proof
        .doubts()
        .map(|(source, reason)| format!("{source}: {reason}"))
        .chain(proof.unread().map(|source| format!("{source}: not read")))
        .collect();
    (!doubts.is_empty())
        .then(|| format!("it cannot be ruled out that something uses it ({})", doubts.join("; ")))
}

fn hold(step: &Step, reason: String) -> Held {
    Held {
        image_id: step.image_id.clone(),
        name: step.name.clone(),
        scope: step.scope.clone(),
        change: step.change.clone(),
        because: step.because.clone(),
        guard: Guard::UsageProof,
        reason,
    }
}

fn rule(done: &DoneIntent) -> RuleRef {
    let line = u32::try_from(done.index + 1).unwrap_or(u32::MAX);
    RuleRef { name: done.plan_id.to_string(), line }
}

fn because(done: &[DoneIntent]) -> Because {
    let kinds: Vec<&str> = done.iter().map(|done| done.step.change.kind().as_str()).collect();
    let oldest = done.first();
    let since = oldest.map(|done| format!(" of {}", done.at)).unwrap_or_default();
    Because {
        policy: PolicyName::new(UNDO),
        rule: oldest.map_or_else(|| RuleRef { name: UNDO.to_owned(), line: 1 }, rule),
        reason: format!("takes back {}{since}", kinds.join(", ")),
    }
}

fn keep(done: &DoneIntent, reason: String, rule: Option<RuleRef>) -> Kept {
    Kept {
        image_id: done.step.image_id.clone(),
        name: done.step.name.clone(),
        scope: done.step.scope.clone(),
        reason,
        policy: Some(PolicyName::new(UNDO)),
        rule,
    }
}

/// What stays as it is, each with its reason; and the image, if all of it is as it was.
fn kept(done: &[DoneIntent], undo: &Undo) -> Vec<Kept> {
    let mut kept: Vec<Kept> = undo
        .refusals
        .iter()
        .filter_map(|refusal| {
            let done = refusal.changes.last().and_then(|place| done.get(*place)).or(done.last())?;
            let reason = format!("{} is not undone: {}", refusal.kind, refusal.reason);
            Some(keep(done, reason, Some(rule(done))))
        })
        .collect();
    if undo.changes.is_empty() && kept.is_empty() {
        let nothing = "it is as it was before: there is nothing to undo".to_owned();
        kept.extend(done.last().map(|done| keep(done, nothing, None)));
    }
    kept
}

fn refuse_all(done: &[DoneIntent], reason: &str) -> OfImage {
    let kept = done.iter().map(|done| {
        let reason = format!("{} is not undone: {reason}", done.step.change.kind());
        keep(done, reason, Some(rule(done)))
    });
    OfImage { kept: kept.collect(), ..OfImage::default() }
}

/// Which of the intents each step takes back: an intent is undone once the last step that restores its part is done.
/// One whose part needs no step of its own (what was shared with a disabled image, say) is undone with the last step of
/// all.
fn intents_of(done: &[DoneIntent], steps: &[Step], undo: &Undo) -> Vec<Vec<IntentId>> {
    let mut intents = vec![Vec::new(); steps.len()];
    for (place, done) in done.iter().enumerate() {
        // What is undone in part can still be asked for.
        if undo.refusals.iter().any(|refusal| refusal.changes.contains(&place)) {
            continue;
        }
        let own = steps.iter().rposition(|step| restores(&step.change, &done.step.change));
        let last = own.or(steps.len().checked_sub(1));
        if let Some(index) = last {
            intents[index].push(done.intent_id);
        }
    }
    intents
}

/// Whether `wanted` brings back a part of the image that `done` has changed.
fn restores(wanted: &Change, done: &Change) -> bool {
    let sharing = matches!(wanted, Change::Share(_) | Change::StripPublic | Change::StripShares(_));
    match done {
        Change::Disable => matches!(wanted, Change::Enable) || sharing,
        Change::Enable => matches!(wanted, Change::Disable),
        Change::StripPublic | Change::StripShares(_) | Change::Share(_) => sharing,
        Change::Tag(_) | Change::Untag(_) => matches!(wanted, Change::Tag(_) | Change::Untag(_)),
        Change::SetDescription(_) => matches!(wanted, Change::SetDescription(_)),
        Change::Protect { .. } | Change::Unprotect => {
            matches!(wanted, Change::Protect { .. } | Change::Unprotect)
        }
        Change::Deprecate(_) | Change::SetDeprecation(_) | Change::Undeprecate => {
            matches!(wanted, Change::SetDeprecation(_) | Change::Undeprecate)
        }
        Change::Deregister(_) => matches!(wanted, Change::Restore { .. }),
        Change::RequireImdsV2 | Change::Restore { .. } => false,
    }
}
