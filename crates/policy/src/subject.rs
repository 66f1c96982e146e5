//! The image as a policy sees it: `image`, its facts by name, and a record of which were read.

use std::sync::atomic::{AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use amiwarden_core::{Fact, FactReading, Facts, FailureKind, FamilyPlace};
use rhai::{Dynamic, Engine, ImmutableString};

use crate::catalog::{FACTS, FactSpec, SHARED_WITH};
use crate::family::Families;
use crate::fault::{Certainty, RhaiError, raise, raise_suspension};
use crate::value::describe;

/// The image that a policy is evaluated for.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) facts: Arc<Facts>,
    pub(crate) families: Families,
    pub(crate) reach: Reach,
    log: Arc<ReadLog>,
}

/// Which facts may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All of them.
    Everything,
    /// Only those that EC2 lists with the image. A family must not depend on what happens to be fetched.
    ListedOnly,
}

/// `image.shared_with`: the launch permissions by kind.
#[derive(Clone, Debug)]
pub(crate) struct SharedWith(Subject);

impl Subject {
    pub(crate) fn new(facts: Arc<Facts>, families: Families, reach: Reach) -> Self {
        Self { facts, families, reach, log: Arc::default() }
    }

    /// Looks at another image from here on, with nothing read yet.
    pub(crate) fn turn_to(&mut self, facts: &Arc<Facts>) {
        self.facts = Arc::clone(facts);
        self.log.clear();
    }

    /// What was read, in the order of first reading, with the values that the policy saw.
    pub(crate) fn readings(&self) -> Vec<FactReading> {
        self.log.readings(self)
    }

    pub(crate) fn family_place(&self) -> Fact<Option<&FamilyPlace>> {
        self.families.place(&self.facts)
    }

    /// The fact with this place in the catalog.
    pub(crate) fn fact(&self, number: usize) -> Result<Dynamic, RhaiError> {
        match FACTS.get(number) {
            Some(spec) => self.read(number, spec),
            None => Ok(Dynamic::UNIT),
        }
    }

    fn read(&self, number: usize, spec: &FactSpec) -> Result<Dynamic, RhaiError> {
        self.log.note_fact(number);
        if self.reach == Reach::ListedOnly && spec.need.is_some() {
            return Err(raise(
                FailureKind::Script,
                Certainty::Always,
                format!("`family` may not read `{}`: it takes calls to find out", spec.name),
            ));
        }
        match (spec.read)(self) {
            Fact::Known(value) => Ok(value),
            Fact::Unknown(reason) => Err(raise(
                FailureKind::UnknownFact,
                Certainty::PerImage,
                format!("`{}` is unknown: {reason}", spec.name),
            )),
            Fact::NotFetched(need) => Err(raise_suspension(need)),
        }
    }

    pub(crate) fn tag(&self, key: &str) -> Dynamic {
        self.log.note_tag(key, TagQuestion::Value);
        tag_value(&self.facts, key)
    }

    pub(crate) fn has_tag(&self, key: &str) -> bool {
        self.log.note_tag(key, TagQuestion::Presence);
        self.facts.image.tags.contains_key(key)
    }
}

fn tag_value(facts: &Facts, key: &str) -> Dynamic {
    facts
        .image
        .tags
        .get(key)
        .map_or(Dynamic::UNIT, |value| Dynamic::from(ImmutableString::from(value.as_str())))
}

/// Makes the facts readable in policies.
pub(crate) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Subject>("an image");
    engine.register_type_with_name::<SharedWith>("`shared_with`");
    for (number, spec) in FACTS.iter().enumerate() {
        match spec.name.strip_prefix(SHARED_WITH).and_then(|name| name.strip_prefix('.')) {
            Some(name) => {
                engine.register_get(name, move |shared: &mut SharedWith| shared.0.read(number, spec));
            }
            None => {
                engine.register_get(spec.name, move |image: &mut Subject| image.read(number, spec));
            }
        }
    }
    engine.register_get(SHARED_WITH, |image: &mut Subject| SharedWith(image.clone()));
    engine.register_fn("tag", |image: &mut Subject, key: &str| image.tag(key));
    engine.register_fn("has_tag", |image: &mut Subject, key: &str| image.has_tag(key));
}

/// Readings by tag get numbers from here on, so that they fit in one list with the facts.
const FIRST_TAG_CODE: u16 = 128;

/// More readings of one image than this are not listed. All facts together are far fewer; tags make up the rest.
const READINGS_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TagQuestion {
    Value,
    Presence,
}

/// Which facts were read, in order. One evaluation at a time writes to it, from one thread; atomics only because
/// Rhai's values must be `Sync`. Cheap, because most readings are thrown away: values are looked up again when
/// somebody wants to see them, which is possible because facts do not change.
#[derive(Debug)]
struct ReadLog {
    seen: AtomicU64,
    len: AtomicUsize,
    codes: [AtomicU16; READINGS_MAX],
    tags: Mutex<Vec<(String, TagQuestion)>>,
    tags_len: AtomicUsize,
}

impl Default for ReadLog {
    fn default() -> Self {
        Self {
            seen: AtomicU64::new(0),
            len: AtomicUsize::new(0),
            codes: [const { AtomicU16::new(0) }; READINGS_MAX],
            tags: Mutex::default(),
            tags_len: AtomicUsize::new(0),
        }
    }
}

// Every fact has a bit in `ReadLog::seen`.
const _: () = assert!(FACTS.len() <= 64);

impl ReadLog {
    fn clear(&self) {
        self.seen.store(0, Ordering::Relaxed);
        self.len.store(0, Ordering::Relaxed);
        if self.tags_len.swap(0, Ordering::Relaxed) > 0 {
            self.tags.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn note_fact(&self, number: usize) {
        let bit = 1 << number;
        let seen = self.seen.load(Ordering::Relaxed);
        if seen & bit == 0 {
            self.seen.store(seen | bit, Ordering::Relaxed);
            self.push(u16::try_from(number).unwrap_or(u16::MAX));
        }
    }

    fn note_tag(&self, key: &str, question: TagQuestion) {
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tags.iter().any(|(other, asked)| other == key && *asked == question);
        if known || tags.len() >= READINGS_MAX {
            return;
        }
        let place = u16::try_from(tags.len()).unwrap_or(u16::MAX);
        tags.push((key.to_owned(), question));
        self.tags_len.store(tags.len(), Ordering::Relaxed);
        self.push(FIRST_TAG_CODE.saturating_add(place));
    }

    fn push(&self, code: u16) {
        let len = self.len.load(Ordering::Relaxed);
        if let Some(slot) = self.codes.get(len) {
            slot.store(code, Ordering::Relaxed);
            self.len.store(len + 1, Ordering::Relaxed);
        }
    }

    fn readings(&self, subject: &Subject) -> Vec<FactReading> {
        let len = self.len.load(Ordering::Relaxed);
        let codes = self.codes.iter().take(len).map(|code| code.load(Ordering::Relaxed));
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        codes
            .filter_map(|code| match code.checked_sub(FIRST_TAG_CODE) {
                None => Some(fact_reading(FACTS.get(usize::from(code))?, subject)),
                Some(place) => Some(tag_reading(tags.get(usize::from(place))?, subject)),
            })
            .collect()
    }
}

fn fact_reading(spec: &FactSpec, subject: &Subject) -> FactReading {
    let value = match (spec.read)(subject) {
        Fact::Known(value) => describe(&value),
        Fact::Unknown(reason) => format!("unknown: {reason}"),
        Fact::NotFetched(need) => format!("not fetched: {need}"),
    };
    FactReading { name: spec.name.to_owned(), value }
}

fn tag_reading((key, question): &(String, TagQuestion), subject: &Subject) -> FactReading {
    match question {
        TagQuestion::Value => {
            FactReading { name: format!("tag(\"{key}\")"), value: describe(&tag_value(&subject.facts, key)) }
        }
        TagQuestion::Presence => FactReading {
            name: format!("has_tag(\"{key}\")"),
            value: subject.facts.image.tags.contains_key(key).to_string(),
        },
    }
}
