//! `window`: the days and hours at which changes may happen.

use amiwarden_core::{ParseWindowError, Window};

use super::place::{Place, Placed, Stated};
use super::problem::Problem;
use super::reader::{Read, Section, text};
use super::tree::Node;

/// Reads `window` of a section; `name` is what messages call it. Each part is tried alone first, so that a problem
/// points at the part, and of days at the day.
pub(super) fn window(section: &mut Section<'_>, name: &'static str) -> Stated<Window> {
    let node = section.node("window")?;
    let place = node.place.clone();
    let known_problems = section.problems().len();
    let mut parts = Section::of_node(name, node, section.problems())?;
    let days = parts.node("days").and_then(|node| days(&mut parts, node)).unwrap_or_default();
    let hours = parts.value("hours", |node| part(node, |text| Window::new(&[], Some(text), None)));
    let time_zone = parts.value("time_zone", |node| part(node, |text| Window::new(&[], None, Some(text))));
    parts.finish();
    if section.problems().len() > known_problems {
        return None;
    }
    if days.is_empty() && hours.is_none() {
        let problem = Problem::new(&place, "this window is always open, so it holds nothing");
        section.complain(problem.with_help("add `days` or `hours`, or leave `window` out"));
        return None;
    }
    let [hours, time_zone] = [&hours, &time_zone].map(|it| it.as_ref().map(|it| it.value.as_str()));
    match Window::new(&days, hours, time_zone) {
        Ok(value) => Some(Placed { value, place }),
        Err(error) => {
            section.complain(Problem::new(&place, error.to_string()));
            None
        }
    }
}

fn days(parts: &mut Section<'_>, node: Node) -> Option<Vec<String>> {
    let empty =
        |place: &Place| Problem::new(place, "this names no day").with_help("leave the key out for every day");
    let is_day = |text: &str| Window::new(&[text.to_owned()], None, None);
    let days = parts.some_items(node, empty, |node| part(node, is_day))?;
    Some(days.into_iter().map(|day| day.value).collect())
}

/// A text of which `window` can be made.
fn part(node: Node, window: impl FnOnce(&str) -> Result<Window, ParseWindowError>) -> Read<String> {
    let place = node.place.clone();
    let text = text(node)?;
    match window(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Problem::new(&place, error.to_string())),
    }
}
