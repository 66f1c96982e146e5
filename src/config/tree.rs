//! What was written, before anybody asks what it means: a tree of values, each with its place.
//!
//! The file makes the tree; environment variables are then put into it, so that both are read, checked and
//! complained about by the same code. Deliberately absent: serde. Its derived readers end at the first error,
//! and a person who mends a configuration wants to see all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::{Place, SourceText};
use super::problem::Problem;

/// What every variable that sets a key begins with.
pub(super) const PREFIX: &str = "AMIWARDEN_";

/// The variable that names the file; it sets no key.
pub(super) const FILE_VARIABLE: &str = "AMIWARDEN_CONFIG";

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value as TOML knows it, or as a variable holds it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// TOML's own dates, which no key takes.
    Date,
    List(Vec<Node>),
    Table(Entries),
    /// The text of an environment variable: a number, a list or a text, as the key wants it.
    Variable(String),
}

pub(super) type Entries = BTreeMap<String, Entry>;

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

impl Value {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a fraction",
            Self::Boolean(_) => "true or false",
            Self::Date => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Variable(_) => "the text of a variable",
        }
    }
}

/// The tree of a TOML document, or what is wrong with its syntax.
pub(super) fn parse(source: &Arc<SourceText>) -> Result<Entries, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        return Ok(entries(source, table.get_ref()));
    }
    let problem = |error: &toml::de::Error| {
        let end = source.text.trim_end().len();
        Problem::new(&Place::in_text(source, error.span().unwrap_or(end..end)), error.message())
    };
    Err(errors.iter().map(problem).collect())
}

/// The value that a variable holds in TOML's form, such as a list; none when it is not TOML.
pub(super) fn parse_variable(text: &str, place: &Place) -> Option<Value> {
    let source = Arc::new(SourceText { name: String::new(), text: text.to_owned() });
    let parsed = DeValue::parse(&source.text).ok()?;
    let mut value = value(&source, parsed.get_ref());
    relocate(&mut value, place);
    Some(value)
}

/// A place within a variable's value is that variable.
fn relocate(value: &mut Value, place: &Place) {
    let nodes: Vec<&mut Node> = match value {
        Value::List(items) => items.iter_mut().collect(),
        Value::Table(entries) => entries
            .values_mut()
            .map(|entry| {
                entry.key = place.clone();
                &mut entry.node
            })
            .collect(),
        Value::Text(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Date
        | Value::Variable(_) => Vec::new(),
    };
    for node in nodes {
        node.place = place.clone();
        relocate(&mut node.value, place);
    }
}

fn entries(source: &Arc<SourceText>, table: &DeTable<'_>) -> Entries {
    table
        .iter()
        .map(|(key, node)| {
            let entry = Entry { key: Place::in_text(source, key.span()), node: self::node(source, node) };
            (key.get_ref().to_string(), entry)
        })
        .collect()
}

fn node(source: &Arc<SourceText>, spanned: &Spanned<DeValue<'_>>) -> Node {
    Node { place: Place::in_text(source, spanned.span()), value: value(source, spanned.get_ref()) }
}

fn value(source: &Arc<SourceText>, value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => {
            // The digits come without underscores and prefix. A number that does not fit is no whole number
            // that any key could take.
            i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| Value::Float(f64::INFINITY), Value::Integer)
        }
        DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(items.iter().map(|item| node(source, item)).collect()),
        DeValue::Table(table) => Value::Table(entries(source, table)),
    }
}

/// Puts every variable `AMIWARDEN_<SECTION>__<KEY>` into the tree, in the place of what the file says there.
pub(super) fn overlay(entries: &mut Entries, environment: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(PREFIX).filter(|_| name != FILE_VARIABLE) else { continue };
        let path = path.to_ascii_lowercase();
        let keys: Vec<&str> = path.split("__").collect();
        let node = Node { place: Place::variable(name), value: Value::Variable(text.clone()) };
        problems.extend(put(entries, &keys, node).err());
    }
    problems
}

/// Puts `node` where `keys` lead, in the place of whatever is there.
pub(super) fn put(entries: &mut Entries, keys: &[&str], node: Node) -> Result<(), Problem> {
    let (key, rest) = match keys {
        [] => return Ok(()),
        [key, rest @ ..] => (key, rest),
    };
    let place = node.place.clone();
    if rest.is_empty() {
        entries.insert((*key).to_owned(), Entry { key: place, node });
        return Ok(());
    }
    let table = Node { place: place.clone(), value: Value::Table(Entries::new()) };
    let entry = entries.entry((*key).to_owned()).or_insert(Entry { key: place.clone(), node: table });
    match &mut entry.node.value {
        Value::Table(inner) => put(inner, rest, node),
        other => {
            let message = format!("`{key}` is {}, so no key within it can be set from here", other.kind());
            Err(Problem::new(&place, message))
        }
    }
}
