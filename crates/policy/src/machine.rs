//! Evaluates single expressions of a compiled policy, and keeps Rhai's caches warm between images.
//!
//! Running a whole file for each image would evaluate its parameters and resolve its functions each time. So the
//! rules are taken out of the syntax tree, and their conditions are evaluated one by one in a scope that stays.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use amiwarden_core::{FactReading, Facts};
use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, GlobalRuntimeState,
    ImmutableString, Scope,
};

use crate::engine::renew_budget;
use crate::family::Families;
use crate::fault::RhaiError;
use crate::modules::SharedModule;
use crate::subject::{Reach, Subject};

/// The variable that holds the image.
pub(crate) const IMAGE: &str = "image";
/// The variable that holds the time of the run.
pub(crate) const NOW: &str = "now";

/// The variables that every policy sees from its first line.
pub(crate) const PREDEFINED: [&str; 2] = [IMAGE, NOW];

/// What expressions of one policy are evaluated in.
pub(crate) struct Machine {
    global: GlobalRuntimeState,
    caches: Caches,
    scope: Scope<'static>,
    subject: Option<Subject>,
    /// Whether the variables show the subject. They are brought up to date only when an expression may read them.
    shown: bool,
}

impl Machine {
    /// For the policy with these functions. Its two predefined variables are still empty.
    pub(crate) fn new(engine: &Engine, origin: &str, functions: &SharedModule) -> Self {
        let mut global = engine.new_global_runtime_state();
        global.source = Some(origin.into());
        global.lib.push(SharedModule::clone(functions));
        let mut caches = Caches::new();
        // Without one that outlives them, every block would begin with an empty cache.
        caches.push_fn_resolution_cache();
        let mut scope = Scope::new();
        for name in PREDEFINED {
            scope.push_dynamic(name, Dynamic::UNIT);
        }
        Self { global, caches, scope, subject: None, shown: true }
    }

    /// Another one in the same state.
    pub(crate) fn fork(&self) -> Self {
        let mut caches = Caches::new();
        caches.push_fn_resolution_cache();
        let (global, scope) = (self.global.clone(), self.scope.clone());
        Self { global, caches, scope, subject: None, shown: true }
    }

    pub(crate) fn import(&mut self, alias: &str, module: SharedModule) {
        self.global.push_import(alias, module);
    }

    /// Defines a variable that no expression can change.
    pub(crate) fn define(&mut self, name: &str, value: Dynamic) {
        self.scope.push_constant_dynamic(name, value);
    }

    /// Makes a constant visible to functions, as `global::NAME`.
    pub(crate) fn define_global(&mut self, name: &str, value: Dynamic) {
        let constants = self.global.constants.get_or_insert_with(|| Arc::new(RwLock::new(BTreeMap::new())));
        let mut constants = constants.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        constants.insert(ImmutableString::from(name), value);
    }

    /// How many variables there are, to return to with [`rewind`](Self::rewind).
    pub(crate) fn mark(&self) -> usize {
        self.scope.len()
    }

    /// Forgets the variables defined since the mark was taken, and what has been computed so far.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.scope.rewind(mark);
        self.global.num_operations = 0;
        renew_budget();
    }

    /// Turns to another image, of which nothing has been read yet.
    pub(crate) fn look_at(&mut self, facts: &Arc<Facts>, families: &Families) {
        if let Some(subject) = &mut self.subject {
            subject.turn_to(facts);
        } else {
            self.subject = Some(Subject::new(Arc::clone(facts), families.clone(), Reach::Everything));
        }
        self.shown = false;
    }

    /// What has been read of the image.
    pub(crate) fn readings(&self) -> Vec<FactReading> {
        self.subject.as_ref().map(Subject::readings).unwrap_or_default()
    }

    /// A fact of the image, by its place in the catalog.
    pub(crate) fn fact(&self, number: usize) -> Result<Dynamic, RhaiError> {
        self.subject.as_ref().map_or(Ok(Dynamic::UNIT), |subject| subject.fact(number))
    }

    /// The value of a tag of the image.
    pub(crate) fn tag(&self, key: &str) -> Dynamic {
        self.subject.as_ref().map_or(Dynamic::UNIT, |subject| subject.tag(key))
    }

    /// Whether the image has a tag.
    pub(crate) fn has_tag(&self, key: &str) -> bool {
        self.subject.as_ref().is_some_and(|subject| subject.has_tag(key))
    }

    fn show_subject(&mut self) {
        let Some(subject) = self.subject.as_ref().filter(|_| !self.shown) else { return };
        if let Some(slot) = self.scope.get_mut(NOW) {
            *slot = Dynamic::from(subject.facts.now);
        }
        if let Some(slot) = self.scope.get_mut(IMAGE) {
            *slot = Dynamic::from(subject.clone());
        }
        self.shown = true;
    }

    /// The value of an expression; that of a block is its last expression or what it returns.
    pub(crate) fn eval(&mut self, engine: &Engine, expression: &Expr) -> Result<Dynamic, RhaiError> {
        self.show_subject();
        let mut context = EvalContext::new(engine, &mut self.global, &mut self.caches, &mut self.scope, None);
        let result = context.eval_expression_tree(&Expression::from(expression));
        result.map(Dynamic::flatten).or_else(|error| match *error {
            EvalAltResult::Return(value, _) => Ok(value),
            other => Err(other.into()),
        })
    }

    /// What the policy's function `name` makes of the image.
    pub(crate) fn call(
        &mut self,
        engine: &Engine,
        name: &str,
        argument: Dynamic,
    ) -> Result<Dynamic, RhaiError> {
        let mut context = EvalContext::new(engine, &mut self.global, &mut self.caches, &mut self.scope, None);
        context.call_fn::<Dynamic>(name, (argument,))
    }
}
