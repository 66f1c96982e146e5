//! The hardened engine: Rhai with its own library left out and ours put in.
//!
//! Deliberately absent: everything that reaches outside (files, clock, output, `sleep`), everything that runs for
//! as long as it likes (`while`, `loop`, `do`), everything that hides what a policy does from a reader and from
//! the checks at load (`eval`, `Fn`, `call`), and `try`, with which a script could swallow an unknown fact.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rhai::{Dynamic, Engine, EvalAltResult, Expression, OptimizationLevel, ParseError, Position, Token};

use crate::EngineLimits;
use crate::fault::Exhausted;
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

/// The clock is looked at once in so many steps. Each step is bounded by the limits on values, so the deadline is
/// missed by milliseconds at most.
const CLOCK_EVERY: u64 = 32;

thread_local! {
    /// What the evaluation that runs on this thread has used. An evaluation never leaves its thread.
    ///
    /// Rhai counts steps, too, but it forgets those of a closure when the closure returns.
    static SPENT: Cell<Spent> = const { Cell::new(Spent { steps: 0, deadline: None }) };
}

#[derive(Clone, Copy)]
struct Spent {
    steps: u64,
    /// Set at the first look at the clock: most evaluations are over before that and never pay for it.
    deadline: Option<Instant>,
}

/// Gives the next evaluation on this thread its whole budget.
pub(crate) fn renew_budget() {
    SPENT.set(Spent { steps: 0, deadline: None });
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
    let (steps_max, allowed) = (limits.operations_max, limits.deadline);
    engine.on_progress(move |_| spend(steps_max, allowed).map(Dynamic::from));
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

/// Counts a step, and says which limit it was that stops the evaluation.
fn spend(steps_max: u64, allowed: Duration) -> Option<Exhausted> {
    let Spent { steps, deadline } = SPENT.get();
    let steps = steps + 1;
    if steps > steps_max {
        return Some(Exhausted::Steps);
    }
    if !steps.is_multiple_of(CLOCK_EVERY) {
        SPENT.set(Spent { steps, deadline });
        return None;
    }
    let now = Instant::now();
    let deadline = deadline.or_else(|| now.checked_add(allowed));
    SPENT.set(Spent { steps, deadline });
    deadline.is_some_and(|deadline| now > deadline).then_some(Exhausted::Time)
}
