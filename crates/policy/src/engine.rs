//! The hardened engine: Rhai with its own library left out and ours put in.
//!
//! Deliberately absent: everything that reaches outside (files, clock, output, `sleep`), everything that runs for
//! as long as it likes (`while`, `loop`, `do`), everything that hides what a policy does from a reader and from
//! the checks at load (`eval`, `Fn`, `call`), and `try`, with which a script could swallow an unknown fact.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, Expression, OptimizationLevel, ParseError, Position, Token};

use crate::EngineLimits;
use crate::fault::DeadlinePassed;
use crate::modules::Library;
use crate::{actions, operators, subject, texts, times};

/// The word that begins a rule.
pub(crate) const RULE: &str = "rule";

/// How a rule is written. The placeholders are Rhai's.
const RULE_SYNTAX: [&str; 5] = [RULE, "$string$", "when", "$expr$", "$block$"];

/// Words of Rhai that the language does without.
pub(crate) const DISABLED: [&str; 18] = [
    "eval",
    "Fn",
    "call",
    "curry",
    "is_def_fn",
    "is_def_var",
    "type_of",
    "print",
    "debug",
    "while",
    "loop",
    "do",
    "until",
    "try",
    "catch",
    "throw",
    "private",
    "this",
];

const IS_SHARED: &str = "is_shared";

/// The progress callback looks at the clock once in so many steps. Each step is bounded by the limits on values,
/// so this is well below a millisecond.
const CLOCK_EVERY: u64 = 64;

thread_local! {
    /// When the evaluation that runs on this thread has to be done. An evaluation never leaves its thread.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The engine that all policies of a set share.
pub(crate) fn build(limits: &EngineLimits, library: Library) -> Result<Engine, ParseError> {
    let mut engine = Engine::new_raw();
    harden(&mut engine, limits);
    operators::register(&mut engine, limits);
    times::register(&mut engine);
    texts::register(&mut engine, limits);
    subject::register(&mut engine);
    actions::register(&mut engine);
    engine.set_module_resolver(library);
    engine.register_custom_syntax(RULE_SYNTAX, false, |_, inputs: &[Expression]| {
        let place = inputs.first().map_or(Position::NONE, Expression::position);
        let message = "a rule stands at the top level of a policy".to_owned();
        Err(EvalAltResult::ErrorRuntime(message.into(), place).into())
    })?;
    Ok(engine)
}

fn harden(engine: &mut Engine, limits: &EngineLimits) {
    for word in DISABLED.into_iter().chain(operators::DISABLED) {
        engine.disable_symbol(word);
    }
    engine
        // Strictness must not depend on whether an expression is constant.
        .set_optimization_level(OptimizationLevel::None)
        // With it, Rhai compares values of its own types without asking our operators.
        .set_fast_operators(false)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_operations(limits.operations_max)
        .set_max_call_levels(limits.call_levels_max)
        .set_max_expr_depths(limits.expression_depth_max, limits.expression_depth_max)
        .set_max_string_size(limits.value_bytes_max)
        .set_max_array_size(limits.list_items_max)
        .set_max_map_size(limits.map_entries_max)
        .set_max_variables(limits.variables_max)
        .set_max_functions(limits.functions_max)
        .set_max_modules(limits.modules_max)
        .on_print(|_| {})
        .on_debug(|_, _, _| {});
    free_is_shared(engine);
    let allowed = limits.deadline;
    engine.on_progress(move |operations| over_time(operations, allowed));
}

/// Rhai keeps `is_shared` for itself, to ask about its own variables; here it is a fact of an image.
fn free_is_shared(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "not deprecated but volatile, says its documentation; the version is pinned by tests"
    )]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if *word == IS_SHARED => Token::Identifier(word),
        other => other,
    });
}

/// Whether the evaluation has run out of time. It starts the clock itself, at its first look: most evaluations are
/// over before that and never pay for reading it.
fn over_time(operations: u64, allowed: Duration) -> Option<Dynamic> {
    if !operations.is_multiple_of(CLOCK_EVERY) {
        return None;
    }
    let now = Instant::now();
    if operations == CLOCK_EVERY {
        DEADLINE.set(now.checked_add(allowed));
        return None;
    }
    DEADLINE.get().is_some_and(|deadline| now > deadline).then(|| Dynamic::from(DeadlinePassed))
}
