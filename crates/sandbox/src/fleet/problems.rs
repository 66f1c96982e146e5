//! What can be wrong with a fleet file.

use std::fmt;

/// A fleet cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// The text is not JSON, or not of the shape of a fleet.
    #[error("line {line}, column {column}: {message}\n  | {excerpt}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong, and what would be right.
        message: String,
        /// The line itself.
        excerpt: String,
    },
    /// The text has the shape of a fleet but contradicts itself; every problem is listed.
    #[error("{}", list(problems))]
    Invalid {
        /// The problems, in the order of the file.
        problems: Vec<FleetProblem>,
    },
}

/// One problem of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetProblem {
    /// Where, such as `images[3].snapshots[0].size_gib`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for FleetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.path, self.message, self.remedy)
    }
}

impl FleetError {
    pub(super) fn syntax(json: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        let excerpt = json.lines().nth(line.saturating_sub(1)).unwrap_or("");
        Self::Syntax {
            line,
            column,
            message: error.to_string().replace(&place, ""),
            excerpt: excerpt.trim().chars().take(120).collect(),
        }
    }
}

fn list(problems: &[FleetProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// Collects the problems of a fleet while it is read.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<FleetProblem>);

impl Problems {
    pub(super) fn add(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.0.push(FleetProblem { path: path.into(), message: message.into(), remedy: remedy.into() });
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T, FleetError> {
        if self.0.is_empty() { Ok(value) } else { Err(FleetError::Invalid { problems: self.0 }) }
    }
}
