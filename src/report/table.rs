//! The report for a person at a terminal.

use std::io::{self, Write};

use comfy_table::{
    Attribute, Cell as TableCell, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
    Width,
};
use owo_colors::{OwoColorize, Style as Colours};

use super::Style;
use super::document::{Cell, Column, Document, Line, Section, Tone, Whole};
use super::layout::{Wish, widths};
use super::wrap::{fold, wrap};

/// The width where there is no terminal to ask: most viewers of logs show as much.
const WIDTH_DEFAULT: u16 = 120;

/// Narrower than this, cells would be torn to single words.
const WIDTH_MIN: u16 = 72;

/// No column is squeezed below this.
const COLUMN_MIN: u16 = 6;

/// Sentences wider than this are tiring to read.
const SENTENCE_MAX: usize = 100;

/// A rule below the header and nothing else: the eye follows the columns by themselves.
const LINES: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));

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
        write_table(section, style, out)?;
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

/// Writes the rows of the section below their header.
pub(super) fn write_table(section: &Section, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let width = style.width.unwrap_or(WIDTH_DEFAULT).max(WIDTH_MIN);
    for line in table(section, width, style.colour).lines() {
        writeln!(out, "{}", line.trim_end())?;
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
    let widths = column_widths(section, width);
    for cells in &section.rows {
        table.add_row(cells.iter().zip(&widths).map(|(it, width)| cell(it, *width)).collect::<Vec<_>>());
    }
    // Beside the content, a space stands on either side.
    let constraint = |width: u16| ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(2)));
    table.set_constraints(widths.into_iter().map(constraint));
    table
}

/// The width of each column's content.
fn column_widths(section: &Section, width: u16) -> Vec<u16> {
    let wishes: Vec<Wish> =
        section.columns.iter().enumerate().map(|(index, column)| wish(section, index, column)).collect();
    let padding = u16::try_from(wishes.len() * 2).unwrap_or(u16::MAX);
    widths(&wishes, width.saturating_sub(padding))
}

fn wish(section: &Section, index: usize, column: &Column) -> Wish {
    let cells = section.rows.iter().filter_map(|row| row.get(index));
    let lines = || cells.clone().flat_map(|cell| &cell.lines).map(Line::as_str).chain([column.title]);
    let longest = |texts: &mut dyn Iterator<Item = &str>, most: u16| {
        let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
        u16::try_from(longest).unwrap_or(u16::MAX).min(most)
    };
    let line = longest(&mut lines(), column.line);
    let word = match column.whole {
        // A sentence of which every line is one word is hard to read, so it wants some more.
        Whole::Words => {
            longest(&mut lines().flat_map(|line| line.split(' ')), column.least).max(line.min(16))
        }
        Whole::Lines | Whole::Firmly(_) => line.min(column.least),
    };
    let firm = match column.whole {
        Whole::Words | Whole::Lines => COLUMN_MIN.min(line),
        Whole::Firmly(characters) => characters.min(line),
    };
    Wish { firm, word, line }
}

fn cell(cell: &Cell, width: u16) -> TableCell {
    // The library would tear a long word wherever the column ends.
    let lines = cell.lines.iter().flat_map(|line| fold(line.as_str(), usize::from(width)));
    let text = lines.collect::<Vec<_>>().join("\n");
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
