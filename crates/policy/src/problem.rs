//! What is wrong with a policy's text, shown the way a compiler shows it.

use std::fmt;

use rhai::Position;

/// One mistake, or one thing that looks like one, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether the policy is refused for it.
    pub severity: Severity,
    /// The file, as its source calls itself.
    pub origin: String,
    /// The line, counted from 1, where there is one.
    pub line: Option<u32>,
    /// The column, counted from 1, where there is one.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The line's text.
    source_line: Option<String>,
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy does not load.
    Error,
    /// The policy loads, but probably does not do what was meant.
    Warning,
}

/// Policies that cannot be loaded: every problem of every file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilePoliciesError {
    /// The problems, in the order of the files and of their lines. At least one.
    pub problems: Vec<Problem>,
}

impl std::error::Error for CompilePoliciesError {}

impl fmt::Display for CompilePoliciesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}\n")?;
        }
        match self.problems.len() {
            1 => write!(f, "the policies were not loaded: 1 error"),
            count => write!(f, "the policies were not loaded: {count} errors"),
        }
    }
}

/// A file's name and text, to show places in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceView<'a> {
    pub(crate) origin: &'a str,
    pub(crate) text: &'a str,
}

impl SourceView<'_> {
    pub(crate) fn error(&self, position: Position, message: impl Into<String>) -> Problem {
        self.problem(Severity::Error, position, message)
    }

    pub(crate) fn warning(&self, position: Position, message: impl Into<String>) -> Problem {
        self.problem(Severity::Warning, position, message)
    }

    fn problem(&self, severity: Severity, position: Position, message: impl Into<String>) -> Problem {
        let (line, column) = place(position);
        Problem {
            severity,
            origin: self.origin.to_owned(),
            line,
            column,
            message: message.into(),
            help: None,
            source_line: line.and_then(|line| self.line(line)),
        }
    }

    fn line(&self, line: u32) -> Option<String> {
        let before = usize::try_from(line).ok()?.checked_sub(1)?;
        self.text.lines().nth(before).map(str::to_owned)
    }

    /// The same look for a failure of run time, of which only line and column are kept.
    pub(crate) fn located(&self, line: Option<u32>, column: Option<u32>, message: &str) -> Problem {
        let mut problem = self.error(Position::NONE, message);
        problem.line = line;
        problem.column = column;
        problem.source_line = line.and_then(|line| self.line(line));
        problem
    }
}

impl Problem {
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a hint only where there is one.
    pub(crate) fn with_help_if(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Line and column, counted from 1. Rhai gives column 0 to the beginning of a line.
pub(crate) fn place(position: Position) -> (Option<u32>, Option<u32>) {
    let count = |number: usize| u32::try_from(number).ok();
    (position.line().and_then(count), position.position().and_then(count))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)?;
        let number = self.line.map(|line| line.to_string()).unwrap_or_default();
        let margin = number.len();
        write!(f, "\n{:margin$}--> {}", "", self.origin)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        if let Some(text) = &self.source_line {
            // A tab would move the caret away from its place.
            let shown = text.replace('\t', " ");
            write!(f, "\n{:margin$} |\n{number} | {}", "", shown.trim_end())?;
            if let Some(column) = self.column {
                let indent = usize::try_from(column).unwrap_or(1).saturating_sub(1);
                let carets = "^".repeat(word_length(&shown, indent));
                write!(f, "\n{:margin$} | {:indent$}{carets}", "", "")?;
            }
        }
        if let Some(help) = &self.help {
            write!(f, "\n{:margin$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// How many characters the word that begins there has; at least one.
fn word_length(line: &str, start: usize) -> usize {
    let word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    line.chars().skip(start).take_while(word).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_points_at_its_place() {
        let view = SourceView { origin: "p.rhai", text: "// first\n\tlet x = image.agee;\n" };
        let problem = view.error(Position::new(2, 16), "no such fact").with_help("did you mean `age`?");
        let expected = "error: no such fact\n \
            --> p.rhai:2:16\n  \
            |\n\
            2 |  let x = image.agee;\n  \
            |                ^^^^\n  \
            = help: did you mean `age`?";
        assert_eq!(problem.to_string(), expected);
    }

    #[test]
    fn a_problem_without_a_place_names_the_file() {
        let view = SourceView { origin: "p.rhai", text: "" };
        let problem = view.error(Position::NONE, "there is no rule");
        assert_eq!(problem.to_string(), "error: there is no rule\n--> p.rhai");
    }
}
