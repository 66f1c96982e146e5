//! What a person at a terminal sees while a run goes on. Off a terminal it shows nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(120);

/// A line on standard error that says what is going on, with a bar where the end is known.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Counts what moved, shown or not.
    movements: Arc<AtomicU64>,
}

impl Progress {
    /// A visible one, on standard error. It hides itself where that is no terminal.
    pub fn visible() -> Self {
        Self { bar: ProgressBar::new_spinner(), movements: Arc::default() }
    }

    /// One that shows nothing.
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), movements: Arc::default() }
    }

    /// How often something has moved.
    pub(crate) fn movements(&self) -> u64 {
        self.movements.load(Ordering::Relaxed)
    }

    fn moved(&self) {
        self.movements.fetch_add(1, Ordering::Relaxed);
    }

    /// A new phase whose length is not known.
    pub(crate) fn phase(&self, what: impl Into<Cow<'static, str>>) {
        self.moved();
        self.bar.set_style(style("{spinner} {msg}"));
        self.bar.unset_length();
        self.bar.enable_steady_tick(TICK);
        self.bar.set_message(what);
    }

    /// A new phase of so many parts.
    pub(crate) fn phase_of(&self, what: impl Into<Cow<'static, str>>, parts: usize) {
        self.moved();
        self.bar.set_length(u64::try_from(parts).unwrap_or(u64::MAX));
        self.bar.set_position(0);
        self.bar.set_style(style("{spinner} {msg} [{bar:30}] {pos}/{len}"));
        self.bar.enable_steady_tick(TICK);
        self.bar.set_message(what);
    }

    /// One part of the phase is done.
    pub(crate) fn advance(&self) {
        self.moved();
        self.bar.inc(1);
    }

    /// Clears the line, so that what is printed next stands on its own.
    pub fn clear(&self) {
        self.bar.disable_steady_tick();
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this file; a plain spinner is as good as a crash is bad.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
