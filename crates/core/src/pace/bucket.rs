//! One token bucket, as a value.

use std::time::Duration;

use super::BucketSize;

/// Each reply by which EC2 says that it is too busy halves the refill, down to this many times.
const SLOWED_MAX: u32 = 4;

/// Replies within this time are about the same crowd of requests, and count once.
const SAME_CROWD: Duration = Duration::from_secs(1);

/// After so long without another one, the refill doubles again.
const RECOVERY: Duration = Duration::from_secs(5);

/// What counts as a whole token: sums of fractions fall short of it by as much.
const WHOLE_TOKEN: f64 = 1.0 - 1e-9;

/// A token bucket. Times are measured from any one moment, by a clock that does not jump.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenBucket {
    size: BucketSize,
    level: f64,
    /// When `level` was true.
    at: Duration,
    /// How often the refill is halved.
    slowed: u32,
    /// When it was last halved or doubled.
    slowed_at: Duration,
}

impl TokenBucket {
    /// A full bucket.
    pub fn full(size: BucketSize, now: Duration) -> Self {
        Self { size, level: size.burst, at: now, slowed: 0, slowed_at: now }
    }

    /// Takes one token; where there is none, says how long to wait before there can be one. Nothing is promised to
    /// whoever waits: it has to ask again.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        self.refill(now);
        if self.level >= WHOLE_TOKEN {
            self.level = (self.level - 1.0).max(0.0);
            return Ok(());
        }
        let seconds = (1.0 - self.level) / self.rate();
        // A bucket that refills once in centuries is as good as one that never does.
        Err(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// EC2 was too busy all the same: somebody else draws on the bucket. It is empty, then, and for a while it fills
    /// at half the rate, so that the tokens that somebody else takes are not counted on.
    pub fn drain(&mut self, now: Duration) {
        self.refill(now);
        self.level = 0.0;
        if self.slowed == 0 || now.saturating_sub(self.slowed_at) >= SAME_CROWD {
            self.slowed = (self.slowed + 1).min(SLOWED_MAX);
            self.slowed_at = now;
        }
    }

    fn rate(&self) -> f64 {
        self.size.refill_per_second / f64::from(1_u32 << self.slowed)
    }

    fn refill(&mut self, now: Duration) {
        while self.slowed > 0 && now.saturating_sub(self.slowed_at) >= RECOVERY {
            let recovered = self.slowed_at + RECOVERY;
            self.fill_until(recovered);
            self.slowed -= 1;
            self.slowed_at = recovered;
        }
        self.fill_until(now);
    }

    fn fill_until(&mut self, now: Duration) {
        let tokens = now.saturating_sub(self.at).as_secs_f64() * self.rate();
        self.level = (self.level + tokens).min(self.size.burst);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(burst: f64, refill_per_second: f64) -> TokenBucket {
        TokenBucket::full(BucketSize { burst, refill_per_second }, Duration::ZERO)
    }

    /// How many of 1000 requests pass at this second.
    fn pass(bucket: &mut TokenBucket, second: u64) -> usize {
        (0..1000).filter(|_| bucket.take(Duration::from_secs(second)).is_ok()).count()
    }

    #[test]
    fn a_full_bucket_passes_its_burst_and_then_its_refill() {
        let mut bucket = bucket(30.0, 3.0);
        assert_eq!(pass(&mut bucket, 0), 30);
        assert_eq!(bucket.take(Duration::ZERO), Err(Duration::from_secs_f64(1.0 / 3.0)));
        assert_eq!(pass(&mut bucket, 1), 3);
        assert_eq!(pass(&mut bucket, 3), 6);
        // It never holds more than its burst, and time does not run backwards.
        assert_eq!(pass(&mut bucket, 1000), 30);
        assert_eq!(pass(&mut bucket, 5), 0);
    }

    #[test]
    fn the_time_that_it_names_is_when_a_token_is_there() {
        for rate in [0.05, 0.1, 3.0, 7.0, 12.0, 1000.0 / 3.0] {
            let mut bucket = bucket(1.0, rate);
            let mut now = Duration::ZERO;
            for _ in 0..100 {
                assert_eq!(bucket.take(now), Ok(()), "{rate}");
                now += bucket.take(now).unwrap_err() + Duration::from_nanos(1);
            }
        }
    }

    #[test]
    fn a_drained_bucket_refills_from_nothing_and_slowly_at_first() {
        let mut bucket = bucket(100.0, 8.0);
        let at = Duration::from_secs;
        bucket.drain(at(0));
        // The replies to requests that were on their way at the same time say nothing new.
        bucket.drain(at(0) + Duration::from_millis(900));
        assert_eq!(bucket.take(at(0) + Duration::from_millis(900)), Err(Duration::from_millis(250)));
        bucket.drain(at(1));
        assert_eq!(pass(&mut bucket, 2), 2);
        // At a quarter of the rate until second 6, at half of it until 11, then as ever.
        assert_eq!(pass(&mut bucket, 6), 8);
        assert_eq!(pass(&mut bucket, 11), 20);
        assert_eq!(pass(&mut bucket, 12), 8);
    }

    #[test]
    fn however_often_it_is_drained_it_goes_on() {
        let mut bucket = bucket(10.0, 16.0);
        for second in 0..100 {
            bucket.drain(Duration::from_secs(second));
        }
        assert_eq!(pass(&mut bucket, 100), 1);
    }
}
