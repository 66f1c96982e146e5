//! `DescribeLaunchTemplateVersions`: what the versions of launch templates launch.
//!
//! Several sources lead to templates, so what was read is kept for the run: the default and latest versions of all
//! templates, which come in one listing, and those that groups and fleets pin by their numbers. A version never
//! changes; which one is the default or the latest may, so that listing is read anew when it is a source by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amiwarden_core::{CallErrorKind, Listing};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::describe_launch_template_versions::DescribeLaunchTemplateVersionsOutput;
use aws_sdk_ec2::operation::describe_launch_template_versions::builders::DescribeLaunchTemplateVersionsFluentBuilder;
use aws_sdk_ec2::types::LaunchTemplateVersion;
use futures::future::{BoxFuture, FutureExt, Shared};
use futures::stream::StreamExt;

use super::pages::{self, Operation, Page, PageLimits};
use crate::convert::filled;
use crate::errors::Failure;

const OPERATION: Operation = Operation {
    name: "DescribeLaunchTemplateVersions",
    permissions: "ec2:DescribeLaunchTemplateVersions and, for the images that templates name by a Systems Manager \
                  parameter, ssm:GetParameters",
    limits: PageLimits::EC2,
};

/// The most that EC2 allows for this operation (botocore model).
const TEMPLATE_PAGE_SIZE: i32 = 200;

/// How many versions of one template are asked for at once: no more than a page holds.
const VERSIONS_MAX: usize = 200;

/// How many templates are asked about at once.
const IN_FLIGHT_MAX: usize = 8;

const DEFAULT: &str = "$Default";
const LATEST: &str = "$Latest";

/// A launch template, as whoever uses it names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TemplateName {
    Id(String),
    Name(String),
}

/// A version of a launch template, as whoever uses it names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VersionRef {
    template: TemplateName,
    /// `$Default`, `$Latest`, or a number.
    version: String,
}

impl VersionRef {
    /// What a specification of Auto Scaling or EC2 means. One without a version means the default one. `None` when it
    /// names no template.
    pub(super) fn new(id: Option<String>, name: Option<String>, version: Option<String>) -> Option<Self> {
        let id = id.and_then(filled).map(TemplateName::Id);
        let template = id.or_else(|| name.and_then(filled).map(TemplateName::Name))?;
        let version = version.and_then(filled).unwrap_or_else(|| DEFAULT.to_owned());
        Some(Self { template, version })
    }
}

/// A version as EC2 shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The template's id.
    pub(super) template: String,
    /// The template's name.
    pub(super) name: String,
    /// Its number.
    pub(super) number: i64,
    /// Whether it is the template's default version.
    pub(super) is_default: bool,
    /// Its image, as an id or an alias. A template may leave the image to whoever launches.
    pub(super) image: Option<String>,
}

impl Version {
    fn is_of(&self, template: &TemplateName) -> bool {
        match template {
            TemplateName::Id(id) => self.template == *id,
            TemplateName::Name(name) => self.name == *name,
        }
    }
}

type Standing = Shared<BoxFuture<'static, Arc<Listing<Version>>>>;

/// What was read of launch templates in this run. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Templates {
    /// The default and latest versions of all templates, read or being read.
    standing: Arc<Mutex<Option<Standing>>>,
    /// The images of versions that were asked for by their numbers.
    pinned: Arc<Mutex<BTreeMap<VersionRef, Option<String>>>>,
}

impl Templates {
    /// The default and latest versions of all templates, read now.
    pub(super) async fn read_standing(&self, client: &Client) -> Arc<Listing<Version>> {
        let reading = standing(client.clone());
        *lock(&self.standing) = Some(reading.clone());
        reading.await
    }

    /// The default and latest versions of all templates, as they were read last.
    fn standing(&self, client: &Client) -> Standing {
        lock(&self.standing).get_or_insert_with(|| standing(client.clone())).clone()
    }

    /// The image of each of `versions`, as an id or an alias; `None` where it launches none by itself. The answer has
    /// an entry for each.
    pub(super) async fn images(
        &self,
        client: &Client,
        versions: BTreeSet<VersionRef>,
    ) -> BTreeMap<VersionRef, Result<Option<String>, String>> {
        if versions.is_empty() {
            return BTreeMap::new();
        }
        let standing = self.standing(client).await;
        let mut images = BTreeMap::new();
        let mut unknown = BTreeMap::<_, BTreeSet<_>>::new();
        for version in versions {
            let known = find(&standing, &version).map(|found| found.image.clone());
            match known.or_else(|| lock(&self.pinned).get(&version).cloned()) {
                Some(image) => drop(images.insert(version, Ok(image))),
                None => drop(unknown.entry(version.template).or_default().insert(version.version)),
            }
        }
        for (version, image) in ask(client, unknown).await {
            if let Ok(image) = &image {
                lock(&self.pinned).insert(version.clone(), image.clone());
            }
            images.insert(version, image);
        }
        images
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn standing(client: Client) -> Standing {
    let read = async move {
        let listing = pages::read(OPERATION, |token| {
            let request = client
                .describe_launch_template_versions()
                .versions(DEFAULT)
                .versions(LATEST)
                .max_results(TEMPLATE_PAGE_SIZE)
                .set_next_token(token);
            page(request)
        });
        Arc::new(listing.await)
    };
    read.boxed().shared()
}

/// Every version of one template.
pub(super) async fn all_versions(client: &Client, template: &str) -> Listing<Version> {
    pages::read(OPERATION, |token| {
        let request = client
            .describe_launch_template_versions()
            .launch_template_id(template)
            .max_results(TEMPLATE_PAGE_SIZE)
            .set_next_token(token);
        page(request)
    })
    .await
}

async fn page(request: DescribeLaunchTemplateVersionsFluentBuilder) -> Result<Page<Version>, Failure> {
    let page = send(request).await?;
    Ok(Page::convert(page.launch_template_versions, page.next_token, |raw| version(raw).map(Some)))
}

/// Templates that AWS services manage for the account are included. EC2 resolves the aliases; where it refuses to,
/// perhaps for the sake of a single one, it is asked for the aliases themselves, to be resolved one by one.
async fn send(
    request: DescribeLaunchTemplateVersionsFluentBuilder,
) -> Result<DescribeLaunchTemplateVersionsOutput, Failure> {
    let request = request.include_managed_resources(true);
    let to_failure = |error: &_| Failure::new(OPERATION.name, error);
    let resolved = request.clone().resolve_alias(true).send().await.map_err(|error| to_failure(&error));
    match resolved {
        Err(failure) if is_refused(&failure) => {
            request.resolve_alias(false).send().await.map_err(|error| to_failure(&error))
        }
        resolved => resolved,
    }
}

/// Whether EC2 refused something about the request other than the template.
fn is_refused(failure: &Failure) -> bool {
    failure.error.kind == CallErrorKind::Refused
        && failure.has_reply()
        && !failure.says_no_template()
        && !failure.says_no_template_version()
}

fn version(raw: LaunchTemplateVersion) -> Result<Version, String> {
    let template = raw.launch_template_id.and_then(filled);
    let name = raw.launch_template_name.and_then(filled);
    let shown = template.as_deref().or(name.as_deref()).unwrap_or("without an id").to_owned();
    let (Some(template), Some(number)) = (template, raw.version_number) else {
        return Err(format!("a version of launch template {shown} without the template's id or its number"));
    };
    let Some(data) = raw.launch_template_data else {
        return Err(format!("launch template {shown} does not tell what its version {number} launches"));
    };
    Ok(Version {
        template,
        name: name.unwrap_or_else(|| "without a name".to_owned()),
        number,
        is_default: raw.default_version == Some(true),
        image: data.image_id.and_then(filled),
    })
}

/// The version that is meant, among the default and latest ones of all templates. Which of them is the latest can be
/// told only if none is missing.
fn find<'a>(standing: &'a Listing<Version>, wanted: &VersionRef) -> Option<&'a Version> {
    let of_template = standing.items.iter().filter(|version| version.is_of(&wanted.template));
    match wanted.version.as_str() {
        DEFAULT | LATEST if standing.gap.is_some() => None,
        version => pick(of_template, version),
    }
}

/// The version that is meant, among several of one template that include it if it exists.
fn pick<'a>(mut versions: impl Iterator<Item = &'a Version>, wanted: &str) -> Option<&'a Version> {
    match wanted {
        DEFAULT => versions.find(|version| version.is_default),
        LATEST => versions.max_by_key(|version| version.number),
        number => versions.find(|version| version.number.to_string() == number),
    }
}

type Images = Vec<(VersionRef, Result<Option<String>, String>)>;

/// Asks for versions template by template.
async fn ask(client: &Client, wanted: BTreeMap<TemplateName, BTreeSet<String>>) -> Images {
    let batches: Vec<_> = wanted
        .into_iter()
        .flat_map(|(template, versions)| {
            let versions: Vec<_> = versions.into_iter().collect();
            let batches: Vec<_> = versions.chunks(VERSIONS_MAX).map(<[String]>::to_vec).collect();
            batches.into_iter().map(move |batch| (template.clone(), batch))
        })
        .collect();
    let answers = futures::stream::iter(batches)
        .map(|(template, versions)| ask_template(client, template, versions))
        .buffer_unordered(IN_FLIGHT_MAX);
    answers.concat().await
}

async fn ask_template(client: &Client, template: TemplateName, versions: Vec<String>) -> Images {
    let reading = read_versions(client, &template, &versions).await;
    let misses_one = reading.failure.as_ref().is_some_and(Failure::says_no_template_version);
    if !misses_one || versions.len() == 1 {
        return answers(&template, versions, &reading);
    }
    // One that is not there has spoiled the answer about the others.
    let mut images = Vec::new();
    for version in versions {
        let version = vec![version];
        let reading = read_versions(client, &template, &version).await;
        images.extend(answers(&template, version, &reading));
    }
    images
}

/// What `reading` says of each of `versions`. What is not there launches nothing: it uses no image, and there is no
/// doubt about it.
fn answers(template: &TemplateName, versions: Vec<String>, reading: &pages::Reading<Version>) -> Images {
    let is_gone = reading
        .failure
        .as_ref()
        .is_some_and(|failure| failure.says_no_template() || failure.says_no_template_version());
    let image = |version: &str| {
        if is_gone {
            return Ok(None);
        }
        match (&reading.listing.gap, pick(reading.listing.items.iter(), version)) {
            (Some(gap), _) => Err(gap.reason.clone()),
            (None, Some(found)) => Ok(found.image.clone()),
            (None, None) => {
                Err(format!("{}: EC2 was asked for version {version} and did not show it", OPERATION.name))
            }
        }
    };
    let answer = |version: String| {
        let image = image(&version);
        (VersionRef { template: template.clone(), version }, image)
    };
    versions.into_iter().map(answer).collect()
}

async fn read_versions(
    client: &Client,
    template: &TemplateName,
    versions: &[String],
) -> pages::Reading<Version> {
    pages::read_to_failure(OPERATION, |token| {
        let request = client
            .describe_launch_template_versions()
            .set_versions(Some(versions.to_vec()))
            .set_next_token(token);
        page(match template {
            TemplateName::Id(id) => request.launch_template_id(id),
            TemplateName::Name(name) => request.launch_template_name(name),
        })
    })
    .await
}
