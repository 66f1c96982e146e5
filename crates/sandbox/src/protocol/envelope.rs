//! From an HTTP request to an operation and its parameters, in the protocol of each service.
//!
//! Whatever the protocol, parameters come out in EC2's form: flat, lists numbered from 1, structures
//! dotted. The log of requests shows them so, and one way of reading them serves every service.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ApiError, Parameters, Service};

/// The prefix of `X-Amz-Target` (Smithy name of the service, which SDKs send).
const SSM_TARGET: &str = "AmazonSSM.";
const ORGANIZATIONS_TARGET: &str = "AWSOrganizationsV20161128.";

/// What a protocol may look at of an HTTP request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HttpRequest<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) authorization: Option<&'a str>,
    /// The header `X-Amz-Target`.
    pub(crate) target: Option<&'a str>,
    /// The header `User-Agent`.
    pub(crate) user_agent: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// The operation that a request names, and what it says.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// Empty where none is named.
    pub(crate) action: String,
    /// Empty where they cannot be read.
    pub(crate) parameters: Parameters,
    /// Why they cannot be read.
    pub(crate) problem: Option<ApiError>,
}

impl Envelope {
    /// Opens a request. One that cannot be read opens too, so that it can be recorded.
    pub(crate) fn open(service: Service, request: &HttpRequest<'_>) -> Self {
        match service {
            Service::Ec2 | Service::Sts => Self::query(Parameters::parse(request.form())),
            Service::AutoScaling | Service::Sns => Self::query(Parameters::parse_members(request.form())),
            Service::Ssm => Self::json(request.target_within(SSM_TARGET), request.body),
            Service::Organizations => Self::json(request.target_within(ORGANIZATIONS_TARGET), request.body),
            Service::RecycleBin => match (request.method, request.path, rule_id(request.path)) {
                ("POST", "/list-rules", _) => Self::json("ListRules", request.body),
                ("GET", _, Some(id)) => {
                    let values = BTreeMap::from([("Identifier".to_owned(), id.to_owned())]);
                    Self { action: "GetRule".to_owned(), parameters: Parameters::from(values), problem: None }
                }
                _ => Self::json("", b""),
            },
        }
    }

    fn query(parameters: Parameters) -> Self {
        let action = parameters.text("Action").unwrap_or("").to_owned();
        Self { action, parameters, problem: None }
    }

    fn json(action: &str, body: &[u8]) -> Self {
        let (parameters, problem) = match flatten(body) {
            Ok(values) => (Parameters::from(values), None),
            Err(error) => (Parameters::default(), Some(error)),
        };
        Self { action: action.to_owned(), parameters, problem }
    }
}

impl<'a> HttpRequest<'a> {
    /// The operation of a service that speaks AWS JSON; empty where none is named.
    fn target_within(&self, service: &str) -> &'a str {
        self.target.and_then(|target| target.strip_prefix(service)).unwrap_or("")
    }

    /// The query protocol may also carry its parameters in the URL.
    fn form(&self) -> &'a [u8] {
        if self.body.is_empty() { self.query.unwrap_or("").as_bytes() } else { self.body }
    }
}

/// The rule that a path names. Identifiers are letters and digits, so nothing needs decoding.
fn rule_id(path: &str) -> Option<&str> {
    path.strip_prefix("/rules/").filter(|id| !id.is_empty() && !id.contains('/'))
}

/// The members of a JSON object in EC2's form. `null` is as good as absent.
fn flatten(body: &[u8]) -> Result<BTreeMap<String, String>, ApiError> {
    let refused = |why: String| ApiError::bad_request("SerializationException", why);
    let mut values = BTreeMap::new();
    if body.is_empty() {
        return Ok(values);
    }
    let document: Value = serde_json::from_slice(body).map_err(|error| refused(error.to_string()))?;
    if !document.is_object() {
        return Err(refused("The body is not a JSON object.".to_owned()));
    }
    add(&mut values, "", &document);
    Ok(values)
}

/// The parser bounds how deep a document is nested, and so how deep this goes.
fn add(values: &mut BTreeMap<String, String>, name: &str, value: &Value) {
    let under = |member: &str| if name.is_empty() { member.to_owned() } else { format!("{name}.{member}") };
    match value {
        Value::Null => {}
        Value::Bool(flag) => {
            values.insert(name.to_owned(), flag.to_string());
        }
        Value::Number(number) => {
            values.insert(name.to_owned(), number.to_string());
        }
        Value::String(text) => {
            values.insert(name.to_owned(), text.clone());
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                add(values, &under(&(index + 1).to_string()), entry);
            }
        }
        Value::Object(members) => {
            for (member, value) in members {
                add(values, &under(member), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, HttpRequest, Service};

    fn request<'a>(method: &'a str, path: &'a str, body: &'a str) -> HttpRequest<'a> {
        let target = Some("AmazonSSM.GetParameters");
        HttpRequest {
            method,
            path,
            query: None,
            authorization: None,
            target,
            user_agent: None,
            body: body.as_bytes(),
        }
    }

    #[test]
    fn every_protocol_yields_the_same_form() {
        let json = r#"{"Names":["/a","/b"],"WithDecryption":false,"MaxResults":10,"NextToken":null}"#;
        let envelope = Envelope::open(Service::Ssm, &request("POST", "/", json));
        assert_eq!(envelope.action, "GetParameters");
        assert_eq!(envelope.parameters.list("Names"), ["/a", "/b"]);
        assert_eq!(envelope.parameters.number("MaxResults").unwrap(), Some(10));
        assert_eq!(envelope.parameters.text("NextToken"), None);

        let json = r#"{"ParameterFilters":[{"Key":"DataType","Values":["x","y"]}]}"#;
        let envelope = Envelope::open(Service::Ssm, &request("POST", "/", json));
        let filters = envelope.parameters.structures("ParameterFilters");
        assert_eq!(filters[0].list("Values"), ["x", "y"]);

        let form = "Action=DescribeX&Names.member.2=b&Names.member.1=a&Filters.member.1.Values.member.1=v";
        let envelope = Envelope::open(Service::AutoScaling, &request("POST", "/", form));
        assert_eq!(envelope.action, "DescribeX");
        assert_eq!(envelope.parameters.list("Names"), ["a", "b"]);
        assert_eq!(envelope.parameters.structures("Filters")[0].list("Values"), ["v"]);
    }

    #[test]
    fn paths_name_operations_of_the_recycle_bin() {
        for (method, path, action) in [
            ("POST", "/list-rules", "ListRules"),
            ("GET", "/rules/a1B2c3D4e5F", "GetRule"),
            ("GET", "/rules/", ""),
            ("GET", "/rules/a/b", ""),
            ("DELETE", "/rules/a1B2c3D4e5F", ""),
            ("GET", "/list-rules", ""),
        ] {
            let envelope = Envelope::open(Service::RecycleBin, &request(method, path, ""));
            assert_eq!(envelope.action, action, "{method} {path}");
        }
    }

    #[test]
    fn bodies_that_are_no_objects_are_problems() {
        for body in ["{", "[]", "1", "\"text\""] {
            let envelope = Envelope::open(Service::Ssm, &request("POST", "/", body));
            assert_eq!(envelope.problem.unwrap().code, "SerializationException", "{body}");
        }
    }
}
