//! When configuration and policies are to be read again: on SIGHUP, and when the policy directory has changed.

use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Editors and deployments write in several steps. So long nothing may have changed before the files are read.
const QUIET: Duration = Duration::from_millis(500);

/// Nor is a directory that changes all the time waited for without end.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// Why everything is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody sent SIGHUP.
    Asked,
    /// The policy directory has changed.
    Changed,
}

/// Waits for reasons to read everything again.
pub(super) struct Reloads {
    hangups: Signal,
    watch: Option<Watch>,
    /// The changes that came in and have not been told: since when, and when the last came.
    pending: Option<(Instant, Instant)>,
}

struct Watch {
    changes: mpsc::Receiver<()>,
    /// Watches for as long as it lives.
    _watcher: RecommendedWatcher,
}

impl Reloads {
    /// Listens for SIGHUP, and watches `dir` if there is one. A directory that cannot be watched is logged: SIGHUP
    /// still works.
    pub(super) fn start(dir: Option<&Path>) -> std::io::Result<Self> {
        let hangups = signal(SignalKind::hangup())?;
        Ok(Self { hangups, watch: dir.and_then(watch), pending: None })
    }

    /// Watches again: what was watched may have been replaced by another directory of the same name.
    pub(super) fn watch_again(&mut self, dir: Option<&Path>) {
        self.watch = dir.and_then(watch);
    }

    /// The next reason. Cancelling the wait loses none.
    pub(super) async fn next(&mut self) -> Reason {
        loop {
            let due = self.pending.map(|(first, last)| (last + QUIET).min(first + QUIET_MAX));
            tokio::select! {
                Some(()) = self.hangups.recv() => {
                    self.pending = None;
                    return Reason::Asked;
                }
                () = changed(&mut self.watch) => {
                    let now = Instant::now();
                    let first = self.pending.map_or(now, |(first, _)| first);
                    self.pending = Some((first, now));
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.pending = None;
                    return Reason::Changed;
                }
            }
        }
    }
}

async fn changed(watch: &mut Option<Watch>) {
    let heard = match watch {
        Some(watch) => watch.changes.recv().await,
        None => None,
    };
    if heard.is_none() {
        std::future::pending::<()>().await;
    }
}

/// Watches a directory, and the one that holds it: a symlink that is made to point elsewhere, or a directory that is
/// replaced, shows there only.
fn watch(dir: &Path) -> Option<Watch> {
    let (sender, changes) = mpsc::channel(1);
    let wanted = dir.to_owned();
    let on_event = move |event: notify::Result<notify::Event>| {
        let is_about_it = event.map_or(true, |event| {
            !event.kind.is_access() && event.paths.iter().any(|path| path.starts_with(&wanted))
        });
        if is_about_it {
            // Full means that a change is waiting to be heard already.
            let _ = sender.try_send(());
        }
    };
    let opened = notify::recommended_watcher(on_event).and_then(|mut watcher| {
        watcher.watch(dir, RecursiveMode::NonRecursive)?;
        if let Some(parent) = dir.parent() {
            watcher.watch(parent, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    match opened {
        Ok(watcher) => Some(Watch { changes, _watcher: watcher }),
        Err(error) => {
            tracing::warn!(dir = %dir.display(), %error, "the policy directory cannot be watched: send SIGHUP after changes");
            None
        }
    }
}
