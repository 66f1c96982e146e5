//! Images to which the same thing applies, put together, so that a report of thousands stays readable.

use std::collections::BTreeMap;

/// Some images that have a key in common.
#[derive(Debug)]
pub(super) struct Group<'a, T> {
    /// The first of them, in the order of the report.
    pub(super) first: &'a T,
    /// What each is called, in the order of the report.
    pub(super) labels: Vec<String>,
    /// Whether their texts differ in more than their numbers.
    pub(super) differ: bool,
}

/// Groups `items` by `key`, and notes whether their texts tell the same. The largest group comes first.
pub(super) fn group<'a, T, K: Ord>(
    items: &'a [T],
    key: impl Fn(&'a T) -> K,
    text: impl Fn(&'a T) -> &'a str,
    label: impl Fn(&'a T) -> String,
) -> Vec<Group<'a, T>> {
    let mut groups: BTreeMap<K, Group<'a, T>> = BTreeMap::new();
    for item in items {
        let group = groups.entry(key(item)).or_insert_with(|| Group {
            first: item,
            labels: Vec::new(),
            differ: false,
        });
        group.differ |= shape(text(item)) != shape(text(group.first));
        group.labels.push(label(item));
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    // Stable: groups of one size stay in the order of their keys.
    groups.sort_by_key(|group| std::cmp::Reverse(group.labels.len()));
    groups
}

/// The text as a key in which numbers do not count: "no launch for 120 days" and "no launch for 90 days" are
/// the same thing.
pub(super) fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for character in text.chars() {
        let is_digit = character.is_ascii_digit();
        if !(is_digit && shape.ends_with('#')) {
            shape.push(if is_digit { '#' } else { character });
        }
    }
    // "1 day" and "2 days" are the same thing, too.
    shape.replace("# days", "# day").replace("# hours", "# hour")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_do_not_tell_groups_apart_and_the_largest_comes_first() {
        let items = ["in use", "unused for 1 day", "unused for 120 days", "unused for 9 days"];
        let groups = group(&items, |item| shape(item), |item| item, |item| (*item).to_owned());
        let shown: Vec<_> =
            groups.iter().map(|group| (*group.first, group.labels.len(), group.differ)).collect();
        assert_eq!(shown, [("unused for 1 day", 3, false), ("in use", 1, false)]);
    }

    #[test]
    fn texts_differ_when_more_than_their_numbers_do() {
        let items = ["used by a", "used by b"];
        let groups = group(&items, |_| (), |item| item, |item| (*item).to_owned());
        assert!(groups.len() == 1 && groups[0].differ);
    }
}
