//! The facts, by name: one table for reading them, for the lint, for suggestions and for the documentation.

use amiwarden_core::{
    Fact, FamilyPlace, Image, ImageState, LaunchPermission, LaunchPermissions, Need, Timestamp,
};
use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::subject::Subject;

/// A fact that policies can read, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactInfo {
    /// Its name after `image.`.
    pub name: &'static str,
    /// The type of its value, in words.
    pub value: &'static str,
    /// What has to be fetched before it is known; nothing for what EC2 lists with the image.
    pub need: Option<Need>,
}

/// Every fact, in the order of the documentation. The methods `tag("k")` and `has_tag("k")` stand beside them.
pub fn facts() -> impl Iterator<Item = FactInfo> {
    FACTS.iter().map(|spec| FactInfo { name: spec.name, value: spec.value, need: spec.need })
}

/// The fact that holds others.
pub(crate) const SHARED_WITH: &str = "shared_with";

/// One fact.
#[derive(Debug)]
pub(crate) struct FactSpec {
    /// Its name after `image.`.
    pub(crate) name: &'static str,
    /// The type of its value, in the words of the documentation.
    pub(crate) value: &'static str,
    /// What has to be fetched before it is known.
    pub(crate) need: Option<Need>,
    pub(crate) read: fn(&Subject) -> Fact<Dynamic>,
}

const fn listed(name: &'static str, value: &'static str, read: fn(&Subject) -> Fact<Dynamic>) -> FactSpec {
    FactSpec { name, value, need: None, read }
}

const fn fetched(
    name: &'static str,
    value: &'static str,
    need: Need,
    read: fn(&Subject) -> Fact<Dynamic>,
) -> FactSpec {
    FactSpec { name, value, need: Some(need), read }
}

/// Every fact. `tag("k")` and `has_tag("k")` take a key and stand beside them.
pub(crate) const FACTS: &[FactSpec] = &[
    listed("id", "text", |image| text(image.facts.image.id.as_str())),
    listed("name", "text or `()`", |image| optional(image.facts.image.name.as_ref())),
    listed("description", "text or `()`", |image| optional(image.facts.image.description.as_ref())),
    listed("account", "text", |image| text(image.facts.scope.account.as_str())),
    listed("region", "text", |image| text(image.facts.scope.region.as_str())),
    listed("location", "text or `()`", |image| optional(image.facts.image.location.as_ref())),
    listed("owner_alias", "text or `()`", |image| optional(image.facts.image.owner_alias.as_ref())),
    listed("family", "text or `()`", |image| {
        image.family_place().map(|place| place.map_or(Dynamic::UNIT, |place| dynamic_text(&place.name)))
    }),
    listed("rank", "whole number or `()`", |image| {
        in_family(image, |place| place.rank.map(|rank| i64::from(*rank)))
    }),
    listed("family_size", "whole number or `()`", |image| {
        in_family(image, |place| Fact::Known(i64::from(place.size)))
    }),
    listed("created_at", "time", |image| image.facts.created_at.map(|at| Dynamic::from(*at))),
    listed("age", "duration", |image| image.facts.age.map(|age| Dynamic::from(*age))),
    listed("deprecated_at", "time or `()`", |image| image.facts.deprecated_at.map(|at| optional_time(*at))),
    listed("is_deprecated", "boolean", |image| truth(&image.facts.is_deprecated)),
    listed("last_launched_at", "time or `()`", |image| {
        image.facts.last_launched_at.map(|at| optional_time(*at))
    }),
    listed("unused_for", "duration", |image| image.facts.unused_for.map(|length| Dynamic::from(*length))),
    listed("disabled_at", "time or `()`", |image| image.facts.disabled_at.map(|at| optional_time(*at))),
    listed("disabled_for", "duration or `()`", |image| {
        image.facts.disabled_for.map(|length| length.map_or(Dynamic::UNIT, Dynamic::from))
    }),
    listed("state", "text", |image| text(image.facts.image.state.as_str())),
    listed("is_available", "boolean", |image| in_state(image, &ImageState::Available)),
    listed("is_disabled", "boolean", |image| in_state(image, &ImageState::Disabled)),
    listed("is_pending", "boolean", |image| in_state(image, &ImageState::Pending)),
    listed("is_failed", "boolean", |image| in_state(image, &ImageState::Failed)),
    listed("is_public", "boolean", |image| truth(&image.facts.is_public)),
    listed("is_protected", "boolean", |image| {
        Fact::Known(Dynamic::from(image.facts.image.protection.protects()))
    }),
    listed("is_backup_managed", "boolean", |image| {
        Fact::Known(Dynamic::from(image.facts.image.is_backup_managed()))
    }),
    fetched("is_shared", "boolean", Need::LaunchPermissions, |image| truth(&image.facts.is_shared())),
    fetched("shared_with.accounts", "list of text", Need::LaunchPermissions, |image| {
        granted(image, |grant| match grant {
            LaunchPermission::Account(account) => Some(account.as_str()),
            LaunchPermission::Everyone
            | LaunchPermission::Organization(_)
            | LaunchPermission::OrganizationalUnit(_) => None,
        })
    }),
    fetched("shared_with.organizations", "list of text", Need::LaunchPermissions, |image| {
        granted(image, |grant| match grant {
            LaunchPermission::Organization(arn) => Some(arn),
            LaunchPermission::Everyone
            | LaunchPermission::Account(_)
            | LaunchPermission::OrganizationalUnit(_) => None,
        })
    }),
    fetched("shared_with.ous", "list of text", Need::LaunchPermissions, |image| {
        granted(image, |grant| match grant {
            LaunchPermission::OrganizationalUnit(arn) => Some(arn),
            LaunchPermission::Everyone | LaunchPermission::Account(_) | LaunchPermission::Organization(_) => {
                None
            }
        })
    }),
    fetched("in_use", "boolean", Need::Usage, |image| truth(&image.facts.in_use)),
    fetched("used_by", "list of maps", Need::Usage, used_by),
    listed("tags", "map of text", |image| {
        let tags = image.facts.image.tags.iter();
        let tags: Map = tags.map(|(key, value)| (key.as_str().into(), dynamic_text(value))).collect();
        Fact::Known(Dynamic::from_map(tags))
    }),
    listed("architecture", "text or `()`", |image| optional(image.facts.image.architecture.as_ref())),
    listed("platform", "text or `()`", |image| optional(image.facts.image.platform.as_ref())),
    listed("virtualization", "text or `()`", |image| optional(image.facts.image.virtualization.as_ref())),
    listed("root_device_type", "text or `()`", |image| optional(image.facts.image.root_device_type.as_ref())),
    listed("boot_mode", "text or `()`", |image| optional(image.facts.image.boot_mode.as_ref())),
    listed("tpm_support", "text or `()`", |image| optional(image.facts.image.tpm_support.as_ref())),
    listed("imds_support", "text or `()`", |image| optional(image.facts.image.imds_support.as_ref())),
    listed("ena_support", "boolean or `()`", |image| {
        Fact::Known(image.facts.image.ena_support.map_or(Dynamic::UNIT, Dynamic::from))
    }),
    listed("sriov_net_support", "text or `()`", |image| {
        optional(image.facts.image.sriov_net_support.as_ref())
    }),
    listed("hypervisor", "text or `()`", |image| optional(image.facts.image.hypervisor.as_ref())),
    listed("image_type", "text or `()`", |image| optional(image.facts.image.image_type.as_ref())),
    listed("snapshots", "list of text", |image| {
        texts(image.facts.image.snapshots().map(amiwarden_core::SnapshotId::as_str))
    }),
    listed("size_gib", "whole number", |image| {
        image.facts.size_gib.map(|size| Dynamic::from(i64::try_from(*size).unwrap_or(i64::MAX)))
    }),
    listed("is_encrypted", "boolean", |image| truth(&image.facts.is_encrypted)),
    fetched("monthly_cost", "decimal number", Need::Snapshots, |image| {
        image.facts.monthly_cost.map(|cost| Dynamic::from(cost.usd()))
    }),
    listed("source_image_id", "text or `()`", |image| {
        let source = &lineage(image).image;
        Fact::Known(source.as_ref().map_or(Dynamic::UNIT, |id| dynamic_text(id.as_str())))
    }),
    listed("source_region", "text or `()`", |image| optional(lineage(image).region.as_ref())),
    listed("source_instance_id", "text or `()`", |image| optional(lineage(image).instance.as_ref())),
    listed("product_codes", "list of text", |image| {
        texts(image.facts.image.product_codes.iter().map(String::as_str))
    }),
];

/// The methods of `image` beside its facts.
pub(crate) const METHODS: [&str; 2] = ["tag", "has_tag"];

fn lineage(subject: &Subject) -> &amiwarden_core::Lineage {
    let image: &Image = &subject.facts.image;
    &image.lineage
}

fn dynamic_text(text: &str) -> Dynamic {
    Dynamic::from(ImmutableString::from(text))
}

fn text(text: &str) -> Fact<Dynamic> {
    Fact::Known(dynamic_text(text))
}

fn optional(text: Option<&String>) -> Fact<Dynamic> {
    Fact::Known(text.map_or(Dynamic::UNIT, |text| dynamic_text(text.as_str())))
}

fn texts<'a>(items: impl Iterator<Item = &'a str>) -> Fact<Dynamic> {
    Fact::Known(Dynamic::from_array(items.map(dynamic_text).collect()))
}

fn truth(fact: &Fact<bool>) -> Fact<Dynamic> {
    fact.map(|truth| Dynamic::from(*truth))
}

fn optional_time(at: Option<Timestamp>) -> Dynamic {
    at.map_or(Dynamic::UNIT, Dynamic::from)
}

fn in_state(subject: &Subject, state: &ImageState) -> Fact<Dynamic> {
    Fact::Known(Dynamic::from(subject.facts.image.state == *state))
}

fn in_family(subject: &Subject, read: fn(&FamilyPlace) -> Fact<i64>) -> Fact<Dynamic> {
    subject.family_place().and_then(|place| match place {
        Some(place) => read(place).map(|number| Dynamic::from(*number)),
        None => Fact::Known(Dynamic::UNIT),
    })
}

fn granted(subject: &Subject, select: fn(&LaunchPermission) -> Option<&str>) -> Fact<Dynamic> {
    let permissions: &Fact<LaunchPermissions> = &subject.facts.launch_permissions;
    permissions.and_then(|permissions| texts(permissions.iter().filter_map(select)))
}

fn used_by(subject: &Subject) -> Fact<Dynamic> {
    subject.facts.used_by.map(|uses| {
        let uses = uses.iter().map(|image_use| {
            let mut entry = Map::new();
            entry.insert("kind".into(), dynamic_text(image_use.kind.as_str()));
            entry.insert("id".into(), dynamic_text(&image_use.id));
            entry.insert("account".into(), dynamic_text(image_use.account.as_str()));
            Dynamic::from_map(entry)
        });
        Dynamic::from_array(uses.collect::<Array>())
    })
}
