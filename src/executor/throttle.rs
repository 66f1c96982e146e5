//! Waiting until EC2 is not too busy. Throttling is the one refusal after which sending again is safe, because
//! EC2 did nothing ("Request throttling for the Amazon EC2 API", EC2 Developer Guide).

use std::time::Duration;

use amiwarden_core::{CallError, CallErrorKind};
use tokio_util::sync::CancellationToken;

/// How often a request is sent that EC2 is too busy for.
const ATTEMPTS_MAX: u32 = 10;

/// The pause after the first throttled attempt. It doubles with each, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// Sends until the answer is not throttling, for most of a minute. `halt` ends the wait; the answer is then the
/// throttled one.
pub(super) async fn until_not_throttled<T, F>(
    halt: &CancellationToken,
    mut send: impl FnMut() -> F,
) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut pause = PAUSE_FIRST;
    for attempt in 1..ATTEMPTS_MAX {
        match send().await {
            Err(error) if error.kind == CallErrorKind::Throttled => {
                tracing::debug!(%error, attempt, "throttled, trying again");
                if halt.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                    return Err(error);
                }
                pause = (pause * 2).min(PAUSE_MAX);
            }
            answer => return answer,
        }
    }
    send().await
}
