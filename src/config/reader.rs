//! Reads the tree section by section. Whatever does not fit is noted with its place, and reading goes on.

use std::collections::BTreeMap;

use amiwarden_core::Duration;

use super::place::{Place, Placed};
use super::problem::{Problem, enumerate, nearest};
use super::tree::{Entries, Node, PREFIX, Value, parse_variable};

/// What a value is read as, or why it cannot be.
pub(super) type Read<T> = Result<T, Problem>;

/// One table that is being read. [`finish`](Self::finish) complains about every key that nobody asked for.
pub(super) struct Section<'p> {
    /// Its name in messages, such as `[limits]`; empty at the top.
    name: &'static str,
    entries: Entries,
    known: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Section<'p> {
    /// The table at the top.
    pub(super) fn top(entries: Entries, problems: &'p mut Vec<Problem>) -> Self {
        Self { name: "", entries, known: Vec::new(), problems }
    }

    /// The table that `node` is, or none with a problem.
    pub(super) fn of_node(name: &'static str, node: Node, problems: &'p mut Vec<Problem>) -> Option<Self> {
        match table(node) {
            Ok(entries) => Some(Self { name, entries, known: Vec::new(), problems }),
            Err(problem) => {
                problems.push(problem);
                None
            }
        }
    }

    /// The table under `key`: an empty one where it is missing.
    pub(super) fn section(&mut self, key: &'static str, name: &'static str) -> Section<'_> {
        let entries = self.node(key).map_or(Ok(Entries::new()), table).unwrap_or_else(|problem| {
            self.problems.push(problem);
            Entries::new()
        });
        Section { name, entries, known: Vec::new(), problems: self.problems }
    }

    /// The value under `key`, if it is there.
    pub(super) fn node(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.entries.remove(key).map(|entry| entry.node)
    }

    /// The value under `key` as `read` understands it.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Node) -> Read<T>,
    ) -> Option<Placed<T>> {
        let node = self.node(key)?;
        let place = node.place.clone();
        match read(node) {
            Ok(value) => Some(Placed { value, place }),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The items of the list under `key`, each as `read` understands it; none where it is missing.
    pub(super) fn list<T>(&mut self, key: &'static str, read: impl FnMut(Node) -> Read<T>) -> Vec<Placed<T>> {
        self.node(key).and_then(|node| self.items(node, read)).unwrap_or_default()
    }

    /// The items of a list, each as `read` understands it; `None` when it is no list.
    pub(super) fn items<T>(
        &mut self,
        node: Node,
        read: impl FnMut(Node) -> Read<T>,
    ) -> Option<Vec<Placed<T>>> {
        let items = list(node).map_err(|problem| self.problems.push(problem)).ok()?;
        Some(self.each(items, read))
    }

    /// The same for a list that has to hold something: `empty` is what to say of one that does not.
    pub(super) fn some_items<T>(
        &mut self,
        node: Node,
        empty: impl FnOnce(&Place) -> Problem,
        read: impl FnMut(Node) -> Read<T>,
    ) -> Option<Vec<Placed<T>>> {
        let place = node.place.clone();
        let items = list(node).map_err(|problem| self.problems.push(problem)).ok()?;
        if items.is_empty() {
            self.problems.push(empty(&place));
            return None;
        }
        Some(self.each(items, read))
    }

    fn each<T>(&mut self, items: Vec<Node>, mut read: impl FnMut(Node) -> Read<T>) -> Vec<Placed<T>> {
        let mut values = Vec::new();
        for item in items {
            let place = item.place.clone();
            match read(item) {
                Ok(value) => values.push(Placed { value, place }),
                Err(problem) => self.problems.push(problem),
            }
        }
        values
    }

    /// The table under `key`, of which every key is the user's, each value as `read` understands it.
    pub(super) fn map<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(Node) -> Read<T>,
    ) -> BTreeMap<String, Placed<T>> {
        let Some(entries) = self.value(key, table) else { return BTreeMap::new() };
        let mut values = BTreeMap::new();
        for (key, entry) in entries.value {
            let place = entry.key.clone();
            match read(entry.node) {
                Ok(value) => {
                    values.insert(key, Placed { value, place });
                }
                Err(problem) => self.problems.push(problem),
            }
        }
        values
    }

    /// Notes a problem found on the way.
    pub(super) fn complain(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Where problems are noted.
    pub(super) fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }

    /// Every key that is left is one that amiwarden does not know.
    pub(super) fn finish(self) {
        for (key, entry) in &self.entries {
            let within = if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) };
            let help = match nearest(key, &self.known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("known here: {}", enumerate(&self.known, "and")),
            };
            self.problems
                .push(Problem::new(&entry.key, format!("unknown key `{key}`{within}")).with_help(help));
        }
    }
}

pub(super) fn wrong_kind(node: &Node, wanted: &str) -> Problem {
    Problem::new(&node.place, format!("expected {wanted}, found {}", node.value.kind()))
}

/// The entries of a table. A variable may hold one in TOML's form.
pub(super) fn table(node: Node) -> Read<Entries> {
    match node.value {
        Value::Table(entries) => Ok(entries),
        Value::Variable(ref text) => {
            if let Some(Value::Table(entries)) = parse_variable(text, &node.place) {
                return Ok(entries);
            }
            let help = format!("a variable sets one key of a table: {PREFIX}<SECTION>__<KEY>");
            Err(Problem::new(&node.place, format!("expected a table, found `{text}`")).with_help(help))
        }
        _ => Err(wrong_kind(&node, "a table")),
    }
}

/// The items of a list. A variable may hold TOML's form or texts with commas between them.
pub(super) fn list(node: Node) -> Read<Vec<Node>> {
    match node.value {
        Value::List(items) => Ok(items),
        Value::Variable(ref text) if text.trim_start().starts_with('[') => {
            match parse_variable(text, &node.place) {
                Some(Value::List(items)) => Ok(items),
                _ => Err(Problem::new(&node.place, format!("`{text}` is not a list in TOML's form"))),
            }
        }
        Value::Variable(text) => {
            let item = |text: &str| Node { place: node.place.clone(), value: Value::Text(text.to_owned()) };
            Ok(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(item).collect())
        }
        _ => Err(wrong_kind(&node, "a list")),
    }
}

/// Any text.
pub(super) fn text(node: Node) -> Read<String> {
    match node.value {
        Value::Text(text) | Value::Variable(text) => Ok(text),
        _ => Err(wrong_kind(&node, "a text in quotes")),
    }
}

/// A text that holds something.
pub(super) fn some_text(node: Node) -> Read<String> {
    let place = node.place.clone();
    let text = text(node)?;
    if text.trim().is_empty() {
        return Err(Problem::new(&place, "this is empty").with_help("leave the key out to get its default"));
    }
    Ok(text)
}

/// A whole number of at least `least` and at most `most`.
pub(super) fn count(least: u32, most: u32) -> impl FnOnce(Node) -> Read<u32> {
    move |node| {
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Variable(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else { return Err(wrong_kind(&node, "a whole number")) };
        u32::try_from(number).ok().filter(|count| (least..=most).contains(count)).ok_or_else(|| {
            let message = match most {
                u32::MAX => format!("{number} is out of range: {least} or more is expected"),
                _ => format!("{number} is out of range: {least} to {most} is expected"),
            };
            Problem::new(&node.place, message)
        })
    }
}

/// True or false.
pub(super) fn boolean(node: Node) -> Read<bool> {
    match node.value {
        Value::Boolean(boolean) => Ok(boolean),
        Value::Variable(text) => match text.trim() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Problem::new(&node.place, format!("expected true or false, found `{text}`"))),
        },
        _ => Err(wrong_kind(&node, "true or false")),
    }
}

/// A length of time, such as `90d`.
pub(super) fn duration(node: Node) -> Read<Duration> {
    if let Value::Integer(number) = node.value {
        let message =
            format!("{number} of what? Write a length of time with its unit, such as `\"{number}d\"`");
        return Err(Problem::new(&node.place, message));
    }
    let place = node.place.clone();
    parse(&place, &text(node)?)
}

/// Whatever has a text form.
pub(super) fn parsed<T>(node: Node) -> Read<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let place = node.place.clone();
    parse(&place, &text(node)?)
}

fn parse<T>(place: &Place, text: &str) -> Read<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| Problem::new(place, error.to_string()))
}

/// One of a few words.
pub(super) fn word<T: Copy>(choices: &[(&str, T)]) -> impl FnOnce(Node) -> Read<T> {
    move |node| {
        let place = node.place.clone();
        let text = text(node)?;
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice).ok_or_else(|| {
            let message = format!("expected {}, found `{text}`", enumerate(&words, "or"));
            let problem = Problem::new(&place, message);
            match nearest(&text, &words) {
                Some(meant) => problem.with_help(format!("did you mean `{meant}`?")),
                None => problem,
            }
        })
    }
}
