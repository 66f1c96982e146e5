//! `[[account]]` and `[organization]`: which accounts are looked at.

use std::collections::BTreeSet;

use amiwarden_core::AccountId;

use super::place::{Place, Placed, Stated};
use super::problem::Problem;
use super::raw::region_choice;
use super::reader::{Read, Section, boolean, list, parsed, some_text, text};
use super::tree::Node;
use super::{AccountConfig, OrganizationConfig, RegionChoice};

/// The role that is assumed in the accounts of an organization, where no other is named.
const DEFAULT_ROLE: &str = "amiwarden";

/// The longest name of a role, with its path (IAM API reference, `CreateRole`: `Path` and `RoleName`).
const ROLE_CHARS_MAX: usize = 512 + 64;

/// One `[[account]]`.
#[derive(Debug)]
pub(super) struct RawAccount {
    place: Place,
    /// Whether there is an id, be it one that can be read or not.
    is_named: bool,
    id: Stated<AccountId>,
    role: Stated<String>,
    external_id: Stated<String>,
    regions: Option<RegionChoice>,
}

/// `[organization]`
#[derive(Debug)]
pub(super) struct RawOrganization {
    enabled: Stated<bool>,
    role: Stated<String>,
    external_id: Stated<String>,
    include: Vec<Placed<AccountId>>,
    exclude: Vec<Placed<AccountId>>,
}

/// Reads every `[[account]]`.
pub(super) fn read(top: &mut Section<'_>) -> Vec<RawAccount> {
    let Some(tables) = top.value("account", list) else { return Vec::new() };
    tables.value.into_iter().filter_map(|node| table(node, top.problems())).collect()
}

fn table(node: Node, problems: &mut Vec<Problem>) -> Option<RawAccount> {
    let place = node.place.clone();
    let mut section = Section::of_node("[[account]]", node, problems)?;
    let named = section.node("id");
    let is_named = named.is_some();
    let id = named.and_then(|node| {
        let place = node.place.clone();
        let id = parsed(node).map_err(|problem| section.complain(problem)).ok()?;
        Some(Placed { value: id, place })
    });
    let raw = RawAccount {
        place,
        is_named,
        id,
        role: section.value("role", role),
        external_id: section.value("external_id", external_id),
        regions: region_choice(&mut section, "regions"),
    };
    section.finish();
    Some(raw)
}

/// Reads `[organization]`.
pub(super) fn read_organization(mut section: Section<'_>) -> RawOrganization {
    let raw = RawOrganization {
        enabled: section.value("enabled", boolean),
        role: section.value("role", role),
        external_id: section.value("external_id", external_id),
        include: section.list("include", parsed),
        exclude: section.list("exclude", parsed),
    };
    section.finish();
    raw
}

/// A role, by its name, with its path where it has one, or by its ARN.
fn role(node: Node) -> Read<String> {
    let place = node.place.clone();
    let role = some_text(node)?;
    let is_fine = |char: char| char.is_ascii_alphanumeric() || "_+=,.@-/".contains(char);
    let is_name = |name: &str| {
        !name.is_empty() && !name.ends_with('/') && name.len() <= ROLE_CHARS_MAX && name.chars().all(is_fine)
    };
    let is_role = if role.starts_with("arn:") {
        account_of(&role).is_some() && role.split_once(":role/").is_some_and(|(_, name)| is_name(name))
    } else {
        is_name(&role)
    };
    if is_role {
        return Ok(role);
    }
    let problem = Problem::new(&place, format!("`{role}` is neither the name nor the ARN of a role"));
    Err(problem.with_help("write `amiwarden`, or `arn:aws:iam::111122223333:role/amiwarden`"))
}

/// The account of a role's ARN, such as `arn:aws:iam::111122223333:role/amiwarden`.
fn account_of(arn: &str) -> Option<AccountId> {
    let (_, rest) = arn.split_once(":iam::")?;
    rest.split_once(':')?.0.parse().ok()
}

/// 2 to 1224 characters (STS API reference, `AssumeRole`: `ExternalId`).
fn external_id(node: Node) -> Read<String> {
    let place = node.place.clone();
    let id = text(node)?;
    let is_fine = |char: char| char.is_ascii_alphanumeric() || "_+=,.@:/-".contains(char);
    if (2..=1224).contains(&id.len()) && id.chars().all(is_fine) {
        return Ok(id);
    }
    let problem = Problem::new(&place, "this is no external id");
    Err(problem.with_help("use 2 to 1224 letters, digits and any of `_+=,.@:/-`"))
}

/// The accounts that `raw` comes to, in their order.
pub(super) fn accounts(raw: Vec<RawAccount>, problems: &mut Vec<Problem>) -> Vec<AccountConfig> {
    let mut accounts: Vec<(AccountConfig, Place)> = Vec::new();
    for raw in raw {
        let Some(id) = raw.id else {
            if !raw.is_named {
                let problem = Problem::new(&raw.place, "this [[account]] does not say which account it is");
                problems.push(problem.with_help("add its id, such as `id = \"111122223333\"`"));
            }
            continue;
        };
        if let Some((_, first)) = accounts.iter().find(|(other, _)| other.id == id.value) {
            let problem = Problem::new(&id.place, format!("account {} has an [[account]] already", id.value));
            problems.push(problem.with_help(format!("the first is at {first}: put both into one")));
        }
        if let Some(role) = &raw.role
            && let Some(account) = account_of(&role.value)
            && account != id.value
        {
            let message = format!("this role is one of account {account}, not of {}", id.value);
            let help = "name a role of the account itself; its name alone is enough";
            problems.push(Problem::new(&role.place, message).with_help(help));
        }
        if let (Some(external_id), None) = (&raw.external_id, &raw.role) {
            let problem = Problem::new(&external_id.place, "an external id without a role to assume");
            problems.push(problem.with_help("add `role`, or leave this out"));
        }
        let account = AccountConfig {
            id: id.value,
            role: raw.role.map(|role| role.value),
            external_id: raw.external_id.map(|id| id.value),
            regions: raw.regions,
        };
        accounts.push((account, id.place));
    }
    accounts.into_iter().map(|(account, _)| account).collect()
}

/// The organization that `raw` comes to; none where it is not enabled.
pub(super) fn organization(raw: RawOrganization, problems: &mut Vec<Problem>) -> Option<OrganizationConfig> {
    if let Some(role) = raw.role.as_ref().filter(|role| role.value.starts_with("arn:")) {
        let problem = Problem::new(&role.place, "an ARN names a role of one account only");
        problems.push(problem.with_help("write the name that the role has in every account"));
    }
    if let Some(both) = raw.include.iter().find(|id| raw.exclude.iter().any(|it| it.value == id.value)) {
        let problem = Problem::new(&both.place, format!("account {} is excluded, too", both.value));
        problems.push(problem.with_help("leave it out of one of the two lists"));
    }
    if !raw.enabled.as_ref().is_some_and(|enabled| enabled.value) {
        let stated = [&raw.role, &raw.external_id].into_iter().flatten().map(|it| &it.place);
        let listed = raw.include.iter().chain(&raw.exclude).map(|it| &it.place);
        if let (Some(place), None) = (stated.chain(listed).next(), &raw.enabled) {
            let problem = Problem::new(place, "the organization is not looked at, so this has no effect");
            problems.push(problem.with_help("add `enabled = true` to [organization]"));
        }
        return None;
    }
    let ids =
        |ids: Vec<Placed<AccountId>>| -> BTreeSet<AccountId> { ids.into_iter().map(|id| id.value).collect() };
    Some(OrganizationConfig {
        role: raw.role.map_or_else(|| DEFAULT_ROLE.to_owned(), |role| role.value),
        external_id: raw.external_id.map(|id| id.value),
        include: ids(raw.include),
        exclude: ids(raw.exclude),
    })
}
