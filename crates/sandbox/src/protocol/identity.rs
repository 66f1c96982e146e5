//! Who calls, and for which Region: read from the Signature Version 4 `Authorization` header.

use super::ApiError;
use crate::world::is_account;

/// The AWS service that a request is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Ec2,
    Sts,
    AutoScaling,
    /// Systems Manager, of which Parameter Store is a part.
    Ssm,
    RecycleBin,
    Sns,
    Organizations,
}

impl Service {
    /// The service by the name that signatures and IAM policies use.
    fn named(name: &str) -> Option<Self> {
        match name {
            "ec2" => Some(Self::Ec2),
            "sts" => Some(Self::Sts),
            "autoscaling" => Some(Self::AutoScaling),
            "ssm" => Some(Self::Ssm),
            "rbin" => Some(Self::RecycleBin),
            "sns" => Some(Self::Sns),
            "organizations" => Some(Self::Organizations),
            _ => None,
        }
    }

    /// The name that signatures and IAM policies use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Sts => "sts",
            Self::AutoScaling => "autoscaling",
            Self::Ssm => "ssm",
            Self::RecycleBin => "rbin",
            Self::Sns => "sns",
            Self::Organizations => "organizations",
        }
    }

    /// The type of its replies' bodies.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Ec2 | Self::Sts | Self::AutoScaling | Self::Sns => "text/xml;charset=UTF-8",
            Self::Ssm | Self::Organizations => "application/x-amz-json-1.1",
            Self::RecycleBin => "application/json",
        }
    }
}

/// The keys of assumed roles begin so, as AWS's temporary ones do; the account follows.
const SESSION_KEY: &str = "ASIA";

/// The access key of a session in an account. It says which account that is, so nothing needs to be remembered.
pub(crate) fn session_key(account: &str, sequence: u64) -> String {
    format!("{SESSION_KEY}{account}{sequence:06}")
}

/// The caller of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: Service,
}

impl Caller {
    /// The account of the session that the caller has, if it has assumed a role.
    pub(crate) fn session_account(&self) -> Option<&str> {
        let account = self.access_key.strip_prefix(SESSION_KEY)?.get(..12)?;
        is_account(account).then_some(account)
    }

    /// Reads `AWS4-HMAC-SHA256 Credential=AKID/date/region/service/aws4_request, …`.
    pub(crate) fn from_authorization(header: Option<&str>) -> Result<Self, ApiError> {
        let header = header.ok_or_else(|| {
            ApiError::with_status(
                403,
                "MissingAuthenticationToken",
                "The request carries no Authorization header. Sign it with any access key.",
            )
        })?;
        Self::parse(header).ok_or_else(|| {
            ApiError::with_status(
                401,
                "AuthFailure",
                "AWS was not able to validate the provided access credentials",
            )
        })
    }

    fn parse(header: &str) -> Option<Self> {
        let (_, rest) = header.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?;
        let scope = rest.split([',', ' ']).next()?;
        // Access keys never hold a slash, so five parts from the left are unambiguous.
        let mut parts = scope.split('/');
        let (access_key, _date, region) = (parts.next()?, parts.next()?, parts.next()?);
        let service = Service::named(parts.next()?)?;
        (parts.next() == Some("aws4_request") && !access_key.is_empty() && !region.is_empty()).then(|| Self {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Service, session_key};

    fn code(header: Option<&str>) -> String {
        Caller::from_authorization(header).unwrap_err().code
    }

    #[test]
    fn region_and_key_come_from_the_credential_scope() {
        let caller = Caller::from_authorization(Some(
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/sts/aws4_request, \
             SignedHeaders=host, Signature=abc",
        ))
        .unwrap();
        assert_eq!(caller.region, "eu-west-1");
        assert_eq!(caller.access_key, "AKID");
        assert_eq!(caller.service, Service::Sts);
    }

    #[test]
    fn services_are_known_by_their_signing_names() {
        use Service::{AutoScaling, Ec2, Organizations, RecycleBin, Sns, Ssm, Sts};
        for service in [Ec2, Sts, AutoScaling, Ssm, RecycleBin, Sns, Organizations] {
            assert_eq!(Service::named(service.name()), Some(service));
        }
        assert_eq!(Service::named("s3"), None);
    }

    #[test]
    fn a_session_tells_its_account() {
        let account = |access_key: &str| {
            let caller = Caller {
                access_key: access_key.to_owned(),
                region: "eu-west-1".to_owned(),
                service: Service::Ec2,
            };
            caller.session_account().map(str::to_owned)
        };
        assert_eq!(account(&session_key("222233334444", 7)).as_deref(), Some("222233334444"));
        for other in ["sandbox", "ASIA", "ASIA1234", "ASIAQWERTYUIOPASDFGH"] {
            assert_eq!(account(other), None, "{other}");
        }
    }

    #[test]
    fn unsigned_and_garbled_requests_are_refused() {
        assert_eq!(code(None), "MissingAuthenticationToken");
        for garbled in [
            "",
            "Basic abc",
            "AWS4-HMAC-SHA256 Credential=AKID",
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/s3/aws4_request",
            "AWS4-HMAC-SHA256 Credential=/20260101/eu-west-1/ec2/aws4_request",
        ] {
            assert_eq!(code(Some(garbled)), "AuthFailure", "{garbled}");
        }
    }
}
