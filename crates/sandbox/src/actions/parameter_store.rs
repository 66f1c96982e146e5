//! Systems Manager's Parameter Store: `DescribeParameters` and `GetParameters`.
//!
//! Every parameter of the world names an image, so all have the type `String` and the data type
//! `aws:ec2:image`. Deliberately absent: other data types, versions and labels (they are accepted behind
//! a name and not looked at), hierarchies, parameters shared by other accounts and the public ones of AWS.

use serde_json::{Value, json};

use super::page::PageRequest;
use super::{Context, unknown_action};
use crate::protocol::{ApiError, Parameters};
use crate::world::World;

const DATA_TYPE: &str = "aws:ec2:image";
const TYPE: &str = "String";
/// The largest page (botocore model of `ssm`: `MaxResults`), taken where nothing is said as well.
const PAGE_MAX: u8 = 50;
/// How many parameters one call may name (botocore model of `ssm`: `ParameterNameList`).
const NAMES_MAX: usize = 10;

/// One parsed request to Parameter Store.
#[derive(Debug)]
pub(crate) enum ParameterQuery {
    Describe { filters: Vec<ParameterFilter>, page: PageRequest },
    Get { names: Vec<String> },
}

/// One filter; all must fit.
#[derive(Debug)]
pub(crate) struct ParameterFilter {
    key: FilterKey,
    begins_with: bool,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum FilterKey {
    Name,
    Type,
    DataType,
}

impl ParameterQuery {
    pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Self, ApiError> {
        match action {
            "DescribeParameters" => {
                parameters.check_names(&["ParameterFilters", "MaxResults", "NextToken"])?;
                let filters = parameters.structures("ParameterFilters");
                Ok(Self::Describe {
                    filters: filters.iter().map(ParameterFilter::parse).collect::<Result<_, _>>()?,
                    page: PageRequest::parse_sized(
                        parameters,
                        "MaxResults",
                        1..=u64::from(PAGE_MAX),
                        PAGE_MAX.into(),
                    )?,
                })
            }
            "GetParameters" => {
                parameters.check_names(&["Names", "WithDecryption"])?;
                parameters.flag("WithDecryption")?;
                let names = parameters.list("Names");
                if names.is_empty() || names.len() > NAMES_MAX {
                    return Err(ApiError::bad_request(
                        "ValidationException",
                        format!("Names must have between 1 and {NAMES_MAX} members."),
                    ));
                }
                Ok(Self::Get { names })
            }
            _ => Err(unknown_action(action)),
        }
    }

    pub(super) fn answer(&self, world: &World, context: &Context<'_>) -> Result<String, ApiError> {
        match self {
            Self::Describe { filters, page } => describe(world, context, filters, page),
            Self::Get { names } => Ok(get(world, context, names)),
        }
    }
}

impl ParameterFilter {
    fn parse(filter: &Parameters) -> Result<Self, ApiError> {
        let key = match filter.required("Key")? {
            "Name" => FilterKey::Name,
            "Type" => FilterKey::Type,
            "DataType" => FilterKey::DataType,
            other => {
                return Err(ApiError::bad_request(
                    "InvalidFilterKey",
                    format!("The sandbox does not filter by {other}."),
                ));
            }
        };
        let begins_with = match filter.text("Option") {
            None | Some("Equals") => false,
            Some("BeginsWith") => true,
            Some(other) => {
                return Err(ApiError::bad_request(
                    "InvalidFilterOption",
                    format!("The option {other} is not valid for this filter."),
                ));
            }
        };
        let values = filter.list("Values");
        if values.is_empty() {
            return Err(ApiError::bad_request("InvalidFilterValue", "A filter needs a value."));
        }
        Ok(Self { key, begins_with, values })
    }

    fn selects(&self, name: &str) -> bool {
        let actual = match self.key {
            FilterKey::Name => name,
            FilterKey::Type => TYPE,
            FilterKey::DataType => DATA_TYPE,
        };
        let fits = |wanted: &String| actual == wanted || self.begins_with && actual.starts_with(wanted);
        self.values.iter().any(fits)
    }
}

fn describe(
    world: &World,
    context: &Context<'_>,
    filters: &[ParameterFilter],
    page: &PageRequest,
) -> Result<String, ApiError> {
    let names = here(world, context).map(|(name, _)| name);
    let selected = names.filter(|name| filters.iter().all(|filter| filter.selects(name)));
    // A token that cannot be read is the only thing that can go wrong with a page.
    let page = page
        .cut(selected.map(|name| (name.clone(), name)), context)
        .map_err(|error| ApiError::bad_request("InvalidNextToken", error.message))?;
    let mut body = json!({ "Parameters": page.items.iter().map(|name| json!({
        "Name": name, "ARN": arn(world, context, name), "Type": TYPE, "DataType": DATA_TYPE, "Version": 1,
        "Tier": "Standard", "Policies": [],
    })).collect::<Vec<Value>>() });
    page.add_token(&mut body);
    Ok(body.to_string())
}

/// Names that do not exist are told apart, not refused; the others come in alphabetical order (botocore
/// model of `ssm`: `GetParameters`).
fn get(world: &World, context: &Context<'_>, names: &[String]) -> String {
    let mut found = std::collections::BTreeMap::new();
    let mut invalid = Vec::new();
    for asked in names {
        // `name:version` or `name:label`.
        let (name, selector) = asked.split_at(asked.find(':').unwrap_or(asked.len()));
        match here(world, context).find(|(known, _)| *known == name) {
            Some((name, image)) => {
                let mut parameter = json!({
                    "Name": name, "ARN": arn(world, context, name), "Type": TYPE, "DataType": DATA_TYPE,
                    "Value": image, "Version": 1,
                });
                if !selector.is_empty() {
                    parameter["Selector"] = json!(selector);
                }
                found.insert(asked, parameter);
            }
            None => invalid.push(asked),
        }
    }
    let found: Vec<Value> = found.into_values().collect();
    json!({ "Parameters": found, "InvalidParameters": invalid }).to_string()
}

/// The parameters of the request's Region: the world has them in the default one only.
fn here<'a>(world: &'a World, context: &Context<'_>) -> impl Iterator<Item = (&'a String, &'a String)> {
    let in_region = world.default_region == context.region;
    world.ssm_parameters.iter().filter(move |_| in_region)
}

fn arn(world: &World, context: &Context<'_>, name: &str) -> String {
    super::parameter_arn(context.region, &world.account, name)
}
