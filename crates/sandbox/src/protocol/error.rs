//! Error replies: codes, HTTP statuses and the XML and JSON forms in which AWS sends them.

use std::fmt;

use serde_json::json;

use super::{Service, Xml};

/// An error reply as EC2 would send it.
///
/// Codes and statuses are those of the EC2 Developer Guide ("Error codes for the Amazon EC2 API") and
/// of replies that others have reported; where neither says, the code that EC2 uses for the nearest
/// case is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Error code, such as `InvalidAMIID.NotFound`.
    pub code: String,
    /// Text for a person.
    pub message: String,
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.status, self.message)
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// An error with the status 400, as almost every refusal of EC2 has.
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// An error with a status of one's own.
    pub fn with_status(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The answer to a permitted request that carried `DryRun=true`.
    pub(crate) fn dry_run() -> Self {
        Self::with_status(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    }

    /// The caller lacks the IAM permission for an action.
    pub(crate) fn denied(service: Service, action: &str) -> Self {
        Self::with_status(
            403,
            "UnauthorizedOperation",
            format!(
                "You are not authorized to perform this operation. The sandbox denies {}:{action}.",
                service.name()
            ),
        )
    }

    /// A token bucket is empty.
    pub(crate) fn throttled() -> Self {
        Self::with_status(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    /// The service failed.
    pub(crate) fn internal() -> Self {
        Self::with_status(500, "InternalError", "An internal error has occurred")
    }

    /// The service is overloaded.
    pub(crate) fn unavailable() -> Self {
        Self::with_status(503, "Unavailable", "The server is overloaded and can't handle the request.")
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::bad_request("MissingParameter", format!("The request must contain the parameter {name}"))
    }

    pub(crate) fn invalid_value(name: &str, value: &str, remedy: &str) -> Self {
        Self::bad_request(
            "InvalidParameterValue",
            format!("Value ({value}) for parameter {name} is invalid. {remedy}"),
        )
    }

    /// The body of the reply.
    pub(crate) fn to_body(&self, service: Service, request_id: &str) -> String {
        match service {
            Service::Ec2 | Service::Sts | Service::AutoScaling | Service::Sns => {
                self.to_xml(service, request_id)
            }
            Service::Ssm | Service::Organizations => {
                json!({ "__type": self.code, "message": self.message }).to_string()
            }
            // REST-JSON tells the code in the header `x-amzn-errortype`.
            Service::RecycleBin => json!({ "Message": self.message }).to_string(),
        }
    }

    fn to_xml(&self, service: Service, request_id: &str) -> String {
        let mut xml = Xml::document();
        if service == Service::Ec2 {
            xml.element("Response", |xml| {
                xml.element("Errors", |xml| {
                    xml.element("Error", |xml| {
                        xml.text("Code", &self.code);
                        xml.text("Message", &self.message);
                    });
                });
                xml.text("RequestID", request_id);
            });
        } else {
            xml.element("ErrorResponse", |xml| {
                xml.element("Error", |xml| {
                    xml.text("Type", if self.status < 500 { "Sender" } else { "Receiver" });
                    xml.text("Code", &self.code);
                    xml.text("Message", &self.message);
                });
                xml.text("RequestId", request_id);
            });
        }
        xml.finish()
    }
}
