//! Waiting for tokens: one gate for each bucket that AWS keeps, shared by everything of one connection.
//!
//! A request passes its gate when the bucket has a token for it. Those that wait stand in a queue, first come first
//! served; only the first of them looks at the bucket, and sleeps until a token can be there. Whoever gives up leaves
//! the queue and has taken nothing.

mod request;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use amiwarden_core::{Pace, TokenBucket};
use aws_sdk_ec2::config::http::HttpRequest;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use request::Key;

/// The gates of one account. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pace: Pace,
    gates: Mutex<BTreeMap<Key, Arc<Gate>>>,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { shared: Arc::new(Shared { pace, gates: Mutex::default() }) }
    }

    /// The gate of the bucket that `request` draws on; none for a request of which no bucket can be told, such as
    /// one that is not signed.
    pub(crate) fn gate(&self, request: &HttpRequest) -> Option<Arc<Gate>> {
        let key = Key::of(request)?;
        let mut gates = lock(&self.shared.gates);
        if let Some(gate) = gates.get(&key) {
            return Some(Arc::clone(gate));
        }
        let gate = Arc::new(Gate::new(&self.shared.pace, &key));
        gates.insert(key, Arc::clone(&gate));
        Some(gate)
    }
}

/// One bucket, and the queue before it.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Held by the first of the queue.
    turn: Semaphore,
    bucket: Mutex<TokenBucket>,
    opened_at: Instant,
}

impl Gate {
    fn new(pace: &Pace, key: &Key) -> Self {
        let bucket = TokenBucket::full(pace.bucket(&key.operation, key.class), std::time::Duration::ZERO);
        Self { turn: Semaphore::new(1), bucket: Mutex::new(bucket), opened_at: Instant::now() }
    }

    /// Comes back with a token.
    pub(crate) async fn pass(&self) {
        // The semaphore is fair, and nobody closes it.
        let _turn = self.turn.acquire().await;
        while let Err(wait) = self.take() {
            tokio::time::sleep(wait).await;
        }
    }

    /// AWS was too busy all the same.
    pub(crate) fn drain(&self) {
        lock(&self.bucket).drain(self.opened_at.elapsed());
    }

    fn take(&self) -> Result<(), std::time::Duration> {
        lock(&self.bucket).take(self.opened_at.elapsed())
    }
}

/// A panic while a lock was held leaves nothing half-done here: every change is made at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use amiwarden_core::{ApiClass, BucketSize};
    use futures::future::join_all;
    use futures::{FutureExt, pin_mut};

    use super::*;

    fn gate(burst: f64, refill_per_second: f64) -> Gate {
        let pace = Pace {
            share: amiwarden_core::Share::WHOLE,
            otherwise: Some(BucketSize { burst, refill_per_second }),
            ..Pace::default()
        };
        let key = Key {
            region: "eu-west-1".to_owned(),
            service: "ec2".to_owned(),
            operation: "DisableImage".to_owned(),
            class: ApiClass::Change,
        };
        Gate::new(&pace, &key)
    }

    #[tokio::test]
    async fn requests_pass_in_the_order_in_which_they_came() {
        let (gate, start) = (gate(1.0, 100.0), Instant::now());
        let passed = Mutex::new(Vec::new());
        let request = |number: usize| {
            let (gate, passed) = (&gate, &passed);
            async move {
                gate.pass().await;
                lock(passed).push(number);
            }
        };
        join_all((0..5).map(request)).await;
        assert_eq!(*lock(&passed), [0, 1, 2, 3, 4]);
        assert!(start.elapsed() >= Duration::from_millis(40));
    }

    #[tokio::test]
    async fn whoever_gives_up_has_taken_nothing() {
        let gate = gate(2.0, 10.0);
        gate.pass().await;
        gate.pass().await;
        {
            let (first, second) = (gate.pass(), gate.pass());
            pin_mut!(first, second);
            assert!(first.as_mut().now_or_never().is_none());
            assert!(second.as_mut().now_or_never().is_none());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(gate.pass().now_or_never().is_some());
        assert!(gate.pass().now_or_never().is_some());
    }

    #[tokio::test]
    async fn whoever_waits_while_the_bucket_is_drained_waits_on() {
        let gate = gate(1.0, 10.0);
        gate.pass().await;
        let waiting = gate.pass();
        pin_mut!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(50)).await;
        let drained_at = Instant::now();
        gate.drain();
        waiting.await;
        // A whole token at half the rate.
        assert!(drained_at.elapsed() >= Duration::from_millis(200));
    }
}
