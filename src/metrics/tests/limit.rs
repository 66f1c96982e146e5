//! At most 500 series, whatever happens.

use amiwarden_core::{PolicyName, Scope};

use super::sample::{at, everything, metrics, policy, scope};
use crate::metrics::samples::{Names, OTHER};
use crate::metrics::{Metrics, Notified, NotifierKind, PolicySetInfo, Skipped, series};

const SERIES_MAX: usize = 500;

fn count(metrics: &Metrics) -> usize {
    let text = metrics.render().unwrap();
    text.lines().filter(|line| !line.starts_with('#')).count()
}

fn busy(scopes: &[Scope], images: usize, policies: usize, schedules: usize) -> Metrics {
    let metrics = metrics();
    let names: Vec<String> = (0..schedules).map(|number| format!("schedule-{number:03}")).collect();
    metrics.schedules(names.iter().map(String::as_str));
    let names_of_policies: Vec<PolicyName> = (0..policies).map(policy).collect();
    let set = PolicySetInfo {
        digest: "0123456789abcdef".to_owned(),
        loaded_at: at(0),
        ok: true,
        names: names_of_policies,
    };
    metrics.policies(set);
    metrics.look(1);
    let report = everything(scopes, images, policies);
    for name in &names {
        metrics.skipped(name, Skipped::Busy);
        metrics.attempted(name, scopes, at(0));
        metrics.failed(name);
        metrics.finished(name, &report);
    }
    metrics.notified(NotifierKind::Sns, Notified::Failed);
    metrics
}

impl Metrics {
    fn look(&self, count: usize) {
        self.ledger(Some(7), Some(true));
        self.unresolved_intents(count);
    }
}

#[test]
fn a_hundred_thousand_images_in_four_scopes_are_few_series() {
    let regions = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];
    let scopes = regions.map(|region| scope(1, region));
    let metrics = busy(&scopes, 100_000, 40, 3);
    let series = count(&metrics);
    assert!(series <= SERIES_MAX, "{series}");
    let text = metrics.render().unwrap();
    for region in regions {
        assert!(text.contains(&format!("region=\"{region}\"")), "{region} has no series of its own");
    }
    assert!(!text.contains("ami-"), "an image is named");
}

#[test]
fn any_number_of_scopes_policies_and_schedules_stays_below_the_limit() {
    let scopes: Vec<Scope> =
        (0..50).flat_map(|account| ["a", "b", "c", "d"].map(|region| scope(account, region))).collect();
    let metrics = busy(&scopes, 1_000, 200, 100);
    let series = count(&metrics);
    assert!(series <= SERIES_MAX, "{series}");
}

#[test]
fn what_is_beyond_a_limit_is_added_up() {
    let few: Vec<Scope> = (0..5).map(|account| scope(account, "r")).collect();
    let many: Vec<Scope> = (0..200).map(|account| scope(account, "r")).collect();
    let images = |scopes: &[Scope]| {
        let metrics = busy(scopes, 10, 1, 1);
        let samples = metrics.told.state().samples(false);
        let values: Vec<(Vec<String>, f64)> =
            samples.of(&series::IMAGES).map(|(labels, value)| (labels.clone(), value)).collect();
        values
    };
    let sum = |values: &[(Vec<String>, f64)]| values.iter().map(|(_, value)| value).sum::<f64>();
    let (few, many) = (images(&few), images(&many));
    assert!(few.iter().all(|(labels, _)| labels[0] != OTHER));
    assert!((sum(&many) - sum(&few) * 40.0).abs() < 1e-9, "the sum is that of all scopes");
    let others = many.iter().filter(|(labels, _)| labels[0] == OTHER && labels[1] == OTHER);
    assert_eq!(others.count(), 5, "one for each state");
}

#[test]
fn names_that_do_not_fit_are_others() {
    let names = Names::first(["b", "a", "c", "a"], 2);
    assert_eq!(["a", "b", "c"].map(|name| names.of(name)), ["a", "b", OTHER]);
    // Three pairs of `a` and two of `b` fit into five; into four only those of `a`, with one to spare for the others.
    let pairs = ["a", "a", "a", "b", "b"];
    let names = Names::of_pairs(pairs, 5, 1);
    assert_eq!(["a", "b"].map(|name| names.of(name)), ["a", "b"]);
    let names = Names::of_pairs(pairs, 4, 1);
    assert_eq!(["a", "b"].map(|name| names.of(name)), ["a", OTHER]);
    let names = Names::of_pairs(pairs, 3, 1);
    assert_eq!(["a", "b"].map(|name| names.of(name)), [OTHER, OTHER]);
}
