//! Ctrl-C and SIGTERM: the first asks to stop at the next safe point, the second ends at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::terminal;

/// The exit code of a program that a signal ended, by the custom of shells.
const INTERRUPTED: i32 = 130;

/// Told to stop, a run finishes the step in flight, records it, and attempts no more. Told again, the process ends at
/// once: the step in flight has its intent in the store, and the next start settles it.
pub(super) fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        if wait_for_signal().await.is_err() {
            return;
        }
        told.cancel();
        terminal::note("stopping after the step in flight, which is recorded; once more ends at once");
        if wait_for_signal().await.is_ok() {
            end_at_once();
        }
    });
    stop
}

/// The two orders to stop that a service hears. At the first, the step in flight is finished and recorded. At the
/// second, what is in flight is left: its intent is in the store, and the next start settles it.
pub(super) fn stop_on_signals() -> (CancellationToken, CancellationToken) {
    let (stop, stop_now) = (CancellationToken::new(), CancellationToken::new());
    let told = (stop.clone(), stop_now.clone());
    tokio::spawn(async move {
        for token in [told.0, told.1] {
            if wait_for_signal().await.is_err() {
                return;
            }
            token.cancel();
        }
    });
    (stop, stop_now)
}

async fn wait_for_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[expect(clippy::exit, reason = "asked for twice by the person at the terminal; the store needs no farewell")]
fn end_at_once() {
    std::process::exit(INTERRUPTED);
}
