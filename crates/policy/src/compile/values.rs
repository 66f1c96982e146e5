//! Takes a file apart: what holds for every image is worked out while the policy loads, the rest becomes steps.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::RuleRef;
use rhai::{AST, ASTFlags, Dynamic, Expr, Position, Stmt};

use super::imports::LoadedModule;
use super::{Compiler, FAMILY, as_param, as_rule};
use crate::condition::Condition;
use crate::fault::interpret;
use crate::lint::depends_on_image;
use crate::machine::Machine;
use crate::modules::SharedModule;
use crate::params::{ParamValue, Parameter, can_be_parameter, declared};
use crate::problem::{SourceView, place};
use crate::program::{Program, Rule, Step};
use crate::suggest::did_you_mean;

impl Compiler<'_> {
    /// Takes the file apart: values that hold for every image are worked out now, the rest become steps.
    pub(super) fn program(
        &mut self,
        ast: &AST,
        view: SourceView<'_>,
        imports: &[(String, LoadedModule)],
        configured: &BTreeMap<String, ParamValue>,
    ) -> (Program, Vec<Parameter>) {
        let mut machine = Machine::new(self.engine, view.origin, ast.shared_lib());
        for (alias, loaded) in imports {
            machine.import(alias, SharedModule::clone(&loaded.module));
        }
        let mut parameters = Vec::new();
        let mut rules = Vec::new();
        let mut steps = Vec::new();
        let mut constants = BTreeMap::new();
        for statement in ast.statements() {
            match statement {
                Stmt::Var(parts, options, _) => {
                    let (name, expression) = (parts.0.name.as_str(), &parts.1);
                    let constant = options.contains(ASTFlags::CONSTANT);
                    if !steps.is_empty() || depends_on_image(expression) {
                        let value = Condition::of(expression, &constants);
                        steps.push(Step::Let { name: name.to_owned(), value });
                        continue;
                    }
                    let value = self.lasting(&mut machine, view, expression, configured, &mut parameters);
                    let Some(value) = value else { continue };
                    if constant {
                        machine.define_global(name, value.clone());
                    }
                    constants.insert(name.to_owned(), value.clone());
                    machine.define(name, value);
                }
                Stmt::Expr(expression) => {
                    let Some((name, condition, body)) = as_rule(expression) else { continue };
                    let (line, _) = place(expression.position());
                    rules.push(RuleRef { name: name.to_owned(), line: line.unwrap_or_default() });
                    let rule = Rule {
                        number: rules.len() - 1,
                        condition: Condition::of(condition, &constants),
                        place: condition.start_position(),
                        body: body.clone(),
                    };
                    steps.push(Step::Rule(rule));
                }
                _ => {}
            }
        }
        self.check_configured(view, configured, &declared_names(ast));
        let own_family =
            ast.iter_functions().any(|function| function.name == FAMILY && function.params.len() == 1);
        let origin = view.origin.to_owned();
        (Program { origin, machine, steps, rules, own_family }, parameters)
    }

    /// The value of a top-level variable that is the same for every image.
    fn lasting(
        &mut self,
        machine: &mut Machine,
        view: SourceView<'_>,
        expression: &Expr,
        configured: &BTreeMap<String, ParamValue>,
        parameters: &mut Vec<Parameter>,
    ) -> Option<Dynamic> {
        let param = as_param(expression);
        let (name, default) = match param.map(|(call, _)| &*call.args) {
            Some([Expr::StringConstant(name, _), default]) => (Some(name), default),
            _ => (None, expression),
        };
        let default_value = match machine.eval(self.engine, default) {
            Ok(value) => value,
            Err(error) => {
                self.report(&interpret(&error, view.origin), view, "this value");
                return None;
            }
        };
        machine.rewind(machine.mark());
        let Some(name) = name else { return Some(default_value) };
        let position = default.start_position();
        if !can_be_parameter(&default_value) {
            let message =
                format!("the parameter `{name}` needs a default whose type a configuration can write");
            let help = "a boolean, number, text, list, map, duration, time or version";
            self.errors.push(view.error(position, message).with_help(help));
            return None;
        }
        let value = match configured.get(name.as_str()) {
            None => default_value.clone(),
            Some(wanted) => match wanted.fit(name, &default_value) {
                Ok(value) => value,
                Err(complaint) => {
                    let help = "it is set in the configuration, under `params` of this policy";
                    self.errors.push(view.error(position, complaint).with_help(help));
                    return None;
                }
            },
        };
        let line = place(expression.start_position()).0.unwrap_or_default();
        parameters.push(declared(name, &default_value, &value, line));
        Some(value)
    }

    fn check_configured(
        &mut self,
        view: SourceView<'_>,
        configured: &BTreeMap<String, ParamValue>,
        known: &BTreeSet<&str>,
    ) {
        for name in configured.keys().filter(|name| !known.contains(name.as_str())) {
            let message = format!("the configuration sets `{name}`, which this policy does not declare");
            let names: Vec<&str> = known.iter().copied().collect();
            let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.as_slice() {
                [] => "it declares no parameters".to_owned(),
                names => format!("it declares {}", names.join(", ")),
            });
            self.errors.push(view.error(Position::NONE, message).with_help(help));
        }
    }
}

/// The names of all parameters that the file declares.
fn declared_names(ast: &AST) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for statement in ast.statements() {
        let Stmt::Var(parts, ..) = statement else { continue };
        let Some((call, _)) = as_param(&parts.1) else { continue };
        if let Some(Expr::StringConstant(name, _)) = call.args.first() {
            names.insert(name.as_str());
        }
    }
    names
}
