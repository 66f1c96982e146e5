//! What is due when: the schedules in force, the bell, and what has not been recorded yet.

use std::collections::{BTreeMap, VecDeque};

use amiwarden_core::Timestamp;

use super::DriveError;
use super::control::ScheduleStatus;
use crate::rules::Rules;
use crate::schedule::{AtStart, Bell, BellError, Ring, Schedule, at_start};
use crate::store::{Store, StoreError, Tick, TickBecame};

/// The schedules in force.
pub(super) struct Agenda {
    host: String,
    bell: Bell,
    schedules: Vec<Schedule>,
    /// For which time the bell is set.
    set: BTreeMap<String, Timestamp>,
    /// When each was last due.
    last: BTreeMap<String, Timestamp>,
    /// What was missed and is made up for, one run for each schedule.
    pending: VecDeque<Ring>,
    /// What became of times, until the store is open.
    unrecorded: Vec<Tick>,
}

impl Agenda {
    /// Goes on where the store says that the last process left off.
    pub(super) async fn open(rules: &Rules, store: &Store, host: &str) -> Result<Self, DriveError> {
        let mut agenda = Self {
            host: host.to_owned(),
            bell: Bell::start().await?,
            schedules: schedules(rules),
            set: BTreeMap::new(),
            last: store.reader().last_ticks().await?,
            pending: VecDeque::new(),
            unrecorded: Vec::new(),
        };
        let now = Timestamp::now();
        for schedule in agenda.schedules.clone() {
            agenda.begin(&schedule, now);
            agenda.arm(&schedule, now).await?;
        }
        agenda.record(store).await?;
        Ok(agenda)
    }

    fn begin(&mut self, schedule: &Schedule, now: Timestamp) {
        let name = &schedule.name;
        match at_start(schedule, self.last.get(name).copied(), now, &self.host) {
            AtStart::Nothing => {}
            AtStart::New => {
                self.note(&Ring { schedule: name.clone(), due_at: now }, TickBecame::New);
            }
            AtStart::RunOnce(due_at) => {
                tracing::info!(schedule = %name, "schedule {name} was due at {due_at}: one run makes up for it");
                // The time that the run answers is now: whatever was missed before is dealt with, too.
                self.pending.push_back(Ring { schedule: name.clone(), due_at: now });
            }
            AtStart::Skip(due_at) => {
                tracing::warn!(schedule = %name, "schedule {name} was due at {due_at}: missed");
                self.note(&Ring { schedule: name.clone(), due_at: now }, TickBecame::Missed);
            }
        }
    }

    async fn arm(&mut self, schedule: &Schedule, now: Timestamp) -> Result<(), BellError> {
        if let Some(due_at) = schedule.next_after(now, &self.host) {
            self.bell.set(&schedule.name, due_at, now).await?;
            self.set.insert(schedule.name.clone(), due_at);
        } else {
            tracing::warn!(schedule = %schedule.name, "schedule {} is never due again", schedule.name);
            self.set.remove(&schedule.name);
        }
        Ok(())
    }

    /// The next ring. Cancelling the wait loses none.
    pub(super) async fn ring(&mut self) -> Ring {
        self.bell.ring().await
    }

    /// The schedule that has rung, with the bell set for its next time; none where the ring is one that was taken back.
    pub(super) async fn rung(&mut self, ring: &Ring, now: Timestamp) -> Result<Option<Schedule>, BellError> {
        if self.set.get(&ring.schedule) != Some(&ring.due_at) {
            return Ok(None);
        }
        let Some(schedule) = self.schedule(&ring.schedule).cloned() else { return Ok(None) };
        self.last.insert(ring.schedule.clone(), ring.due_at);
        self.arm(&schedule, now.max(ring.due_at)).await?;
        Ok(Some(schedule))
    }

    /// A schedule by its name.
    pub(super) fn schedule(&self, name: &str) -> Option<&Schedule> {
        self.schedules.iter().find(|schedule| schedule.name == name)
    }

    /// Something that was missed and is to be made up for.
    pub(super) fn take_pending(&mut self) -> Option<Ring> {
        self.pending.pop_front()
    }

    /// Takes other schedules. One that is as it was keeps the time that is set.
    pub(super) async fn replace(&mut self, rules: &Rules, now: Timestamp) -> Result<(), BellError> {
        let before = std::mem::replace(&mut self.schedules, schedules(rules));
        for old in &before {
            if !self.schedules.contains(old) {
                self.bell.clear(&old.name).await?;
                self.set.remove(&old.name);
                self.pending.retain(|ring| ring.schedule != old.name);
            }
        }
        for schedule in self.schedules.clone() {
            if !before.contains(&schedule) {
                if !self.last.contains_key(&schedule.name) {
                    self.note(&Ring { schedule: schedule.name.clone(), due_at: now }, TickBecame::New);
                }
                self.arm(&schedule, now).await?;
            }
        }
        Ok(())
    }

    /// Notes what became of a time, for when the store is open.
    pub(super) fn note(&mut self, ring: &Ring, became: TickBecame) {
        let Ring { schedule, due_at } = ring.clone();
        self.last.insert(schedule.clone(), due_at);
        self.unrecorded.push(Tick { schedule, due_at, became, run_id: None });
    }

    /// Records what has been noted.
    pub(super) async fn record(&mut self, store: &Store) -> Result<(), StoreError> {
        if !self.unrecorded.is_empty() {
            store.record_ticks(&self.unrecorded, Timestamp::now()).await?;
            self.unrecorded.clear();
        }
        Ok(())
    }

    /// The schedules, for whoever asks.
    pub(super) fn status(&self) -> Vec<ScheduleStatus> {
        let status = |schedule: &Schedule| ScheduleStatus {
            name: schedule.name.clone(),
            next_at: self.set.get(&schedule.name).copied(),
            last_at: self.last.get(&schedule.name).copied(),
        };
        self.schedules.iter().map(status).collect()
    }
}

fn schedules(rules: &Rules) -> Vec<Schedule> {
    rules.config.schedules.iter().map(|it| it.schedule.clone()).collect()
}
