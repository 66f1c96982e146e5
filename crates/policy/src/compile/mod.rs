//! From texts to policies: parse, look through, import, evaluate what holds for every image, try on probes.
//!
//! Every problem of every file is collected, so that a person mends them in one go.

mod imports;
mod layout;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use amiwarden_core::{ActionKind, FailureKind, PolicyName};
use rhai::{AST, Dynamic, Engine, Expr, FnCallExpr, Position, Scope};
use sha2::{Digest, Sha256};

use crate::fault::{Certainty, Stop};
use crate::lint::{FileKind, Findings, ImportedFunctions, PARAM, Vocabulary, lint};
use crate::machine::PREDEFINED;
use crate::modules::{Library, Modules};
use crate::params::{ParamValue, Parameter};
use crate::problem::{CompilePoliciesError, Problem, SourceView};
use crate::program::Program;
use crate::syntax::explain_parse_error;
use crate::{EngineLimits, PolicySource, probe};

use imports::LoadedModule;
use layout::Layout;

/// The function by which a policy defines its own families.
pub(crate) const FAMILY: &str = "family";

/// Compiles the policies of one set, one after the other.
pub(crate) struct Compiler<'a> {
    engine: &'a Engine,
    library: Library,
    modules: &'a Modules,
    limits: &'a EngineLimits,
    vocabulary: Vocabulary,
    /// What has been compiled of modules, by name.
    loaded: BTreeMap<String, LoadedModule>,
    pub(crate) errors: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
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
        let layout = Layout::of(&ast, view);
        self.errors.extend(layout.errors);
        self.warnings.extend(layout.warnings);
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
    /// What goes wrong for some images, when rules are tried in their order, is worth a warning. What computes too
    /// much even for an image about which there is nothing to compute would for every real one.
    fn probe(&mut self, program: &Program, view: SourceView<'_>, tag_keys: &BTreeSet<String>) {
        let mut seen = BTreeSet::new();
        for facts in &probe::images(tag_keys) {
            for failure in program.try_everything(self.engine, facts) {
                if failure.certainty == Certainty::Always
                    && seen.insert((failure.position, failure.message.clone()))
                {
                    self.errors.push(view.error(failure.position, failure.message));
                }
            }
            let failure = program.try_in_order(self.engine, facts);
            let doubtful = failure.filter(|failure| {
                failure.kind == FailureKind::Type && failure.certainty == Certainty::PerImage
            });
            if let Some(failure) = doubtful
                && seen.insert((failure.position, failure.message.clone()))
            {
                let warning = view.warning(failure.position, failure.message);
                self.warnings.push(warning.with_help("images for which this fails are kept"));
            }
        }
        let endless = probe::newborn().and_then(|facts| program.try_in_order(self.engine, &facts));
        if let Some(failure) = endless.filter(|failure| failure.kind == FailureKind::Limit) {
            let error = view.error(failure.position, failure.message);
            self.errors.push(error.with_help("no image could ever be evaluated: compute less"));
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
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
