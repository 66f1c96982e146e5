//! Version numbers, compared number by number.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version such as `1.10.2` or `v3`: numbers separated by dots. Missing numbers at the end count as zero, so
/// `1.2` equals `1.2.0`.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    text: String,
    numbers: Vec<u64>,
}

impl FromStr for Version {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        let number = |part: &str| {
            let plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if plain { part.parse().map_err(drop) } else { Err(()) }
        };
        let mut numbers = digits.split('.').map(number).collect::<Result<Vec<u64>, ()>>()?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self { text: text.to_owned(), numbers })
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.numbers == other.numbers
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_number_by_number() {
        let check = |less: &str, more: &str| {
            assert!(less.parse::<Version>().unwrap() < more.parse::<Version>().unwrap(), "{less} < {more}");
        };
        check("1.9", "1.10");
        check("1.10", "1.10.1");
        check("v2", "10");
        check("0", "0.0.1");
        assert_eq!("1.2".parse::<Version>(), "v1.2.0".parse());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "v", "1.", ".1", "1.x", "1.2-rc1", "-1", "1 2", "99999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }
}
