//! Errors of syntax, in words that help somebody who has never seen Rhai.

use rhai::{LexError, ParseError, ParseErrorType, Position};

use crate::engine::{DISABLED, RULE};
use crate::machine::PREDEFINED;
use crate::problem::{Problem, SourceView};
use crate::suggest::did_you_mean;

/// The problem that a parse error is.
pub(crate) fn explain_parse_error(error: &ParseError, view: SourceView<'_>) -> Problem {
    let ParseError(kind, position) = error;
    let problem = |message: String, help: Option<String>| view.error(*position, message).with_help_if(help);
    match &**kind {
        ParseErrorType::Reserved(word) => {
            problem(format!("`{word}` cannot be used here"), reserved_help(word))
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, remark)) => {
            let word = symbol.as_str();
            let hint =
                remark.find("Should").or_else(|| remark.find("Possibly")).and_then(|at| remark.get(at..));
            let help = reserved_help(word).or_else(|| hint.map(|hint| hint.replace('\'', "`")));
            problem(format!("`{word}` does not belong here"), help)
        }
        ParseErrorType::UnknownOperator(symbol) => problem(format!("there is no operator `{symbol}`"), None),
        ParseErrorType::PropertyExpected => {
            let word = word_at(view.text, *position);
            problem(format!("`{word}` is no property"), reserved_help(word))
        }
        ParseErrorType::VariableUndefined(name) => undefined_variable(name, view, &problem),
        ParseErrorType::ModuleUndefined(name) => problem(
            format!("there is no module called `{name}` here"),
            Some(format!("import it first: `import \"{name}\" as {name};`")),
        ),
        ParseErrorType::UnexpectedEOF => problem("the file ends too early".to_owned(), Some(braces_help())),
        ParseErrorType::MissingToken(..)
        | ParseErrorType::MissingSymbol(_)
        | ParseErrorType::ExprExpected(_) => {
            if rest_of(view.text, *position).trim().is_empty() {
                return problem("the file ends too early".to_owned(), Some(braces_help()));
            }
            let help = line_of(view.text, *position)
                .trim_start()
                .starts_with(RULE)
                .then(|| format!("a rule reads `{RULE} \"name\" when <condition> {{ <action> }}`"));
            problem(sentence(kind), help)
        }
        ParseErrorType::MismatchedType(wanted, found) => {
            let wanted = if wanted.contains("boolean") { "a boolean" } else { wanted.as_str() };
            problem(format!("expected {wanted}, got {found}"), None)
        }
        other => problem(sentence(other), None),
    }
}

fn line_of(text: &str, position: Position) -> &str {
    text.lines().nth(position.line().unwrap_or_default().saturating_sub(1)).unwrap_or_default()
}

fn rest_of(text: &str, position: Position) -> String {
    let before = position.line().unwrap_or_default().saturating_sub(1);
    let column = position.position().unwrap_or(1).saturating_sub(1);
    let lines = text.lines().skip(before).collect::<Vec<_>>().join("\n");
    lines.chars().skip(column).collect()
}

fn word_at(text: &str, position: Position) -> &str {
    let line = line_of(text, position);
    let column = position.position().unwrap_or(1).saturating_sub(1);
    let start = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let rest = line.get(start..).unwrap_or_default();
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// Rhai's own words, fitted into ours: small first letter.
fn sentence(kind: &ParseErrorType) -> String {
    let text = kind.to_string();
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().collect::<String>() + letters.as_str())
}

fn braces_help() -> String {
    "a `{`, `(`, `[` or quotation mark is not closed".to_owned()
}

fn reserved_help(word: &str) -> Option<String> {
    let help = match word {
        "while" | "loop" | "do" | "until" => "use `for x in list { … }`, or `any`, `all`, `filter` and `map`",
        "try" | "catch" | "throw" => {
            "an unknown fact must not be swallowed: test for `()` with `??` or `== ()` instead"
        }
        "print" | "debug" => "a policy prints nothing: say it in the reason of an action",
        "public" => "whether an image is public is `image.is_public`",
        word if DISABLED.contains(&word) => "policies do without it",
        _ => return None,
    };
    Some(help.to_owned())
}

fn undefined_variable(
    name: &str,
    view: SourceView<'_>,
    problem: &dyn Fn(String, Option<String>) -> Problem,
) -> Problem {
    let defined: Vec<&str> = defined_names(view.text).collect();
    let message = format!("there is no variable `{name}` here");
    let help = if defined.contains(&name) || PREDEFINED.contains(&name) {
        Some(format!("a function sees its parameters only: pass `{name}` to it"))
    } else {
        did_you_mean(name, defined.into_iter().chain(PREDEFINED))
    };
    problem(message, help)
}

/// The names that the text defines. A guess, good enough for suggestions.
fn defined_names(text: &str) -> impl Iterator<Item = &str> {
    let mut words =
        text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty());
    std::iter::from_fn(move || {
        loop {
            if matches!(words.next()?, "let" | "const") {
                return words.next();
            }
        }
    })
}
