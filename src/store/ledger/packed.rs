//! Many rows in one: a page of rows comes from SQLite as one run of bytes.
//!
//! Handing over each row and column by itself takes several times as long as checking it. In the packed form a row
//! is its integers, then the lengths of its texts, then the texts, which may hold any bytes, also those that no text
//! of amiwarden holds. A column that is packed as an integer is one of a strict table: it holds nothing else.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::store::StoreError;
use crate::store::error::During;

/// What a statement has packed into its first column. It stays where SQLite has put it: no copy is made of it.
#[derive(Default)]
pub(super) struct PackedRows {
    row: Option<SqliteRow>,
}

impl PackedRows {
    pub(super) fn rows(&self) -> Result<Packed<'_>, StoreError> {
        let Some(row) = &self.row else { return Ok(Packed::new(&[])) };
        // Of no rows, nothing is packed.
        let bytes: Option<&[u8]> = row.try_get(0).during("read packed rows")?;
        Ok(Packed::new(bytes.unwrap_or_default()))
    }
}

impl From<SqliteRow> for PackedRows {
    fn from(row: SqliteRow) -> Self {
        Self { row: Some(row) }
    }
}

/// Rows in the order in which they were packed: `INTEGER INTEGER … LENGTH LENGTH … ` and the texts, one after the
/// other. An absent text has no length.
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

    /// The next row, of `N` integers and `M` texts.
    #[expect(clippy::type_complexity, reason = "two arrays, taken apart where they arrive")]
    pub(super) fn row<const N: usize, const M: usize>(
        &mut self,
    ) -> Result<([i64; N], [Option<&'a [u8]>; M]), StoreError> {
        let mut integers = [0; N];
        for integer in &mut integers {
            *integer = self.number()?.ok_or_else(malformed)?;
        }
        let mut lengths = [None; M];
        for length in &mut lengths {
            *length = self.number()?;
        }
        let mut texts = [None; M];
        for (text, length) in texts.iter_mut().zip(lengths) {
            let Some(length) = length else { continue };
            let length = usize::try_from(length).map_err(|_| malformed())?;
            let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
            (*text, self.rest) = (Some(bytes), rest);
        }
        Ok((integers, texts))
    }

    /// As [`row`](Self::row), of texts that are never absent.
    pub(super) fn full_row<const N: usize, const M: usize>(
        &mut self,
    ) -> Result<([i64; N], [&'a [u8]; M]), StoreError> {
        let (integers, texts) = self.row::<N, M>()?;
        let mut full = [&[][..]; M];
        for (full, text) in full.iter_mut().zip(texts) {
            *full = text.ok_or_else(malformed)?;
        }
        Ok((integers, full))
    }

    /// The number before the next space, `None` where there is nothing before it.
    fn number(&mut self) -> Result<Option<i64>, StoreError> {
        // By hand: millions of them are read in a second. So many digits fit whatever they are.
        let mut number = 0;
        for (index, byte) in self.rest.iter().enumerate().take(FITTING_DIGITS) {
            match byte.wrapping_sub(b'0') {
                digit @ 0..=9 => number = number * 10 + i64::from(digit),
                SPACE => {
                    self.rest = &self.rest[index + 1..];
                    return Ok((index > 0).then_some(number));
                }
                _ => break,
            }
        }
        // A negative or very large one, as somebody may have written it.
        let end = self.rest.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let text = std::str::from_utf8(&self.rest[..end]).map_err(|_| malformed())?;
        self.rest = &self.rest[end + 1..];
        text.parse().map(Some).map_err(|_| malformed())
    }
}

/// Every number of so many digits is an `i64`.
const FITTING_DIGITS: usize = 18;

/// A space, as far from `0` as it is.
const SPACE: u8 = b' '.wrapping_sub(b'0');

fn malformed() -> StoreError {
    StoreError::Malformed { what: "a packed row", value: "something else".to_owned() }
}

/// The expression that packs columns: first the integers, then the texts.
macro_rules! pack {
    ([$($integer:literal),+], [$($text:literal),+]) => {
        concat!(
            "cast(group_concat(concat(",
            $($integer, ", ' ', ",)+
            $("octet_length(", $text, "), ' ', ",)+
            $($text, ", ",)+
            "''), '') as blob)"
        )
    };
}
pub(super) use pack;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were_packed() {
        let mut packed = Packed::new(b"-7 0 3  0 a 9223372036854775807 -9223372036854775808 0 1 0 x");
        assert_eq!(packed.row::<2, 3>().unwrap(), ([-7, 0], [Some(&b"a 9"[..]), None, Some(&b""[..])]));
        let mut packed = Packed::new(b"9223372036854775807 -9223372036854775808 0 1 x");
        assert_eq!(packed.full_row::<2, 2>().unwrap(), ([i64::MAX, i64::MIN], [&b""[..], b"x"]));
        assert!(packed.is_at_end());
    }

    #[test]
    fn what_is_not_packed_is_refused() {
        let cases: [&[u8]; 10] = [
            b"1 3 ab",
            b"x 1 a",
            b"1",
            b"1 -1 a",
            b"- 1 a",
            b" 1 a",
            b"1  ",
            b"1.0 1 a",
            b"9223372036854775808 1 a",
            b"1 99999999999999999999 a",
        ];
        for bytes in cases {
            let row = Packed::new(bytes).full_row::<1, 1>();
            assert!(row.is_err(), "{}: {row:?}", String::from_utf8_lossy(bytes));
        }
    }
}
