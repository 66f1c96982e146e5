//! Shows what a run came to: as a table for people, JSON and CSV for programs, Markdown for pull requests.
//!
//! All four are made from the one [`CycleReport`], so they cannot disagree. The table and the Markdown say
//! the same in the same words: both render the `document` that is composed from the report.
//!
//! Deliberately absent: any choice of what to do. And no text from the cloud or from a policy reaches a
//! terminal with the power to command it: see `text.rs`.

mod compose;
mod csv;
mod document;
mod group;
mod headline;
mod json;
mod layout;
mod list;
mod markdown;
pub(crate) mod past;
mod saved;
mod sections;
mod table;
mod text;
pub(crate) mod values;
mod words;
mod wrap;

#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, Write};

use amiwarden_core::CycleReport;

pub(crate) use json::excerpt;
pub(crate) use list::{List, ListColumn};
pub(crate) use saved::saved;
pub(crate) use text::{clean as plain, count as counted, grouped};

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// For a person at a terminal.
    Table,
    /// One JSON document; its fields are added to, never renamed.
    Json,
    /// One row for each image and action.
    Csv,
    /// For pull requests and job summaries.
    Markdown,
}

/// How a report for people looks. JSON and CSV look the same whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether the terminal shows colours.
    pub colour: bool,
    /// The terminal's width in columns; `None` when it is no terminal, for a width that most readers show.
    pub width: Option<u16>,
    /// How much is said of the images that are kept.
    pub detail: Detail,
    /// What amiwarden is called with in the commands that a report suggests, such as `amiwarden --sandbox`.
    pub command: String,
    /// Whether the run has come to its end.
    pub stage: Stage,
}

/// When a report for people is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// After the run: changes are shown with what became of them.
    Final,
    /// Before the changes are confirmed: they are shown as what is due, because nothing has become of them yet.
    Preview,
}

/// How much is said of the images that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// How many for each reason, with a few examples.
    Summary,
    /// Each of them.
    EveryImage,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: None,
            detail: Detail::Summary,
            command: "amiwarden".to_owned(),
            stage: Stage::Final,
        }
    }
}

/// Writes the report in this form. Fails only where `out` does.
pub fn render(report: &CycleReport, format: Format, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => table::write(&compose::compose(report, style), style, out),
        Format::Json => json::write(report, out),
        Format::Csv => csv::write(report, out),
        Format::Markdown => markdown::write(&compose::compose(report, style), out),
    }
}
