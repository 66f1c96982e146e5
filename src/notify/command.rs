//! Hands a notification to a program, on its standard input.
//!
//! Its output is thrown away; of what it says on standard error the end is kept for the case that it fails. A program
//! that takes too long is killed: itself only, not what it has started.

use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

use super::deliver::{Attempt, DeliveryError};
use crate::report::plain;

const EVENT_VARIABLE: &str = "AMIWARDEN_EVENT";
const RUN_VARIABLE: &str = "AMIWARDEN_RUN_ID";
const DELIVERY_VARIABLE: &str = "AMIWARDEN_DELIVERY";

/// The service manager's socket is amiwarden's own: a program that reported itself there would speak for it.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// So much of the end of standard error is kept.
const TAIL_BYTES_MAX: usize = 1024;

/// So long the rest of standard error is waited for once the program has ended. Something that it has started may keep
/// it open for ever.
const REST: Duration = Duration::from_millis(200);

/// One attempt. The program has taken it when it ends with 0.
pub(super) async fn run(
    program: &Path,
    arguments: &[String],
    attempt: Attempt<'_>,
) -> Result<(), DeliveryError> {
    let notification = attempt.notification;
    let mut child = Command::new(program)
        .args(arguments)
        .env(EVENT_VARIABLE, &notification.event)
        .env(RUN_VARIABLE, notification.run_id.as_str())
        .env(DELIVERY_VARIABLE, &notification.delivery_id)
        .env_remove(SOCKET_VARIABLE)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| DeliveryError::of(format!("{} cannot be started: {error}", program.display())))?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let mut tail = Tail::default();
    let waited = {
        let mut talk = std::pin::pin!(talk(stdin, stderr, &notification.body, &mut tail));
        let ended = tokio::time::timeout(attempt.timeout, async {
            tokio::select! {
                status = child.wait() => status,
                never = &mut talk => match never {},
            }
        });
        let waited = ended.await;
        if waited.is_ok() {
            // What it said last may still be on its way.
            let _ = tokio::time::timeout(REST, talk).await;
        }
        waited
    };
    let program = program.display();
    match waited {
        Err(_) => {
            // Killing fails only where it has just ended by itself.
            let _ = child.kill().await;
            let seconds = attempt.timeout.as_secs();
            Err(DeliveryError::of(format!("{program} did not end within {seconds} s{}", tail.words())))
        }
        Ok(Err(error)) => Err(DeliveryError::of(format!("{program} cannot be waited for: {error}"))),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(DeliveryError::of(format!("{program} ended with {status}{}", tail.words()))),
    }
}

/// Writes the body and reads what is said about it, both at once: neither side may wait for the other. Never ends; the
/// program's end is what counts.
async fn talk(
    stdin: Option<ChildStdin>,
    stderr: Option<impl AsyncRead + Unpin>,
    body: &str,
    tail: &mut Tail,
) -> Infallible {
    let write = async {
        if let Some(mut stdin) = stdin {
            // A program need not read what it does not want to know.
            let _ = stdin.write_all(body.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
    };
    let read = async {
        let Some(mut stderr) = stderr else { return };
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
            tail.push(&buffer[..read]);
        }
    };
    tokio::join!(write, read);
    std::future::pending().await
}

/// The end of what was said.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let surplus = self.0.len().saturating_sub(TAIL_BYTES_MAX);
        self.0.drain(..surplus);
    }

    fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let text = plain(text.trim());
        if text.is_empty() { String::new() } else { format!(": {text}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_end_is_kept() {
        let mut tail = Tail::default();
        assert_eq!(tail.words(), "");
        tail.push(&[b'x'; TAIL_BYTES_MAX]);
        tail.push(b"the\nend\n");
        let words = tail.words();
        assert_eq!(words.len(), TAIL_BYTES_MAX + 1);
        assert!(words.starts_with(": x") && words.ends_with("the end"), "{words}");
    }
}
