//! `[[schedule]]`: when the service runs, and what.

use amiwarden_core::{AccountId, Duration, Mode, PolicyName, Region};

use super::place::{Place, Placed, Stated};
use super::problem::Problem;
use super::raw::{MODES, region};
use super::reader::{Read, Section, duration, list, parsed, some_text, text, word};
use super::tree::Node;
use crate::schedule::{Expression, Missed, ParseExpressionError, Schedule};

/// A schedule, and where it was written.
#[derive(Clone, Debug)]
pub struct ScheduleConfig {
    /// The schedule.
    pub schedule: Schedule,
    /// Where its policies are named, in their order, for complaints that one does not exist.
    pub policy_places: Vec<Place>,
}

/// One `[[schedule]]`.
#[derive(Debug)]
pub(super) struct RawSchedule {
    place: Place,
    name: Stated<String>,
    cron: Stated<String>,
    time_zone: Stated<String>,
    jitter: Stated<Duration>,
    missed: Stated<Missed>,
    mode: Stated<Mode>,
    policies: Vec<Placed<PolicyName>>,
    accounts: Vec<Placed<AccountId>>,
    regions: Vec<Placed<Region>>,
}

const MISSED: [(&str, Missed); 2] = [("run-once", Missed::RunOnce), ("skip", Missed::Skip)];

/// A day: with more, a daily schedule would not be due on its day.
const JITTER_MAX: Duration = Duration::from_minutes(24 * 60);

/// A label of metrics, and a word of log lines.
const NAME_CHARS_MAX: usize = 64;

/// Reads every `[[schedule]]`.
pub(super) fn read(top: &mut Section<'_>) -> Vec<RawSchedule> {
    let Some(tables) = top.value("schedule", list) else { return Vec::new() };
    tables.value.into_iter().filter_map(|node| table(node, top.problems())).collect()
}

fn table(node: Node, problems: &mut Vec<Problem>) -> Option<RawSchedule> {
    let place = node.place.clone();
    let mut section = Section::of_node("[[schedule]]", node, problems)?;
    let raw = RawSchedule {
        place,
        name: section.value("name", name),
        cron: section.value("cron", some_text),
        time_zone: section.value("time_zone", some_text),
        jitter: section.value("jitter", jitter),
        missed: section.value("missed", word(&MISSED)),
        mode: section.value("mode", word(&MODES)),
        policies: section.list("policies", policy),
        accounts: section.list("accounts", parsed),
        regions: section.list("regions", region),
    };
    section.finish();
    Some(raw)
}

fn name(node: Node) -> Read<String> {
    let place = node.place.clone();
    let name = some_text(node)?;
    let is_fine = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if name.len() <= NAME_CHARS_MAX && name.chars().all(is_fine) {
        return Ok(name);
    }
    let problem = Problem::new(&place, format!("`{name}` is no name for a schedule"));
    Err(problem.with_help(format!("use at most {NAME_CHARS_MAX} letters, digits, `-`, `_` and `.`")))
}

fn jitter(node: Node) -> Read<Duration> {
    let place = node.place.clone();
    let jitter = duration(node)?;
    if jitter <= JITTER_MAX { Ok(jitter) } else { Err(Problem::new(&place, "at most \"24h\"")) }
}

/// A policy, by its file or its name.
fn policy(node: Node) -> Read<PolicyName> {
    let name = text(node)?;
    Ok(PolicyName::new(name.strip_suffix(".rhai").unwrap_or(&name)))
}

/// The schedules that `raw` comes to.
pub(super) fn settings(raw: Vec<RawSchedule>, problems: &mut Vec<Problem>) -> Vec<ScheduleConfig> {
    let mut schedules: Vec<ScheduleConfig> = Vec::new();
    for raw in raw {
        let (Some(name), Some(cron)) = (&raw.name, &raw.cron) else {
            complain_of_missing(&raw, problems);
            continue;
        };
        if schedules.iter().any(|other| other.schedule.name == name.value) {
            let message = format!("there is a schedule `{}` already", name.value);
            problems.push(Problem::new(&name.place, message).with_help("give each a name of its own"));
        }
        let zone = raw.time_zone.as_ref().map_or("UTC", |zone| zone.value.as_str());
        let expression = match Expression::parse(&cron.value, zone) {
            Ok(expression) => expression,
            Err(error) => {
                problems.push(expression_problem(&raw, cron, &error));
                continue;
            }
        };
        schedules.push(ScheduleConfig {
            schedule: Schedule {
                name: name.value.clone(),
                expression,
                jitter: raw.jitter.map_or(Duration::from_minutes(0), |jitter| jitter.value),
                missed: raw.missed.map_or(Missed::RunOnce, |missed| missed.value),
                mode: raw.mode.map(|mode| mode.value),
                policies: raw.policies.iter().map(|policy| policy.value.clone()).collect(),
                accounts: raw.accounts.into_iter().map(|account| account.value).collect(),
                regions: raw.regions.into_iter().map(|region| region.value).collect(),
            },
            policy_places: raw.policies.into_iter().map(|policy| policy.place).collect(),
        });
    }
    schedules
}

fn complain_of_missing(raw: &RawSchedule, problems: &mut Vec<Problem>) {
    if raw.name.is_none() {
        let problem = Problem::new(&raw.place, "this [[schedule]] has no name");
        problems.push(problem.with_help("add one, such as `name = \"nightly\"`"));
    }
    if raw.cron.is_none() {
        let problem = Problem::new(&raw.place, "this [[schedule]] does not say when it is due");
        problems.push(
            problem.with_help("add a cron expression, such as `cron = \"12 3 * * *\"` or `\"@daily\"`"),
        );
    }
}

fn expression_problem(raw: &RawSchedule, cron: &Placed<String>, error: &ParseExpressionError) -> Problem {
    let place = match (error, &raw.time_zone) {
        (ParseExpressionError::Zone(_), Some(zone)) => &zone.place,
        _ => &cron.place,
    };
    Problem::new(place, error.to_string())
}
