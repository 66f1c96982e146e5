//! What comes with the package, held against the program: the units call it as it can be called, and the
//! configuration that they name is one that it takes.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::Mode;
use clap::Parser;

use super::args::{Cli, Command};
use crate::config::{self, LoadRequest, Overrides, WithoutFile};

const SERVICE: &str = include_str!("../../systemd/amiwarden.service");
const RUN: &str = include_str!("../../systemd/amiwarden-run.service");
const TIMER: &str = include_str!("../../systemd/amiwarden-run.timer");
const SOCKET: &str = include_str!("../../systemd/amiwarden.socket");
const CONFIGURATION: &str = include_str!("../../packaging/amiwarden.toml");

/// The values of one key of a unit, in their order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn called(unit: &str) -> Cli {
    let [command] = values(unit, "ExecStart")[..] else { panic!("not one ExecStart in\n{unit}") };
    Cli::try_parse_from(command.split_whitespace()).unwrap_or_else(|error| panic!("{command}\n{error}"))
}

#[test]
fn the_units_call_the_program_as_it_can_be_called() {
    let service = called(SERVICE);
    assert!(matches!(service.command, Command::Serve(_)), "{service:?}");
    let run = called(RUN);
    assert!(
        matches!(&run.command, Command::Run(args) if args.enforce.yes && !args.enforce.enforce),
        "{run:?}"
    );
    for cli in [service, run] {
        assert_eq!(cli.global.config.unwrap().to_str(), Some("/etc/amiwarden/amiwarden.toml"));
    }
}

#[test]
fn the_configuration_of_the_package_is_taken_and_only_observes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("amiwarden.toml");
    std::fs::write(&path, CONFIGURATION).unwrap();
    let config = config::load(&LoadRequest {
        path: Some(&path),
        without_file: WithoutFile::Search,
        environment: &BTreeMap::new(),
        working_dir: dir.path(),
        overrides: Overrides::default(),
    })
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.schedules.len(), 1);
    assert!(!config.limits_stated.deregister_per_cycle && !config.limits_stated.share_percent);
    // What the service may write to.
    for unit in [SERVICE, RUN] {
        let [state] = values(unit, "StateDirectory")[..] else { panic!("not one StateDirectory") };
        let state = std::path::Path::new("/var/lib").join(state);
        assert!(config.store.path.starts_with(&state) && config.store.ledger_head.starts_with(&state));
    }
}

#[test]
fn both_services_are_fenced_alike() {
    let fences = |unit: &'static str| -> BTreeSet<&'static str> {
        let start = unit.lines().skip_while(|line| !line.starts_with("# Fences.")).skip(1);
        start.take_while(|line| !line.starts_with('[')).filter(|line| is_fence(line)).collect()
    };
    let of_service = fences(SERVICE);
    assert!(of_service.len() > 25, "{of_service:?}");
    assert_eq!(of_service, fences(RUN));
}

/// Who may read new files differs: the metrics of a run are for another user.
fn is_fence(line: &str) -> bool {
    line.contains('=') && !line.starts_with('#') && !line.starts_with("UMask=")
}

#[test]
fn wrong_usage_is_not_tried_again_and_the_two_ways_exclude_each_other() {
    assert_eq!(values(SERVICE, "RestartPreventExitStatus"), ["2"]);
    assert_eq!(values(TIMER, "Conflicts"), ["amiwarden.service"]);
    assert_eq!(values(SOCKET, "ListenStream"), ["127.0.0.1:9464"]);
    // The newer type counts where it is known, so it has to come last.
    assert_eq!(values(SERVICE, "Type"), ["notify", "notify-reload"]);
}
