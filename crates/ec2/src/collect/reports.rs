//! Image usage reports as EC2 lists them, and which of them can be relied on.

use std::collections::BTreeMap;

use amiwarden_core::{Duration, ImageId, Timestamp};
use aws_sdk_ec2::types::{ImageUsageReport, ImageUsageResourceType};

use super::image_references::VERSION_DEPTH;
use crate::convert::{filled, listed};

/// How old a report may be to be used again.
const FRESH: Duration = Duration::from_minutes(24 * 60);

/// How far ahead of amiwarden's clock that of EC2 may be.
const AHEAD_MAX: Duration = Duration::from_minutes(60);

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) id: String,
    pub(super) image: ImageId,
    pub(super) created_at: Timestamp,
    pub(super) state: State,
    /// Whether it looks at instances and at templates to the full depth, in every account.
    is_full: bool,
}

/// How far a report is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It can be read.
    Available,
    /// It is being made, or in a state that is not known.
    Pending,
    /// It could not be made; the text says why.
    Failed(String),
}

/// The report, if it can be told what it is about and from when.
pub(super) fn report(raw: ImageUsageReport) -> Result<Report, String> {
    let id = raw.report_id.and_then(filled).ok_or("a report without an id")?;
    let image =
        raw.image_id.and_then(filled).ok_or_else(|| format!("the report {id} does not tell its image"))?;
    let created_at = raw.creation_time.and_then(|time| Timestamp::from_second(time.secs()).ok());
    let created_at = created_at.ok_or_else(|| format!("the report {id} does not tell when it was made"))?;
    let state = match raw.state.as_deref() {
        Some("available") => State::Available,
        Some("error") => State::Failed(
            raw.state_reason.and_then(filled).unwrap_or_else(|| "EC2 does not say why".to_owned()),
        ),
        Some(_) | None => State::Pending,
    };
    let types: Vec<_> = listed(raw.resource_types).collect();
    let is_full = listed(raw.account_ids).next().is_none()
        && types.iter().any(|kind| kind.resource_type() == Some("ec2:Instance"))
        && types.iter().any(|kind| kind.resource_type() == Some("ec2:LaunchTemplate") && is_deep(kind));
    Ok(Report { id, image: ImageId::new(image), created_at, state, is_full })
}

/// Whether all versions of templates are looked at. By default only the newest ones are.
fn is_deep(kind: &ImageUsageResourceType) -> bool {
    kind.resource_type_options().iter().any(|option| {
        option.option_name() == Some("version-depth") && option.option_values() == [VERSION_DEPTH]
    })
}

/// The newest report on each image that is full and fresh at `now`, one that can be read before one that is being made.
/// A report that somebody made for some accounts or fewer versions says less than is needed.
pub(super) fn newest(reports: Vec<Report>, now: Timestamp) -> BTreeMap<ImageId, Report> {
    let is_fresh = |report: &Report| {
        let age = Duration::between(report.created_at, now).as_seconds();
        (-AHEAD_MAX.as_seconds()..=FRESH.as_seconds()).contains(&age)
    };
    let rank = |report: &Report| (report.state == State::Available, report.created_at);
    let mut newest = BTreeMap::<_, Report>::new();
    for report in reports {
        if matches!(report.state, State::Failed(_)) || !report.is_full || !is_fresh(&report) {
            continue;
        }
        let is_newer = newest.get(&report.image).is_none_or(|other| rank(other) < rank(&report));
        if is_newer {
            newest.insert(report.image.clone(), report);
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::ImageUsageResourceTypeOption;
    use aws_smithy_types::DateTime;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 24 * 3600;

    fn made(id: &str, age: i64, state: &str) -> ImageUsageReport {
        let depth =
            ImageUsageResourceTypeOption::builder().option_name("version-depth").option_values("10000");
        let kind = |name: &str| ImageUsageResourceType::builder().resource_type(name);
        ImageUsageReport::builder()
            .report_id(id)
            .image_id("ami-1")
            .creation_time(DateTime::from_secs(NOW - age))
            .state(state)
            .resource_types(kind("ec2:Instance").build())
            .resource_types(kind("ec2:LaunchTemplate").resource_type_options(depth.build()).build())
            .build()
    }

    fn check(reports: Vec<ImageUsageReport>, expected: Option<&str>) {
        let reports: Vec<_> = reports.into_iter().map(|raw| report(raw).unwrap()).collect();
        let found = newest(reports.clone(), Timestamp::from_second(NOW).unwrap());
        let found = found.get(&ImageId::new("ami-1")).map(|report| report.id.as_str());
        assert_eq!(found, expected, "{reports:?}");
    }

    #[test]
    fn the_newest_fresh_report_that_can_be_read_is_used() {
        check(vec![], None);
        check(vec![made("a", 10, "available")], Some("a"));
        check(
            vec![made("a", 10, "available"), made("b", 5, "available"), made("c", 7, "available")],
            Some("b"),
        );
        check(vec![made("a", 10, "available"), made("b", 5, "pending")], Some("a"));
        check(vec![made("a", DAY + 1, "available"), made("b", 5, "pending")], Some("b"));
        check(vec![made("a", DAY, "available")], Some("a"));
        check(vec![made("a", DAY + 1, "available")], None);
        check(vec![made("a", -3600, "available")], Some("a"));
        check(vec![made("a", -3601, "available")], None);
        check(vec![made("a", 10, "error")], None);
        check(vec![made("a", 10, "dreaming")], Some("a"));
    }

    #[test]
    fn a_report_that_does_not_look_everywhere_is_not_used() {
        let mut for_some = made("a", 10, "available");
        for_some.account_ids = Some(vec!["444455556666".to_owned()]);
        let mut without_instances = made("a", 10, "available");
        without_instances.resource_types.as_mut().unwrap().remove(0);
        let mut shallow = made("a", 10, "available");
        shallow.resource_types.as_mut().unwrap()[1].resource_type_options = None;
        for report in [for_some, without_instances, shallow] {
            check(vec![report], None);
        }
    }

    #[test]
    fn a_report_that_does_not_say_what_it_is_is_a_defect() {
        let mut without_id = made("a", 0, "available");
        without_id.report_id = None;
        let mut without_image = made("a", 0, "available");
        without_image.image_id = None;
        let mut without_date = made("a", 0, "available");
        without_date.creation_time = None;
        for raw in [without_id, without_image, without_date] {
            assert!(report(raw).is_err());
        }
    }
}
