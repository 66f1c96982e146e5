//! A report for people, before it is known whether it becomes a table or Markdown.

use super::text::clean;

/// The whole report.
#[derive(Debug)]
pub(super) struct Document {
    /// What happened, in a few sentences.
    pub(super) headline: Vec<Paragraph>,
    pub(super) sections: Vec<Section>,
    /// The counts.
    pub(super) totals: Vec<String>,
    /// What to do next: a command and what it is for.
    pub(super) next: Vec<(String, String)>,
}

/// A sentence or two.
#[derive(Debug)]
pub(super) struct Paragraph {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// A table with its title.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    /// What a reader has to know about it.
    pub(super) note: Option<String>,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A column, and what a terminal has to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// What should stay whole in it,
    pub(super) whole: Whole,
    /// up to so many characters.
    pub(super) least: u16,
    /// Lines are broken beyond so many characters, however wide the terminal is.
    pub(super) line: u16,
}

/// What should not be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    /// Words, where the terminal is wide enough.
    Words,
    /// Lines, where the terminal is wide enough.
    Lines,
    /// So many characters, wherever: an identifier that is torn apart cannot be copied.
    Firmly(u16),
}

/// One cell of one or more lines, all clean.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) lines: Vec<Line>,
    pub(super) tone: Tone,
}

/// One line of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Words.
    Text(String),
    /// Something to copy: an identifier, or a place.
    Code(String),
}

/// How a text is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Caution,
    Bad,
}

impl Column {
    /// A column of sentences: words of so many characters stay whole, and no line is longer than this.
    pub(super) const fn words(title: &'static str, least: u16, line: u16) -> Self {
        Self { title, whole: Whole::Words, least, line }
    }

    /// A column of names: lines of so many characters stay whole, and none is longer than this.
    pub(super) const fn names(title: &'static str, least: u16, line: u16) -> Self {
        Self { title, whole: Whole::Lines, least, line }
    }

    /// The same, but so many characters stay whole however narrow the terminal is.
    pub(super) const fn firmly(self, characters: u16) -> Self {
        Self { whole: Whole::Firmly(characters), ..self }
    }
}

impl Line {
    /// The characters to show.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Code(text) => text,
        }
    }
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self { lines: vec![Line::Text(clean(text).into_owned())], tone: Tone::Plain }
    }

    pub(super) fn code(text: &str) -> Self {
        Self { lines: vec![Line::Code(clean(text).into_owned())], tone: Tone::Plain }
    }

    pub(super) fn empty() -> Self {
        Self { lines: Vec::new(), tone: Tone::Plain }
    }

    /// Both, one below the other.
    pub(super) fn and(mut self, below: Self) -> Self {
        self.lines.extend(below.lines);
        self
    }

    pub(super) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}
