//! Image usage reports: `CreateImageUsageReport`, `DescribeImageUsageReports`,
//! `DescribeImageUsageReportEntries` and `DeleteImageUsageReport`.
//!
//! Asking for a report alters no image. Left out: tags of reports (`TagSpecification` is refused), filters
//! by tag, and the depth of templates, which is checked and not used: other accounts' templates have no
//! versions here. The account's own uses are not told, which is assumed. A pending report has no entries.

use std::collections::BTreeSet;

use super::page::PageRequest;
use super::{Context, date_with_millis, image_references, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters, Xml};
use crate::world::{ForeignUse, ForeignUseKind, UsageReportRecord, UsageReportWanted, World};

/// How many accounts, images or reports one call may name (botocore model).
const IDS_MAX: usize = 200;

/// A request that alters reports, or by which they become complete.
#[derive(Debug)]
pub(crate) enum ReportCall {
    Create(UsageReportWanted),
    Delete { report_id: String },
    Describe(ReportsQuery),
}

/// Which reports: by image, by id, by filter, and a page of them.
#[derive(Debug)]
pub(crate) struct ReportsQuery {
    image_ids: Vec<String>,
    report_ids: Vec<String>,
    filters: Vec<Filter>,
    page: PageRequest,
}

/// The parameters of `DescribeImageUsageReportEntries`.
#[derive(Debug)]
pub(crate) struct EntriesQuery(ReportsQuery);

impl ReportCall {
    /// Parses a request, or yields nothing where the action is not one of these.
    pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Option<Self>, ApiError> {
        let call = match action {
            "CreateImageUsageReport" => {
                parameters.check_names(&["ImageId", "ResourceType", "AccountId", "ClientToken"])?;
                Self::Create(wanted(parameters)?)
            }
            "DeleteImageUsageReport" => {
                parameters.check_names(&["ReportId"])?;
                Self::Delete { report_id: parameters.required("ReportId")?.to_owned() }
            }
            "DescribeImageUsageReports" => {
                Self::Describe(ReportsQuery::parse(parameters, &["creation-time", "state"])?)
            }
            _ => return Ok(None),
        };
        Ok(Some(call))
    }
}

impl ReportsQuery {
    fn parse(parameters: &Parameters, filters: &[&str]) -> Result<Self, ApiError> {
        parameters.check_names(&["ImageId", "ReportId", "Filter", "MaxResults", "NextToken"])?;
        let query = Self {
            image_ids: parameters.list("ImageId"),
            report_ids: parameters.list("ReportId"),
            filters: parameters.filters()?,
            page: PageRequest::parse(parameters, 1, 1000)?,
        };
        if query.image_ids.len().max(query.report_ids.len()) > IDS_MAX {
            return Err(too_many());
        }
        match query.filters.iter().find(|filter| !filters.contains(&filter.name.as_str())) {
            Some(unknown) => Err(invalid_filter(&unknown.name)),
            None => Ok(query),
        }
    }

    /// The body of `DescribeImageUsageReports`, and the reports that were shown.
    pub(crate) fn answer(
        &self,
        world: &World,
        context: &Context<'_>,
    ) -> Result<(String, Vec<String>), ApiError> {
        let selected = self.reports(world, context)?.filter(|report| {
            self.filters.iter().all(|filter| match filter.name.as_str() {
                "state" => filter.matches(&[report.state(context.now)]),
                _ => filter.matches(&[date_with_millis(report.created_at)]),
            })
        });
        let page = self.page.cut(selected.map(|report| (report.id.clone(), report)), context)?;
        let body = response(context, |xml| {
            xml.list("imageUsageReportSet", &page.items, |xml, report| write_report(xml, report, context));
            page.write_token(xml);
        });
        Ok((body, page.items.iter().map(|report| report.id.clone()).collect()))
    }

    /// The reports of the request's Region that are named by image and id. An id that does not exist is an
    /// error, an image without reports is not (assumed).
    fn reports<'a>(
        &'a self,
        world: &'a World,
        context: &'a Context<'_>,
    ) -> Result<impl Iterator<Item = &'a UsageReportRecord>, ApiError> {
        for id in &self.report_ids {
            world.usage_report(id, context.region, context.now)?;
        }
        Ok(world.usage_reports.reports.values().filter(move |report| {
            report.region == context.region
                && context.now < report.expires_at()
                && (self.image_ids.is_empty() || self.image_ids.contains(&report.image_id))
                && (self.report_ids.is_empty() || self.report_ids.contains(&report.id))
        }))
    }
}

impl EntriesQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        ReportsQuery::parse(parameters, &["account-id", "creation-time", "resource-type"]).map(Self)
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        let complete = self.0.reports(world, context)?.filter(|report| !report.is_pending(context.now));
        let entries = complete.flat_map(|report| {
            report.entries.iter().enumerate().map(move |(index, usage)| (report, index, usage))
        });
        let selected = entries
            .filter(|(report, _, usage)| self.selects(report, usage))
            .map(|entry| (format!("{}/{:010}", entry.0.id, entry.1), entry));
        let page = self.0.page.cut(selected, context)?;
        Ok(response(context, |xml| {
            xml.list("imageUsageReportEntrySet", &page.items, |xml, (report, _, usage)| {
                xml.text("resourceType", usage.kind.as_str());
                xml.text("reportId", &report.id);
                xml.text("usageCount", &usage.count.to_string());
                xml.text("accountId", &usage.account);
                xml.text("imageId", &usage.image_id);
                xml.text("reportCreationTime", &date_with_millis(report.created_at));
            });
            page.write_token(xml);
        }))
    }

    fn selects(&self, report: &UsageReportRecord, usage: &ForeignUse) -> bool {
        self.0.filters.iter().all(|filter| match filter.name.as_str() {
            "account-id" => filter.matches(&[&usage.account]),
            "resource-type" => filter.matches(&[usage.kind.as_str()]),
            _ => filter.matches(&[date_with_millis(report.created_at)]),
        })
    }
}

/// The body of `CreateImageUsageReport`.
pub(crate) fn created_xml(report_id: &str, context: &Context<'_>) -> String {
    response(context, |xml| xml.text("reportId", report_id))
}

/// The body of `DeleteImageUsageReport`.
pub(crate) fn deleted_xml(context: &Context<'_>) -> String {
    response(context, |xml| xml.boolean("return", true))
}

fn wanted(parameters: &Parameters) -> Result<UsageReportWanted, ApiError> {
    let mut kinds = BTreeSet::new();
    for wanted in parameters.structures("ResourceType") {
        let kind = match wanted.required("ResourceType")? {
            "ec2:Instance" => ForeignUseKind::Instance,
            "ec2:LaunchTemplate" => ForeignUseKind::LaunchTemplate,
            other => return Err(ApiError::invalid_value("ResourceType", other, "Unknown resource type.")),
        };
        for option in wanted.structures("ResourceTypeOption") {
            match (kind, option.required("OptionName")?) {
                (ForeignUseKind::LaunchTemplate, "version-depth") => {
                    image_references::depth(&option.list("OptionValue"))?;
                }
                (_, other) => {
                    return Err(ApiError::invalid_value("OptionName", other, "Unknown option."));
                }
            }
        }
        kinds.insert(kind);
    }
    if kinds.is_empty() {
        return Err(ApiError::missing_parameter("ResourceType"));
    }
    let accounts = parameters.list("AccountId");
    if accounts.len() > IDS_MAX {
        return Err(too_many());
    }
    Ok(UsageReportWanted {
        image_id: parameters.required("ImageId")?.to_owned(),
        kinds,
        accounts: accounts.into_iter().collect(),
        client_token: parameters.text("ClientToken").map(str::to_owned),
    })
}

fn write_report(xml: &mut Xml, report: &UsageReportRecord, context: &Context<'_>) {
    xml.text("imageId", &report.image_id);
    xml.text("reportId", &report.id);
    xml.list("resourceTypeSet", &report.kinds, |xml, kind| xml.text("resourceType", kind.as_str()));
    if !report.accounts.is_empty() {
        xml.list("accountIdSet", &report.accounts, |xml, account| xml.push_text(account));
    }
    xml.text("state", report.state(context.now));
    xml.text("creationTime", &date_with_millis(report.created_at));
    xml.text("expirationTime", &date_with_millis(report.expires_at()));
}

fn too_many() -> ApiError {
    ApiError::bad_request("InvalidParameterValue", format!("A request can name at most {IDS_MAX} of a kind."))
}
