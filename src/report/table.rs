//! The report for a person at a terminal.

use std::io::{self, Write};

use comfy_table::{
    Attribute, Cell as TableCell, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
    Width,
};
use owo_colors::{OwoColorize, Style as Colours};

use super::Style;
use super::document::{Cell, Column, Document, Line, Section, Tone};

/// The width where there is no terminal to ask: most viewers of logs show as much.
const WIDTH_DEFAULT: u16 = 120;

/// Narrower than this, cells would be torn to single words.
const WIDTH_MIN: u16 = 72;

/// Sentences wider than this are tiring to read.
const SENTENCE_MAX: usize = 100;

/// A rule below the header and nothing else: the eye follows the columns by themselves.
const LINES: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// Writes the document.
pub(super) fn write(document: &Document, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let width = style.width.unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN);
    let sentence = usize::from(width).min(SENTENCE_MAX);
    for paragraph in &document.headline {
        for line in wrap(&paragraph.text, sentence) {
            writeln!(out, "{}", paint(&line, paragraph.tone, style.colour))?;
        }
    }
    for section in &document.sections {
        writeln!(out, "\n{}", paint(&section.title.to_uppercase(), Tone::Strong, style.colour))?;
        for line in section.note.iter().flat_map(|note| wrap(note, sentence)) {
            writeln!(out, "{line}")?;
        }
        for line in table(section, width, style.colour).lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    writeln!(out)?;
    for line in document.totals.iter().flat_map(|line| wrap(line, usize::from(width))) {
        writeln!(out, "{line}")?;
    }
    let commands = document.next.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    for (index, (command, purpose)) in document.next.iter().enumerate() {
        let lead = if index == 0 { "\nNext:  " } else { "       " };
        writeln!(
            out,
            "{lead}{}  {purpose}",
            paint(&format!("{command:commands$}"), Tone::Strong, style.colour)
        )?;
    }
    Ok(())
}

fn table(section: &Section, width: u16, colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(LINES).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(section.columns.iter().map(|column| TableCell::new(column.title)).collect::<Vec<_>>());
    for cells in &section.rows {
        table.add_row(cells.iter().map(cell).collect::<Vec<_>>());
    }
    table.set_constraints(section.columns.iter().map(constraint));
    table
}

fn constraint(column: &Column) -> ColumnConstraint {
    // A column is a space wider than its content on either side.
    ColumnConstraint::Boundaries {
        lower: Width::Fixed(column.least + 2),
        upper: Width::Fixed(column.most + 2),
    }
}

fn cell(cell: &Cell) -> TableCell {
    let text = cell.lines.iter().map(Line::as_str).collect::<Vec<_>>().join("\n");
    let shown = TableCell::new_owned(text);
    match cell.tone {
        Tone::Plain => shown,
        Tone::Strong => shown.add_attribute(Attribute::Bold),
        Tone::Good => shown.fg(Color::Green),
        Tone::Caution => shown.fg(Color::Yellow),
        Tone::Bad => shown.fg(Color::Red),
    }
}

fn paint(text: &str, tone: Tone, colour: bool) -> String {
    let colours = match tone {
        _ if !colour => return text.to_owned(),
        Tone::Plain => return text.to_owned(),
        Tone::Strong => Colours::new().bold(),
        Tone::Good => Colours::new().green(),
        Tone::Caution => Colours::new().yellow(),
        Tone::Bad => Colours::new().red().bold(),
    };
    text.style(colours).to_string()
}

/// The words of `text` in lines of at most `width` characters. A longer word has a line of its own.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
