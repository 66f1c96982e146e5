//! The same refusal in the words of each service.
//!
//! The rest of the sandbox speaks of errors as EC2 does. Before an error leaves, its code and status
//! become those that the service's own documentation lists under "Common Errors"; what is already said
//! in the service's words stays as it is.

use super::{ApiError, Service};

impl ApiError {
    /// This error as a service would say it.
    pub(crate) fn in_words_of(self, service: Service) -> Self {
        let words = match service {
            Service::Ec2 => None,
            Service::Sts => security_tokens(&self.code),
            Service::AutoScaling => auto_scaling(&self.code),
            Service::Ssm => systems_manager(&self.code),
            Service::RecycleBin => recycle_bin(&self.code),
            Service::Sns => notifications(&self.code),
            Service::Organizations => organizations(&self.code),
        };
        match words {
            Some((status, code)) => Self { status, code: code.to_owned(), message: self.message },
            None => self,
        }
    }
}

fn security_tokens(code: &str) -> Option<(u16, &'static str)> {
    match code {
        "AuthFailure" => Some((403, "InvalidClientTokenId")),
        "UnauthorizedOperation" => Some((403, "AccessDenied")),
        "InternalError" => Some((500, "InternalFailure")),
        "RequestLimitExceeded" => Some((400, "Throttling")),
        "Unavailable" => Some((503, "ServiceUnavailable")),
        _ => None,
    }
}

fn auto_scaling(code: &str) -> Option<(u16, &'static str)> {
    match code {
        "RequestLimitExceeded" => Some((400, "Throttling")),
        "UnauthorizedOperation" => Some((403, "AccessDenied")),
        "InternalError" => Some((500, "InternalFailure")),
        "AuthFailure" => Some((403, "InvalidClientTokenId")),
        "Unavailable" => Some((503, "ServiceUnavailable")),
        "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => Some((400, "ValidationError")),
        _ => None,
    }
}

/// Amazon SNS API Reference: "Common Errors" and the errors of `Publish`.
fn notifications(code: &str) -> Option<(u16, &'static str)> {
    match code {
        "RequestLimitExceeded" => Some((400, "Throttled")),
        "UnauthorizedOperation" => Some((403, "AuthorizationError")),
        "InternalError" => Some((500, "InternalError")),
        "AuthFailure" => Some((403, "InvalidClientTokenId")),
        "Unavailable" => Some((503, "ServiceUnavailable")),
        "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => Some((400, "InvalidParameter")),
        _ => None,
    }
}

/// AWS JSON answers refusals of every kind with 400 (Systems Manager API: "Common Errors").
fn systems_manager(code: &str) -> Option<(u16, &'static str)> {
    match code {
        "RequestLimitExceeded" => Some((400, "ThrottlingException")),
        "UnauthorizedOperation" => Some((400, "AccessDeniedException")),
        "InternalError" => Some((500, "InternalServerError")),
        "AuthFailure" => Some((400, "UnrecognizedClientException")),
        "Unavailable" => Some((503, "ServiceUnavailable")),
        "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => {
            Some((400, "ValidationException"))
        }
        "InvalidAction" => Some((400, "UnknownOperationException")),
        _ => None,
    }
}

/// AWS JSON as of Systems Manager (Organizations API reference: "Common errors", `ListAccounts`).
fn organizations(code: &str) -> Option<(u16, &'static str)> {
    match code {
        "RequestLimitExceeded" => Some((400, "TooManyRequestsException")),
        "InternalError" => Some((500, "ServiceException")),
        "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => {
            Some((400, "InvalidInputException"))
        }
        other => systems_manager(other),
    }
}

fn recycle_bin(code: &str) -> Option<(u16, &'static str)> {
    match code {
        "RequestLimitExceeded" => Some((400, "ThrottlingException")),
        "UnauthorizedOperation" => Some((403, "AccessDeniedException")),
        "InternalError" => Some((500, "InternalServerException")),
        "AuthFailure" => Some((403, "UnrecognizedClientException")),
        "Unavailable" => Some((503, "ServiceUnavailable")),
        "InvalidParameterValue" | "MissingParameter" | "UnknownParameter" => {
            Some((400, "ValidationException"))
        }
        "InvalidAction" => Some((404, "UnknownOperationException")),
        _ => None,
    }
}
