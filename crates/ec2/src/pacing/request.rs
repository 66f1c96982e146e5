//! Which bucket a request draws on, as the request itself says: whatever client sends it, and however often.

use amiwarden_core::ApiClass;
use aws_sdk_ec2::config::http::HttpRequest;

/// The name of a bucket within one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) region: String,
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) class: ApiClass,
}

/// What every signature names before its last part, `aws4_request` (AWS General Reference, "Signature Version 4").
const CREDENTIAL: &str = "Credential=";

/// The services that speak in JSON name the operation here, behind the name of their interface.
const TARGET_HEADER: &str = "x-amz-target";

const EC2: &str = "ec2";

impl Key {
    /// The bucket of `request`; none where it is not signed or names no operation.
    pub(super) fn of(request: &HttpRequest) -> Option<Self> {
        let (region, service) = signed_for(request.headers().get("authorization")?)?;
        let form = request.body().bytes().unwrap_or(&[]);
        let operation = operation(request, form)?;
        let class = match service {
            EC2 => ApiClass::of(operation, is_narrowed(form)),
            _ => ApiClass::OtherService,
        };
        Some(Self {
            region: region.to_owned(),
            service: service.to_owned(),
            operation: operation.to_owned(),
            class,
        })
    }
}

/// Region and service of a signature: `Credential=<key>/<date>/<region>/<service>/aws4_request`.
fn signed_for(authorization: &str) -> Option<(&str, &str)> {
    let (_, rest) = authorization.split_once(CREDENTIAL)?;
    let credential = rest.split([',', ' ']).next()?;
    let mut parts = credential.rsplit('/');
    let (_, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    Some((region, service))
}

/// The operation, in whichever way the service's protocol has it: a form, a header, or the path.
fn operation<'a>(request: &'a HttpRequest, form: &'a [u8]) -> Option<&'a str> {
    if let Some((_, value)) = fields(form).find(|(name, _)| *name == b"Action") {
        return std::str::from_utf8(value).ok();
    }
    if let Some(target) = request.headers().get(TARGET_HEADER) {
        return target.rsplit('.').next();
    }
    // As in `POST /list-rules`. A path that names a resource ends with it.
    let (_, rest) = request.uri().split_once("://")?;
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    path.split(['/', '?']).next().filter(|word| !word.is_empty())
}

/// Whether a request for a list asks for a part of it: filtered, page by page, or by ids.
fn is_narrowed(form: &[u8]) -> bool {
    fields(form).any(|(name, _)| {
        matches!(name, b"MaxResults" | b"NextToken")
            || [&b"Filter."[..], b"InstanceId.", b"SnapshotId.", b"SpotInstanceRequestId."]
                .iter()
                .any(|prefix| name.starts_with(prefix))
    })
}

/// Names and values of a form. Neither names nor operations hold anything that would be escaped.
fn fields(form: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    form.split(|byte| *byte == b'&').filter_map(|field| {
        let equals = field.iter().position(|byte| *byte == b'=')?;
        Some((&field[..equals], &field[equals + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn request(service: &str, path: &str, target: Option<&str>, body: &str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_uri(format!("https://example.com{path}")).unwrap();
        let credential = format!("AKIA/20261120/eu-west-1/{service}/aws4_request");
        let signature = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00");
        request.headers_mut().insert("authorization", signature);
        if let Some(target) = target {
            request.headers_mut().insert(TARGET_HEADER, target.to_owned());
        }
        request
    }

    #[test]
    fn each_protocol_names_its_bucket() {
        let check = |request: &HttpRequest, service: &str, operation: &str, class: ApiClass| {
            let expected = Key {
                region: "eu-west-1".to_owned(),
                service: service.to_owned(),
                operation: operation.to_owned(),
                class,
            };
            assert_eq!(Key::of(request), Some(expected));
        };
        let ec2 = |form: &str| request("ec2", "/", None, form);
        let version = "Version=2016-11-15";
        check(
            &ec2(&format!("Action=DisableImage&{version}&ImageId=ami-1")),
            EC2,
            "DisableImage",
            ApiClass::Change,
        );
        check(
            &ec2(&format!("Action=DescribeInstances&{version}")),
            EC2,
            "DescribeInstances",
            ApiClass::ReadEverything,
        );
        for part in ["MaxResults=1000", "NextToken=x", "Filter.1.Name=image-id", "InstanceId.1=i-1"] {
            let form = format!("Action=DescribeInstances&{version}&{part}");
            check(&ec2(&form), EC2, "DescribeInstances", ApiClass::Read);
        }
        let other = ApiClass::OtherService;
        let sts = request("sts", "/", None, "Action=GetCallerIdentity&Version=2011-06-15");
        check(&sts, "sts", "GetCallerIdentity", other);
        let ssm = request("ssm", "/", Some("AmazonSSM.GetParameters"), "{\"Action=x\":1}");
        check(&ssm, "ssm", "GetParameters", other);
        check(&request("rbin", "/list-rules", None, "{}"), "rbin", "list-rules", other);
        check(&request("rbin", "/rules/abc?x=1", None, ""), "rbin", "rules", other);
    }

    #[test]
    fn what_is_not_signed_has_no_bucket() {
        let mut request = HttpRequest::new(SdkBody::from("Action=DescribeImages"));
        assert_eq!(Key::of(&request), None);
        request.headers_mut().insert("authorization", "Bearer token");
        assert_eq!(Key::of(&request), None);
    }
}
