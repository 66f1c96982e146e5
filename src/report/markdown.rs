//! The report for pull requests and job summaries: GitHub's Markdown.

use std::io::{self, Write};

use super::document::{Cell, Document, Line, Section, Tone};

/// Writes the document.
pub(super) fn write(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## amiwarden")?;
    for paragraph in &document.headline {
        let text = escape(&paragraph.text);
        match paragraph.tone {
            Tone::Bad => writeln!(out, "\n> [!CAUTION]\n> {text}")?,
            Tone::Caution => writeln!(out, "\n> [!WARNING]\n> {text}")?,
            Tone::Plain | Tone::Strong | Tone::Good => writeln!(out, "\n{text}")?,
        }
    }
    for section in &document.sections {
        write_section(section, out)?;
    }
    for line in &document.totals {
        writeln!(out, "\n{}", escape(line))?;
    }
    if !document.next.is_empty() {
        writeln!(out, "\n### Next\n")?;
    }
    for (command, purpose) in &document.next {
        writeln!(out, "- {}: {}", code(command), escape(purpose))?;
    }
    Ok(())
}

fn write_section(section: &Section, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n### {}\n", section.title)?;
    if let Some(note) = &section.note {
        writeln!(out, "{}\n", escape(note))?;
    }
    write_table(section, out)
}

/// Writes the rows of the section below their header.
pub(super) fn write_table(section: &Section, out: &mut dyn Write) -> io::Result<()> {
    let titles: Vec<&str> = section.columns.iter().map(|column| column.title).collect();
    writeln!(out, "| {} |", titles.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(titles.len()))?;
    for row in &section.rows {
        let cells: Vec<String> = row.iter().map(cell).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn cell(cell: &Cell) -> String {
    let shown = cell.lines.iter().map(|line| match line {
        Line::Text(text) => escape(text),
        Line::Code(text) => code(text),
    });
    let shown = shown.collect::<Vec<_>>().join("<br>");
    match cell.tone {
        Tone::Strong | Tone::Bad if !shown.is_empty() => format!("**{shown}**"),
        Tone::Plain | Tone::Strong | Tone::Good | Tone::Caution | Tone::Bad => shown,
    }
}

/// A code span, unless the text holds a character that would end it or its cell.
fn code(text: &str) -> String {
    if text.contains(['`', '|', '\\']) { escape(text) } else { format!("`{text}`") }
}

/// The text as text: nothing in it is markup, ends a cell, or calls somebody by name.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '|' | '`' | '*' | '_' | '~' | '[' | ']' | '#' | '!' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // GitHub would notify whoever has this name.
            '@' => escaped.push_str("@<!-- -->"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_no_markup() {
        let check = |text: &str, shown: &str| assert_eq!(escape(text), shown);
        check("web-2024.1 (base)", "web-2024.1 (base)");
        check("a|b", "a\\|b");
        check("<script>&", "&lt;script&gt;&amp;");
        check("[x](http://evil)", "\\[x\\](http://evil)");
        check("by @team", "by @<!-- -->team");
    }

    #[test]
    fn code_spans_cannot_be_broken_out_of() {
        assert_eq!(code("ami-1"), "`ami-1`");
        assert_eq!(code("a`b|c"), "a\\`b\\|c");
    }
}
