//! The port for changing, over EC2.

use std::sync::Arc;

use amiwarden_core::{Call, CallCounts, CallError, CallErrorKind, CloudWriter, ImageId, Receipt};
use aws_sdk_ec2::Client;

use crate::call_log::CallLog;
use crate::shut::Shut;
use crate::write::{Mode, send};

/// Changes one scope through the AWS SDK, each request sent exactly once. Clones share the connections and the count
/// of requests.
#[derive(Clone, Debug)]
pub struct Ec2Writer(Result<Open, Shut>);

#[derive(Clone, Debug)]
struct Open {
    client: Client,
    log: CallLog,
}

impl Ec2Writer {
    pub(crate) fn new((client, log): (Client, CallLog)) -> Self {
        Self(Ok(Open { client, log }))
    }

    /// A writer to a scope that cannot be reached.
    pub(crate) fn shut(reason: Arc<str>) -> Self {
        Self(Err(Shut(reason)))
    }

    fn client(&self, call: &Call) -> Result<&Client, CallError> {
        match &self.0 {
            Ok(open) => Ok(&open.client),
            Err(shut) => Err(shut.error(call.operation())),
        }
    }
}

impl CloudWriter for Ec2Writer {
    async fn rehearse(&self, image: &ImageId, call: &Call) -> Result<(), CallError> {
        let failure = match send(self.client(call)?, image, call, Mode::Rehearse).await {
            Ok(receipt) => return Err(executed(call, receipt.request_id)),
            Err(failure) => failure,
        };
        if failure.is_dry_run_operation() {
            Ok(())
        } else if failure.has_success_status() {
            Err(executed(call, failure.error.request_id))
        } else {
            Err(failure.error)
        }
    }

    async fn execute(&self, image: &ImageId, call: &Call) -> Result<Receipt, CallError> {
        send(self.client(call)?, image, call, Mode::Execute).await.map_err(|failure| failure.error)
    }

    fn calls_sent(&self) -> u64 {
        self.0.as_ref().map_or(0, |open| open.log.sent())
    }

    fn calls(&self) -> CallCounts {
        self.0.as_ref().map_or_else(|_| CallCounts::default(), |open| open.log.counts())
    }
}

fn executed(call: &Call, request_id: Option<String>) -> CallError {
    CallError {
        operation: call.operation().to_owned(),
        kind: CallErrorKind::ExecutedDryRun,
        message:
            "the endpoint does not honour DryRun: it answered a rehearsal with success and may have carried \
                  it out"
                .to_owned(),
        request_id,
    }
}
