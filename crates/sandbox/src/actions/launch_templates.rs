//! `DescribeLaunchTemplates` and `DescribeLaunchTemplateVersions`.

use super::page::PageRequest;
use super::{Context, date_with_millis, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters};
use crate::world::{LaunchTemplateRecord, TemplateVersionRecord, World};

const RESOLVE_SSM: &str = "resolve:ssm:";

/// The parameters of `DescribeLaunchTemplates`.
#[derive(Debug)]
pub(crate) struct TemplatesQuery {
    ids: Vec<String>,
    names: Vec<String>,
    filters: Vec<Filter>,
    page: PageRequest,
}

impl TemplatesQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "Filter",
            "IncludeManagedResources",
            "MaxResults",
            "NextToken",
        ])?;
        parameters.flag("IncludeManagedResources")?;
        let filters = parameters.filters()?;
        let known = |name: &str| matches!(name, "create-time" | "launch-template-name");
        if let Some(unknown) = filters.iter().find(|filter| !known(&filter.name)) {
            return Err(invalid_filter(&unknown.name));
        }
        Ok(Self {
            ids: parameters.list("LaunchTemplateId"),
            names: parameters.list("LaunchTemplateName"),
            filters,
            page: PageRequest::parse(parameters, 1, 200)?,
        })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for id in &self.ids {
            template(world, context, Some(id), None)?;
        }
        for name in &self.names {
            template(world, context, None, Some(name))?;
        }
        let unnamed = self.ids.is_empty() && self.names.is_empty();
        let templates = world
            .launch_templates
            .values()
            .filter(|found| found.region == context.region)
            .filter(|found| unnamed || self.ids.contains(&found.id) || self.names.contains(&found.name))
            .filter(|found| self.passes(found))
            .map(|found| (found.id.clone(), found));
        let page = self.page.cut(templates, context)?;
        Ok(response(context, |xml| {
            xml.list("launchTemplates", &page.items, |xml, found| {
                xml.text("launchTemplateId", &found.id);
                xml.text("launchTemplateName", &found.name);
                xml.text("createTime", &date_with_millis(found.created_at));
                xml.text("defaultVersionNumber", &found.default_version.to_string());
                xml.text("latestVersionNumber", &found.latest_version().to_string());
            });
            page.write_token(xml);
        }))
    }

    fn passes(&self, found: &LaunchTemplateRecord) -> bool {
        self.filters.iter().all(|filter| {
            if filter.name == "create-time" {
                filter.matches(&[date_with_millis(found.created_at)])
            } else {
                filter.matches(&[&found.name])
            }
        })
    }
}

/// The parameters of `DescribeLaunchTemplateVersions`.
#[derive(Debug)]
pub(crate) struct VersionsQuery {
    template_id: Option<String>,
    template_name: Option<String>,
    versions: Vec<VersionWanted>,
    version_min: Option<u64>,
    version_max: Option<u64>,
    filters: Vec<Filter>,
    resolve_alias: bool,
    page: PageRequest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VersionWanted {
    Latest,
    Default,
    Number(u64),
}

impl VersionsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&[
            "LaunchTemplateId",
            "LaunchTemplateName",
            "LaunchTemplateVersion",
            "MinVersion",
            "MaxVersion",
            "Filter",
            "ResolveAlias",
            "IncludeManagedResources",
            "MaxResults",
            "NextToken",
        ])?;
        parameters.flag("IncludeManagedResources")?;
        let versions = parameters
            .list("LaunchTemplateVersion")
            .iter()
            .map(|text| match text.as_str() {
                "$Latest" => Ok(VersionWanted::Latest),
                "$Default" => Ok(VersionWanted::Default),
                number => number.parse().map(VersionWanted::Number).map_err(|_| {
                    ApiError::invalid_value(
                        "LaunchTemplateVersion",
                        number,
                        "Use a number, $Latest or $Default.",
                    )
                }),
            })
            .collect::<Result<_, _>>()?;
        let query = Self {
            template_id: parameters.text("LaunchTemplateId").map(str::to_owned),
            template_name: parameters.text("LaunchTemplateName").map(str::to_owned),
            versions,
            version_min: parameters.number("MinVersion")?,
            version_max: parameters.number("MaxVersion")?,
            filters: parameters.filters()?,
            resolve_alias: parameters.flag("ResolveAlias")?,
            page: PageRequest::parse(parameters, 1, 200)?,
        };
        query.check()?;
        Ok(query)
    }

    /// Without a template only `$Latest` and `$Default` can be asked for (botocore model documentation).
    fn check(&self) -> Result<(), ApiError> {
        for filter in &self.filters {
            if !matches!(filter.name.as_str(), "image-id" | "is-default-version") {
                return Err(invalid_filter(&filter.name));
            }
        }
        match (&self.template_id, &self.template_name) {
            (Some(_), Some(_)) => {
                return Err(ApiError::bad_request(
                    "InvalidParameterCombination",
                    "Specify either the ID or the name of a launch template, but not both.",
                ));
            }
            (Some(_), None) | (None, Some(_)) => return Ok(()),
            (None, None) => {}
        }
        let numbered = |wanted: &VersionWanted| matches!(wanted, VersionWanted::Number(_));
        if self.versions.is_empty() || self.versions.iter().any(numbered) {
            return Err(ApiError::bad_request(
                "MissingParameter",
                "Without a launch template, the versions must be $Latest, $Default or both.",
            ));
        }
        Ok(())
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        let (id, name) = (self.template_id.as_deref(), self.template_name.as_deref());
        let templates: Vec<&LaunchTemplateRecord> = if id.is_none() && name.is_none() {
            world.launch_templates.values().filter(|found| found.region == context.region).collect()
        } else {
            let found = template(world, context, id, name)?;
            self.check_numbers(found)?;
            vec![found]
        };
        // The newest version of a template comes first.
        let versions = templates.into_iter().flat_map(|found| {
            let newest_first = found.versions.iter().rev();
            newest_first.map(move |version| (found, version, self.image_of(world, context, version)))
        });
        let selected = versions
            .filter(|(found, version, image)| self.selects(found, version, image.as_deref()))
            .map(|entry| (format!("{}/{:020}", entry.0.id, u64::MAX - entry.1.number), entry));
        let page = self.page.cut(selected, context)?;
        Ok(response(context, |xml| {
            xml.list("launchTemplateVersionSet", &page.items, |xml, (found, version, image)| {
                xml.text("launchTemplateId", &found.id);
                xml.text("launchTemplateName", &found.name);
                xml.text("versionNumber", &version.number.to_string());
                xml.text("createTime", &date_with_millis(found.created_at));
                xml.boolean("defaultVersion", version.number == found.default_version);
                xml.element("launchTemplateData", |xml| {
                    xml.optional("imageId", image.as_deref());
                    xml.text("instanceType", "t3.micro");
                });
            });
            page.write_token(xml);
        }))
    }

    /// A version that is asked for by a number that the template lacks fails the whole call.
    fn check_numbers(&self, found: &LaunchTemplateRecord) -> Result<(), ApiError> {
        for wanted in &self.versions {
            if let VersionWanted::Number(number) = wanted
                && !found.versions.iter().any(|version| version.number == *number)
            {
                return Err(ApiError::bad_request(
                    "InvalidLaunchTemplateId.VersionNotFound",
                    format!("Could not find launch template version {number} for {}.", found.id),
                ));
            }
        }
        Ok(())
    }

    /// `MinVersion` and `MaxVersion` belong to the range that they bound (for the first, the model's
    /// documentation can be read either way).
    fn selects(
        &self,
        found: &LaunchTemplateRecord,
        version: &TemplateVersionRecord,
        image: Option<&str>,
    ) -> bool {
        let is_default = version.number == found.default_version;
        let wanted = |wanted: &VersionWanted| match wanted {
            VersionWanted::Latest => version.number == found.latest_version(),
            VersionWanted::Default => is_default,
            VersionWanted::Number(number) => version.number == *number,
        };
        (self.versions.is_empty() || self.versions.iter().any(wanted))
            && self.version_min.is_none_or(|least| version.number >= least)
            && self.version_max.is_none_or(|most| version.number <= most)
            && self.filters.iter().all(|filter| {
                if filter.name == "image-id" {
                    filter.matches(image.as_slice())
                } else {
                    filter.matches(&[is_default.to_string()])
                }
            })
    }

    /// The image as the answer shows it: with `ResolveAlias`, a parameter is replaced by its value. A
    /// parameter that does not exist stays as it is written (assumed).
    fn image_of(
        &self,
        world: &World,
        context: &Context<'_>,
        version: &TemplateVersionRecord,
    ) -> Option<String> {
        let image = version.image.as_ref()?;
        let resolved = self.resolve_alias.then(|| resolve(world, context.region, image)).flatten();
        Some(resolved.unwrap_or(image).clone())
    }
}

/// The image id behind `resolve:ssm:NAME`, `resolve:ssm:NAME:VERSION` or `resolve:ssm:NAME:LABEL`. The
/// simulator keeps no history of parameters, so version and label are not looked at.
fn resolve<'a>(world: &'a World, region: &str, image: &str) -> Option<&'a String> {
    let name = image.strip_prefix(RESOLVE_SSM)?.split(':').next()?;
    (region == world.default_region).then(|| world.ssm_parameters.get(name)).flatten()
}

/// The template of an id or a name. The codes are those of the Developer Guide (errors-overview).
fn template<'a>(
    world: &'a World,
    context: &Context<'_>,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<&'a LaunchTemplateRecord, ApiError> {
    world
        .launch_templates
        .values()
        .filter(|found| found.region == context.region)
        .find(|found| id.is_none_or(|id| found.id == id) && name.is_none_or(|name| found.name == name))
        .ok_or_else(|| {
            let code = match id {
                Some(_) => "InvalidLaunchTemplateId.NotFound",
                None => "InvalidLaunchTemplateName.NotFoundException",
            };
            ApiError::bad_request(
                code,
                format!("The specified launch template, {}, does not exist.", id.or(name).unwrap_or("?")),
            )
        })
}
