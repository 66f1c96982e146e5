//! `pause` and `resume`.

use amiwarden_core::Timestamp;
use anyhow::Context;

use super::args::Global;
use super::failure::{Failure, Outcome};
use super::{prepare, terminal};
use crate::pause::PauseFile;

pub(super) fn pause(global: &Global, reason: Option<&str>) -> Result<Outcome, Failure> {
    let file = PauseFile::of(&prepare::load_config(global, None)?);
    let reason = reason.map_or_else(|| "no reason was given".to_owned(), one_line);
    let since = Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
    let is_new = file
        .set(&format!("{reason} (since {since})"))
        .with_context(|| format!("cannot pause: {} cannot be written", file.path().display()))?;
    terminal::note(&if is_new {
        format!(
            "paused: nothing is changed while {} exists (`{} resume` removes it)",
            file.path().display(),
            terminal::command(global)
        )
    } else {
        file.reason().unwrap_or_else(|| "changes were paused already".to_owned())
    });
    Ok(Outcome::Fine)
}

pub(super) fn resume(global: &Global) -> Result<Outcome, Failure> {
    let file = PauseFile::of(&prepare::load_config(global, None)?);
    let was_paused =
        file.clear().with_context(|| format!("still paused: {} cannot be removed", file.path().display()))?;
    let words = if was_paused { "resumed: changes happen again" } else { "changes were not paused" };
    terminal::note(words);
    Ok(Outcome::Fine)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
