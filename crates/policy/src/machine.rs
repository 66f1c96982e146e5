//! Evaluates single expressions of a compiled policy, and keeps Rhai's caches warm between images.
//!
//! Running a whole file for each image would evaluate its parameters and resolve its functions each time. So the
//! rules are taken out of the syntax tree, and their conditions are evaluated one by one in a scope that stays.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expr, Expression, GlobalRuntimeState,
    ImmutableString, Scope,
};

use crate::engine::renew_budget;
use crate::fault::RhaiError;
use crate::modules::SharedModule;

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
        Self { global, caches, scope }
    }

    /// Another one in the same state.
    pub(crate) fn fork(&self) -> Self {
        let mut caches = Caches::new();
        caches.push_fn_resolution_cache();
        Self { global: self.global.clone(), caches, scope: self.scope.clone() }
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

    /// The predefined variable of that name.
    pub(crate) fn predefined(&mut self, name: &'static str) -> Option<&mut Dynamic> {
        self.scope.get_mut(name)
    }

    /// The value of an expression; that of a block is its last expression or what it returns.
    pub(crate) fn eval(&mut self, engine: &Engine, expression: &Expr) -> Result<Dynamic, RhaiError> {
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
