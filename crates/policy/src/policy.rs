//! Policies, ready to be evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use amiwarden_core::{
    ActionKind, Evaluation, Facts, ImageId, Opinion, PolicyFailure, PolicyName, RuleRef, Verdict,
};
use rhai::{Dynamic, Engine};

use crate::EngineLimits;
use crate::compile::{Compiled, Compiler, FAMILY};
use crate::engine;
use crate::family::{Families, OwnFamilies, place_own};
use crate::fault::{RhaiError, Stop, raise_type};
use crate::machine::Machine;
use crate::modules::{Library, Modules};
use crate::params::{ParamValue, Parameter};
use crate::problem::{CompilePoliciesError, Problem, SourceView, place};
use crate::program::{Program, Stopped};
use crate::subject::{Reach, Subject};

/// The text of a policy.
#[derive(Clone, Debug)]
pub struct PolicySource {
    /// Its name.
    pub name: PolicyName,
    /// Where the text comes from, for messages: a path, or a description such as `built-in retire-stale.rhai`.
    pub origin: String,
    /// The text.
    pub text: String,
}

/// Policies that compiled, with the engine that they share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PolicySet {
    policies: Arc<[Policy]>,
    warnings: Arc<[Problem]>,
}

/// One policy. Cheap to clone.
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

struct Inner {
    source: PolicySource,
    description: String,
    parameters: Vec<Parameter>,
    actions: BTreeSet<ActionKind>,
    digest: String,
    program: Program,
    engine: Arc<Engine>,
}

impl PolicySet {
    /// Compiles the policies. `params` are the values that the configuration gives to parameters; policies without
    /// an entry keep their defaults.
    pub fn compile(
        sources: Vec<PolicySource>,
        modules: &Modules,
        params: &BTreeMap<PolicyName, BTreeMap<String, ParamValue>>,
        limits: &EngineLimits,
    ) -> Result<Self, CompilePoliciesError> {
        let library = Library::default();
        let engine = engine::build(limits, library.clone()).map_err(|error| {
            let view = SourceView { origin: "the policy language", text: "" };
            CompilePoliciesError { problems: vec![view.error(error.position(), error.to_string())] }
        })?;
        let engine = Arc::new(engine);
        let no_params = BTreeMap::new();
        let mut compiler = Compiler::new(&engine, library, modules, limits);
        let mut policies = Vec::new();
        for source in sources {
            let configured = params.get(&source.name).unwrap_or(&no_params);
            if let Some(compiled) = compiler.policy(&source, configured) {
                policies.push(Policy::new(source, compiled, Arc::clone(&engine)));
            }
        }
        if !compiler.errors.is_empty() {
            return Err(compiler.into_error());
        }
        Ok(Self { policies: policies.into(), warnings: compiler.warnings.into() })
    }

    /// The policies, in the order of their sources.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// What looks like a mistake without being one for sure.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }
}

impl Policy {
    fn new(source: PolicySource, compiled: Compiled, engine: Arc<Engine>) -> Self {
        let Compiled { program, parameters, actions, digest } = compiled;
        let description = description(&source.text);
        Self(Arc::new(Inner { source, description, parameters, actions, digest, program, engine }))
    }

    /// Its name.
    pub fn name(&self) -> &PolicyName {
        &self.0.source.name
    }

    /// Where its text comes from, for messages.
    pub fn origin(&self) -> &str {
        &self.0.source.origin
    }

    /// What it says about itself: its leading `//!` comment.
    pub fn description(&self) -> &str {
        &self.0.description
    }

    /// Its parameters, in the order of their declarations.
    pub fn parameters(&self) -> &[Parameter] {
        &self.0.parameters
    }

    /// Its rules, in the order of the file.
    pub fn rules(&self) -> &[RuleRef] {
        &self.0.program.rules
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.0.source.text
    }

    /// SHA-256, in hexadecimal, over everything that determines what it says: its text, its parameters as they are
    /// in force, and the modules that it imports.
    pub fn digest(&self) -> &str {
        &self.0.digest
    }

    /// Every kind of action that its text could ask for, whether or not the rule ever matches.
    pub fn actions(&self) -> &BTreeSet<ActionKind> {
        &self.0.actions
    }

    /// What it says of one image alone. A policy that defines its own families cannot read them here, because a
    /// place in a family takes all images: see [`evaluator`](Self::evaluator).
    pub fn evaluate(&self, facts: &Arc<Facts>) -> Evaluation {
        let families = if self.0.program.own_family { Families::Unplaced } else { Families::Configured };
        Evaluator::new(self, families).evaluate(facts)
    }

    /// An evaluator for the images of one scope, which keeps the engine warm from one to the next. `facts` are those
    /// of *all* images of the scope, because a policy may define its own families.
    pub fn evaluator(&self, facts: &BTreeMap<ImageId, Arc<Facts>>) -> Evaluator<'_> {
        let families = if self.0.program.own_family {
            Families::Own(Arc::new(self.place_families(facts)))
        } else {
            Families::Configured
        };
        Evaluator::new(self, families)
    }

    /// A failure as a compiler would show it, with the line that it happened in.
    pub fn show_failure(&self, failure: &PolicyFailure) -> Problem {
        let view = SourceView { origin: self.origin(), text: self.text() };
        let mut problem = view.located(failure.line, failure.column, &failure.message);
        if let Some(rule) = &failure.rule {
            problem.help = Some(format!("this is in rule \"{}\": the image is kept", rule.name));
        }
        problem
    }

    fn place_families(&self, facts: &BTreeMap<ImageId, Arc<Facts>>) -> OwnFamilies {
        let program = &self.0.program;
        let mut machine = program.machine.fork();
        let mark = machine.mark();
        place_own(facts, |facts| {
            machine.rewind(mark);
            let subject = Subject::new(Arc::clone(facts), Families::Configured, Reach::ListedOnly);
            let named = machine.call(&self.0.engine, FAMILY, Dynamic::from(subject)).and_then(family_name);
            named.map_err(|error| self.failure(program.stopped(&error, None)))
        })
    }

    fn failure(&self, stopped: Stopped) -> PolicyFailure {
        let rule = stopped.rule.and_then(|number| self.rules().get(number)).cloned();
        match stopped.stop {
            Stop::Failed(failure) => {
                let (line, column) = place(failure.position);
                let line = line.or(rule.as_ref().map(|rule| rule.line));
                PolicyFailure { kind: failure.kind, message: failure.message, line, column, rule }
            }
            Stop::Suspended(need) => PolicyFailure {
                kind: amiwarden_core::FailureKind::Script,
                message: format!("it waits for {need} where nothing can be waited for"),
                line: None,
                column: None,
                rule,
            },
        }
    }
}

fn family_name(value: Dynamic) -> Result<Option<String>, RhaiError> {
    if value.is_unit() {
        return Ok(None);
    }
    value.into_string().map(Some).map_err(|kind| {
        raise_type(
            [],
            format!("`{FAMILY}` must return text or `()`, not {}", crate::value::readable_type(kind)),
        )
    })
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", self.name())
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

/// Evaluates one policy for one image after the other.
pub struct Evaluator<'a> {
    policy: &'a Policy,
    families: Families,
    machine: Machine,
    mark: usize,
}

impl fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluator").field("policy", self.policy.name()).finish_non_exhaustive()
    }
}

impl<'a> Evaluator<'a> {
    fn new(policy: &'a Policy, families: Families) -> Self {
        let machine = policy.0.program.machine.fork();
        let mark = machine.mark();
        Self { policy, families, machine, mark }
    }

    /// What the policy says of one image.
    pub fn evaluate(&mut self, facts: &Arc<Facts>) -> Evaluation {
        self.machine.rewind(self.mark);
        self.machine.look_at(facts, &self.families);
        if let Some(failure) = self.families.failure(&facts.image.id) {
            return Evaluation::Verdict(self.verdict(Opinion::Failed(failure.clone())));
        }
        let program = &self.policy.0.program;
        let opinion = match program.decide(&self.policy.0.engine, &mut self.machine, facts.now) {
            Ok(None) => Opinion::None,
            Ok(Some((number, proposals))) => match program.rules.get(number) {
                Some(rule) => Opinion::Matched { rule: rule.clone(), proposals },
                None => Opinion::None,
            },
            Err(Stopped { stop: Stop::Suspended(need), .. }) => return Evaluation::Suspended(need),
            Err(stopped) => Opinion::Failed(self.policy.failure(stopped)),
        };
        Evaluation::Verdict(self.verdict(opinion))
    }

    fn verdict(&self, opinion: Opinion) -> Verdict {
        Verdict { policy: self.policy.name().clone(), opinion, facts_read: self.machine.readings() }
    }
}

/// The leading `//!` lines, without their marks.
fn description(text: &str) -> String {
    let lines = text.lines().map(str::trim).skip_while(|line| line.is_empty());
    let lines: Vec<&str> = lines
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    lines.join("\n").trim().to_owned()
}
