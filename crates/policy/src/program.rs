//! A compiled policy: what to evaluate for an image, and what it comes to.

use std::sync::Arc;

use amiwarden_core::{Facts, FailureKind, Proposal, RuleRef, Timestamp};
use rhai::{Array, Dynamic, Engine, Expr, Position};

use crate::actions::Wished;
use crate::condition::Condition;
use crate::family::Families;
use crate::fault::{Certainty, Failure, RhaiError, Stop, interpret};
use crate::machine::Machine;
use crate::value::Kind;

/// The parts of a policy's file that are evaluated.
pub(crate) struct Program {
    pub(crate) origin: String,
    /// With everything defined that is the same for every image.
    pub(crate) machine: Machine,
    /// What is evaluated for each image, in the order of the file.
    pub(crate) steps: Vec<Step>,
    pub(crate) rules: Vec<RuleRef>,
    /// Whether it defines its own families.
    pub(crate) own_family: bool,
}

/// One step of an evaluation.
pub(crate) enum Step {
    /// A top-level variable that depends on the image.
    Let {
        name: String,
        value: Condition,
    },
    Rule(Rule),
}

/// A rule, to be evaluated.
pub(crate) struct Rule {
    /// Its place in [`Program::rules`].
    pub(crate) number: usize,
    pub(crate) condition: Condition,
    /// Where its condition begins.
    pub(crate) place: Position,
    pub(crate) body: Expr,
}

/// Where an evaluation stopped, and in which rule.
pub(crate) struct Stopped {
    pub(crate) stop: Stop,
    pub(crate) rule: Option<usize>,
}

impl Program {
    /// Evaluates rule by rule until one matches: its number and what it asks for.
    pub(crate) fn decide(
        &self,
        engine: &Engine,
        machine: &mut Machine,
        now: Timestamp,
    ) -> Result<Option<(usize, Vec<Proposal>)>, Stopped> {
        for step in &self.steps {
            match step {
                Step::Let { name, value } => {
                    let value = value.value(engine, machine).map_err(|error| self.stopped(&error, None))?;
                    machine.define(name, value);
                }
                Step::Rule(rule) => {
                    let stopped = |error: RhaiError| self.stopped(&error, Some(rule.number));
                    if !holds(engine, machine, rule).map_err(stopped)? {
                        continue;
                    }
                    let value = machine.eval(engine, &rule.body).map_err(stopped)?;
                    let proposals = proposals(value, now, rule.body.start_position()).map_err(stopped)?;
                    return Ok(Some((rule.number, proposals)));
                }
            }
        }
        Ok(None)
    }

    /// Evaluates every condition and every block, whether the condition holds or not: all that fails.
    pub(crate) fn try_everything(&self, engine: &Engine, facts: &Arc<Facts>) -> Vec<Failure> {
        let mut machine = self.machine.fork();
        machine.look_at(facts, &Families::Configured);
        let mut failures = Vec::new();
        let mut note = |error: &RhaiError| {
            if let Stop::Failed(failure) = interpret(error, &self.origin) {
                failures.push(failure);
            }
        };
        for step in &self.steps {
            // Each step has the whole budget: together they may need more than one evaluation ever does.
            machine.rewind(machine.mark());
            match step {
                Step::Let { name, value } => match value.value(engine, &mut machine) {
                    Ok(value) => machine.define(name, value),
                    Err(error) => {
                        // What follows may use the variable.
                        note(&error);
                        return failures;
                    }
                },
                Step::Rule(rule) => {
                    if let Err(error) = holds(engine, &mut machine, rule) {
                        note(&error);
                    }
                    let place = rule.body.start_position();
                    let result =
                        machine.eval(engine, &rule.body).and_then(|value| proposals(value, facts.now, place));
                    if let Err(error) = result {
                        note(&error);
                    }
                }
            }
        }
        failures
    }

    /// Evaluates as for any image, and says only what failed.
    pub(crate) fn try_in_order(&self, engine: &Engine, facts: &Arc<Facts>) -> Option<Failure> {
        let mut machine = self.machine.fork();
        machine.look_at(facts, &Families::Configured);
        // With the whole budget, whatever was computed before.
        machine.rewind(machine.mark());
        match self.decide(engine, &mut machine, facts.now) {
            Err(Stopped { stop: Stop::Failed(failure), .. }) => Some(failure),
            Ok(_) | Err(Stopped { stop: Stop::Suspended(_), .. }) => None,
        }
    }

    pub(crate) fn stopped(&self, error: &RhaiError, rule: Option<usize>) -> Stopped {
        Stopped { stop: interpret(error, &self.origin), rule }
    }
}

fn holds(engine: &Engine, machine: &mut Machine, rule: &Rule) -> Result<bool, RhaiError> {
    let answer = rule.condition.value(engine, machine)?;
    answer.as_bool().map_err(|_| {
        let kind = Kind::of(&answer);
        let certainty = if kind == Kind::Absent { Certainty::PerImage } else { Certainty::Always };
        let message = format!("a condition must be a boolean, and this is {}", kind.name());
        crate::fault::raise_at(FailureKind::Type, certainty, message, rule.place)
    })
}

/// What the block of a rule asks for: an action, or a list of them.
fn proposals(value: Dynamic, now: Timestamp, place: Position) -> Result<Vec<Proposal>, RhaiError> {
    let mut found = Vec::new();
    collect(value, now, place, &mut found)?;
    if found.is_empty() {
        return Err(not_actions("the block of this rule asks for nothing", Certainty::PerImage, place));
    }
    Ok(found)
}

fn collect(
    value: Dynamic,
    now: Timestamp,
    place: Position,
    found: &mut Vec<Proposal>,
) -> Result<(), RhaiError> {
    if let Some(wished) = value.read_lock::<Wished>() {
        found.push(wished.clone().into_proposal(now)?);
        return Ok(());
    }
    match value.try_cast_result::<Array>() {
        Ok(list) => list.into_iter().try_for_each(|item| collect(item, now, place, found)),
        Err(value) => {
            let kind = Kind::of(&value);
            let certainty = if kind == Kind::Absent { Certainty::PerImage } else { Certainty::Always };
            let message = match kind {
                Kind::Absent => {
                    "the block of this rule yields nothing: it has to end with an action".to_owned()
                }
                kind => {
                    format!("the block of a rule yields an action or a list of actions, not {}", kind.name())
                }
            };
            Err(not_actions(message, certainty, place))
        }
    }
}

fn not_actions(message: impl Into<String>, certainty: Certainty, place: Position) -> RhaiError {
    crate::fault::raise_at(FailureKind::NotActions, certainty, message, place)
}
