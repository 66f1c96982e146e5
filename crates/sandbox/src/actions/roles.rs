//! STS `AssumeRole`.
//!
//! Deliberately absent: session policies, tags, MFA and chains of roles. A session never expires.

use jiff::{SignedDuration, Timestamp};

use super::date;
use crate::protocol::{ApiError, Parameters, Xml, session_key};
use crate::world::World;

/// For how long a session is said to hold where nothing is asked (API reference, `AssumeRole`: `DurationSeconds`).
const SESSION: SignedDuration = SignedDuration::from_hours(1);

/// The parameters of `AssumeRole`.
#[derive(Debug)]
pub(crate) struct RoleQuery {
    pub(crate) role_arn: String,
    session_name: String,
    external_id: Option<String>,
}

impl RoleQuery {
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, ApiError> {
        let session_name = parameters.required("RoleSessionName")?.to_owned();
        let is_fine = |char: char| char.is_ascii_alphanumeric() || "_+=,.@-".contains(char);
        // The limits of the API reference.
        if !(2..=64).contains(&session_name.len()) || !session_name.chars().all(is_fine) {
            let message =
                "Member must satisfy regular expression pattern: [\\w+=,.@-]* and have length 2 to 64";
            return Err(ApiError::bad_request("ValidationError", message));
        }
        Ok(Self {
            role_arn: parameters.required("RoleArn")?.to_owned(),
            session_name,
            external_id: parameters.text("ExternalId").map(str::to_owned),
        })
    }

    /// The account of the session, if the role can be assumed.
    pub(crate) fn account(&self, world: &World) -> Result<String, ApiError> {
        world.assume(&self.role_arn, self.external_id.as_deref())
    }
}

/// The body that has the session's credentials.
pub(crate) fn session_xml(
    query: &RoleQuery,
    account: &str,
    sequence: u64,
    request_id: &str,
    now: Timestamp,
) -> String {
    let key = session_key(account, sequence);
    let expires = now.checked_add(SESSION).unwrap_or(now);
    let role = query.role_arn.rsplit('/').next().unwrap_or(&query.role_arn);
    let mut xml = Xml::document();
    xml.element_with("AssumeRoleResponse", "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"", |xml| {
        xml.element("AssumeRoleResult", |xml| {
            xml.element("Credentials", |xml| {
                xml.text("AccessKeyId", &key);
                xml.text("SecretAccessKey", "sandbox");
                xml.text("SessionToken", "sandbox");
                xml.text("Expiration", &date(expires));
            });
            xml.element("AssumedRoleUser", |xml| {
                xml.text("AssumedRoleId", &format!("AROASANDBOX:{}", query.session_name));
                xml.text(
                    "Arn",
                    &format!("arn:aws:sts::{account}:assumed-role/{role}/{}", query.session_name),
                );
            });
        });
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    xml.finish()
}
