//! The handle by which tests and the application look at the simulated cloud and program it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::buckets::Buckets;
use super::control::{Control, Denial};
use super::faults::{ArmedFault, Fault};
use super::observer::{ExchangeEvent, ExchangeObserver, Observation, Verdict};
use super::requests::RequestRecord;
use super::state_file::{self, StateFile};
use super::{SandboxOptions, StartSandboxError};
use crate::world::{Binned, History, ImageRecord, SnapshotRecord, WholeImage, World};

/// The simulated cloud behind an endpoint. Clones share it.
#[derive(Debug, Clone)]
pub struct Cloud {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    simulation: RwLock<Simulation>,
    control: Mutex<Control>,
    clock: Mutex<Clock>,
    observation: Observation,
    state_file: Option<StateFile>,
    resumed: bool,
    page_size_max: usize,
}

/// The version of a world that has not changed yet.
const FIRST_VERSION: u64 = 1;

/// The world, what it was before, and how often it has changed.
#[derive(Debug)]
pub(super) struct Simulation {
    pub(super) world: World,
    /// By account.
    pub(super) history: BTreeMap<String, History>,
    pub(super) version: u64,
}

#[derive(Debug)]
struct Clock {
    base: Timestamp,
    since: Instant,
}

impl Cloud {
    /// Builds the world from the state file or else from the fleet.
    pub(super) fn open(options: SandboxOptions) -> Result<Self, StartSandboxError> {
        let seeded = options.fleet.to_world(options.now)?;
        let state_file = options.state_file.map(StateFile::new);
        let kept = match &state_file {
            Some(file) => file
                .load()
                .map_err(|source| StartSandboxError::State { path: file.path().to_owned(), source })?,
            None => None,
        };
        let resumed = kept.is_some();
        let world = kept.unwrap_or(seeded);
        if let Some(file) = state_file.as_ref().filter(|_| !resumed) {
            // From the first moment on: a fleet's dates are relative, and the next process must see the same ones.
            state_file::to_json(&world)
                .map_err(io::Error::other)
                .and_then(|json| file.save(FIRST_VERSION, &json))
                .map_err(|source| StartSandboxError::KeepState { path: file.path().to_owned(), source })?;
        }
        let mut control = Control::new(options.buckets.map(Buckets::new), options.requests_max);
        control.faults = options.fleet.faults.into_iter().map(ArmedFault::new).collect();
        control.denials = options.fleet.denied.into_iter().map(|action| (action, Denial::Always)).collect();
        Ok(Self {
            shared: Arc::new(Shared {
                simulation: RwLock::new(Simulation {
                    world,
                    history: BTreeMap::new(),
                    version: FIRST_VERSION,
                }),
                control: Mutex::new(control),
                clock: Mutex::new(Clock { base: options.now, since: Instant::now() }),
                observation: Observation::default(),
                state_file,
                resumed,
                page_size_max: options.page_size_max.max(1),
            }),
        })
    }

    /// Whether the world was read from a state file instead of the fleet.
    pub fn resumed(&self) -> bool {
        self.shared.resumed
    }

    /// The account that callers act in.
    pub fn account(&self) -> String {
        self.read().world.account.clone()
    }

    /// The Region that the fleet names as its default.
    pub fn default_region(&self) -> String {
        self.read().world.default_region.clone()
    }

    /// One image, disabled ones included; nothing where it never existed or is deregistered.
    pub fn image(&self, image_id: &str) -> Option<ImageRecord> {
        self.read().world.images.get(image_id).cloned()
    }

    /// One image with all that belongs to it, in a form in which two moments can be compared.
    pub fn whole_image(&self, image_id: &str) -> Option<WholeImage> {
        let now = self.now();
        self.read().world.whole_image(image_id, now)
    }

    /// One image of one of the fleet's accounts.
    pub fn image_of(&self, account: &str, image_id: &str) -> Option<ImageRecord> {
        self.read().world.of_account(account)?.images.get(image_id).cloned()
    }

    /// The image of a name in the default Region.
    pub fn image_named(&self, name: &str) -> Option<ImageRecord> {
        let simulation = self.read();
        let world = &simulation.world;
        let mut images = world.images.values();
        images.find(|image| image.name == name && image.region == world.default_region).cloned()
    }

    /// All images, disabled ones included, by id.
    pub fn images(&self) -> Vec<ImageRecord> {
        self.read().world.images.values().cloned().collect()
    }

    /// All snapshots, by id.
    pub fn snapshots(&self) -> Vec<SnapshotRecord> {
        self.read().world.snapshots.values().cloned().collect()
    }

    /// The images that are in the Recycle Bin now, by id.
    pub fn binned_images(&self) -> Vec<Binned<ImageRecord>> {
        let now = self.now();
        let simulation = self.read();
        let images = simulation.world.recycle_bin.images.values();
        images.filter(|binned| binned.is_kept(now)).cloned().collect()
    }

    /// The snapshots that are in the Recycle Bin now, by id.
    pub fn binned_snapshots(&self) -> Vec<Binned<SnapshotRecord>> {
        let now = self.now();
        let simulation = self.read();
        let snapshots = simulation.world.recycle_bin.snapshots.values();
        snapshots.filter(|binned| binned.is_kept(now)).cloned().collect()
    }

    /// A copy of the whole world.
    pub fn world(&self) -> World {
        self.read().world.clone()
    }

    /// When an observer is to have first seen each disabled image so. EC2 does not tell this: whoever
    /// remembers it elsewhere can start with these moments.
    pub fn first_seen_disabled(&self) -> BTreeMap<String, Timestamp> {
        let simulation = self.read();
        let images = simulation.world.images.values();
        images.filter_map(|image| Some((image.id.clone(), image.first_seen_disabled?))).collect()
    }

    /// Changes the world from outside, as other people do between two requests. The state file is
    /// written with the next change that a request makes.
    pub fn update<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut simulation = self.write();
        simulation.history.clear();
        simulation.version += 1;
        change(&mut simulation.world)
    }

    /// The sandbox's time: it starts at the options' `now` and runs with the real one.
    pub fn now(&self) -> Timestamp {
        let clock = lock(&self.shared.clock);
        let elapsed = SignedDuration::try_from(clock.since.elapsed()).unwrap_or_default();
        clock.base.checked_add(elapsed).unwrap_or(clock.base)
    }

    /// Lets time pass at once, so that cooldowns end, deprecation dates come, and the Recycle Bin loses
    /// what it has kept long enough.
    pub fn advance(&self, by: SignedDuration) {
        {
            let mut clock = lock(&self.shared.clock);
            clock.base = clock.base.checked_add(by).unwrap_or(clock.base);
        }
        let now = self.now();
        let mut simulation = self.write();
        let world = &mut simulation.world;
        for world in world.members.values_mut() {
            world.recycle_bin.sweep(now);
        }
        world.recycle_bin.sweep(now);
    }

    /// Denies an action, rehearsed or real. `DeleteSnapshot` is what `DeleteAssociatedSnapshots` needs.
    pub fn deny(&self, action: &str) {
        self.control().denials.insert(action.to_owned(), Denial::Always);
    }

    /// Denies an action, but permits its rehearsals.
    pub fn deny_real_only(&self, action: &str) {
        self.control().denials.insert(action.to_owned(), Denial::RealOnly);
    }

    /// Takes a denial back.
    pub fn allow(&self, action: &str) {
        self.control().denials.remove(action);
    }

    /// Arms a fault, behind those that are armed already.
    pub fn inject(&self, fault: Fault) {
        self.control().faults.push(ArmedFault::new(fault));
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.control().faults.clear();
    }

    /// Calls an observer at three points of every request from now on, in place of any other: when it was
    /// received, when it was carried out, and when its reply has left. The call is synchronous: nothing
    /// goes on for that request until the observer has returned, and no two calls overlap. The observer may
    /// use this handle freely; [`Self::requests`] has the request after its second point.
    ///
    /// On a current-thread runtime nothing of the sandbox runs between the writing of a reply's last byte and
    /// the call for it. On others, a quick client's next request on another connection may be told of first.
    pub fn on_exchange(&self, observer: ExchangeObserver) {
        self.shared.observation.install(Some(observer));
    }

    /// Calls no observer any more.
    pub fn stop_observing(&self) {
        self.shared.observation.install(None);
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.control().requests()
    }

    /// Empties the log of requests; their numbers go on.
    pub fn forget_requests(&self) {
        self.control().forget_requests();
    }

    pub(super) fn tell(&self, event: &ExchangeEvent) -> Verdict {
        self.shared.observation.tell(event)
    }

    pub(super) fn page_size_max(&self) -> usize {
        self.shared.page_size_max
    }

    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        lock(&self.shared.control)
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Simulation> {
        let lock = &self.shared.simulation;
        lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Simulation> {
        let lock = &self.shared.simulation;
        lock.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the state file, where there is one, and comes back when it holds the current world.
    pub(super) async fn save(&self) -> std::io::Result<()> {
        if self.shared.state_file.is_none() {
            return Ok(());
        }
        let (version, json) = {
            let simulation = self.read();
            (simulation.version, state_file::to_json(&simulation.world)?)
        };
        let cloud = self.clone();
        let written = tokio::task::spawn_blocking(move || match &cloud.shared.state_file {
            Some(file) => file.save(version, &json),
            None => Ok(()),
        });
        written.await?
    }
}

/// A panic while a lock was held leaves nothing half-done here: every change is made at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
