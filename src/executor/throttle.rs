//! Sends again what EC2 was too busy for. Throttling is the one refusal after which that is safe: EC2 did nothing.

use std::future::Future;
use std::time::Duration;

use amiwarden_core::{CallError, CallErrorKind};

/// How often a request is sent before throttling counts as a failure.
const ATTEMPTS_MAX: u32 = 10;

/// The pause after the first attempt; it doubles with each, up to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// Sends until EC2 has time for it.
pub(super) async fn until_not_throttled<T, F>(mut send: impl FnMut() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut pause = PAUSE;
    for attempt in 1..ATTEMPTS_MAX {
        match send().await {
            Err(error) if error.kind == CallErrorKind::Throttled => {
                tracing::debug!(%error, attempt, "throttled, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            answer => return answer,
        }
    }
    send().await
}
