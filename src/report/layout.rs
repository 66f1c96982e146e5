//! How wide the columns of a table are. The library that draws it would tear identifiers apart that could
//! stay whole, so the widths are decided here.

/// What a column would like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// What it never gives up, even where the table then is wider than the terminal.
    pub(super) firm: u16,
    /// Its longest word that should stay whole.
    pub(super) word: u16,
    /// Its longest line.
    pub(super) line: u16,
}

/// The width of each column's content, so that all of them fit into `available`: every line whole if
/// possible, else every word whole if possible, and what is left goes where lines would break most often.
pub(super) fn widths(wishes: &[Wish], available: u16) -> Vec<u16> {
    let sum = |widths: &[u16]| widths.iter().copied().fold(0, u16::saturating_add);
    let lines: Vec<u16> = wishes.iter().map(|wish| wish.line.max(wish.word)).collect();
    if sum(&lines) <= available {
        return lines;
    }
    let mut widths: Vec<u16> = wishes.iter().map(|wish| wish.word.max(wish.firm)).collect();
    while sum(&widths) > available {
        let yielding = widths.iter_mut().zip(wishes).filter(|(width, wish)| **width > wish.firm);
        match yielding.max_by_key(|(width, _)| **width) {
            Some((widest, _)) => *widest -= 1,
            None => return widths,
        }
    }
    while sum(&widths) < available {
        let breaks = |(index, width): &(usize, &mut u16)| u32::from(lines[*index]) * 100 / u32::from(**width);
        let growing = widths.iter_mut().enumerate().filter(|(index, width)| **width < lines[*index]);
        match growing.max_by_key(breaks) {
            Some((_, width)) => *width += 1,
            None => return widths,
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wishes: &[(u16, u16, u16)], available: u16, expected: &[u16]) {
        let wish = |(firm, word, line): &(u16, u16, u16)| Wish { firm: *firm, word: *word, line: *line };
        let wishes: Vec<Wish> = wishes.iter().map(wish).collect();
        assert_eq!(widths(&wishes, available), expected);
    }

    #[test]
    fn lines_stay_whole_where_they_fit() {
        check(&[(6, 10, 20), (6, 5, 30)], 50, &[20, 30]);
    }

    #[test]
    fn words_stay_whole_where_they_fit_and_the_rest_goes_to_the_longest_lines() {
        check(&[(6, 21, 21), (6, 7, 60)], 50, &[21, 29]);
        check(&[(6, 10, 40), (6, 10, 40)], 40, &[20, 20]);
    }

    #[test]
    fn the_widest_word_gives_way_first_but_never_what_is_firm() {
        check(&[(6, 30, 30), (6, 10, 10)], 30, &[20, 10]);
        check(&[(21, 27, 40), (6, 24, 24)], 40, &[21, 19]);
        check(&[(6, 30, 30), (7, 30, 30)], 4, &[6, 7]);
    }
}
