//! What goes wrong while a policy is evaluated: raised by our own functions, or by Rhai itself.
//!
//! Two things must never be confused: an evaluation that has to wait for a fact ([`Stop::Suspended`]) and one
//! that failed ([`Stop::Failed`]). Nothing in the language catches either.

use amiwarden_core::{FailureKind, Need};
use rhai::{Dynamic, EvalAltResult, Position};

use crate::value;

/// An error of Rhai, boxed as Rhai wants it.
pub(crate) type RhaiError = Box<EvalAltResult>;

/// What one of our functions raises.
#[derive(Clone, Debug)]
struct Fault {
    kind: FailureKind,
    message: String,
    certainty: Certainty,
}

/// Whether an error lies in the text of the policy or may come from the image that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certainty {
    /// It would happen with any image: worth refusing the policy for.
    Always,
    /// Another image may do better, for instance one that has the tag.
    PerImage,
}

/// Why an evaluation did not come to its end.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// A fact has to be fetched first.
    Suspended(Need),
    /// It failed.
    Failed(Failure),
}

/// A failed evaluation.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) position: Position,
    pub(crate) certainty: Certainty,
}

/// Why an evaluation is stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exhausted {
    Steps,
    Time,
}

const TOO_MUCH: &str = "it computes too much for one image";

pub(crate) fn raise(kind: FailureKind, certainty: Certainty, message: impl Into<String>) -> RhaiError {
    let fault = Fault { kind, message: message.into(), certainty };
    EvalAltResult::ErrorRuntime(Dynamic::from(fault), Position::NONE).into()
}

/// The same, at a place that Rhai would not find by itself.
pub(crate) fn raise_at(
    kind: FailureKind,
    certainty: Certainty,
    message: impl Into<String>,
    place: Position,
) -> RhaiError {
    let mut error = raise(kind, certainty, message);
    error.set_position(place);
    error
}

/// Values that do not go together. With `()` among them another image may do better.
pub(crate) fn raise_type<'a>(
    values: impl IntoIterator<Item = &'a Dynamic>,
    message: impl Into<String>,
) -> RhaiError {
    let absent = values.into_iter().any(Dynamic::is_unit);
    let certainty = if absent { Certainty::PerImage } else { Certainty::Always };
    raise(FailureKind::Type, certainty, message)
}

/// A value that a function cannot work with, though its type is right.
pub(crate) fn raise_value(message: impl Into<String>) -> RhaiError {
    raise(FailureKind::Script, Certainty::PerImage, message)
}

pub(crate) fn raise_limit(message: impl Into<String>) -> RhaiError {
    raise(FailureKind::Limit, Certainty::PerImage, message)
}

pub(crate) fn raise_suspension(need: Need) -> RhaiError {
    EvalAltResult::ErrorTerminated(Dynamic::from(need), Position::NONE).into()
}

/// What an error of Rhai means. `file` is the policy's own source: an error within a module is placed where the
/// policy calls it, and says where in the module it happened.
pub(crate) fn interpret(error: &EvalAltResult, file: &str) -> Stop {
    let (innermost, module, position) = locate(error, file);
    match explain(innermost) {
        Stop::Suspended(need) => Stop::Suspended(need),
        Stop::Failed(mut failure) => {
            if let Some(module) = module {
                let place = innermost.position();
                failure.message = match (place.line(), place.position()) {
                    (Some(line), Some(column)) => {
                        format!("{} (in {module}, line {line}, column {column})", failure.message)
                    }
                    _ => format!("{} (in {module})", failure.message),
                };
            }
            failure.position = position;
            Stop::Failed(failure)
        }
    }
}

/// The innermost error, the module it happened in if that is not `file`, and the innermost position in `file`.
fn locate<'a>(error: &'a EvalAltResult, file: &str) -> (&'a EvalAltResult, Option<&'a str>, Position) {
    let mut current = error;
    let mut module: Option<&'a str> = None;
    let mut position = Position::NONE;
    while let EvalAltResult::ErrorInFunctionCall(_, source, inner, _)
    | EvalAltResult::ErrorInModule(source, inner, _) = current
    {
        if module.is_none() && !current.position().is_none() {
            position = current.position();
        }
        if !source.is_empty() {
            module = (source != file).then_some(source);
        }
        current = inner;
    }
    if module.is_none() && !current.position().is_none() {
        position = current.position();
    }
    (current, module, position)
}

fn explain(error: &EvalAltResult) -> Stop {
    use EvalAltResult as E;
    use FailureKind::{Limit, Script, Type};

    let failed = |kind, certainty, message: String| {
        Stop::Failed(Failure { kind, message, position: Position::NONE, certainty })
    };
    let always = |kind, message| failed(kind, Certainty::Always, message);
    let per_image = |kind, message| failed(kind, Certainty::PerImage, message);
    match error {
        E::ErrorTerminated(token, _) => {
            if let Some(need) = token.read_lock::<Need>() {
                return Stop::Suspended(*need);
            }
            let exhausted = token.read_lock::<Exhausted>().map(|exhausted| *exhausted);
            let message = match exhausted {
                Some(Exhausted::Steps) => TOO_MUCH,
                Some(Exhausted::Time) | None => "it took too long: the time limit for one image has passed",
            };
            per_image(Limit, message.to_owned())
        }
        E::ErrorRuntime(token, _) => match token.read_lock::<Fault>() {
            Some(fault) => failed(fault.kind, fault.certainty, fault.message.clone()),
            // Our own errors from before a position is known, such as a rule inside a function.
            None => per_image(Script, value::describe(token)),
        },
        E::ErrorFunctionNotFound(signature, _) => {
            let (message, certainty) = unknown_function(signature);
            failed(Type, certainty, message)
        }
        E::ErrorDotExpr(message, _) => {
            let (message, certainty) = unknown_property(message);
            failed(Type, certainty, message)
        }
        E::ErrorMismatchDataType(expected, actual, _) => {
            let (expected, actual) = (value::readable_type(expected), value::readable_type(actual));
            let certainty = if actual == "()" { Certainty::PerImage } else { Certainty::Always };
            failed(Type, certainty, format!("expected {expected}, got {actual}"))
        }
        E::ErrorPropertyNotFound(name, _) => {
            per_image(Type, format!("the map has no key `{name}` (for a tag, write `image.tag(\"{name}\")`)"))
        }
        E::ErrorIndexNotFound(key, _) => {
            per_image(Type, format!("there is nothing under `{}`", value::describe(key)))
        }
        E::ErrorIndexingType(_, _) => per_image(Type, "this value cannot be indexed".to_owned()),
        E::ErrorArrayBounds(len, index, _) => {
            per_image(Script, format!("there is no item {index} in a list of {len}"))
        }
        E::ErrorStringBounds(len, index, _) => {
            per_image(Script, format!("there is no character {index} in a text of {len}"))
        }
        E::ErrorArithmetic(message, _) => per_image(Script, format!("arithmetic: {message}")),
        E::ErrorFor(_) => per_image(Type, "`for` goes over a list or a range".to_owned()),
        E::ErrorAssignmentToConstant(name, _) => {
            always(Script, format!("`{name}` cannot be changed: top-level values hold for every image"))
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            always(Script, format!("`{name}` would change a value that holds for every image: copy it first"))
        }
        E::ErrorDataRace(..) => {
            let message =
                "a closure uses the list that it is called on: give it a copy (`let copy = list + [];`)";
            always(Script, message.to_owned())
        }
        E::ErrorTooManyOperations(_) => per_image(Limit, TOO_MUCH.to_owned()),
        E::ErrorStackOverflow(_) => per_image(Limit, "functions call each other too deeply".to_owned()),
        E::ErrorTooManyVariables(_) => per_image(Limit, "too many variables".to_owned()),
        E::ErrorTooManyModules(_) => always(Limit, "too many imports".to_owned()),
        E::ErrorDataTooLarge(what, _) => per_image(Limit, format!("a value grew too large ({what})")),
        other => {
            let mut text = other.to_string();
            if let Some(place) = text.rfind(" (line ") {
                text.truncate(place);
            }
            per_image(Script, text)
        }
    }
}

/// Rhai names the function with the types it was called with: `disable (i64)`.
fn unknown_function(signature: &str) -> (String, Certainty) {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ""));
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let types: Vec<String> = if arguments.is_empty() {
        Vec::new()
    } else {
        arguments.split(", ").map(value::readable_type).collect()
    };
    let certainty =
        if types.iter().any(|name| name == "()") { Certainty::PerImage } else { Certainty::Always };
    let message = if name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == ':') {
        match types.as_slice() {
            [] => format!("`{name}()` needs something to work on"),
            types => format!("`{name}` cannot take ({})", types.join(", ")),
        }
    } else {
        format!("`{name}` cannot be applied to {}", types.join(" and "))
    };
    (message, certainty)
}

/// Rhai says: `Unknown property 'agee' - a getter is not registered for type 'image'`.
fn unknown_property(message: &str) -> (String, Certainty) {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    match (quoted.next(), quoted.next()) {
        (Some(property), Some(owner)) => {
            let owner = value::readable_type(owner);
            let certainty = if owner == "()" { Certainty::PerImage } else { Certainty::Always };
            (format!("{owner} has no `{property}`"), certainty)
        }
        _ => (message.to_owned(), Certainty::PerImage),
    }
}
