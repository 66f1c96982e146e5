//! A list that is no report, such as past runs, in the looks of a report.

use std::io::{self, Write};

use ::csv::{Terminator, WriterBuilder};

use super::document::{Cell, Column, Section};
use super::text::csv_field;
use super::{Style, markdown, table};

/// Rows below a header. Their text may come from outside: it is made fit to be shown here.
pub(crate) struct List {
    pub(crate) columns: Vec<ListColumn>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A column of a list.
#[derive(Clone, Copy)]
pub(crate) struct ListColumn {
    pub(crate) title: &'static str,
    /// Whether it holds sentences, which may be broken between words. Anything else stays whole if it fits.
    pub(crate) is_prose: bool,
}

impl List {
    /// Writes it for a person at a terminal.
    pub(crate) fn write_table(&self, style: &Style, out: &mut dyn Write) -> io::Result<()> {
        table::write_table(&self.section(), style, out)
    }

    /// Writes it as a table of GitHub's Markdown.
    pub(crate) fn write_markdown(&self, out: &mut dyn Write) -> io::Result<()> {
        markdown::write_table(&self.section(), out)
    }

    /// Writes it as CSV (RFC 4180).
    pub(crate) fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        writer.write_record(self.columns.iter().map(|column| column.title))?;
        for row in &self.rows {
            writer.write_record(row.iter().map(|text| csv_field(text).into_owned()))?;
        }
        writer.flush()
    }

    /// Writes rows that follow others as CSV, without a header.
    pub(crate) fn write_csv_rows(rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        for row in rows {
            writer.write_record(row.iter().map(|text| csv_field(text).into_owned()))?;
        }
        writer.flush()
    }

    fn section(&self) -> Section {
        let column = |it: &ListColumn| {
            if it.is_prose { Column::words(it.title, 24, 100) } else { Column::names(it.title, 40, 80) }
        };
        Section {
            title: String::new(),
            note: None,
            columns: self.columns.iter().map(column).collect(),
            rows: self.rows.iter().map(|row| row.iter().map(|text| Cell::text(text)).collect()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_none_in_csv() {
        let row = ["=1+1", "+1", "-1", "@a", "a=b", "two\nlines", "a,b"].map(str::to_owned).to_vec();
        let mut out = Vec::new();
        List::write_csv_rows(std::slice::from_ref(&row), &mut out).unwrap();
        assert_eq!(out, b"'=1+1,'+1,'-1,'@a,a=b,two lines,\"a,b\"\r\n");
        let columns = vec![ListColumn { title: "a", is_prose: false }; row.len()];
        let mut with_header = Vec::new();
        List { columns, rows: vec![row] }.write_csv(&mut with_header).unwrap();
        assert_eq!(with_header, [b"a,a,a,a,a,a,a\r\n", &out[..]].concat());
    }
}
