//! From texts to policies: parse, look through, import, evaluate what holds for every image, try on probes.
//!
//! Every problem of every file is collected, so that a person mends them in one go.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{ActionKind, FailureKind, PolicyName, RuleRef};
use rhai::{
    AST, ASTFlags, Dynamic, Engine, Expr, FnCallExpr, ImmutableString, Module, Position, Scope, Stmt,
};
use sha2::{Digest, Sha256};

use crate::engine::RULE;
use crate::fault::{Certainty, Stop, interpret};
use crate::lint::{FileKind, Findings, ImportedFunctions, PARAM, Vocabulary, depends_on_image, lint};
use crate::machine::{Machine, PREDEFINED};
use crate::modules::{Library, Modules, SharedModule};
use crate::params::{ParamValue, Parameter, can_be_parameter, declared};
use crate::problem::{CompilePoliciesError, Problem, SourceView, place};
use crate::program::{Program, Rule, Step};
use crate::suggest::did_you_mean;
use crate::syntax::explain_parse_error;
use crate::{EngineLimits, PolicySource, probe};

/// The function by which a policy defines its own families.
pub(crate) const FAMILY: &str = "family";

/// How deep modules may import modules.
const IMPORT_DEPTH_MAX: usize = 8;

/// Compiles the policies of one set, one after the other.
pub(crate) struct Compiler<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) library: Library,
    pub(crate) modules: &'a Modules,
    pub(crate) limits: &'a EngineLimits,
    pub(crate) vocabulary: Vocabulary,
    /// What has been compiled of modules, by name.
    loaded: BTreeMap<String, LoadedModule>,
    pub(crate) errors: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
}

#[derive(Clone)]
struct LoadedModule {
    module: SharedModule,
    functions: BTreeSet<String>,
    findings: ModuleFindings,
}

/// What a module adds to the policies that import it, its own imports included.
#[derive(Clone, Default)]
struct ModuleFindings {
    actions: BTreeSet<ActionKind>,
    tag_keys: BTreeSet<String>,
    /// The texts that take part, by name.
    texts: BTreeMap<String, String>,
}

/// A policy that compiled.
pub(crate) struct Compiled {
    pub(crate) program: Program,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) actions: BTreeSet<ActionKind>,
    pub(crate) digest: String,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        library: Library,
        modules: &'a Modules,
        limits: &'a EngineLimits,
    ) -> Self {
        let vocabulary = Vocabulary::of(engine);
        Self {
            engine,
            library,
            modules,
            limits,
            vocabulary,
            loaded: BTreeMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// All problems that refuse the set, in the order of files and lines.
    pub(crate) fn into_error(mut self) -> CompilePoliciesError {
        self.errors.sort_by(|one, other| {
            (&one.origin, one.line, one.column).cmp(&(&other.origin, other.line, other.column))
        });
        self.errors.dedup();
        CompilePoliciesError { problems: self.errors }
    }

    /// The policy, or `None` with the reasons among the errors.
    pub(crate) fn policy(
        &mut self,
        source: &PolicySource,
        configured: &BTreeMap<String, ParamValue>,
    ) -> Option<Compiled> {
        let view = SourceView { origin: &source.origin, text: &source.text };
        let before = self.errors.len();
        let ast = self.parse(view, &PREDEFINED)?;
        let (imports, mut from_modules) = self.imports(&ast, view, 0);
        let names = imports.iter().map(|(alias, loaded)| (alias.clone(), loaded.functions.clone())).collect();
        let findings = self.look_through(&ast, FileKind::Policy, view, &names);
        self.check_top_level(&ast, view);
        if self.errors.len() > before {
            // What follows evaluates expressions, and would say the same things again less well.
            return None;
        }
        let mut actions = findings.actions;
        actions.append(&mut from_modules.actions);
        let mut tag_keys = findings.tag_keys;
        tag_keys.append(&mut from_modules.tag_keys);
        let (program, parameters) = self.program(&ast, view, &imports, configured);
        if self.errors.len() == before {
            self.probe(&program, view, &tag_keys);
        }
        let digest = digest(&source.name, &source.text, &parameters, &from_modules.texts);
        (self.errors.len() == before).then_some(Compiled { program, parameters, actions, digest })
    }

    fn parse(&mut self, view: SourceView<'_>, visible: &[&'static str]) -> Option<AST> {
        if view.text.len() > self.limits.source_bytes_max {
            let message = format!("the file is larger than {} bytes", self.limits.source_bytes_max);
            self.errors.push(view.error(Position::NONE, message));
            return None;
        }
        let mut scope = Scope::new();
        for name in visible {
            scope.push_dynamic(*name, Dynamic::UNIT);
        }
        match self.engine.compile_with_scope(&scope, view.text) {
            Ok(mut ast) => {
                ast.set_source(view.origin);
                Some(ast)
            }
            Err(error) => {
                self.errors.push(explain_parse_error(&error, view));
                None
            }
        }
    }

    fn look_through(
        &mut self,
        ast: &AST,
        file: FileKind,
        view: SourceView<'_>,
        imported: &ImportedFunctions,
    ) -> Findings {
        let mut findings = lint(ast, file, view, &self.vocabulary, imported);
        self.errors.append(&mut findings.problems);
        findings
    }

    /// Loads what a file imports. Imports stand first, and name their module by a plain text.
    fn imports(
        &mut self,
        ast: &AST,
        view: SourceView<'_>,
        depth: usize,
    ) -> (Vec<(String, LoadedModule)>, ModuleFindings) {
        let mut imports = Vec::new();
        let mut findings = ModuleFindings::default();
        for statement in ast.statements() {
            let Stmt::Import(parts, position) = statement else { continue };
            let (path, alias) = &**parts;
            let Expr::StringConstant(name, _) = path else {
                let message = "`import` wants the name of a module as a plain text";
                self.errors.push(view.error(*position, message));
                continue;
            };
            if alias.name.is_empty() {
                let help =
                    format!("write `import \"{name}\" as {};`", name.rsplit('/').next().unwrap_or(name));
                let message = "the module needs a name to be used by";
                self.errors.push(view.error(*position, message).with_help(help));
                continue;
            }
            if let Some(loaded) = self.module(name, view, path.position(), depth + 1) {
                findings.actions.extend(&loaded.findings.actions);
                findings.tag_keys.extend(loaded.findings.tag_keys.iter().cloned());
                findings.texts.extend(loaded.findings.texts.clone());
                imports.push((alias.name.to_string(), loaded));
            }
        }
        (imports, findings)
    }

    fn module(
        &mut self,
        name: &str,
        importer: SourceView<'_>,
        position: Position,
        depth: usize,
    ) -> Option<LoadedModule> {
        if let Some(loaded) = self.loaded.get(name) {
            return Some(loaded.clone());
        }
        if depth > IMPORT_DEPTH_MAX || self.loaded.len() >= self.limits.modules_max {
            let message = "too many imports, or modules that import each other in a circle";
            self.errors.push(importer.error(position, message));
            return None;
        }
        let found = match self.modules.find(name, self.limits.source_bytes_max) {
            Ok(found) => found,
            Err(error) => {
                self.errors.push(importer.error(position, error.to_string()));
                return None;
            }
        };
        let view = SourceView { origin: &found.origin, text: &found.text };
        let before = self.errors.len();
        let ast = self.parse(view, &[])?;
        let (imports, mut findings) = self.imports(&ast, view, depth);
        let names = imports.iter().map(|(alias, loaded)| (alias.clone(), loaded.functions.clone())).collect();
        let own = self.look_through(&ast, FileKind::Module, view, &names);
        self.check_module(&ast, view);
        if self.errors.len() > before {
            return None;
        }
        findings.actions.extend(own.actions);
        findings.tag_keys.extend(own.tag_keys);
        findings.texts.insert(name.to_owned(), found.text.clone());
        let module = match Module::eval_ast_as_new(Scope::new(), &ast, self.engine) {
            Ok(module) => SharedModule::new(module),
            Err(error) => {
                self.report(&interpret(&error, view.origin), view, "the module");
                return None;
            }
        };
        self.library.insert(name, SharedModule::clone(&module));
        let functions = ast.iter_functions().map(|function| function.name.to_owned()).collect();
        let loaded = LoadedModule { module, functions, findings };
        self.loaded.insert(name.to_owned(), loaded.clone());
        Some(loaded)
    }

    fn check_module(&mut self, ast: &AST, view: SourceView<'_>) {
        for statement in ast.statements() {
            let fits = matches!(
                statement,
                Stmt::Import(..) | Stmt::Export(..) | Stmt::Var(..) | Stmt::Noop(..) | Stmt::Share(..)
            );
            if !fits {
                let message = "a module holds functions and constants, nothing else";
                let help = "rules and parameters belong into the policies that import it";
                self.errors.push(view.error(statement.position(), message).with_help(help));
            }
        }
    }

    /// What stands where at the top level of a policy.
    fn check_top_level(&mut self, ast: &AST, view: SourceView<'_>) {
        let mut rules: BTreeMap<String, Position> = BTreeMap::new();
        let mut variables = BTreeSet::new();
        let mut beyond_imports = false;
        let mut always: Option<String> = None;
        for statement in ast.statements() {
            let position = statement.position();
            match statement {
                Stmt::Noop(_) => continue,
                Stmt::Import(..) if beyond_imports => {
                    self.errors.push(view.error(position, "imports stand at the top of a file"));
                }
                Stmt::Import(..) => continue,
                Stmt::Var(parts, ..) => {
                    if !variables.insert(parts.0.name.clone()) {
                        let message = format!("`{}` is defined twice", parts.0.name);
                        self.errors.push(view.error(position, message));
                    }
                }
                Stmt::Expr(expression) => match as_rule(expression) {
                    Some((name, condition, _)) => {
                        self.check_rule(view, position, name, condition, &mut rules, &mut always);
                    }
                    None => self.misplaced(view, position),
                },
                _ => self.misplaced(view, position),
            }
            beyond_imports = true;
        }
        if rules.is_empty() {
            let help = format!("a rule reads `{RULE} \"name\" when <condition> {{ <action> }}`");
            self.errors.push(view.error(Position::NONE, "the file has no rule").with_help(help));
        }
        self.check_parameters(ast, view);
    }

    fn check_rule(
        &mut self,
        view: SourceView<'_>,
        position: Position,
        name: &str,
        condition: &Expr,
        rules: &mut BTreeMap<String, Position>,
        always: &mut Option<String>,
    ) {
        if name.trim().is_empty() {
            self.errors.push(view.error(position, "a rule needs a name that is not empty"));
        }
        if let Some(first) = rules.insert(name.to_owned(), position) {
            let line = first.line().unwrap_or_default();
            let message = format!("there are two rules named \"{name}\": the first stands in line {line}");
            self.errors.push(view.error(position, message));
        }
        if let Some(earlier) = always {
            let message = format!("this rule can never match: \"{earlier}\" before it always does");
            self.warnings.push(view.warning(position, message));
        } else if matches!(condition, Expr::BoolConstant(true, _)) {
            *always = Some(name.to_owned());
        }
    }

    fn misplaced(&mut self, view: SourceView<'_>, position: Position) {
        let message = "only `import`, `let`, `const`, `fn` and `rule` stand at the top level of a policy";
        let help = format!("put it into a function, or into the block of a `{RULE}`");
        self.errors.push(view.error(position, message).with_help(help));
    }

    /// `param(…)` is the whole right-hand side of a top-level `let`, before the first rule, and does not depend on
    /// the image. Anywhere else its value could not be told before an image is looked at.
    fn check_parameters(&mut self, ast: &AST, view: SourceView<'_>) {
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
                self.errors.push(view.error(at, message));
                continue;
            };
            if !prologue || depends_on_image(default) {
                let message = "a parameter stands before everything that depends on the image";
                self.errors.push(view.error(*position, message));
            }
            if !names.insert(name.clone()) {
                self.errors.push(view.error(at, format!("the parameter `{name}` is declared twice")));
            }
        }
        let mut strays = Vec::new();
        ast.walk(&mut |path| {
            let call = match path.last() {
                Some(
                    rhai::ASTNode::Expr(Expr::FnCall(call, at)) | rhai::ASTNode::Stmt(Stmt::FnCall(call, at)),
                ) => (call.name == PARAM && !declared.contains(at)).then_some(*at),
                _ => None,
            };
            strays.extend(call);
            true
        });
        for at in strays {
            let message = format!("`{PARAM}(…)` is the whole right-hand side of a top-level `let`");
            let help =
                "write `let max_age = param(\"max_age\", 90.days);` at the top, and use `max_age` here";
            self.errors.push(view.error(at, message).with_help(help));
        }
    }

    /// Takes the file apart: values that hold for every image are worked out now, the rest become steps.
    fn program(
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
        for statement in ast.statements() {
            match statement {
                Stmt::Var(parts, options, _) => {
                    let (name, expression) = (parts.0.name.as_str(), &parts.1);
                    let constant = options.contains(ASTFlags::CONSTANT);
                    if !steps.is_empty() || depends_on_image(expression) {
                        steps.push(Step::Let { name: name.to_owned(), expression: expression.clone() });
                        continue;
                    }
                    let value = self.lasting(&mut machine, view, expression, configured, &mut parameters);
                    let Some(value) = value else { continue };
                    if constant {
                        machine.define_global(name, value.clone());
                    }
                    machine.define(name, value);
                }
                Stmt::Expr(expression) => {
                    let Some((name, condition, body)) = as_rule(expression) else { continue };
                    let (line, _) = place(expression.position());
                    rules.push(RuleRef { name: name.to_owned(), line: line.unwrap_or_default() });
                    let rule =
                        Rule { number: rules.len() - 1, condition: condition.clone(), body: body.clone() };
                    steps.push(Step::Rule(rule));
                }
                _ => {}
            }
        }
        self.check_configured(view, configured, &parameters);
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
        parameters: &[Parameter],
    ) {
        // A parameter whose own declaration failed has been complained about.
        let attempted: BTreeSet<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        for name in configured.keys().filter(|name| !attempted.contains(name.as_str())) {
            if view.text.contains(&format!("{PARAM}(\"{name}\"")) {
                continue;
            }
            let message = format!("the configuration sets `{name}`, which this policy does not declare");
            let help = did_you_mean(name, attempted.iter().copied()).or_else(|| {
                let known: Vec<&str> = attempted.iter().copied().collect();
                Some(match known.as_slice() {
                    [] => "it declares no parameters".to_owned(),
                    known => format!("it declares {}", known.join(", ")),
                })
            });
            self.errors.push(view.error(Position::NONE, message).with_help_if(help));
        }
    }

    fn report(&mut self, stop: &Stop, view: SourceView<'_>, what: &str) {
        match stop {
            Stop::Suspended(_) => {
                let message = format!("{what} cannot wait for facts");
                self.errors.push(view.error(Position::NONE, message));
            }
            Stop::Failed(failure) => self.errors.push(view.error(failure.position, failure.message.clone())),
        }
    }

    /// Tries every rule on every probe, whether its condition holds or not, and reports what no image makes right.
    /// What goes wrong for some images, when rules are tried in their order, is worth a warning.
    fn probe(&mut self, program: &Program, view: SourceView<'_>, tag_keys: &BTreeSet<String>) {
        let mut seen = BTreeSet::new();
        for facts in probe::images(tag_keys) {
            for failure in program.try_everything(self.engine, &facts) {
                if failure.certainty == Certainty::Always
                    && seen.insert((failure.position, failure.message.clone()))
                {
                    self.errors.push(view.error(failure.position, failure.message));
                }
            }
            let failure = program.try_in_order(self.engine, &facts);
            if let Some(failure) = failure.filter(|failure| failure.kind == FailureKind::Type) {
                if failure.certainty == Certainty::PerImage
                    && seen.insert((failure.position, failure.message.clone()))
                {
                    let warning = view.warning(failure.position, failure.message);
                    self.warnings.push(warning.with_help("images for which this fails are kept"));
                }
            }
        }
    }
}

/// Name, condition and block, if the expression is a rule.
fn as_rule(expression: &Expr) -> Option<(&str, &Expr, &Expr)> {
    let Expr::Custom(custom, _) = expression else { return None };
    match &*custom.inputs {
        [Expr::StringConstant(name, _), condition, body] => Some((name, condition, body)),
        _ => None,
    }
}

fn as_param(expression: &Expr) -> Option<(&FnCallExpr, Position)> {
    match expression {
        Expr::FnCall(call, position) if call.name == PARAM && !call.is_qualified() => Some((call, *position)),
        _ => None,
    }
}

/// Names exactly what is in force: the text, the values of the parameters, and every module that takes part.
fn digest(
    name: &PolicyName,
    text: &str,
    parameters: &[Parameter],
    modules: &BTreeMap<String, String>,
) -> String {
    let mut hasher = Sha256::new();
    // With lengths in between, no two different inputs look the same.
    let mut add = |part: &str| {
        hasher.update(part.len().to_le_bytes());
        hasher.update(part.as_bytes());
    };
    add(name.as_str());
    add(text);
    for parameter in parameters {
        add(&parameter.name);
        add(&parameter.value);
    }
    for (module, text) in modules {
        add(module);
        add(text);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
