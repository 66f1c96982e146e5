//! What can be said about a file by looking at it: names that do not exist, things in the wrong place, and the
//! actions that it could ask for.
//!
//! Rhai finds mistyped facts and functions only when it comes to them, which for a rule that rarely matches may be
//! months later.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::ActionKind;
use rhai::{AST, ASTNode, Engine, Expr, FnCallExpr, Position, Stmt};

use crate::actions;
use crate::catalog::{FACTS, METHODS, SHARED_WITH};
use crate::engine::RULE;
use crate::machine::{IMAGE, PREDEFINED};
use crate::problem::{Problem, SourceView};
use crate::suggest::did_you_mean;

/// Rhai's prefix for the functions behind properties.
const GETTER: &str = "get$";
/// Written by Rhai itself for closures, and handled by it.
const CURRY: &str = "curry";
/// Parameters are declared with it.
pub(crate) const PARAM: &str = "param";

/// The functions and properties that the engine knows.
pub(crate) struct Vocabulary {
    /// Functions with the numbers of arguments that they take; a method's receiver counts.
    functions: BTreeMap<String, BTreeSet<usize>>,
    properties: BTreeSet<String>,
}

impl Vocabulary {
    pub(crate) fn of(engine: &Engine) -> Self {
        let mut functions: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        let mut properties = BTreeSet::new();
        let known = engine.collect_fn_metadata(
            None,
            |info| Some((info.metadata.name.to_string(), info.metadata.num_params)),
            false,
        );
        for (name, arguments) in known {
            match name.strip_prefix(GETTER) {
                Some(property) => {
                    properties.insert(property.to_owned());
                }
                None => {
                    functions.entry(name).or_default().insert(arguments);
                }
            }
        }
        Self { functions, properties }
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Policy,
    Module,
}

/// What was found in one file.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    /// Every kind of action that the text can ask for.
    pub(crate) actions: BTreeSet<ActionKind>,
    /// Keys of tags that it asks about.
    pub(crate) tag_keys: BTreeSet<String>,
}

/// The names of the functions of each imported module, by alias.
pub(crate) type ImportedFunctions = BTreeMap<String, BTreeSet<String>>;

/// Looks through a file.
pub(crate) fn lint(
    ast: &AST,
    file: FileKind,
    view: SourceView<'_>,
    vocabulary: &Vocabulary,
    imported: &ImportedFunctions,
) -> Findings {
    let mut own: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for function in ast.iter_functions() {
        own.entry(function.name.to_owned()).or_default().insert(function.params.len());
    }
    let top_level = ast.statements().iter().map(Stmt::position).collect();
    let findings = Findings::default();
    let mut linter =
        Linter { file, view, vocabulary, own, imported, top_level, bodies: Vec::new(), findings };
    for function in ast.iter_fn_def() {
        let span = (function.body.start_position(), function.body.end_position());
        linter.function_name(&function.name, span.0);
        let params = function.params.iter().map(ToString::to_string).collect();
        linter.bodies.push(Body { span, params });
    }
    ast.walk(&mut |path| linter.visit(path));
    linter.findings
}

/// Whether the expression reads the image or the time, so that its value differs from image to image or from run
/// to run.
pub(crate) fn depends_on_image(expression: &Expr) -> bool {
    let mut depends = false;
    expression.walk(&mut Vec::new(), &mut |path| {
        if let Some(ASTNode::Expr(Expr::Variable(variable, ..))) = path.last() {
            depends |= PREDEFINED.contains(&variable.1.as_str());
        }
        true
    });
    depends
}

/// Rhai reads `list[0].kind` as the list, indexed by what begins with `0` and goes on with `.kind`. There `0` is no
/// receiver.
fn continues_index(path: &[ASTNode<'_>]) -> bool {
    match path {
        [.., ASTNode::Expr(Expr::Index(parts, ..)), ASTNode::Expr(expression)] => {
            std::ptr::eq(&raw const parts.rhs, *expression)
        }
        _ => false,
    }
}

struct Linter<'a> {
    file: FileKind,
    view: SourceView<'a>,
    vocabulary: &'a Vocabulary,
    own: BTreeMap<String, BTreeSet<usize>>,
    imported: &'a ImportedFunctions,
    /// Where the statements of the top level stand: rules and imports belong nowhere else.
    top_level: Vec<Position>,
    /// The bodies of functions and closures: they see their parameters only.
    bodies: Vec<Body>,
    findings: Findings,
}

struct Body {
    span: (Position, Position),
    params: Vec<String>,
}

impl Linter<'_> {
    fn error(&mut self, position: Position, message: String, help: Option<String>) {
        self.findings.problems.push(self.view.error(position, message).with_help_if(help));
    }

    fn function_name(&mut self, name: &str, position: Position) {
        if self.vocabulary.functions.contains_key(name) || name == PARAM {
            self.error(position, format!("`{name}` is built in: choose another name"), None);
        }
    }

    fn visit(&mut self, path: &[ASTNode<'_>]) -> bool {
        match path.last() {
            Some(ASTNode::Expr(expression)) => {
                self.expression(expression);
                if let Expr::Dot(parts, ..) = expression {
                    self.hidden_tag(&parts.lhs, &parts.rhs);
                    if !continues_index(path) {
                        self.dot(&parts.lhs, &parts.rhs);
                    }
                }
            }
            Some(ASTNode::Stmt(statement)) => self.statement(statement),
            _ => {}
        }
        true
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Var(variable, _, position) => self.variable(&variable.0.name, *position),
            Stmt::For(parts, position) => {
                let counter = parts.1.as_ref().map(|counter| counter.name.clone());
                for name in [Some(parts.0.name.clone()), counter].into_iter().flatten() {
                    self.variable(&name, *position);
                }
            }
            Stmt::Assignment(parts) => {
                if let Expr::Variable(variable, _, position) = &parts.1.lhs
                    && PREDEFINED.contains(&variable.1.as_str())
                {
                    self.error(*position, format!("`{}` cannot be changed", variable.1), None);
                }
            }
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Import(_, position) if !self.top_level.contains(position) => {
                self.error(*position, "`import` stands at the top of a file".to_owned(), None);
            }
            // Rhai's walk leaves these out, and an action could hide here.
            Stmt::BreakLoop(Some(value), ..) => {
                value.walk(&mut Vec::new(), &mut |path| self.visit(path));
            }
            _ => {}
        }
    }

    fn variable(&mut self, name: &str, position: Position) {
        if PREDEFINED.contains(&name) {
            self.error(position, format!("`{name}` is taken: choose another name"), None);
        }
    }

    /// Rhai would look for the image only when it comes to this place, and not find it.
    fn visible(&mut self, name: &str, position: Position) {
        if !PREDEFINED.contains(&name) {
            return;
        }
        let within = |body: &&Body| body.span.0 <= position && position <= body.span.1;
        let mut around = self.bodies.iter().filter(within).peekable();
        if around.peek().is_some() && !around.any(|body| body.params.iter().any(|param| param == name)) {
            let help = format!("a function sees its parameters only: pass `{name}` to it");
            self.error(position, format!("there is no variable `{name}` here"), Some(help));
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Custom(_, position) if !self.top_level.contains(position) => {
                self.error(*position, format!("a `{RULE}` stands at the top level of a policy"), None);
            }
            Expr::Variable(variable, _, position) => self.visible(&variable.1, *position),
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::MethodCall(call, position) => self.method(call, *position),
            _ => {}
        }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) {
        let name = call.name.as_str();
        if call.is_operator_call() || name == CURRY {
            return;
        }
        if call.is_qualified() {
            self.qualified(call, position);
            return;
        }
        if name == PARAM {
            if self.file == FileKind::Module {
                let help = format!("pass the value to the function, from a `{PARAM}` of the policy");
                self.error(position, "a module has no parameters".to_owned(), Some(help));
            }
            return;
        }
        if let Some(kind) = actions::kind_of(name) {
            self.findings.actions.insert(kind);
        }
        self.check_arguments(name, call.args.len(), position, None);
    }

    fn method(&mut self, call: &FnCallExpr, position: Position) {
        let name = call.name.as_str();
        if METHODS.contains(&name) {
            if let [Expr::StringConstant(key, _)] = &*call.args {
                self.findings.tag_keys.insert(key.to_string());
            }
        } else if actions::is_action(name) {
            let message = format!("`{name}` is an action, not a method: write `{name}(…)`");
            self.error(position, message, None);
            return;
        }
        let own = self.own.contains_key(name);
        if !own {
            self.check_arguments(name, call.args.len() + 1, position, Some(()));
        }
    }

    fn qualified(&mut self, call: &FnCallExpr, position: Position) {
        let alias = call.namespace.root().to_owned();
        let Some(functions) = self.imported.get(&alias) else { return };
        if !functions.contains(call.name.as_str()) {
            let message = format!("the module `{alias}` has no function `{}`", call.name);
            let help = did_you_mean(&call.name, functions.iter().map(String::as_str));
            self.error(position, message, help);
        }
    }

    /// `arguments` counts the receiver of a method.
    fn check_arguments(&mut self, name: &str, arguments: usize, position: Position, receiver: Option<()>) {
        let known = self.own.get(name).or_else(|| self.vocabulary.functions.get(name));
        let Some(known) = known else {
            let names = self.own.keys().chain(self.vocabulary.functions.keys()).map(String::as_str);
            let help = did_you_mean(name, names.collect::<Vec<_>>());
            let what = if receiver.is_some() { "method" } else { "function" };
            self.error(position, format!("there is no {what} `{name}`"), help);
            return;
        };
        if !known.contains(&arguments) {
            let hidden = usize::from(receiver.is_some());
            let wanted: Vec<String> =
                known.iter().map(|count| count.saturating_sub(hidden).to_string()).collect();
            let message = format!(
                "`{name}` takes {} argument(s), not {}",
                wanted.join(" or "),
                arguments.saturating_sub(hidden)
            );
            let help = actions::is_action(name).then(|| "the last argument of an action says why".to_owned());
            self.error(position, message, help);
        }
    }

    fn dot(&mut self, receiver: &Expr, rest: &Expr) {
        let (first, next) = match rest {
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => (&parts.lhs, Some(&parts.rhs)),
            other => (other, None),
        };
        match (receiver, first) {
            (Expr::Variable(variable, ..), Expr::Property(property, position)) if variable.1 == IMAGE => {
                let name = property.2.as_str();
                self.fact(name, *position);
                if let (SHARED_WITH, Some(next)) = (name, next) {
                    self.shared_with(next);
                }
            }
            (Expr::Variable(variable, ..), Expr::MethodCall(call, position)) if variable.1 == IMAGE => {
                self.image_method(call, *position);
            }
            (Expr::IntegerConstant(..), Expr::Property(property, position)) => {
                self.unit(property.2.as_str(), *position);
            }
            _ => {}
        }
    }

    /// `image.tag("k")` asks for a tag, but `#{…}.tag("why")` sets some: what is not plainly the image counts.
    fn hidden_tag(&mut self, receiver: &Expr, rest: &Expr) {
        let method = match rest {
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => &parts.lhs,
            other => other,
        };
        let image = matches!(receiver, Expr::Variable(variable, ..) if variable.1 == IMAGE);
        if let Expr::MethodCall(call, _) = method
            && call.name == ActionKind::Tag.as_str()
            && !image
        {
            self.findings.actions.insert(ActionKind::Tag);
        }
    }

    fn fact(&mut self, name: &str, position: Position) {
        let known =
            || FACTS.iter().map(|spec| spec.name.split_once('.').map_or(spec.name, |(group, _)| group));
        if known().any(|fact| fact == name) {
            return;
        }
        let help = if METHODS.contains(&name) {
            Some(format!("`{name}` takes the tag's key: `image.{name}(\"Env\")`"))
        } else {
            did_you_mean(name, known())
        };
        self.error(position, format!("`image` has no fact `{name}`"), help);
    }

    fn image_method(&mut self, call: &FnCallExpr, position: Position) {
        let name = call.name.as_str();
        if METHODS.contains(&name) || self.own.contains_key(name) || actions::is_action(name) {
            return;
        }
        if FACTS.iter().any(|spec| spec.name == name) {
            let help = format!("write `image.{name}`");
            self.error(position, format!("`{name}` is a fact, not a method"), Some(help));
        }
    }

    fn shared_with(&mut self, next: &Expr) {
        let first = match next {
            Expr::Dot(parts, ..) | Expr::Index(parts, ..) => &parts.lhs,
            other => other,
        };
        let Expr::Property(property, position) = first else { return };
        let known: Vec<&str> = FACTS
            .iter()
            .filter_map(|spec| spec.name.split_once('.'))
            .filter(|(group, _)| *group == SHARED_WITH)
            .map(|(_, name)| name)
            .collect();
        let name = property.2.as_str();
        if !known.contains(&name) {
            let help = did_you_mean(name, known.iter().copied())
                .or_else(|| Some(format!("it has {}", known.join(", "))));
            self.error(*position, format!("`image.{SHARED_WITH}` has no `{name}`"), help);
        }
    }

    fn unit(&mut self, name: &str, position: Position) {
        if self.vocabulary.properties.contains(name) {
            return;
        }
        let help = match name {
            "months" | "month" | "years" | "year" => {
                Some("the length of months and years varies: write days, such as `90.days`".to_owned())
            }
            _ => did_you_mean(name, ["seconds", "minutes", "hours", "days", "weeks"]),
        };
        self.error(position, format!("a number has no unit `{name}`"), help);
    }
}
