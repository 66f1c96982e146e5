//! When a notification that was not taken is tried again.

use amiwarden_core::{Duration, Timestamp};
use sha2::{Digest, Sha256};

/// The longest pause after the first failed attempt; each later one is four times as long as the one before it.
const FIRST_PAUSE_SECONDS: i64 = 1;
const FACTOR: i64 = 4;

/// No pause is longer.
const PAUSE_SECONDS_MAX: i64 = 3600;

/// Parts of a whole in which a [`Jitter`] is counted.
const WHOLE: i64 = 1000;

/// What becomes of a notification that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is tried again then.
    At(Timestamp),
    /// It was tried often enough.
    GiveUp,
}

/// How much of the second half of a pause is kept, so that many who failed together do not come back together: 0 to
/// 1000 thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Jitter(i64);

impl Jitter {
    /// The jitter of one attempt of one delivery. It is spread like a random number and always the same, so it needs no
    /// randomness.
    pub(super) fn of(delivery_id: &str, attempt: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(delivery_id.as_bytes());
        hash.update(attempt.to_be_bytes());
        let digest = hash.finalize();
        let number = u16::from_be_bytes([digest[0], digest[1]]);
        Self(i64::from(number) * WHOLE / i64::from(u16::MAX))
    }
}

/// When to try again after `failed` attempts of at most `attempts_max`, the last of them at `now`: after 1 second, 4,
/// 16, 64, 256, 1024, and then every hour, each pause shortened by up to a half. Where the receiver says how long to
/// wait, it is at least that, but for the longest pause.
pub(super) fn next_attempt(
    failed: u32,
    attempts_max: u32,
    now: Timestamp,
    jitter: Jitter,
    asked_for: Option<Duration>,
) -> Next {
    if failed >= attempts_max {
        return Next::GiveUp;
    }
    let steps = failed.saturating_sub(1);
    let longest = FACTOR
        .checked_pow(steps)
        .and_then(|factor| factor.checked_mul(FIRST_PAUSE_SECONDS))
        .map_or(PAUSE_SECONDS_MAX, |seconds| seconds.min(PAUSE_SECONDS_MAX));
    // Rounded up: an instant in the store is a whole second, and a pause of none would be no pause.
    let half = longest / 2;
    let pause = half + ((longest - half) * jitter.0 + WHOLE - 1) / WHOLE;
    let wanted = asked_for.map_or(0, |wait| wait.as_seconds().min(PAUSE_SECONDS_MAX));
    let pause = Duration::from_seconds(pause.max(wanted).max(1));
    pause.after(now).map_or(Next::GiveUp, Next::At)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_780_000_000).unwrap()
    }

    fn pause(failed: u32, jitter: i64, asked_for: Option<i64>) -> Option<i64> {
        match next_attempt(failed, 8, now(), Jitter(jitter), asked_for.map(Duration::from_seconds)) {
            Next::At(at) => Some(at.as_second() - now().as_second()),
            Next::GiveUp => None,
        }
    }

    #[test]
    fn pauses_grow_to_an_hour_and_end() {
        let longest: Vec<_> = (1..=8).map(|failed| pause(failed, 1000, None)).collect();
        let expected = [1, 4, 16, 64, 256, 1024, 3600].map(Some);
        assert_eq!(longest, [&expected[..], &[None]].concat());
        let shortest: Vec<_> = (1..=7).filter_map(|failed| pause(failed, 0, None)).collect();
        assert_eq!(shortest, [1, 2, 8, 32, 128, 512, 1800]);
        assert_eq!(next_attempt(1, 1, now(), Jitter(0), None), Next::GiveUp);
        assert_eq!(
            next_attempt(99, 100, now(), Jitter(1000), None),
            Next::At(Duration::from_seconds(3600).after(now()).unwrap())
        );
        assert_eq!(next_attempt(2, 3, Timestamp::MAX, Jitter(0), None), Next::GiveUp);
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_and_not_for_less() {
        assert_eq!(pause(1, 1000, Some(30)), Some(30));
        assert_eq!(pause(4, 1000, Some(30)), Some(64));
        assert_eq!(pause(1, 1000, Some(1_000_000)), Some(3600));
        assert_eq!(pause(8, 1000, Some(30)), None);
    }

    #[test]
    fn jitter_is_spread_and_always_the_same() {
        let all: Vec<i64> = (1..=200).map(|attempt| Jitter::of("delivery", attempt).0).collect();
        assert!(all.iter().all(|it| (0..=1000).contains(it)), "{all:?}");
        assert!(all.iter().any(|it| *it < 100) && all.iter().any(|it| *it > 900), "{all:?}");
        assert_eq!(Jitter::of("delivery", 1), Jitter::of("delivery", 1));
        assert_ne!(Jitter::of("delivery", 1), Jitter::of("another", 1));
    }
}
