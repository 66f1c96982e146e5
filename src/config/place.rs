//! Where something was written: a place in a file, an environment variable, or a flag.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that a configuration was read from, with the name that messages give it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SourceText {
    pub(super) name: String,
    pub(super) text: String,
}

/// Where a key or a value was written. Its text form reads `amiwarden.toml:12:5`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Text { source: Arc<SourceText>, span: Range<usize> },
    Named(String),
}

/// One line of a text, with the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt<'a> {
    /// Counted from 1.
    pub(super) line: usize,
    /// Counted from 1, in characters.
    pub(super) column: usize,
    pub(super) text: &'a str,
    /// How many characters are meant: at least one.
    pub(super) width: usize,
}

impl Place {
    /// These bytes of a text.
    pub(super) fn in_text(source: &Arc<SourceText>, span: Range<usize>) -> Self {
        Self(Kind::Text { source: Arc::clone(source), span })
    }

    /// An environment variable.
    pub(super) fn variable(name: &str) -> Self {
        Self(Kind::Named(format!("environment variable {name}")))
    }

    /// A flag of the command line, such as `--region`.
    pub(super) fn flag(name: &str) -> Self {
        Self(Kind::Named(format!("flag {name}")))
    }

    /// Whether it is in a file, rather than on the command line or in the environment.
    pub(super) fn is_in_text(&self) -> bool {
        matches!(self.0, Kind::Text { .. })
    }

    /// The line that it stands in; none for variables and flags.
    pub(super) fn excerpt(&self) -> Option<Excerpt<'_>> {
        let Kind::Text { source, span } = &self.0 else { return None };
        let before = source.text.get(..span.start)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let text = source.text.get(start..)?.lines().next().unwrap_or("");
        let meant = source.text.get(span.clone()).unwrap_or("").lines().next().unwrap_or("");
        Some(Excerpt {
            line: before.matches('\n').count() + 1,
            column: source.text.get(start..span.start)?.chars().count() + 1,
            text,
            width: meant.chars().count().max(1),
        })
    }

    /// Files first and in their order, then variables, then flags.
    pub(super) fn order(&self) -> impl Ord + use<> {
        match &self.0 {
            Kind::Text { span, .. } => (0, span.start, String::new()),
            Kind::Named(name) => (1, 0, name.clone()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.excerpt()) {
            (Kind::Text { source, .. }, Some(at)) => write!(f, "{}:{}:{}", source.name, at.line, at.column),
            (Kind::Text { source, .. }, None) => f.write_str(&source.name),
            (Kind::Named(name), _) => f.write_str(name),
        }
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

/// A value, where somebody stated one.
pub(super) type Stated<T> = Option<Placed<T>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Arc<SourceText> {
        Arc::new(SourceText { name: "a.toml".to_owned(), text: text.to_owned() })
    }

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let check = |text: &str, span: Range<usize>, shown: &str| {
            assert_eq!(Place::in_text(&source(text), span).to_string(), shown);
        };
        check("mode = 1", 0..4, "a.toml:1:1");
        check("a = 1\nmode = 1", 13..14, "a.toml:2:8");
        // Two bytes are one character.
        check("é = 1", 5..6, "a.toml:1:5");
        check("a = 1\n", 6..6, "a.toml:2:1");
    }

    #[test]
    fn an_excerpt_ends_with_its_line() {
        let source = source("a = [\n 1,\n]\n");
        let place = Place::in_text(&source, 4..11);
        let excerpt = place.excerpt().unwrap();
        assert_eq!((excerpt.text, excerpt.width), ("a = [", 1));
    }
}
