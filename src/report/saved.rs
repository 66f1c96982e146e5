//! What an image was before a change, in words: that which a person needs to undo the change.

use amiwarden_core::{Change, Image, LaunchPermissions, Reading};

use super::text::clean;

/// The state of the image and whatever `change` may have changed about it, in one line. `permissions` are who
/// could launch it, where that was saved. Nothing is left out of a list: what is not shown could not be restored.
pub(crate) fn saved(
    change: &Change,
    image: Option<&Image>,
    permissions: Option<&LaunchPermissions>,
) -> String {
    let Some(image) = image else { return "in the Recycle Bin".to_owned() };
    let mut parts = vec![image.state.to_string()];
    if let Some(permissions) = permissions {
        let names: Vec<String> = permissions.iter().map(ToString::to_string).collect();
        let names = if names.is_empty() { "nobody else".to_owned() } else { names.join(", ") };
        parts.push(format!("launchable by {names}"));
    }
    parts.push(match &image.description {
        Some(text) => format!("described as \"{text}\""),
        None => "without description".to_owned(),
    });
    parts.push(match &image.deprecated_at {
        Reading::Present(at) => format!("deprecated from {at}"),
        Reading::Absent => "not deprecated".to_owned(),
        Reading::Unreadable(text) => format!("deprecated from `{text}`"),
    });
    match change {
        Change::Tag(tags) => parts.extend(tags.keys().map(|key| tag(image, key))),
        Change::Untag(keys) => parts.extend(keys.iter().map(|key| tag(image, key))),
        Change::Protect { .. } | Change::Unprotect => {
            parts.push(format!("deregistration protection {}", image.protection.as_str()));
        }
        Change::RequireImdsV2 => {
            let imds = image.imds_support.as_deref().unwrap_or("not set");
            parts.push(format!("IMDS support {imds}"));
        }
        // A deregistered image is gone with all its tags.
        Change::Deregister(_) => parts.extend(image.tags.keys().map(|key| tag(image, key))),
        Change::StripPublic
        | Change::StripShares(_)
        | Change::Share(_)
        | Change::SetDescription(_)
        | Change::Deprecate(_)
        | Change::SetDeprecation(_)
        | Change::Restore { .. }
        | Change::Undeprecate
        | Change::Disable
        | Change::Enable => {}
    }
    clean(&parts.join("; ")).into_owned()
}

fn tag(image: &Image, key: &str) -> String {
    match image.tags.get(key) {
        Some(value) => format!("tag {key} = {value}"),
        None => format!("no tag {key}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use amiwarden_core::{
        AccountId, DeregistrationProtection, ImageId, ImageState, LaunchPermission, Lineage, SnapshotFate,
    };

    use super::*;

    fn image() -> Image {
        Image {
            id: ImageId::new("ami-1"),
            owner: "111122223333".parse::<AccountId>().unwrap(),
            name: None,
            description: None,
            location: None,
            owner_alias: None,
            state: ImageState::Available,
            created_at: Reading::Absent,
            deprecated_at: Reading::Absent,
            last_launched_at: Reading::Absent,
            public: Reading::Present(false),
            protection: DeregistrationProtection::Off,
            tags: BTreeMap::from([
                ("Owner".to_owned(), "web".to_owned()),
                ("Stage".to_owned(), "prod".to_owned()),
            ]),
            architecture: None,
            platform: None,
            virtualization: None,
            root_device_type: None,
            boot_mode: None,
            tpm_support: None,
            imds_support: None,
            ena_support: None,
            sriov_net_support: None,
            hypervisor: None,
            image_type: None,
            block_devices: Vec::new(),
            lineage: Lineage::default(),
            product_codes: Vec::new(),
        }
    }

    #[test]
    fn all_that_a_change_takes_away_is_said() {
        let check = |change: &Change, image: &Image, grants: &[&str], expected: &str| {
            let grants = grants.iter().map(|grant| grant.parse::<LaunchPermission>().unwrap()).collect();
            assert_eq!(saved(change, Some(image), Some(&grants)), expected);
        };
        let bare = "without description; not deprecated";
        let five = ["100000000001", "100000000002", "100000000003", "100000000004", "all"];
        let all = "all, 100000000001, 100000000002, 100000000003, 100000000004";
        check(&Change::Disable, &image(), &five, &format!("available; launchable by {all}; {bare}"));
        let told = Image {
            description: Some("the \u{1b}[2Jweb".to_owned()),
            deprecated_at: Reading::Present("2026-03-31T12:00:00Z".parse().unwrap()),
            ..image()
        };
        let expected = "available; launchable by nobody else; described as \"the \u{fffd}[2Jweb\"; \
                        deprecated from 2026-03-31T12:00:00Z";
        check(&Change::Undeprecate, &told, &[], expected);
        let tags = "tag Owner = web; tag Stage = prod";
        let expected = format!("available; launchable by nobody else; {bare}; {tags}");
        check(&Change::Deregister(SnapshotFate::Keep), &image(), &[], &expected);
    }

    #[test]
    fn what_was_not_read_and_does_not_change_is_not_said() {
        let check = |change: Change, expected: &str| {
            let expected = format!("available; without description; not deprecated; {expected}");
            assert_eq!(saved(&change, Some(&image()), None), expected);
        };
        let wanted =
            BTreeMap::from([("Owner".to_owned(), "db".to_owned()), ("New".to_owned(), "1".to_owned())]);
        check(Change::Tag(wanted), "no tag New; tag Owner = web");
        check(Change::Untag(["Stage".to_owned()].into()), "tag Stage = prod");
        check(Change::Unprotect, "deregistration protection disabled");
        check(Change::RequireImdsV2, "IMDS support not set");
    }
}
