//! Runs many cases side by side, and says of each that fails how to repeat it alone.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

/// Cases mostly wait: for the program to start, for an effect to show. So more of them run than there are cores.
const PER_CORE: usize = 3;

/// The variable that picks a single case.
const CASE_VARIABLE: &str = "CRASH_CASE";

/// One case.
pub(crate) struct Case<T> {
    pub(crate) name: String,
    pub(crate) what: T,
}

/// Runs every case, or the one that is picked. Fails when any of them fails.
pub(crate) fn run_all<T: Send>(
    test: &str,
    cases: Vec<Case<T>>,
    run: impl Fn(&T) -> Result<(), String> + Sync,
) {
    let picked = std::env::var(CASE_VARIABLE).ok();
    let cases = cases.into_iter().filter(|case| picked.as_ref().is_none_or(|name| *name == case.name));
    let queue: Mutex<VecDeque<Case<T>>> = Mutex::new(cases.collect());
    let (total, failures) = (queue.lock().unwrap().len(), Mutex::new(Vec::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores * PER_CORE {
            scope.spawn(|| {
                while let Some(case) = next(&queue) {
                    let panicked = |_| Err("the test itself panicked; see above".to_owned());
                    let ended = catch_unwind(AssertUnwindSafe(|| run(&case.what))).unwrap_or_else(panicked);
                    if let Err(reason) = ended {
                        failures.lock().unwrap().push(format!(
                            "{name}: {reason}\n  again: {CASE_VARIABLE}='{name}' cargo test --workspace --test crash {test}",
                            name = case.name
                        ));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    let shown = failures.iter().take(10).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} of {total} cases failed\n\n{shown}", failures.len());
}

fn next<T>(queue: &Mutex<VecDeque<T>>) -> Option<T> {
    queue.lock().unwrap().pop_front()
}
