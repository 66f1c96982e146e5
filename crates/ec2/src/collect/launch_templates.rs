//! The source `launch-templates`: the default and the latest version of every launch template, and as many of the
//! newest ones as are asked for. Versions that a group or fleet pins belong to the sources that pin them.

use std::collections::BTreeMap;

use amiwarden_core::{ImageUse, Listing, TemplateVersions, UseKind};
use futures::stream::StreamExt;

use super::references::{Reference, Target, settle};
use super::templates::{Version, all_versions};
use super::{Cloud, pages};

/// How many templates are asked about at once.
const IN_FLIGHT_MAX: usize = 8;

/// One use per version. A version that names its image by a Systems Manager parameter which cannot be resolved may
/// use any image, so it is a gap.
pub(crate) async fn collect(cloud: &Cloud, depth: TemplateVersions) -> Listing<ImageUse> {
    let standing = cloud.templates.read_standing(&cloud.services.ec2).await;
    let mut templates = BTreeMap::<_, Vec<_>>::new();
    for version in &standing.items {
        templates.entry(version.template.clone()).or_default().push(version.clone());
    }
    let mut gaps = Vec::new();
    let templates: Vec<_> = match depth {
        TemplateVersions::Pinned => templates.into_values().collect(),
        TemplateVersions::Newest(count) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let read: Vec<_> = futures::stream::iter(templates)
                .map(|(template, known)| newest(cloud, template, known, count))
                .buffered(IN_FLIGHT_MAX)
                .collect()
                .await;
            let keep_gap = |listing: Listing<Version>| {
                gaps.extend(listing.gap);
                listing.items
            };
            read.into_iter().map(keep_gap).collect()
        }
    };
    // The gap of the first listing comes last, to be shown first: without it, templates are missing altogether.
    gaps.extend(standing.gap.clone());
    let items = templates.iter().map(|versions| references(versions)).collect();
    settle(cloud, Listing { items, gap: pages::join(gaps) }).await
}

/// The newest `count` versions of a template of which the default and the latest one are known, and those two.
async fn newest(cloud: &Cloud, template: String, known: Vec<Version>, count: usize) -> Listing<Version> {
    // A template whose latest version is the first one has no other.
    if known.iter().all(|version| version.number <= 1) {
        return Listing::complete(known);
    }
    let Listing { items: mut versions, gap } = all_versions(&cloud.services.ec2, &template).await;
    versions.sort_unstable_by_key(|version| std::cmp::Reverse(version.number));
    versions.truncate(count);
    versions.extend(known);
    versions.sort_unstable_by_key(|version| version.number);
    versions.dedup_by_key(|version| version.number);
    Listing { items: versions, gap }
}

/// What the versions of one template, the latest of which is among them, refer to.
fn references(versions: &[Version]) -> Vec<Reference> {
    let latest = versions.iter().map(|version| version.number).max();
    let reference = |version: &Version| {
        let target = Target::Image(version.image.clone()?);
        let id = label(version, Some(version.number) == latest);
        Some(Reference { kind: UseKind::LaunchTemplate, id, target })
    };
    versions.iter().filter_map(reference).collect()
}

/// Which version of which template, for a person: `lt-0abc (web, version 3, $Default)`.
fn label(version: &Version, is_latest: bool) -> String {
    let Version { template, name, number, is_default, image: _ } = version;
    let alias = match (is_default, is_latest) {
        (true, _) => ", $Default",
        (false, true) => ", $Latest",
        (false, false) => "",
    };
    format!("{template} ({name}, version {number}{alias})")
}
