//! Image usage reports: which other accounts use an image (User Guide: your-ec2-ami-usage).
//!
//! A report tells what was true when it was asked for, and can be read only once it is complete. Left
//! out: reports that fail, tags, and the lag of real reports, which miss the last day.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Actor, ForeignUse, ForeignUseKind, World};
use crate::protocol::ApiError;

/// How long EC2 keeps a report (botocore model: `ImageUsageReport`).
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// After how long a report is complete even if nobody looked. EC2 documents no time.
const READY_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// How many reports of an account may be pending (User Guide: your-ec2-ami-usage).
const PENDING_MAX: usize = 2000;

/// The image usage reports of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageReports {
    /// How many times a new report is described as `pending` before it is complete. A minute of the
    /// sandbox's time completes it in any case.
    pub pending_describes: u32,
    /// The reports by id, of all Regions.
    pub reports: BTreeMap<String, UsageReportRecord>,
    /// How many were ever created: makes ids.
    created: u64,
}

/// One image usage report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "named as the members of EC2's ImageUsageReport shape")]
pub struct UsageReportRecord {
    pub id: String,
    pub region: String,
    pub image_id: String,
    /// The kinds of use that were asked for.
    pub kinds: BTreeSet<ForeignUseKind>,
    /// The accounts that were asked for; none means all.
    pub accounts: BTreeSet<String>,
    pub created_at: Timestamp,
    /// How often it is still to be described as pending.
    pub describes_left: u32,
    /// The uses at the time of its creation.
    pub entries: Vec<ForeignUse>,
    /// By which a repeated request is known.
    pub client_token: Option<String>,
}

/// What a report is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReportWanted {
    /// The image.
    pub image_id: String,
    /// The kinds of use.
    pub kinds: BTreeSet<ForeignUseKind>,
    /// The accounts; none means all.
    pub accounts: BTreeSet<String>,
    /// The same token with the same wishes yields the report that exists already.
    pub client_token: Option<String>,
}

impl Default for UsageReports {
    fn default() -> Self {
        Self { pending_describes: 1, reports: BTreeMap::new(), created: 0 }
    }
}

impl UsageReportRecord {
    /// Whether the report is still being made.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.describes_left > 0 && now.duration_since(self.created_at) < READY_AFTER
    }

    /// When EC2 deletes the report.
    pub fn expires_at(&self) -> Timestamp {
        self.created_at.checked_add(KEPT).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn state(&self, now: Timestamp) -> &'static str {
        if self.is_pending(now) { "pending" } else { "available" }
    }

    fn answers(&self, wanted: &UsageReportWanted) -> bool {
        self.image_id == wanted.image_id && self.kinds == wanted.kinds && self.accounts == wanted.accounts
    }
}

impl World {
    /// Asks for a report and yields its id. The codes of the refusals for a token that is used again for
    /// something else and for too many reports are assumed; so is that the image must be the account's own.
    pub fn create_usage_report(
        &mut self,
        wanted: &UsageReportWanted,
        actor: &Actor,
    ) -> Result<String, ApiError> {
        self.own_image(&wanted.image_id, &actor.region, actor.now)?;
        self.usage_reports.reports.retain(|_, report| actor.now < report.expires_at());
        let reports = self.usage_reports.reports.values();
        let mut here = reports.filter(|report| report.region == actor.region);
        let same_token = |report: &&UsageReportRecord| {
            wanted.client_token.is_some() && report.client_token == wanted.client_token
        };
        if let Some(known) = here.clone().find(same_token) {
            return if known.answers(wanted) { Ok(known.id.clone()) } else { Err(other_wishes()) };
        }
        let pending = |report: &&UsageReportRecord| report.is_pending(actor.now);
        if here.clone().filter(pending).count() >= PENDING_MAX
            || here.any(|report| report.image_id == wanted.image_id && report.is_pending(actor.now))
        {
            return Err(ApiError::bad_request(
                "ResourceLimitExceeded",
                format!("A usage report of the image '{}' is already pending.", wanted.image_id),
            ));
        }
        let told = |usage: &&ForeignUse| {
            usage.image_id == wanted.image_id
                && wanted.kinds.contains(&usage.kind)
                && (wanted.accounts.is_empty() || wanted.accounts.contains(&usage.account))
        };
        let entries = self.foreign_uses.iter().filter(told).cloned().collect();
        self.usage_reports.created += 1;
        let id = format!("amiur-{:017x}", self.usage_reports.created);
        let record = UsageReportRecord {
            id: id.clone(),
            region: actor.region.clone(),
            image_id: wanted.image_id.clone(),
            kinds: wanted.kinds.clone(),
            accounts: wanted.accounts.clone(),
            created_at: actor.now,
            describes_left: self.usage_reports.pending_describes,
            entries,
            client_token: wanted.client_token.clone(),
        };
        self.usage_reports.reports.insert(id.clone(), record);
        Ok(id)
    }

    /// Deletes a report, complete or not.
    pub fn delete_usage_report(&mut self, report_id: &str, actor: &Actor) -> Result<(), ApiError> {
        self.usage_report(report_id, &actor.region, actor.now)?;
        self.usage_reports.reports.remove(report_id);
        Ok(())
    }

    /// Notes that reports were looked at, which brings them nearer to completion.
    pub(crate) fn usage_reports_were_described(&mut self, ids: &[String]) {
        for id in ids {
            if let Some(report) = self.usage_reports.reports.get_mut(id) {
                report.describes_left = report.describes_left.saturating_sub(1);
            }
        }
    }

    /// A report that exists in a Region.
    pub(crate) fn usage_report(
        &self,
        report_id: &str,
        region: &str,
        now: Timestamp,
    ) -> Result<&UsageReportRecord, ApiError> {
        let report = self.usage_reports.reports.get(report_id);
        report.filter(|report| report.region == region && now < report.expires_at()).ok_or_else(|| {
            ApiError::bad_request(
                "InvalidImageUsageReportId.NotFound",
                format!("The image usage report '{report_id}' does not exist."),
            )
        })
    }
}

/// The code that EC2 documents for client tokens of other actions (Developer Guide: ec2-api-idempotency).
fn other_wishes() -> ApiError {
    ApiError::bad_request(
        "IdempotentParameterMismatch",
        "The client token was used before, with other parameters.",
    )
}
