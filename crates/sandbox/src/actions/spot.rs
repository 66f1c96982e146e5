//! `DescribeSpotFleetRequests` and `DescribeSpotInstanceRequests`.

use super::ec2_fleets::write_template_uses;
use super::page::PageRequest;
use super::{Context, date_with_millis, invalid_filter, response};
use crate::protocol::{ApiError, Filter, Parameters};
use crate::world::{SpotInstanceRequestRecord, World};

/// The parameters of `DescribeSpotFleetRequests`, which knows no filters.
#[derive(Debug)]
pub(crate) struct SpotFleetRequestsQuery {
    ids: Vec<String>,
    page: PageRequest,
}

/// The parameters of `DescribeSpotInstanceRequests`.
#[derive(Debug)]
pub(crate) struct SpotInstanceRequestsQuery {
    ids: Vec<String>,
    filters: Vec<Filter>,
    page: PageRequest,
}

impl SpotFleetRequestsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["SpotFleetRequestId", "MaxResults", "NextToken"])?;
        let page = PageRequest::parse(parameters, 1, 1000)?;
        Ok(Self { ids: parameters.list("SpotFleetRequestId"), page })
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for id in &self.ids {
            if world.spot_fleet_requests.get(id).is_none_or(|found| found.region != context.region) {
                return Err(ApiError::bad_request(
                    "InvalidSpotFleetRequestId.NotFound",
                    format!("The spot fleet request ID '{id}' does not exist"),
                ));
            }
        }
        let requests = world
            .spot_fleet_requests
            .values()
            .filter(|request| request.region == context.region)
            .filter(|request| self.ids.is_empty() || self.ids.contains(&request.id))
            .map(|request| (request.id.clone(), request));
        let page = self.page.cut(requests, context)?;
        Ok(response(context, |xml| {
            xml.list("spotFleetRequestConfigSet", &page.items, |xml, request| {
                xml.text("spotFleetRequestId", &request.id);
                xml.text("spotFleetRequestState", request.state.as_str());
                xml.text("createTime", &date_with_millis(request.created_at));
                xml.element("spotFleetRequestConfig", |xml| {
                    xml.list("launchSpecifications", &request.images, |xml, image| {
                        xml.text("imageId", image);
                        xml.text("instanceType", "t3.micro");
                    });
                    write_template_uses(xml, &request.templates);
                    xml.text("type", "maintain");
                });
            });
            page.write_token(xml);
        }))
    }
}

impl SpotInstanceRequestsQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        parameters.check_names(&["SpotInstanceRequestId", "Filter", "MaxResults", "NextToken"])?;
        let query = Self {
            ids: parameters.list("SpotInstanceRequestId"),
            filters: parameters.filters()?,
            page: PageRequest::parse(parameters, 5, 1000)?,
        };
        let known = |name: &str| matches!(name, "launch.image-id" | "spot-instance-request-id" | "state");
        match query.filters.iter().find(|filter| !known(&filter.name)) {
            Some(unknown) => Err(invalid_filter(&unknown.name)),
            None => Ok(query),
        }
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.filters.is_empty() && self.ids.is_empty() && !self.page.is_paginated()
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        for id in &self.ids {
            if world.spot_instance_requests.get(id).is_none_or(|found| found.region != context.region) {
                return Err(ApiError::bad_request(
                    "InvalidSpotInstanceRequestID.NotFound",
                    format!("The spot instance request ID '{id}' does not exist"),
                ));
            }
        }
        let requests = world
            .spot_instance_requests
            .values()
            .filter(|request| request.region == context.region && self.selects(request))
            .map(|request| (request.id.clone(), request));
        let page = self.page.cut(requests, context)?;
        Ok(response(context, |xml| {
            xml.list("spotInstanceRequestSet", &page.items, |xml, request| {
                xml.text("spotInstanceRequestId", &request.id);
                xml.text("state", request.state.as_str());
                xml.text("createTime", &date_with_millis(request.created_at));
                xml.element("launchSpecification", |xml| {
                    xml.text("imageId", &request.image_id);
                    xml.text("instanceType", "t3.micro");
                });
            });
            page.write_token(xml);
        }))
    }

    fn selects(&self, request: &SpotInstanceRequestRecord) -> bool {
        (self.ids.is_empty() || self.ids.contains(&request.id))
            && self.filters.iter().all(|filter| {
                let value = match filter.name.as_str() {
                    "launch.image-id" => request.image_id.as_str(),
                    "spot-instance-request-id" => request.id.as_str(),
                    // Names other than the three were refused when the query was parsed.
                    _ => request.state.as_str(),
                };
                filter.matches(&[value])
            })
    }
}
