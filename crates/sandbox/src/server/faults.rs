//! Faults that can be armed: what goes wrong, and for which requests.

use serde::{Deserialize, Serialize};

use crate::actions::ListingTwist;
use crate::protocol::Service;

/// Something that goes wrong for some requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The action, or `*` for any.
    #[serde(default = "any_action")]
    pub on: String,
    /// Only requests that name this image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Only requests that are made in this account, or that assume a role of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Only requests to this Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Only rehearsals (true) or only real requests (false); both where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// Which of the matching requests.
    #[serde(default)]
    pub nth: Nth,
    /// What goes wrong.
    pub kind: FaultKind,
}

fn any_action() -> String {
    "*".to_owned()
}

/// Which of the matching requests a fault meets, counted from 1 since it was armed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nth {
    /// All of them.
    Every,
    /// These.
    Only(Vec<u64>),
    /// This one and all that follow.
    From(u64),
}

impl Default for Nth {
    fn default() -> Self {
        Self::Only(vec![1])
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// 503 `RequestLimitExceeded`, or what another service than EC2 says of it.
    Throttle,
    /// 503 `Unavailable`; nothing has happened. With [`Fault::every_time`], an endpoint that is down for good.
    Unavailable,
    /// 403 `UnauthorizedOperation`, with and without `DryRun`, or what another service says of it.
    Denied,
    /// 500 `InternalError`; nothing has happened.
    ServerErrorBefore,
    /// 500 `InternalError`, although the change was made. Meets real changes only.
    ServerErrorAfter,
    /// The connection is reset; nothing has happened.
    ResetBefore,
    /// The connection is reset, although the change was made. Meets real changes only.
    ResetAfter,
    /// The connection is reset, and the change is made so many real seconds later, as a request does that
    /// was stuck on its way. Meets real changes only, and not those of usage reports.
    AppliedLate {
        /// How long it is on its way.
        seconds: u64,
    },
    /// No answer for so many seconds, then a reset; nothing has happened.
    Hang {
        /// How long the client waits.
        seconds: u64,
    },
    /// The reply breaks off in the middle of its body. A change was made.
    TruncatedBody,
    /// The reply returns the token that it was asked with. Meets requests with a token only.
    RepeatedToken,
    /// An empty page that has a token; following it loses nothing.
    EmptyPage,
    /// A page without token although more would follow.
    EndsEarly,
    /// A paged listing that holds only this share of its items, rounded down, and has no token as if it
    /// were complete.
    FewerItems {
        /// In percent; 0 makes an empty list.
        keep_percent: u8,
    },
    /// `DescribeImages` lists images of other accounts for the owner `self`.
    ForeignImages,
    /// `DescribeImages` answers without any tags.
    TagsGone,
    /// `DescribeImages` answers without the dates of creation, last launch and deprecation.
    DatesMissing,
    /// `DescribeImages` has 1970-01-01 for each of these dates.
    DatesAtEpoch,
    /// `DescribeImages` has a date in ten years for each of these dates.
    DatesInFuture,
    /// `GetCallerIdentity` names another account than the fleet's.
    WrongAccount,
    /// The `Date` header of the reply is off, whatever else becomes of the request.
    ClockSkew {
        /// By how much; negative is in the past.
        seconds: i64,
    },
    /// A request with `DryRun` is carried out and answered with success, as some emulators do. Meets
    /// requests with `DryRun` only.
    ExecutesDryRun,
    /// A Describe call answers as of before the last changes.
    StaleReads {
        /// How many changes it does not know of.
        changes: usize,
    },
}

impl Fault {
    /// A fault of the first request of an action (`*` for any).
    pub fn new(on: &str, kind: FaultKind) -> Self {
        Self {
            on: on.to_owned(),
            image_id: None,
            account: None,
            region: None,
            dry_run: None,
            nth: Nth::default(),
            kind,
        }
    }

    /// Meets only the n-th matching request, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        self.only([nth])
    }

    /// Meets only these matching requests, counted from 1.
    #[must_use]
    pub fn only(mut self, nth: impl Into<Vec<u64>>) -> Self {
        self.nth = Nth::Only(nth.into());
        self
    }

    /// Meets every matching request.
    #[must_use]
    pub fn every_time(mut self) -> Self {
        self.nth = Nth::Every;
        self
    }

    /// Meets only requests without `DryRun`.
    #[must_use]
    pub fn real_only(mut self) -> Self {
        self.dry_run = Some(false);
        self
    }

    /// Meets only requests with `DryRun`.
    #[must_use]
    pub fn rehearsals_only(mut self) -> Self {
        self.dry_run = Some(true);
        self
    }

    /// Meets only requests that are made in an account, or that assume a role of it.
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        self.account = Some(account.to_owned());
        self
    }

    /// Meets only requests to a Region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Meets only requests that name an image.
    #[must_use]
    pub fn image(mut self, image_id: &str) -> Self {
        self.image_id = Some(image_id.to_owned());
        self
    }

    /// What makes the fault meaningless, if anything.
    pub(crate) fn problem(&self) -> Option<String> {
        if let FaultKind::FewerItems { keep_percent: 101.. } = self.kind {
            return Some("more than 100 percent cannot be kept".to_owned());
        }
        match &self.nth {
            Nth::Only(list) if list.is_empty() || list.contains(&0) => {
                Some("requests are counted from 1".to_owned())
            }
            Nth::From(0) => Some("requests are counted from 1".to_owned()),
            Nth::Every | Nth::Only(_) | Nth::From(_) => None,
        }
    }
}

impl FaultKind {
    /// How a listing is to lie, if it is.
    pub(super) fn twist(self) -> Option<ListingTwist> {
        match self {
            Self::RepeatedToken => Some(ListingTwist::RepeatedToken),
            Self::EmptyPage => Some(ListingTwist::EmptyPage),
            Self::EndsEarly => Some(ListingTwist::EndsEarly),
            Self::ForeignImages => Some(ListingTwist::ForeignImages),
            Self::FewerItems { keep_percent } => Some(ListingTwist::FewerItems { keep_percent }),
            Self::TagsGone => Some(ListingTwist::TagsGone),
            Self::DatesMissing => Some(ListingTwist::DatesMissing),
            Self::DatesAtEpoch => Some(ListingTwist::DatesAtEpoch),
            Self::DatesInFuture => Some(ListingTwist::DatesInFuture),
            Self::Throttle
            | Self::Unavailable
            | Self::Denied
            | Self::ServerErrorBefore
            | Self::ServerErrorAfter
            | Self::ResetBefore
            | Self::ResetAfter
            | Self::AppliedLate { .. }
            | Self::Hang { .. }
            | Self::TruncatedBody
            | Self::WrongAccount
            | Self::ClockSkew { .. }
            | Self::ExecutesDryRun
            | Self::StaleReads { .. } => None,
        }
    }

    /// How far the clock is off, if it is, in seconds.
    pub(super) fn clock_skew(self) -> Option<i64> {
        if let Self::ClockSkew { seconds } = self { Some(seconds) } else { None }
    }

    /// Whether this can happen to a request at all. What cannot is not counted either.
    fn fits(self, request: &Seen<'_>) -> bool {
        match self {
            Self::ServerErrorAfter | Self::ResetAfter => request.is_change && !request.dry_run,
            Self::AppliedLate { .. } => {
                request.is_change && !request.dry_run && !request.action.ends_with("UsageReport")
            }
            Self::RepeatedToken => request.has_token,
            Self::ExecutesDryRun => request.dry_run,
            Self::StaleReads { .. }
            | Self::EmptyPage
            | Self::EndsEarly
            | Self::FewerItems { .. }
            | Self::ForeignImages => !request.is_change && !request.dry_run,
            Self::TagsGone | Self::DatesMissing | Self::DatesAtEpoch | Self::DatesInFuture => {
                request.action == "DescribeImages" && !request.dry_run
            }
            Self::WrongAccount => request.action == "GetCallerIdentity",
            Self::ClockSkew { .. }
            | Self::Throttle
            | Self::Unavailable
            | Self::Denied
            | Self::ServerErrorBefore
            | Self::ResetBefore
            | Self::Hang { .. }
            | Self::TruncatedBody => true,
        }
    }
}

/// What matters of a request to a fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) service: Service,
    pub(super) action: &'a str,
    /// That of the role to assume, where one is to be assumed.
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) image_ids: &'a [String],
    pub(super) is_change: bool,
    pub(super) dry_run: bool,
    pub(super) has_token: bool,
}

/// An armed fault with its count.
#[derive(Debug)]
pub(super) struct ArmedFault {
    fault: Fault,
    matched: u64,
}

impl ArmedFault {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, matched: 0 }
    }

    /// Counts a request if it matches, and yields what goes wrong if it is one of the chosen ones.
    pub(super) fn meet(&mut self, request: &Seen<'_>) -> Option<FaultKind> {
        let fault = &self.fault;
        let named = |id: &String| request.image_ids.contains(id);
        let matches = (fault.on == "*" || fault.on == request.action)
            && fault.dry_run.is_none_or(|dry_run| dry_run == request.dry_run)
            && fault.account.as_deref().is_none_or(|account| account == request.account)
            && fault.region.as_deref().is_none_or(|region| region == request.region)
            && fault.image_id.as_ref().is_none_or(named)
            && fault.kind.fits(request);
        if !matches {
            return None;
        }
        self.matched += 1;
        let chosen = match &fault.nth {
            Nth::Every => true,
            Nth::Only(list) => list.contains(&self.matched),
            Nth::From(first) => self.matched >= *first,
        };
        chosen.then_some(fault.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::{ArmedFault, Fault, FaultKind, Seen, Service};

    fn seen(action: &str, dry_run: bool) -> Seen<'_> {
        let is_change = action != "DescribeImages";
        Seen {
            service: Service::Ec2,
            action,
            account: "111122223333",
            region: "eu-west-1",
            image_ids: &[],
            is_change,
            dry_run,
            has_token: false,
        }
    }

    #[test]
    fn only_matching_requests_are_counted() {
        let mut armed = ArmedFault::new(Fault::new("DisableImage", FaultKind::ResetAfter).nth(2));
        let met: Vec<bool> = [
            ("DisableImage", false),
            ("EnableImage", false),
            ("DisableImage", true),
            ("DisableImage", false),
            ("DisableImage", false),
        ]
        .iter()
        .map(|(action, dry_run)| armed.meet(&seen(action, *dry_run)).is_some())
        .collect();
        assert_eq!(met, [false, false, false, true, false]);
    }

    #[test]
    fn a_fault_may_be_that_of_one_account_or_region() {
        let meets = |fault: Fault| ArmedFault::new(fault).meet(&seen("DescribeImages", false)).is_some();
        let fault = || Fault::new("*", FaultKind::Denied);
        assert!(meets(fault().account("111122223333")) && meets(fault().region("eu-west-1")));
        assert!(!meets(fault().account("222233334444")) && !meets(fault().region("us-east-1")));
    }

    #[test]
    fn faults_are_read_from_json() {
        for (json, expected) in [
            (
                r#"{"on":"DescribeImages","kind":"throttle","nth":{"only":[1,3]}}"#,
                Fault::new("DescribeImages", FaultKind::Throttle).only([1, 3]),
            ),
            (
                r#"{"kind":{"hang":{"seconds":2}},"nth":"every","dry_run":true}"#,
                Fault::new("*", FaultKind::Hang { seconds: 2 }).every_time().rehearsals_only(),
            ),
            (
                r#"{"kind":{"fewer-items":{"keep_percent":50}}}"#,
                Fault::new("*", FaultKind::FewerItems { keep_percent: 50 }),
            ),
            (
                r#"{"kind":{"stale-reads":{"changes":1}}}"#,
                Fault::new("*", FaultKind::StaleReads { changes: 1 }),
            ),
        ] {
            assert_eq!(serde_json::from_str::<Fault>(json).unwrap(), expected);
        }
        assert!(serde_json::from_str::<Fault>(r#"{"kind":"explode"}"#).is_err());
    }
}
