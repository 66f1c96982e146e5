//! "Did you mean …?"

/// Names this close are worth mentioning: two slips, or a third of a longer word.
fn slips_max(name: &str) -> usize {
    (name.chars().count() / 3).max(2)
}

/// The known name that `name` was most likely meant to be.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, candidate)| *slips <= slips_max(name) && *slips < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// The hint that goes with an unknown name, if any name comes close.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(name, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let known = ["age", "name", "unused_for", "disabled_for"];
        assert_eq!(closest("agee", known), Some("age"));
        assert_eq!(closest("unusedfor", known), Some("unused_for"));
        assert_eq!(closest("disabld_for", known), Some("disabled_for"));
        assert_eq!(closest("zebra", known), None);
    }
}
