//! The log of requests, by which tests prove what was sent and what was not.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its number, from 1.
    pub sequence: u64,
    /// The id that its reply carried.
    pub request_id: String,
    /// The service by its signing name (`ec2`, `sts`, `autoscaling`, `ssm`, `rbin`, `sns`, `organizations`), empty where it was
    /// not signed.
    pub service: &'static str,
    /// The action, empty where the request named none.
    pub action: String,
    /// Whether it carried `DryRun=true`.
    pub dry_run: bool,
    /// The account that it was made in: that of the assumed role, or the fleet's.
    pub account: String,
    /// The header `User-Agent`, empty where there was none.
    pub user_agent: String,
    /// The Region that it was signed for, empty where it was not signed.
    pub region: String,
    /// The images that it named.
    pub image_ids: Vec<String>,
    /// All its parameters, in EC2's form whatever the service: flat, lists numbered from 1 (`Names.1`).
    pub parameters: BTreeMap<String, String>,
    /// The HTTP status, or nothing where the connection was broken instead.
    pub status: Option<u16>,
    /// The error code, where it was refused.
    pub error_code: Option<String>,
    /// Whether it has changed images, snapshots or what belongs to them.
    pub applied: bool,
    /// When it did, in the sandbox's time; long after its connection broke where it was applied late.
    pub applied_at: Option<Timestamp>,
    /// Whether it created or deleted an image usage report, which changes nothing of an image.
    pub reports_changed: bool,
    /// The fault that it met, as a fleet file spells it.
    pub fault: Option<String>,
}
