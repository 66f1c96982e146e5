//! What can be wrong with a configuration, and how it is shown.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::place::Place;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadConfigError {
    /// A file that was named, or found, cannot be read.
    #[error("the configuration {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was read, and does not hold a configuration. Every problem is there, not just the first.
    #[error("{0}")]
    Invalid(Problems),
}

impl LoadConfigError {
    /// An error that consists of these problems.
    pub fn invalid(problems: Vec<Problem>) -> Self {
        Self::Invalid(Problems::new(problems))
    }
}

/// All problems of one configuration, in the order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Puts the problems in order.
    pub fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_cached_key(|problem| problem.place.order());
        Self(problems)
    }

    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a problem")?,
            count => write!(f, "the configuration has {count} problems")?,
        }
        for problem in &self.0 {
            write!(f, "\n\n{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong, where it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do about it, where the message does not say.
    pub help: Option<String>,
}

impl Problem {
    /// A problem whose message says what to do.
    pub fn new(place: &Place, message: impl Into<String>) -> Self {
        Self { place: place.clone(), message: message.into(), help: None }
    }

    /// The same, with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// `file:line:column: message`, the line itself, and the advice.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&format!("{}: {}", self.place, self.message)))?;
        let excerpt = self.place.excerpt();
        let gutter = excerpt.as_ref().map_or(1, |excerpt| excerpt.line.to_string().len());
        if let Some(excerpt) = &excerpt {
            let (line, text) = (excerpt.line, without_secrets(&printable(excerpt.text)));
            let marks = format!("{}{}", " ".repeat(excerpt.column - 1), "^".repeat(excerpt.width));
            write!(f, "\n {:gutter$} |\n {line} | {text}\n {:gutter$} | {marks}", "", "")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n {:gutter$} = {}", "", printable(help))?;
        }
        Ok(())
    }
}

/// The same number of characters, with none that a terminal would obey. A tab becomes one space, so that the
/// marks below the line stand right.
fn printable(line: &str) -> String {
    line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The keys whose values are not to be shown, even where something is wrong with them.
const SECRET_KEYS: [&str; 1] = ["url"];

/// The line with everything hidden behind the first key that may hold a secret, in the same number of characters.
fn without_secrets(line: &str) -> String {
    let is_part_of_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    let value_of = |key: &str| {
        line.match_indices(key).find_map(|(at, _)| {
            let rest = &line[at + key.len()..];
            let spaces = rest.len() - rest.trim_start_matches(['"', '\'', ' ']).len();
            let is_key = !line[..at].ends_with(is_part_of_word) && rest[spaces..].starts_with('=');
            is_key.then_some(at + key.len() + spaces + 1)
        })
    };
    match SECRET_KEYS.iter().filter_map(|key| value_of(key)).min() {
        None => line.to_owned(),
        Some(value) => {
            let hide = |character: char| if character == ' ' { ' ' } else { '*' };
            line[..value].chars().chain(line[value..].chars().map(hide)).collect()
        }
    }
}

/// The one of `known` that `text` was probably meant to be.
pub(super) fn nearest<'a>(text: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), *candidate))
        // A third of the letters may be wrong: enough for typing errors, too little for guesses.
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// `a`, `b` and `c`, or another word in the place of "and".
pub(super) fn enumerate(words: &[&str], last: &str) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., end] => {
            let first: Vec<String> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} {last} `{end}`", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let check = |line: &str, shown: &str| assert_eq!(without_secrets(line), shown);
        check("url = \"https://a\"", "url = ***********");
        check("  url=\"a b\" # c", "  url=** ** * *");
        check("\"url\" = 'x'", "\"url\" = ***");
        check("notify = [{ name = \"a\", url = \"x\" }]", "notify = [{ name = \"a\", url = *** **");
        // Those of other keys are as they are.
        for line in ["endpoint_url = \"http://a\"", "url_file = \"hook\"", "kind = \"url\"", "mode = 1"] {
            check(line, line);
        }
    }
}
