//! Conditions, taken apart where that says the same sooner.
//!
//! Most conditions join facts, constants and comparisons by `&&`, `||` and `!`. Rhai would look up each of these by
//! name and hash for every image; here they are looked up once, while the policy loads, and what is left for Rhai is
//! what only it can do. Both ways use the same operators and the same facts, so they give the same answers and the
//! same errors in the same places, which the tests hold them to.

use std::collections::BTreeMap;

use amiwarden_core::FailureKind;
use rhai::{ASTFlags, ASTNode, Dynamic, Engine, Expr, FnCallExpr, Position};

use crate::catalog::FACTS;
use crate::fault::{Certainty, RhaiError, raise};
use crate::machine::{IMAGE, Machine};
use crate::operators::Comparison;
use crate::value::Kind;

/// A condition, or a part of one, ready to be evaluated.
pub(crate) enum Condition {
    /// `image.age`, by its place in the catalog.
    Fact { number: usize, position: Position },
    /// `image.tag("Env")`
    Tag(String),
    /// `image.has_tag("Env")`
    HasTag(String),
    /// A literal, or a top-level variable that is the same for every image.
    Constant(Dynamic),
    /// Two values, compared.
    Compare { comparison: Comparison, sides: Box<[Condition; 2]>, position: Position },
    /// `!x`
    Not { operand: Box<Condition>, position: Position },
    /// `a && b && c`, each with the place that errors about it name.
    All(Vec<(Condition, Position)>),
    /// `a || b || c`
    Any(Vec<(Condition, Position)>),
    /// Anything else.
    Rhai(Expr),
}

impl Condition {
    /// The condition that `expression` is; `constants` are the variables that are the same for every image.
    pub(crate) fn of(expression: &Expr, constants: &BTreeMap<String, Dynamic>) -> Self {
        // A `return` in a block would leave the whole condition, not just the part that it stands in.
        if has_statements(expression) {
            return Self::Rhai(expression.clone());
        }
        Self::part(expression, constants)
    }

    fn part(expression: &Expr, constants: &BTreeMap<String, Dynamic>) -> Self {
        let parts = |operands: &[Expr]| {
            operands.iter().map(|operand| (Self::part(operand, constants), operand.position())).collect()
        };
        let shortcut = match expression {
            Expr::And(operands, _) => Some(Self::All(parts(operands))),
            Expr::Or(operands, _) => Some(Self::Any(parts(operands))),
            Expr::Dot(chain, flags, _) if *flags == ASTFlags::empty() => {
                Self::of_image(&chain.lhs, &chain.rhs)
            }
            Expr::FnCall(call, position) if call.is_operator_call() => {
                Self::of_operator(call, *position, constants)
            }
            Expr::Variable(variable, ..) if variable.2.is_empty() => {
                constants.get(variable.1.as_str()).cloned().map(Self::Constant)
            }
            Expr::BoolConstant(..)
            | Expr::IntegerConstant(..)
            | Expr::FloatConstant(..)
            | Expr::CharConstant(..)
            | Expr::StringConstant(..)
            | Expr::Unit(_) => expression.get_literal_value(None).map(Self::Constant),
            _ => None,
        };
        shortcut.unwrap_or_else(|| Self::Rhai(expression.clone()))
    }

    fn of_image(receiver: &Expr, member: &Expr) -> Option<Self> {
        if !matches!(receiver, Expr::Variable(variable, ..) if variable.2.is_empty() && variable.1 == IMAGE) {
            return None;
        }
        match member {
            Expr::Property(property, position) => {
                let number = FACTS.iter().position(|spec| spec.name == property.2.as_str())?;
                Some(Self::Fact { number, position: *position })
            }
            Expr::MethodCall(call, _) => match (call.name.as_str(), &*call.args) {
                ("tag", [Expr::StringConstant(key, _)]) => Some(Self::Tag(key.to_string())),
                ("has_tag", [Expr::StringConstant(key, _)]) => Some(Self::HasTag(key.to_string())),
                _ => None,
            },
            _ => None,
        }
    }

    fn of_operator(
        call: &FnCallExpr,
        position: Position,
        constants: &BTreeMap<String, Dynamic>,
    ) -> Option<Self> {
        match (call.name.as_str(), &*call.args) {
            ("!", [operand]) => {
                Some(Self::Not { operand: Box::new(Self::part(operand, constants)), position })
            }
            (symbol, [left, right]) => {
                let comparison = Comparison::of(symbol)?;
                let sides = Box::new([Self::part(left, constants), Self::part(right, constants)]);
                Some(Self::Compare { comparison, sides, position })
            }
            _ => None,
        }
    }

    /// Its value for the image that the machine looks at.
    pub(crate) fn value(&self, engine: &Engine, machine: &mut Machine) -> Result<Dynamic, RhaiError> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Fact { number, position } => machine.fact(*number).map_err(|error| at(error, *position)),
            Self::Tag(key) => Ok(machine.tag(key)),
            Self::HasTag(key) => Ok(machine.has_tag(key).into()),
            Self::Compare { comparison, sides, position } => {
                let [left, right] = &**sides;
                let (left, right) = (left.value(engine, machine)?, right.value(engine, machine)?);
                comparison.holds(&left, &right).map(Dynamic::from).map_err(|error| at(error, *position))
            }
            Self::Not { operand, position } => {
                let value = operand.value(engine, machine)?;
                let refused = |kind: &str| format!("`!` cannot be applied to {kind}");
                truth(&value, *position, refused).map(|truth| Dynamic::from(!truth))
            }
            Self::All(operands) => joined(operands, false, engine, machine),
            Self::Any(operands) => joined(operands, true, engine, machine),
            Self::Rhai(expression) => machine.eval(engine, expression),
        }
    }
}

/// Looks at one operand after the other until one of them decides.
fn joined(
    operands: &[(Condition, Position)],
    decides: bool,
    engine: &Engine,
    machine: &mut Machine,
) -> Result<Dynamic, RhaiError> {
    for (operand, position) in operands {
        let value = operand.value(engine, machine)?;
        if truth(&value, *position, |kind| format!("expected a boolean, got {kind}"))? == decides {
            return Ok(decides.into());
        }
    }
    Ok((!decides).into())
}

fn truth(
    value: &Dynamic,
    position: Position,
    complaint: impl FnOnce(&str) -> String,
) -> Result<bool, RhaiError> {
    value.as_bool().map_err(|_| {
        let kind = Kind::of(value);
        let certainty = if kind == Kind::Absent { Certainty::PerImage } else { Certainty::Always };
        at(raise(FailureKind::Type, certainty, complaint(kind.name())), position)
    })
}

/// An error without a place happened here.
fn at(mut error: RhaiError, position: Position) -> RhaiError {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}

fn has_statements(expression: &Expr) -> bool {
    let mut found = false;
    expression.walk(&mut Vec::new(), &mut |path| {
        found |= matches!(path.last(), Some(ASTNode::Expr(Expr::Stmt(_)) | ASTNode::Stmt(_)));
        true
    });
    found
}
