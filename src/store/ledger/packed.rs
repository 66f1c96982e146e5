//! Many rows in one: a page of rows comes from SQLite as one run of bytes.
//!
//! Handing over each row and column by itself takes several times as long as checking it. In the packed form each
//! value stands after its length, so it may hold any bytes, also those that no text of amiwarden holds.

use crate::store::StoreError;

/// Values in the order in which they were packed, each as `LENGTH:BYTES`, an absent one as `-:`.
pub(super) struct Packed<'a> {
    rest: &'a [u8],
}

impl<'a> Packed<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next value, `None` where it is null.
    pub(super) fn value(&mut self) -> Result<Option<&'a [u8]>, StoreError> {
        let colon = self.rest.iter().position(|byte| *byte == b':').ok_or_else(malformed)?;
        let (length, rest) = (&self.rest[..colon], &self.rest[colon + 1..]);
        if length == b"-" {
            self.rest = rest;
            return Ok(None);
        }
        let length = usize::try_from(integer(length)?).map_err(|_| malformed())?;
        let (value, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(Some(value))
    }

    /// The next value, which is never null.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], StoreError> {
        self.value()?.ok_or_else(malformed)
    }

    pub(super) fn integer(&mut self) -> Result<i64, StoreError> {
        integer(self.bytes()?)
    }
}

/// Reads what SQLite writes for an integer.
fn integer(digits: &[u8]) -> Result<i64, StoreError> {
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(malformed)
}

fn malformed() -> StoreError {
    StoreError::Malformed { what: "a packed row", value: "something else".to_owned() }
}

/// The expression that packs columns.
macro_rules! pack {
    ($($column:literal),+) => {
        concat!(
            "cast(group_concat(concat(",
            $("coalesce(octet_length(", $column, "), '-'), ':', ", $column, ", ",)+
            "''), '') as blob)"
        )
    };
}
pub(super) use pack;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were_packed() {
        let mut packed = Packed::new(b"3:a:b-:0:2:-7");
        assert_eq!(packed.value().unwrap(), Some(&b"a:b"[..]));
        assert_eq!(packed.value().unwrap(), None);
        assert_eq!(packed.bytes().unwrap(), b"");
        assert_eq!(packed.integer().unwrap(), -7);
        assert!(packed.is_at_end());
    }

    #[test]
    fn what_is_not_packed_is_refused() {
        for bytes in [&b"3:ab"[..], b"x:", b"12", b"-1:a", b"99999999999999999999:a"] {
            assert!(Packed::new(bytes).value().is_err(), "{bytes:?}");
        }
    }
}
