//! `man`: the manual pages, made of what `--help` says, so that the two cannot disagree.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use super::args::Cli;
use super::failure::{Failure, Outcome};
use super::terminal;

/// Prints the page of the program, or writes one page for it and one for each command.
pub(super) fn man(out: Option<&Path>) -> Result<Outcome, Failure> {
    let program = built();
    let Some(dir) = out else {
        terminal::print(&page(&program, "amiwarden")?)?;
        return Ok(Outcome::Fine);
    };
    fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the directory {}", dir.display()))
        .map_err(Failure::Usage)?;
    for (name, text) in pages(&program, "amiwarden")? {
        let path = dir.join(format!("{name}.1"));
        fs::write(&path, text)
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(Failure::Usage)?;
    }
    Ok(Outcome::Fine)
}

/// The command line without `help`, whose page nobody would look for.
fn built() -> clap::Command {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    program
}

/// The pages of a command and of all below it, each with its name (`amiwarden-audit-verify`).
fn pages(command: &clap::Command, name: &str) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut all = vec![(name.to_owned(), page(command, name)?)];
    for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        all.extend(pages(below, &format!("{name}-{}", below.get_name()))?);
    }
    Ok(all)
}

fn page(command: &clap::Command, name: &str) -> std::io::Result<Vec<u8>> {
    let mut rendered = Vec::new();
    Man::new(command.clone()).render(&mut rendered)?;
    let mut text = Vec::with_capacity(rendered.len());
    for line in String::from_utf8_lossy(&rendered).lines() {
        if line.starts_with(".TH ") {
            // The renderer leaves out a date that is empty, and what follows would be taken for one. There is none, so
            // that equal programs have equal pages.
            writeln!(text, ".TH {} 1 \"\" \"{VERSION}\" \"User Commands\"", name.to_uppercase())?;
        } else {
            writeln!(text, "{line}")?;
        }
    }
    text.write_all(closing(name).as_bytes())?;
    Ok(text)
}

const VERSION: &str = concat!("amiwarden ", env!("CARGO_PKG_VERSION"));

/// What every page ends with. The program's own page names the exit codes and the files besides.
fn closing(name: &str) -> &'static str {
    if name == "amiwarden" { PROGRAM_CLOSING } else { COMMAND_CLOSING }
}

const PROGRAM_CLOSING: &str = r#".SH "EXIT STATUS"
.TP
0
fine
.TP
1
a step failed or its fate is unknown, something could not be read, or the audit found something
.TP
2
wrong usage, configuration, policy, credentials or store: nothing was done
.TP
3
with \-\-exit\-code: changes are due
.TP
4
a guard tripped
.SH ENVIRONMENT
.TP
AMIWARDEN_CONFIG
the configuration file, where \-\-config names none
.TP
AMIWARDEN_<SECTION>__<KEY>
a key of the configuration, such as AMIWARDEN_LIMITS__MIN_AGE=14d
.TP
AMIWARDEN_LOG
what is logged, such as amiwarden=debug
.TP
AMIWARDEN_LOG_FORMAT
the form of the log, where \-\-log\-format names none
.SH FILES
.TP
/etc/amiwarden/amiwarden.toml
the configuration of the machine
.TP
/var/lib/amiwarden
the store of the service
.SH "SEE ALSO"
systemctl(1), journalctl(1)
"#;

const COMMAND_CLOSING: &str = r#".SH "SEE ALSO"
amiwarden(1)
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_that_names_it() {
        let pages = pages(&built(), "amiwarden").unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in
            ["amiwarden", "amiwarden-run", "amiwarden-audit", "amiwarden-audit-verify", "amiwarden-man"]
        {
            assert!(names.contains(&name), "no page {name} among {names:?}");
        }
        assert!(!names.iter().any(|name| name.ends_with("-help")), "{names:?}");
        for (name, text) in &pages {
            let text = String::from_utf8(text.clone()).unwrap();
            assert!(text.contains(&format!(".TH {} 1", name.to_uppercase())), "{name}\n{text}");
            assert!(text.contains("SYNOPSIS"), "{name}");
        }
    }

    #[test]
    fn the_exit_codes_of_the_page_are_those_that_there_are() {
        let codes: Vec<&str> = PROGRAM_CLOSING
            .lines()
            .filter(|line| line.len() == 1 && line.chars().all(|c| c.is_ascii_digit()))
            .collect();
        assert_eq!(codes, ["0", "1", "2", "3", "4"]);
    }
}
