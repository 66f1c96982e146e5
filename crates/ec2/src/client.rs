//! How requests are tried: time-outs, retries, and a client for each service.

use std::sync::Arc;
use std::time::Duration;

use amiwarden_core::Scope;
use aws_config::SdkConfig;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_ec2::config::timeout::TimeoutConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Region};

use crate::call_log::{CallLog, Protocol};

/// How often the SDK sends a reading request at most. Changes are sent once, whatever happens.
const READ_ATTEMPTS_MAX: u32 = 3;

/// The SDK's behaviour is pinned: its defaults change only when this line does.
pub(crate) fn behavior_version() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// How long amiwarden waits for EC2. The SDK has a default for the connection only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For the connection to be made.
    pub connect: Duration,
    /// From the request to the first byte of the reply.
    pub read: Duration,
    /// For one attempt, from when it is sent to the end of the reply. A change has one attempt. The time that a
    /// request waits for its token does not count.
    pub attempt: Duration,
    /// The longest pause before the second attempt of a reading request; it doubles for the third.
    pub first_pause: Duration,
    /// Between two questions whether an image usage report is ready; there are six of them at most.
    pub report_pause: Duration,
}

impl Timing {
    /// For EC2 proper. A page of 1000 images takes seconds, so an attempt may take a minute.
    pub const EC2: Self = Self {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(45),
        attempt: Duration::from_mins(1),
        first_pause: Duration::from_secs(1),
        report_pause: Duration::from_secs(5),
    };

    /// Those that the SDK keeps. It would count the wait for a token as a part of the attempt and of the operation, so
    /// an attempt's time is kept by [`http`](crate::http), and an operation's follows from its attempts.
    pub(crate) fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder().connect_timeout(self.connect).read_timeout(self.read).build()
    }

    pub(crate) fn read_retries(&self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(READ_ATTEMPTS_MAX).with_initial_backoff(self.first_pause)
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::EC2
    }
}

/// What a client is for; it decides whether a request may be sent twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reading: a lost reply costs nothing but the time to ask again.
    Read,
    /// Changing: a lost reply may hide a change that took effect, so only the executor may decide.
    Write,
}

/// A client of one service: `$service` tells its retry quota from those of the others, for by default all accounts
/// share the quota of a service and Region, and one that is throttled would starve the others.
macro_rules! client {
    ($sdk:ident, $service:literal, $config:expr, $scope:expr, $sending:expr, $log:expr) => {
        $sdk::Client::from_conf(
            $sdk::config::Builder::from($config)
                .region(Region::new($scope.region.as_str().to_owned()))
                .retry_config($sending.retries.clone())
                .retry_partition(RetryPartition::custom(format!("amiwarden-{}-{}", $service, $scope)).build())
                .timeout_config($sending.timeouts.clone())
                .interceptor($log)
                .build(),
        )
    };
}

/// How often and how long a request is tried.
struct Sending {
    retries: RetryConfig,
    timeouts: TimeoutConfig,
}

impl Sending {
    fn new(purpose: Purpose, timing: &Timing) -> Self {
        match purpose {
            Purpose::Read => Self { retries: timing.read_retries(), timeouts: timing.timeouts() },
            Purpose::Write => Self { retries: RetryConfig::disabled(), timeouts: timing.timeouts() },
        }
    }
}

/// A client of EC2 for one scope, and the log of what it sends.
pub(crate) fn build(
    config: &SdkConfig,
    scope: &Scope,
    purpose: Purpose,
    timing: &Timing,
) -> (Client, CallLog) {
    let log = CallLog::new(scope.clone());
    let sending = Sending::new(purpose, timing);
    (client!(aws_sdk_ec2, "ec2", config, scope, sending, log.clone()), log)
}

/// A client of SNS for the account and Region of a topic.
pub(crate) fn topics(config: &SdkConfig, scope: &Scope, timing: &Timing) -> aws_sdk_sns::Client {
    let sending = Sending::new(Purpose::Write, timing);
    client!(aws_sdk_sns, "sns", config, scope, sending, CallLog::new(scope.clone()))
}

/// Clients for reading one scope, of every service that tells something about images. They share one log.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    pub(crate) ec2: Client,
    pub(crate) auto_scaling: aws_sdk_autoscaling::Client,
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) recycle_bin: aws_sdk_rbin::Client,
    pub(crate) log: CallLog,
    pub(crate) timing: Arc<Timing>,
}

impl Services {
    pub(crate) fn new(config: &SdkConfig, scope: &Scope, timing: &Timing) -> Self {
        let (ec2, log) = build(config, scope, Purpose::Read, timing);
        let sending = Sending::new(Purpose::Read, timing);
        let json = log.for_protocol(Protocol::Json);
        Self {
            ec2,
            auto_scaling: client!(aws_sdk_autoscaling, "autoscaling", config, scope, sending, log.clone()),
            ssm: client!(aws_sdk_ssm, "ssm", config, scope, sending, json.clone()),
            recycle_bin: client!(aws_sdk_rbin, "rbin", config, scope, sending, json),
            log,
            timing: Arc::new(timing.clone()),
        }
    }
}
