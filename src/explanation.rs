//! The answer to "why this image?": what would happen to it now, what holds that back, and what every policy
//! says with the rule, the line and the facts that it read.

use std::fmt::Write;
use std::sync::Arc;

use amiwarden_core::{
    Because, Decision, Fact, Facts, Held, Kept, Opinion, Proof, ProofResult, Proposal, Reading, Step,
    Verdict, Wish,
};
use serde_json::{Value, json};

use crate::report::{plain, values};

/// All that there is to say about one image.
pub(crate) struct Explanation {
    pub(crate) facts: Arc<Facts>,
    pub(crate) decision: Decision,
    pub(crate) steps: Vec<Step>,
    pub(crate) held: Vec<Held>,
    pub(crate) kept: Option<Kept>,
    /// What is known of its uses, where a guard holds back what would take it away.
    pub(crate) held_proof: Option<Proof>,
}

impl Explanation {
    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_image(&mut text);
        let _ = self.write_conclusion(&mut text);
        let _ = self.write_proof(&mut text);
        let _ = self.write_verdicts(&mut text);
        text
    }

    fn write_image(&self, out: &mut String) -> std::fmt::Result {
        let image = &self.facts.image;
        let name = image.name.as_deref().map(plain).unwrap_or_default();
        writeln!(out, "{} {name}", image.id)?;
        writeln!(out, "  in {}, {}", self.facts.scope, image.state)?;
        match &self.facts.age {
            Fact::Known(age) => writeln!(out, "  created {age} ago")?,
            doubt => writeln!(out, "  created: {}", doubt_words(doubt))?,
        }
        match &image.last_launched_at {
            Reading::Present(at) => writeln!(out, "  last launched {at}")?,
            Reading::Absent => writeln!(out, "  no launch reported")?,
            Reading::Unreadable(text) => writeln!(out, "  last launch cannot be read: {}", plain(text))?,
        }
        writeln!(out)
    }

    fn write_conclusion(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "What would happen now")?;
        for step in &self.steps {
            writeln!(out, "  {}", step.change.kind())?;
            write_because(out, &step.because)?;
        }
        for held in &self.held {
            writeln!(
                out,
                "  {} is held back by {}: {}",
                held.change.kind(),
                held.guard,
                plain(&held.reason)
            )?;
            write_because(out, &held.because)?;
        }
        if let Some(kept) = &self.kept {
            writeln!(out, "  nothing: {}", plain(&kept.reason))?;
            if let (Some(policy), Some(rule)) = (&kept.policy, &kept.rule) {
                writeln!(out, "    {policy}, rule \"{}\" (line {})", rule.name, rule.line)?;
            }
        }
        for vetoed in &self.decision.vetoed {
            writeln!(out, "  {} is vetoed, because the image is kept", vetoed.kind)?;
            write_because(out, &vetoed.because)?;
        }
        for satisfied in &self.decision.satisfied {
            writeln!(out, "  {} holds already", satisfied.kind)?;
            write_because(out, &satisfied.because)?;
        }
        for conflict in &self.decision.conflicts {
            writeln!(out, "  policies contradict each other: {}", plain(&conflict.about))?;
            write_because(out, &conflict.because)?;
        }
        for unresolved in &self.decision.unresolved {
            writeln!(out, "  {} is not possible: {}", unresolved.kind, plain(&unresolved.reason))?;
            write_because(out, &unresolved.because)?;
        }
        writeln!(out)
    }

    /// The proof that a step carries, or what there is of one where it is held back.
    fn proof(&self) -> Option<&Proof> {
        self.steps.iter().find_map(|step| step.proof.as_ref()).or(self.held_proof.as_ref())
    }

    fn write_proof(&self, out: &mut String) -> std::fmt::Result {
        let Some(proof) = self.proof() else { return Ok(()) };
        writeln!(out, "Who uses it")?;
        for finding in &proof.findings {
            write!(out, "  {}: ", finding.source)?;
            match &finding.result {
                ProofResult::Unused => write!(out, "nothing")?,
                ProofResult::Used(uses) => {
                    let uses: Vec<String> =
                        uses.iter().map(|it| plain(&it.to_string()).into_owned()).collect();
                    write!(out, "{}", uses.join(", "))?;
                }
                ProofResult::Unknown(reason) => write!(out, "unknown, {}", plain(reason))?,
                ProofResult::SwitchedOff => write!(out, "switched off in the configuration")?,
                ProofResult::NotRead => write!(out, "not read, because another guard holds it anyway")?,
            }
            match finding.as_of {
                Some(at) => writeln!(out, " (as of {at:.0})")?,
                None => writeln!(out)?,
            }
        }
        for days in self.steps.iter().filter_map(|step| step.restorable_days) {
            writeln!(out, "  the Recycle Bin would hold it for {days} days")?;
        }
        writeln!(out)
    }

    fn write_verdicts(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "What each policy says")?;
        if self.decision.verdicts.is_empty() {
            writeln!(out, "  no policy applies to it")?;
        }
        for verdict in &self.decision.verdicts {
            write!(out, "  {}: ", verdict.policy)?;
            match &verdict.opinion {
                Opinion::None => writeln!(out, "no rule matches")?,
                Opinion::Matched { rule, proposals } => {
                    writeln!(out, "rule \"{}\" (line {}) matches", rule.name, rule.line)?;
                    for proposal in proposals {
                        writeln!(out, "    {} - {}", wish(proposal), plain(&proposal.reason))?;
                    }
                }
                Opinion::Failed(failure) => {
                    let line = failure.line.map(|line| format!("line {line}: ")).unwrap_or_default();
                    writeln!(out, "could not be evaluated: {line}{}", plain(&failure.message))?;
                }
            }
            write_facts(out, verdict)?;
        }
        Ok(())
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let kept = self
            .kept
            .as_ref()
            .map(|kept| json!({ "reason": kept.reason, "policy": kept.policy, "rule": kept.rule }));
        json!({
            "schema": 1,
            "image_id": self.decision.image,
            "name": self.facts.image.name,
            "account": self.facts.scope.account,
            "region": self.facts.scope.region,
            "state": self.facts.image.state,
            "steps": self.steps.iter().map(|step| json!({
                "action": step.change.kind(), "change": values::change(&step.change), "because": step.because,
                "restorable_days": step.restorable_days,
            })).collect::<Vec<_>>(),
            "held": self.held.iter().map(|held| json!({
                "action": held.change.kind(), "guard": held.guard, "reason": held.reason, "because": held.because,
            })).collect::<Vec<_>>(),
            "kept": kept,
            "proof": self.proof(),
            "vetoed": self.decision.vetoed,
            "satisfied": self.decision.satisfied,
            "conflicts": self.decision.conflicts,
            "unresolved": self.decision.unresolved,
            "verdicts": self.decision.verdicts.iter().map(values::verdict).collect::<Vec<_>>(),
        })
    }
}

fn write_because(out: &mut String, because: &[Because]) -> std::fmt::Result {
    for Because { policy, rule, reason } in because {
        writeln!(out, "    {policy}, rule \"{}\" (line {}): {}", rule.name, rule.line, plain(reason))?;
    }
    Ok(())
}

fn write_facts(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if verdict.facts_read.is_empty() {
        return Ok(());
    }
    let facts = verdict.facts_read.iter().map(|fact| format!("{} = {}", fact.name, plain(&fact.value)));
    writeln!(out, "    it read {}", facts.collect::<Vec<_>>().join(", "))
}

fn wish(proposal: &Proposal) -> &'static str {
    match &proposal.wish {
        Wish::Keep => "keep",
        Wish::Notify => "notify",
        Wish::Act(action) => action.kind().as_str(),
    }
}

fn doubt_words<T>(fact: &Fact<T>) -> String {
    match fact {
        Fact::Known(_) => "known".to_owned(),
        Fact::Unknown(reason) => format!("unknown, {reason}"),
        Fact::NotFetched(need) => format!("{need} not read"),
    }
}
