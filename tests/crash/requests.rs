//! The program dies at every point of every request, and changes meet everything that can happen on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use amiwarden_sandbox::{ExchangeEvent, ExchangePoint, Fault, FaultKind, Verdict};

use crate::cases::{Case, run_all};
use crate::checks::{Stage, UNDISTURBED, ensure, is_sent_change};
use crate::scene::{End, enforce};

/// The connection breaks, and the change takes effect after the program, if it lives, has looked for it in vain.
const APPLIED_LATE: FaultKind = FaultKind::AppliedLate { seconds: 2 };

fn point(event: &ExchangeEvent) -> &'static str {
    match event.point {
        ExchangePoint::Received => "received",
        ExchangePoint::Applied => "applied",
        ExchangePoint::Replied => "replied",
    }
}

fn name(event: &ExchangeEvent, what: &str) -> String {
    let rehearsal = if event.dry_run { "-rehearsal" } else { "" };
    format!("{:03}-{}{rehearsal}-{what}", event.number, event.action)
}

#[test]
fn p1_killed_at_every_point_of_every_request() {
    let cases =
        UNDISTURBED.1.iter().map(|event| Case { name: name(event, point(event)), what: event.number });
    run_all("every_point", cases.collect(), |number| {
        let number = *number;
        let stage = Stage::set(move |event, victim| {
            if event.number != number {
                return Verdict::Continue;
            }
            victim.kill();
            // What the account has not begun to carry out is lost with the sender.
            Verdict::BreakConnection
        });
        let end = enforce(&stage.place, &stage.victim, &[]);
        ensure(matches!(end, End::Killed), || "it was not killed".to_owned())?;
        stage.recover_and_check()
    });
}

/// A change by what it is, because a disturbed run may send other requests before it.
#[derive(Clone)]
struct Target {
    action: String,
    image_id: String,
    /// Which of the changes of this action to this image, from 1.
    nth: u64,
}

impl Target {
    fn is_met_by(&self, event: &ExchangeEvent) -> bool {
        is_sent_change(event) && event.action == self.action && event.image_ids.contains(&self.image_id)
    }

    fn fault(&self, kind: FaultKind) -> Fault {
        Fault::new(&self.action, kind).real_only().image(&self.image_id).nth(self.nth)
    }
}

/// Every change of an undisturbed run, with its name.
fn targets() -> Vec<(String, Target)> {
    let mut targets: Vec<(String, Target)> = Vec::new();
    for event in UNDISTURBED.1.iter().filter(|event| is_sent_change(event)) {
        let earlier = targets.iter().filter(|(_, target)| target.is_met_by(event)).count() as u64;
        let target =
            Target { action: event.action.clone(), image_id: event.image_ids[0].clone(), nth: earlier + 1 };
        targets.push((format!("{:03}-{}", event.number, event.action), target));
    }
    targets
}

/// What becomes of the program when a change meets its mishap.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Lives,
    Dies,
}

const MISHAPS: [(&str, FaultKind, Program); 8] = [
    ("not-sent", FaultKind::ResetBefore, Program::Lives),
    ("reply-lost", FaultKind::ResetAfter, Program::Lives),
    ("reply-cut-short", FaultKind::TruncatedBody, Program::Lives),
    ("5xx-before", FaultKind::ServerErrorBefore, Program::Lives),
    ("5xx-after", FaultKind::ServerErrorAfter, Program::Lives),
    ("throttled", FaultKind::Throttle, Program::Lives),
    ("applied-late", APPLIED_LATE, Program::Lives),
    ("killed-and-applied-late", APPLIED_LATE, Program::Dies),
];

#[test]
fn p1_every_mishap_of_every_change() {
    let cases = targets().into_iter().flat_map(|(name, target)| {
        MISHAPS.map(|(mishap, kind, program)| Case {
            name: format!("{name}-{mishap}"),
            what: (target.clone(), kind, program),
        })
    });
    run_all("every_mishap", cases.collect(), |(target, kind, program)| {
        let (met, dies) = (Arc::new(AtomicUsize::new(0)), *program == Program::Dies);
        let (expected, counter) = (target.clone(), met.clone());
        let stage = Stage::set(move |event, victim| {
            let is_it = expected.is_met_by(event)
                && counter.fetch_add(1, Ordering::SeqCst) as u64 + 1 == expected.nth;
            if is_it && dies {
                victim.kill();
            }
            Verdict::Continue
        });
        stage.account.cloud().inject(target.fault(*kind));
        if dies {
            let end = enforce(&stage.place, &stage.victim, &[]);
            ensure(matches!(end, End::Killed), || "it was not killed".to_owned())?;
        }
        stage.recover_and_check()?;
        ensure(met.load(Ordering::SeqCst) as u64 >= target.nth, || "it was never sent".to_owned())
    });
}
