//! Modules, while policies load: each is compiled once, before whatever imports it.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::ActionKind;
use rhai::{AST, Expr, Module, Position, Scope, Stmt};

use super::Compiler;
use crate::fault::interpret;
use crate::lint::FileKind;
use crate::modules::SharedModule;
use crate::problem::SourceView;

/// How deep modules may import modules.
const IMPORT_DEPTH_MAX: usize = 8;

/// A module that compiled.
#[derive(Clone)]
pub(super) struct LoadedModule {
    pub(super) module: SharedModule,
    /// The names of its functions.
    pub(super) functions: BTreeSet<String>,
    findings: ModuleFindings,
}

/// What a module adds to the policies that import it, its own imports included.
#[derive(Clone, Default)]
pub(super) struct ModuleFindings {
    pub(super) actions: BTreeSet<ActionKind>,
    pub(super) tag_keys: BTreeSet<String>,
    /// The texts that take part, by name.
    pub(super) texts: BTreeMap<String, String>,
}

impl Compiler<'_> {
    /// Loads what a file imports. Imports stand first, and name their module by a plain text.
    pub(super) fn imports(
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
}
