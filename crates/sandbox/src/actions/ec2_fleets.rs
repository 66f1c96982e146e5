//! `DescribeFleets`, and the launch templates that fleets of both kinds use.

use super::page::PageRequest;
use super::{Context, date_with_millis, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters, Xml};
use crate::world::{Ec2FleetKind, Ec2FleetRecord, TemplateUseRecord, World};

/// The parameters of `DescribeFleets`.
#[derive(Debug)]
pub(crate) struct Ec2FleetsQuery {
    ids: Vec<String>,
    filters: Vec<Filter>,
    page: PageRequest,
}

impl Ec2FleetsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["FleetId", "Filter", "MaxResults", "NextToken"])?;
        let filters = parameters.filters()?;
        if let Some(filter) = filters.iter().find(|filter| !matches!(&*filter.name, "fleet-state" | "type")) {
            return Err(invalid_filter(&filter.name));
        }
        Ok(Self { ids: parameters.list("FleetId"), filters, page: PageRequest::parse(parameters, 1, 1000)? })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for id in &self.ids {
            if world.ec2_fleets.get(id).is_none_or(|found| found.region != context.region) {
                return Err(ApiError::bad_request(
                    "InvalidFleetId.NotFound",
                    format!("The fleet ID '{id}' does not exist"),
                ));
            }
        }
        let fleets = world
            .ec2_fleets
            .values()
            .filter(|fleet| fleet.region == context.region && self.selects(fleet))
            .map(|fleet| (fleet.id.clone(), fleet));
        let page = self.page.cut(fleets, context)?;
        Ok(response(context, |xml| {
            xml.list("fleetSet", &page.items, |xml, fleet| {
                xml.text("fleetId", &fleet.id);
                xml.text("fleetState", fleet.state.as_str());
                xml.text("type", fleet.kind.as_str());
                xml.text("createTime", &date_with_millis(fleet.created_at));
                write_template_uses(xml, &fleet.templates);
            });
            page.write_token(xml);
        }))
    }

    /// Fleets of type `instant` are shown only to those who ask for them, by id or by type (botocore
    /// model documentation of `DescribeFleets`; User Guide: describe-your-ec2-fleets).
    fn selects(&self, fleet: &Ec2FleetRecord) -> bool {
        let by_type = self.filters.iter().any(|filter| filter.name == "type");
        (self.ids.contains(&fleet.id)
            || (self.ids.is_empty() && (by_type || fleet.kind != Ec2FleetKind::Instant)))
            && self.filters.iter().all(|filter| {
                if filter.name == "type" {
                    filter.matches(&[fleet.kind.as_str()])
                } else {
                    // Answers spell states with underscores, the filter with hyphens.
                    let state = fleet.state.as_str();
                    filter.matches(&[state, &state.replace('_', "-")])
                }
            })
    }
}

/// Writes `launchTemplateConfigs`, which EC2 Fleets and Spot Fleet requests spell alike.
pub(super) fn write_template_uses(xml: &mut Xml, uses: &[TemplateUseRecord]) {
    xml.list("launchTemplateConfigs", uses, |xml, used| {
        xml.element("launchTemplateSpecification", |xml| {
            xml.optional("launchTemplateId", used.template.id.as_deref());
            xml.optional("launchTemplateName", used.template.name.as_deref());
            xml.text("version", used.template.version.as_deref().unwrap_or("$Default"));
        });
        xml.list("overrides", &used.overrides, |xml, replaced| {
            xml.optional("instanceType", replaced.instance_type.as_deref());
            xml.optional("imageId", replaced.image.as_deref());
        });
    });
}
