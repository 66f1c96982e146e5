//! Which images a policy looks at, as the configuration narrows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use amiwarden_core::{AccountId, Facts, Region};
use regex::Regex;

/// The images that a policy looks at. Each part narrows it; an empty part does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyScope {
    /// Images of these accounts.
    pub accounts: BTreeSet<AccountId>,
    /// Images in these Regions.
    pub regions: BTreeSet<Region>,
    /// Images with all of these tags, each with exactly this value.
    pub tags: BTreeMap<String, String>,
    /// Images whose name fits one of these. An image without a name fits none.
    pub names: Vec<NamePattern>,
}

impl PolicyScope {
    /// Whether the policy looks at the image that `facts` describe.
    pub fn covers(&self, facts: &Facts) -> bool {
        let image = &facts.image;
        let name = image.name.as_deref();
        (self.accounts.is_empty() || self.accounts.contains(&facts.scope.account))
            && (self.regions.is_empty() || self.regions.contains(&facts.scope.region))
            && self.tags.iter().all(|(key, value)| image.tags.get(key) == Some(value))
            && (self.names.is_empty()
                || name.is_some_and(|name| self.names.iter().any(|pattern| pattern.matches(name))))
    }
}

/// A pattern over a whole image name: `*` stands for any characters, `?` for one.
#[derive(Clone, Debug)]
pub struct NamePattern {
    text: String,
    regex: Regex,
}

/// The text is no name pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNamePatternError {
    /// Nothing to match.
    #[error("an empty pattern fits no image name")]
    Empty,
    /// A name has at most 128 characters (EC2 API reference, `CreateImage`).
    #[error("the pattern is longer than an image name can be: 128 characters")]
    TooLong,
    /// It holds a character that no image name can hold (EC2 API reference, `CreateImage`), so it fits nothing.
    /// Most likely a regular expression or a shell pattern was meant.
    #[error(
        "no image name can hold `{0}`, so the pattern fits none: besides letters and digits, use `*` for any \
         characters and `?` for one"
    )]
    Character(char),
}

impl NamePattern {
    /// Whether the whole of `name` fits.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for NamePattern {
    type Err = ParseNamePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseNamePatternError::Empty);
        }
        if let Some(wrong) = text.chars().find(|character| !can_stand_in_a_name(*character)) {
            return Err(ParseNamePatternError::Character(wrong));
        }
        if text.len() > 128 {
            return Err(ParseNamePatternError::TooLong);
        }
        let body: String = text
            .chars()
            .map(|character| match character {
                '*' => ".*".to_owned(),
                '?' => ".".to_owned(),
                other => regex::escape(other.encode_utf8(&mut [0; 4])),
            })
            .collect();
        // 128 characters of literals and dots are always a regular expression, and a small one.
        let regex = Regex::new(&format!("(?s)^{body}$")).map_err(|_| ParseNamePatternError::TooLong)?;
        Ok(Self { text: text.to_owned(), regex })
    }
}

fn can_stand_in_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || "()[] ./-'@_*?".contains(character)
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for NamePattern {}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
