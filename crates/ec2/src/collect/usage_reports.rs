//! Image usage reports: what other accounts do with a candidate (EC2 User Guide, "View your Amazon EC2 AMI usage").
//!
//! EC2 makes a report in its own time, so it is asked for in one run and often read in a later one. Making one changes
//! nothing about the image; it is the only thing that a reader asks EC2 to do rather than to tell. What the reports say
//! of the image's own account is left out: other sources know that better, and without the lag.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{AccountId, CandidateUses, Duration, Gap, ImageId, ImageUse, Timestamp, UseKind};
use aws_sdk_ec2::types::{
    ImageUsageReport, ImageUsageReportEntry, ImageUsageResourceTypeOptionRequest,
    ImageUsageResourceTypeRequest,
};
use futures::stream::StreamExt;

use super::Cloud;
use super::candidates;
use super::image_references::VERSION_DEPTH;
use super::pages::{self, Operation, PAGE_SIZE, Page, PageLimits, Reading};
use super::reports::{Report, State, newest, report};
use crate::convert::filled;
use crate::errors::Failure;

const DESCRIBE: Operation = Operation {
    name: "DescribeImageUsageReports",
    permissions: "ec2:DescribeImageUsageReports",
    limits: PageLimits::EC2,
};

const ENTRIES: Operation = Operation {
    name: "DescribeImageUsageReportEntries",
    permissions: "ec2:DescribeImageUsageReportEntries",
    limits: PageLimits::EC2,
};

const CREATE: &str = "CreateImageUsageReport";

/// The most images or reports that EC2 takes in one request (botocore model).
const IDS_MAX: usize = 200;

/// How many reports are asked for at once. EC2 lets an account change 5 things a second (EC2 Developer Guide, "Request
/// throttling").
const CREATING_MAX: usize = 4;

/// How often EC2 is asked whether reports that have just been asked for are there.
const POLLS_MAX: usize = 6;

/// How far what a report says of instances is behind its making (EC2 User Guide, "View your Amazon EC2 AMI usage").
/// What it says of launch templates may be days behind.
const LAG: Duration = Duration::from_minutes(24 * 60);

/// What stands for an account that EC2 prints as `************`. No account has this number.
const HIDDEN_ACCOUNT: &str = "000000000000";

/// What a report on each of `images` says, where there is one.
pub(crate) async fn collect(
    cloud: &Cloud,
    images: Vec<ImageId>,
    now: Timestamp,
) -> BTreeMap<ImageId, CandidateUses> {
    let images: BTreeSet<_> = images.into_iter().collect();
    let asked = images.iter().cloned().collect();
    let listed = candidates::ask(asked, IDS_MAX, |batch| list_of_images(cloud, batch)).await;
    let mut gaps = listed.gaps;
    let mut ready = newest(listed.items, now);
    // What a partial list shows is good, but what it does not show may be there.
    let missing = images.iter().filter(|image| !ready.contains_key(image) && !gaps.contains_key(image));
    ready.extend(make(cloud, missing.cloned().collect(), &mut gaps).await);
    let mut readable = BTreeMap::new();
    for (image, report) in ready {
        match report.state {
            State::Available => drop(readable.insert(image, report)),
            State::Pending => {
                let reason = format!(
                    "the usage report {} on {image} is being made: a later run will read it",
                    report.id
                );
                gaps.insert(image, Gap::new(reason));
            }
            State::Failed(reason) => {
                let reason =
                    format!("EC2 could not make the usage report {} on {image}: {reason}", report.id);
                gaps.insert(image, Gap::new(reason));
            }
        }
    }
    let mut answers = read(cloud, &readable).await;
    let mut silent = |image: &ImageId| {
        let gap =
            gaps.remove(image).or_else(|| Some(Gap::new(format!("there is no usage report on {image}"))));
        CandidateUses { uses: Vec::new(), gap, as_of: now }
    };
    images
        .into_iter()
        .map(|image| (image.clone(), answers.remove(&image).unwrap_or_else(|| silent(&image))))
        .collect()
}

async fn list_of_images(cloud: &Cloud, images: Vec<ImageId>) -> Reading<Report> {
    list(cloud, Some(images.iter().map(|image| image.as_str().to_owned()).collect()), None).await
}

async fn list(cloud: &Cloud, images: Option<Vec<String>>, reports: Option<Vec<String>>) -> Reading<Report> {
    pages::read_to_failure(DESCRIBE, |token| {
        let request = cloud
            .services
            .ec2
            .describe_image_usage_reports()
            .set_image_ids(images.clone())
            .set_report_ids(reports.clone())
            .max_results(PAGE_SIZE)
            .set_next_token(token);
        async {
            let page = request.send().await.map_err(|error| Failure::new(DESCRIBE.name, &error))?;
            Ok(Page::convert(page.image_usage_reports, page.next_token, |raw: ImageUsageReport| {
                report(raw).map(Some)
            }))
        }
    })
    .await
}

/// Asks for a report on each of `images`, and waits a while for them.
async fn make(
    cloud: &Cloud,
    images: Vec<ImageId>,
    gaps: &mut BTreeMap<ImageId, Gap>,
) -> BTreeMap<ImageId, Report> {
    let answers: Vec<_> = futures::stream::iter(images)
        .map(|image| async {
            let created = create(cloud, &image).await;
            (image, created)
        })
        .buffered(CREATING_MAX)
        .collect()
        .await;
    let mut pending = BTreeMap::new();
    for (image, created) in answers {
        match created {
            Ok(report) => drop(pending.insert(report, image)),
            Err(reason) => {
                gaps.insert(image.clone(), Gap::new(format!("{CREATE} of {image}: {reason}")));
            }
        }
    }
    let mut made = BTreeMap::new();
    for _ in 0..POLLS_MAX {
        if pending.is_empty() {
            break;
        }
        tokio::time::sleep(cloud.services.timing.report_pause).await;
        let ids: Vec<_> = pending.keys().cloned().collect();
        for batch in ids.chunks(IDS_MAX) {
            let reports = list(cloud, None, Some(batch.to_vec())).await.listing.items;
            let settled = reports.into_iter().filter(|report| !matches!(report.state, State::Pending));
            for report in settled {
                // Whatever image it names, it is the one that was asked for.
                made.extend(pending.remove(&report.id).map(|image| (image, report)));
            }
        }
    }
    gaps.extend(pending.into_iter().map(|(report, image)| {
        let reason =
            format!("the usage report {report} on {image} has been asked for: a later run will read it");
        (image, Gap::new(reason))
    }));
    made
}

/// The id of the new report. The SDK sends a token with the request, so that a lost reply makes no second report.
async fn create(cloud: &Cloud, image: &ImageId) -> Result<String, String> {
    let depth = ImageUsageResourceTypeOptionRequest::builder()
        .option_name("version-depth")
        .option_values(VERSION_DEPTH)
        .build();
    let of = |kind: &str| ImageUsageResourceTypeRequest::builder().resource_type(kind);
    let reply = cloud
        .services
        .ec2
        .create_image_usage_report()
        .image_id(image.as_str())
        .resource_types(of("ec2:Instance").build())
        .resource_types(of("ec2:LaunchTemplate").resource_type_options(depth).build())
        .send()
        .await
        .map_err(|error| Failure::new(CREATE, &error).reason("ec2:CreateImageUsageReport"))?;
    reply.report_id.and_then(filled).ok_or_else(|| "the reply has no report id".to_owned())
}

/// What the reports say.
async fn read(cloud: &Cloud, reports: &BTreeMap<ImageId, Report>) -> BTreeMap<ImageId, CandidateUses> {
    let images: BTreeMap<_, _> = reports.iter().map(|(image, report)| (report.id.as_str(), image)).collect();
    let ids: Vec<_> = images.keys().map(|&id| id.to_owned()).collect();
    let mut uses = BTreeMap::<_, BTreeSet<_>>::new();
    let mut gaps = BTreeMap::new();
    for batch in ids.chunks(IDS_MAX) {
        let listing = entries(cloud, batch, &images).await.listing;
        for image_use in listing.items {
            uses.entry(image_use.image.clone()).or_default().insert(image_use);
        }
        let of_batch = batch.iter().filter_map(|id| images.get(id.as_str()));
        gaps.extend(of_batch.filter_map(|&image| Some((image, listing.gap.clone()?))));
    }
    let answer = |(image, report): (&ImageId, &Report)| {
        let uses = uses.remove(image).into_iter().flatten().collect();
        let as_of = LAG.before(report.created_at).unwrap_or(Timestamp::UNIX_EPOCH);
        (image.clone(), CandidateUses { uses, gap: gaps.remove(image), as_of })
    };
    reports.iter().map(answer).collect()
}

async fn entries(cloud: &Cloud, reports: &[String], images: &BTreeMap<&str, &ImageId>) -> Reading<ImageUse> {
    pages::read_to_failure(ENTRIES, |token| async {
        let page = cloud
            .services
            .ec2
            .describe_image_usage_report_entries()
            .set_report_ids(Some(reports.to_vec()))
            .max_results(PAGE_SIZE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| Failure::new(ENTRIES.name, &error))?;
        Ok(Page::convert(page.image_usage_report_entries, page.next_token, |raw| {
            image_use(raw, images, &cloud.account)
        }))
    })
    .await
}

/// What an entry says, unless it is about the image's own account or counts nothing. An account that EC2 hides uses the
/// image all the same.
fn image_use(
    raw: ImageUsageReportEntry,
    images: &BTreeMap<&str, &ImageId>,
    own: &AccountId,
) -> Result<Option<ImageUse>, String> {
    let report = raw.report_id.and_then(filled).ok_or("an entry without a report")?;
    let image = *images
        .get(report.as_str())
        .ok_or_else(|| format!("an entry of {report}, which was not asked for"))?;
    let shown = raw.account_id.and_then(filled).unwrap_or_else(|| "without a number".to_owned());
    let account = shown.parse::<AccountId>();
    if account.as_ref() == Ok(own) || raw.usage_count == Some(0) {
        return Ok(None);
    }
    let kind = match raw.resource_type.as_deref() {
        Some("ec2:Instance") => UseKind::Instance,
        Some("ec2:LaunchTemplate") => UseKind::LaunchTemplate,
        Some(_) | None => UseKind::Other,
    };
    let count = raw.usage_count.map_or_else(|| "any number".to_owned(), |count| count.to_string());
    let account = account
        .or_else(|_| HIDDEN_ACCOUNT.parse::<AccountId>())
        .map_err(|error| format!("an entry of {report}: {error}"))?;
    let id = format!("({count} of them) in account {shown}");
    Ok(Some(ImageUse { image: image.clone(), kind, id, account }))
}
