//! `DescribeInstances`.

use super::page::PageRequest;
use super::{Context, date_with_millis, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters, Xml};
use crate::world::{InstanceRecord, World};

/// The parameters of `DescribeInstances`.
#[derive(Debug)]
pub(crate) struct InstancesQuery {
    instance_ids: Vec<String>,
    filters: Vec<Filter>,
    include_managed: bool,
    page: PageRequest,
}

impl InstancesQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&[
            "InstanceId",
            "Filter",
            "IncludeManagedResources",
            "MaxResults",
            "NextToken",
        ])?;
        let query = Self {
            instance_ids: parameters.list("InstanceId"),
            filters: parameters.filters()?,
            include_managed: parameters.flag("IncludeManagedResources")?,
            page: PageRequest::parse(parameters, 5, 1000)?,
        };
        if !query.instance_ids.is_empty() && query.page.is_paginated() {
            return Err(ApiError::bad_request(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            ));
        }
        for filter in &query.filters {
            if !matches!(
                filter.name.as_str(),
                "image-id" | "instance-id" | "instance-state-name" | "instance-state-code"
            ) {
                return Err(invalid_filter(&filter.name));
            }
        }
        Ok(query)
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.filters.is_empty() && self.instance_ids.is_empty() && !self.page.is_paginated()
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        let visible = |instance: &&InstanceRecord| {
            instance.region == context.region && (!instance.managed || self.include_managed)
        };
        for id in &self.instance_ids {
            if !world.instances.get(id).is_some_and(|found| visible(&found)) {
                return Err(ApiError::bad_request(
                    "InvalidInstanceID.NotFound",
                    format!("The instance ID '{id}' does not exist"),
                ));
            }
        }
        let instances = world
            .instances
            .values()
            .filter(visible)
            .filter(|instance| self.selects(instance))
            .map(|instance| (instance.id.clone(), instance));
        let page = self.page.cut(instances, context)?;
        Ok(response(context, |xml| {
            // Each instance in a reservation of its own: nothing here launches two at once.
            xml.list("reservationSet", &page.items, |xml, instance| {
                xml.text("reservationId", &instance.id.replacen("i-", "r-", 1));
                xml.text("ownerId", &world.account);
                xml.list("instancesSet", [instance], |xml, instance| {
                    write_instance(xml, instance);
                });
            });
            page.write_token(xml);
        }))
    }

    fn selects(&self, instance: &InstanceRecord) -> bool {
        (self.instance_ids.is_empty() || self.instance_ids.contains(&instance.id))
            && self.filters.iter().all(|filter| {
                let value = match filter.name.as_str() {
                    "image-id" => instance.image_id.clone(),
                    "instance-id" => instance.id.clone(),
                    "instance-state-code" => instance.state.code().to_string(),
                    // Names other than the four were refused when the query was parsed.
                    _ => instance.state.as_str().to_owned(),
                };
                filter.matches(&[value])
            })
    }
}

fn write_instance(xml: &mut Xml, instance: &InstanceRecord) {
    xml.text("instanceId", &instance.id);
    xml.text("imageId", &instance.image_id);
    xml.element("instanceState", |xml| {
        xml.text("code", &instance.state.code().to_string());
        xml.text("name", instance.state.as_str());
    });
    xml.text("instanceType", "t3.micro");
    xml.text("launchTime", &date_with_millis(instance.launched_at));
    if instance.managed {
        xml.element("operator", |xml| {
            xml.boolean("managed", true);
            xml.text("principal", "eks.amazonaws.com");
        });
    }
}
