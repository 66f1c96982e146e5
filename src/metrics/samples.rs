//! Values on their way to the registry, and the limits that keep their number small.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{Scope, Timestamp};

use super::series::Series;

/// What stands in a label for everything beyond a limit.
pub(super) const OTHER: &str = "other";

/// So many scopes have series of their own, the first by account and Region.
pub(super) const SCOPES_MAX: usize = 12;

/// So many schedules have series of their own, the first by name.
pub(super) const SCHEDULES_MAX: usize = 6;

/// So many series tell what policies said, and those of the first policies by name.
pub(super) const DECISIONS_MAX: usize = 60;

/// So many policies with errors have series of their own, the first by name.
pub(super) const FAILING_POLICIES_MAX: usize = 10;

/// So many series tell what became of steps, and those of the first actions by name.
pub(super) const STEPS_MAX: usize = 48;

/// So many series tell of requests, and those of the first operations by name.
pub(super) const CALLS_MAX: usize = 42;

/// Values by series and labels.
#[derive(Debug, Default)]
pub(super) struct Samples {
    values: BTreeMap<&'static str, BTreeMap<Vec<String>, f64>>,
}

impl Samples {
    /// Adds `value`; what has the same labels is added up.
    pub(super) fn add<const N: usize>(&mut self, series: &Series, labels: [&str; N], value: f64) {
        *self.entry(series, labels).or_insert(0.0) += value;
    }

    /// Adds an instant; of those with the same labels the earliest counts, because it is the one to worry about.
    pub(super) fn add_instant<const N: usize>(&mut self, series: &Series, labels: [&str; N], at: Timestamp) {
        let value = seconds(at);
        let entry = self.entry(series, labels).or_insert(value);
        *entry = entry.min(value);
    }

    /// Adds what is either so or not; of those with the same labels one that is so is enough.
    pub(super) fn add_flag<const N: usize>(&mut self, series: &Series, labels: [&str; N], is_so: bool) {
        let value = f64::from(u8::from(is_so));
        let entry = self.entry(series, labels).or_insert(value);
        *entry = entry.max(value);
    }

    /// The values of one series.
    pub(super) fn of(&self, series: &Series) -> impl Iterator<Item = (&Vec<String>, f64)> {
        self.values.get(series.name).into_iter().flatten().map(|(labels, value)| (labels, *value))
    }

    fn entry<const N: usize>(
        &mut self,
        series: &Series,
        labels: [&str; N],
    ) -> std::collections::btree_map::Entry<'_, Vec<String>, f64> {
        debug_assert_eq!(series.labels.len(), N, "{}", series.name);
        let labels = labels.map(str::to_owned).to_vec();
        self.values.entry(series.name).or_default().entry(labels)
    }
}

/// The first `max` of some names, which stay themselves; all others become [`OTHER`].
#[derive(Debug)]
pub(super) struct Names<'a> {
    own: BTreeSet<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn first(names: impl IntoIterator<Item = &'a str>, max: usize) -> Self {
        let all: BTreeSet<&str> = names.into_iter().collect();
        Self { own: all.into_iter().take(max).collect() }
    }

    /// So many of the first that their pairs are at most `max`, with room for as many others as one name can have:
    /// `per_name_max`. `pairs` has each pair once.
    pub(super) fn of_pairs(
        pairs: impl IntoIterator<Item = &'a str>,
        max: usize,
        per_name_max: usize,
    ) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in pairs {
            *counts.entry(name).or_default() += 1;
        }
        if counts.values().sum::<usize>() <= max {
            return Self { own: counts.into_keys().collect() };
        }
        let mut room = max.saturating_sub(per_name_max);
        let fits = |(name, count): (&'a str, usize)| {
            room = room.checked_sub(count)?;
            Some(name)
        };
        Self { own: counts.into_iter().map_while(fits).collect() }
    }

    pub(super) fn of<'b>(&self, name: &'b str) -> &'b str {
        if self.own.contains(name) { name } else { OTHER }
    }
}

/// The scopes with series of their own.
#[derive(Debug)]
pub(super) struct Scopes<'a> {
    own: BTreeSet<&'a Scope>,
}

impl<'a> Scopes<'a> {
    pub(super) fn first(scopes: impl IntoIterator<Item = &'a Scope>) -> Self {
        let all: BTreeSet<&Scope> = scopes.into_iter().collect();
        Self { own: all.into_iter().take(SCOPES_MAX).collect() }
    }

    pub(super) fn of<'b>(&self, scope: &'b Scope) -> (&'b str, &'b str) {
        if self.own.contains(scope) {
            (scope.account.as_str(), scope.region.as_str())
        } else {
            (OTHER, OTHER)
        }
    }
}

/// A count as Prometheus has it.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53, and a count beyond that is not one")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// A count as Prometheus has it.
pub(super) fn size(count: usize) -> f64 {
    number(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Milliseconds in seconds.
pub(super) fn from_ms(duration_ms: u64) -> f64 {
    number(duration_ms) / 1000.0
}

/// An instant as Prometheus has it: seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of any year to come are below 2^53")]
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
