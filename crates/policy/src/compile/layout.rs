//! What may stand where in a policy's file.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, ImmutableString, Position, Stmt};

use super::{as_param, as_rule};
use crate::engine::RULE;
use crate::lint::{PARAM, depends_on_image};
use crate::problem::{Problem, SourceView};

/// What was found in the file.
pub(super) struct Layout<'a> {
    pub(super) errors: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
    view: SourceView<'a>,
    /// The rules so far, with their places.
    rules: BTreeMap<String, Position>,
    /// The first rule that always matches.
    always: Option<String>,
}

impl<'a> Layout<'a> {
    /// What stands where at the top level of a policy.
    pub(super) fn of(ast: &AST, view: SourceView<'a>) -> Self {
        let mut layout =
            Self { view, errors: Vec::new(), warnings: Vec::new(), rules: BTreeMap::new(), always: None };
        layout.top_level(ast);
        layout.parameters(ast);
        layout
    }

    fn top_level(&mut self, ast: &AST) {
        let mut variables = BTreeSet::new();
        let mut beyond_imports = false;
        for statement in ast.statements() {
            let position = statement.position();
            match statement {
                Stmt::Import(..) if beyond_imports => {
                    self.errors.push(self.view.error(position, "imports stand at the top of a file"));
                }
                Stmt::Noop(_) | Stmt::Import(..) => continue,
                Stmt::Var(parts, ..) => {
                    if !variables.insert(parts.0.name.clone()) {
                        let message = format!("`{}` is defined twice", parts.0.name);
                        self.errors.push(self.view.error(position, message));
                    }
                }
                Stmt::Expr(expression) => match as_rule(expression) {
                    Some((name, condition, _)) => {
                        self.rule(position, name, condition);
                    }
                    None => self.misplaced(position),
                },
                _ => self.misplaced(position),
            }
            beyond_imports = true;
        }
        if self.rules.is_empty() {
            let help = format!("a rule reads `{RULE} \"name\" when <condition> {{ <action> }}`");
            self.errors.push(self.view.error(Position::NONE, "the file has no rule").with_help(help));
        }
    }

    fn rule(&mut self, position: Position, name: &str, condition: &Expr) {
        if name.trim().is_empty() {
            self.errors.push(self.view.error(position, "a rule needs a name that is not empty"));
        }
        if let Some(first) = self.rules.insert(name.to_owned(), position) {
            let line = first.line().unwrap_or_default();
            let message = format!("there are two rules named \"{name}\": the first stands in line {line}");
            self.errors.push(self.view.error(position, message));
        }
        if let Some(earlier) = &self.always {
            let message = format!("this rule can never match: \"{earlier}\" before it always does");
            self.warnings.push(self.view.warning(position, message));
        } else if matches!(condition, Expr::BoolConstant(true, _)) {
            self.always = Some(name.to_owned());
        }
    }

    fn misplaced(&mut self, position: Position) {
        let message = "only `import`, `let`, `const`, `fn` and `rule` stand at the top level of a policy";
        let help = format!("put it into a function, or into the block of a `{RULE}`");
        self.errors.push(self.view.error(position, message).with_help(help));
    }

    /// `param(…)` is the whole right-hand side of a top-level `let`, before the first rule, and does not depend on
    /// the image. Anywhere else its value could not be told before an image is looked at.
    fn parameters(&mut self, ast: &AST) {
        let mut declared: Vec<Position> = Vec::new();
        let mut names: BTreeSet<ImmutableString> = BTreeSet::new();
        let mut prologue = true;
        for statement in ast.statements() {
            let Stmt::Var(parts, _, position) = statement else {
                prologue &= matches!(statement, Stmt::Noop(_) | Stmt::Import(..));
                continue;
            };
            let Some((call, at)) = as_param(&parts.1) else {
                prologue &= !depends_on_image(&parts.1);
                continue;
            };
            declared.push(at);
            let [Expr::StringConstant(name, _), default] = &*call.args else {
                let message =
                    format!("`{PARAM}` wants a name and a default, as in `{PARAM}(\"max_age\", 90.days)`");
                self.errors.push(self.view.error(at, message));
                continue;
            };
            if !prologue || depends_on_image(default) {
                let message = "a parameter stands before everything that depends on the image";
                self.errors.push(self.view.error(*position, message));
            }
            if !names.insert(name.clone()) {
                self.errors.push(self.view.error(at, format!("the parameter `{name}` is declared twice")));
            }
        }
        self.stray_parameters(ast, &declared);
    }

    fn stray_parameters(&mut self, ast: &AST, declared: &[Position]) {
        let mut strays = Vec::new();
        ast.walk(&mut |path| {
            let call = match path.last() {
                Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                    (call.name == PARAM && !declared.contains(at)).then_some(*at)
                }
                _ => None,
            };
            strays.extend(call);
            true
        });
        for at in strays {
            let message = format!("`{PARAM}(…)` is the whole right-hand side of a top-level `let`");
            let help =
                "write `let max_age = param(\"max_age\", 90.days);` at the top, and use `max_age` here";
            self.errors.push(self.view.error(at, message).with_help(help));
        }
    }
}
