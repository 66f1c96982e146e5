//! The registry: the one place that knows the `prometheus` crate.
//!
//! Nothing is counted in it. Each time it is asked it renders what is known, so all that a scrape sees is of one
//! moment.

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::samples::Samples;
use super::series::{ALL, Kind, Series};

/// Whatever knows the values.
pub(super) trait Known: Send + Sync {
    fn samples(&self) -> Samples;
}

/// Renders the values of `known`.
pub(super) struct Renderer<K> {
    descriptions: Vec<Desc>,
    known: K,
}

impl<K: Known> Renderer<K> {
    /// # Errors
    ///
    /// When a name is none by the rules of Prometheus.
    pub(super) fn new(known: K) -> prometheus::Result<Self> {
        let describe = |series: &&Series| {
            let labels = series.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(
                series.name.to_owned(),
                series.help.to_owned(),
                labels,
                std::collections::HashMap::new(),
            )
        };
        Ok(Self { descriptions: ALL.iter().map(describe).collect::<Result<_, _>>()?, known })
    }
}

impl<K: Known> Collector for Renderer<K> {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        families(&self.known.samples(), |_| true)
    }
}

/// The values of those series that are `wanted`.
pub(super) fn families(samples: &Samples, wanted: impl Fn(&Series) -> bool) -> Vec<MetricFamily> {
    let families = ALL.iter().filter(|series| wanted(series)).map(|series| family(series, samples));
    families.filter(|family| !family.get_metric().is_empty()).collect()
}

fn family(series: &Series, samples: &Samples) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(series.name.to_owned());
    family.set_help(series.help.to_owned());
    family.set_field_type(match series.kind {
        Kind::Gauge => MetricType::GAUGE,
        Kind::Counter => MetricType::COUNTER,
    });
    let metrics = samples.of(series).map(|(labels, value)| metric(series, labels, value));
    family.set_metric(metrics.collect());
    family
}

fn metric(series: &Series, labels: &[String], value: f64) -> Metric {
    let pairs = series.labels.iter().zip(labels).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value(value.clone());
        pair
    });
    let mut metric = Metric::from_label(pairs.collect());
    match series.kind {
        Kind::Gauge => {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        Kind::Counter => {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        }
    }
    metric
}
