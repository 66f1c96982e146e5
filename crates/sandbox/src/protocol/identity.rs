//! Who calls, and for which Region: read from the Signature Version 4 `Authorization` header.

use super::ApiError;

/// The AWS service that a request is signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Ec2,
    Sts,
}

/// The caller of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: Service,
}

impl Caller {
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
        let service = match parts.next()? {
            "ec2" => Service::Ec2,
            "sts" => Service::Sts,
            _ => return None,
        };
        (parts.next() == Some("aws4_request") && !access_key.is_empty() && !region.is_empty()).then(|| Self {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, Service};

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
