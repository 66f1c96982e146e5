//! The actions that change something: their parameters and their answers.

use std::collections::{BTreeMap, BTreeSet};

use super::recycle_bin;
use crate::protocol::{ApiError, Parameters, Xml};
use crate::world::{Change, Effect, LaunchPermission};

/// Parses a change, or yields nothing where the action is not one.
pub(super) fn parse(action: &str, parameters: &Parameters) -> Result<Option<Change>, ApiError> {
    let image = || parameters.required("ImageId").map(str::to_owned);
    let known = |names: &[&str]| parameters.check_names(names);
    let change = match action {
        "DisableImage" => {
            known(&["ImageId"])?;
            Change::DisableImage { image_id: image()? }
        }
        "EnableImage" => {
            known(&["ImageId"])?;
            Change::EnableImage { image_id: image()? }
        }
        "DeregisterImage" => {
            known(&["ImageId", "DeleteAssociatedSnapshots"])?;
            Change::DeregisterImage {
                image_id: image()?,
                delete_snapshots: parameters.flag("DeleteAssociatedSnapshots")?,
            }
        }
        "ModifyImageAttribute" => modify_image_attribute(parameters)?,
        "EnableImageDeprecation" => {
            known(&["ImageId", "DeprecateAt"])?;
            Change::EnableDeprecation { image_id: image()?, at: parameters.required_time("DeprecateAt")? }
        }
        "DisableImageDeprecation" => {
            known(&["ImageId"])?;
            Change::DisableDeprecation { image_id: image()? }
        }
        "EnableImageDeregistrationProtection" => {
            known(&["ImageId", "WithCooldown"])?;
            Change::EnableProtection { image_id: image()?, with_cooldown: parameters.flag("WithCooldown")? }
        }
        "DisableImageDeregistrationProtection" => {
            known(&["ImageId"])?;
            Change::DisableProtection { image_id: image()? }
        }
        "CreateTags" => {
            known(&["ResourceId", "Tag"])?;
            Change::CreateTags { resources: parameters.list("ResourceId"), tags: tags_to_create(parameters)? }
        }
        "DeleteTags" => {
            known(&["ResourceId", "Tag"])?;
            Change::DeleteTags { resources: parameters.list("ResourceId"), tags: tags_to_delete(parameters)? }
        }
        "DeleteSnapshot" => {
            known(&["SnapshotId"])?;
            Change::DeleteSnapshot { snapshot_id: parameters.required("SnapshotId")?.to_owned() }
        }
        "RestoreImageFromRecycleBin" => {
            known(&["ImageId"])?;
            Change::RestoreImage { image_id: image()? }
        }
        "RestoreSnapshotFromRecycleBin" => {
            known(&["SnapshotId"])?;
            Change::RestoreSnapshot { snapshot_id: parameters.required("SnapshotId")?.to_owned() }
        }
        _ => return Ok(None),
    };
    Ok(Some(change))
}

/// Writes the answer of a change.
pub(super) fn write_effect(xml: &mut Xml, effect: &Effect) {
    match effect {
        Effect::Done => xml.boolean("return", true),
        Effect::Protection(state) => xml.text("return", state),
        Effect::Deregistered(snapshots) => {
            xml.boolean("return", true);
            if !snapshots.is_empty() {
                xml.list("deleteSnapshotResultSet", snapshots, |xml, (id, code)| {
                    xml.text("snapshotId", id);
                    xml.text("returnCode", code.as_str());
                });
            }
        }
        Effect::RestoredSnapshot(snapshot) => recycle_bin::write_restored_snapshot(xml, snapshot),
    }
}

/// Exactly one attribute per call (botocore model). Both spellings are read: the structured one that
/// SDKs send, and `Attribute` with `OperationType` or `Value` that older tools send.
fn modify_image_attribute(parameters: &Parameters) -> Result<Change, ApiError> {
    parameters.check_names(&[
        "ImageId",
        "Attribute",
        "LaunchPermission",
        "Description",
        "ImdsSupport",
        "OperationType",
        "UserId",
        "UserGroup",
        "OrganizationArn",
        "OrganizationalUnitArn",
        "Value",
    ])?;
    let image_id = parameters.required("ImageId")?.to_owned();
    let attribute = parameters.text("Attribute");
    let value_of = |name: &str, key: &str| {
        let short = (attribute == Some(name)).then(|| parameters.text("Value")).flatten();
        parameters.text(key).or(short).map(str::to_owned)
    };
    let mut changes = Vec::new();
    if let Some(description) = value_of("description", "Description.Value") {
        changes.push(Change::SetDescription { image_id: image_id.clone(), description });
    }
    if let Some(value) = value_of("imdsSupport", "ImdsSupport.Value") {
        changes.push(Change::SetImdsSupport { image_id: image_id.clone(), value });
    }
    let mut add = structured_grants(parameters, "LaunchPermission.Add")?;
    let mut remove = structured_grants(parameters, "LaunchPermission.Remove")?;
    if let Some(operation) = parameters.text("OperationType") {
        let grants = listed_grants(parameters)?;
        match operation {
            "add" => add.extend(grants),
            "remove" => remove.extend(grants),
            other => {
                return Err(ApiError::invalid_value("OperationType", other, "Use add or remove."));
            }
        }
    }
    if !add.is_empty() || !remove.is_empty() {
        changes.push(Change::ModifyLaunchPermissions { image_id, add, remove });
    }
    match (changes.pop(), changes.is_empty()) {
        (Some(change), true) => Ok(change),
        (Some(_), false) => Err(ApiError::bad_request(
            "InvalidParameterCombination",
            "Fields for multiple attribute types specified",
        )),
        (None, _) => Err(ApiError::bad_request("InvalidParameterCombination", "No attributes specified.")),
    }
}

fn structured_grants(parameters: &Parameters, name: &str) -> Result<BTreeSet<LaunchPermission>, ApiError> {
    let mut grants = BTreeSet::new();
    for structure in parameters.structures(name) {
        let mut members = structure.all().iter();
        let (Some((member, value)), None) = (members.next(), members.next()) else {
            return Err(bad_grant("launch permission", "", "each names exactly one grantee"));
        };
        grants.insert(grant(member, value)?);
    }
    Ok(grants)
}

fn listed_grants(parameters: &Parameters) -> Result<BTreeSet<LaunchPermission>, ApiError> {
    let mut grants = BTreeSet::new();
    for (list, member) in [
        ("UserId", "UserId"),
        ("UserGroup", "Group"),
        ("OrganizationArn", "OrganizationArn"),
        ("OrganizationalUnitArn", "OrganizationalUnitArn"),
    ] {
        for value in parameters.list(list) {
            grants.insert(grant(member, &value)?);
        }
    }
    Ok(grants)
}

fn grant(member: &str, value: &str) -> Result<LaunchPermission, ApiError> {
    let permission = value.parse::<LaunchPermission>().ok();
    let fits = match (&permission, member) {
        (Some(LaunchPermission::All), "Group")
        | (Some(LaunchPermission::Account(_)), "UserId")
        | (Some(LaunchPermission::Organization(_)), "OrganizationArn")
        | (Some(LaunchPermission::OrganizationalUnit(_)), "OrganizationalUnitArn") => permission,
        _ => None,
    };
    fits.ok_or_else(|| bad_grant(member, value, "it is not well formed"))
}

fn bad_grant(member: &str, value: &str, why: &str) -> ApiError {
    ApiError::bad_request(
        "InvalidAMIAttributeItemValue",
        format!("Invalid attribute item value \"{value}\" for {member} item type: {why}"),
    )
}

fn tags_to_create(parameters: &Parameters) -> Result<BTreeMap<String, String>, ApiError> {
    let tags = parameters.structures("Tag");
    if tags.is_empty() {
        return Err(ApiError::missing_parameter("Tag"));
    }
    tags.iter()
        .map(|tag| {
            // A tag without a value has the empty value (botocore model documentation of `Tag`).
            let value = tag.text("Value").unwrap_or("");
            Ok((tag.required("Key")?.to_owned(), value.to_owned()))
        })
        .collect()
}

fn tags_to_delete(parameters: &Parameters) -> Result<BTreeMap<String, Option<String>>, ApiError> {
    parameters
        .structures("Tag")
        .iter()
        .map(|tag| {
            let value = tag.text("Value").map(str::to_owned);
            Ok((tag.required("Key")?.to_owned(), value))
        })
        .collect()
}
