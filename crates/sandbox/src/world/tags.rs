//! `CreateTags` and `DeleteTags`, for images and snapshots. Other resources are not tagged here.

use std::collections::BTreeMap;

use super::{Actor, Effect, World};
use crate::protocol::ApiError;

/// How many tags of the user one resource may have (User Guide: `Using_Tags`).
const TAGS_MAX: usize = 50;
/// How many resources one call may name (botocore model documentation of `CreateTags`).
const RESOURCES_MAX: usize = 1000;
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
/// Keys that belong to AWS; they are not counted, written or deleted by users.
const RESERVED_PREFIX: &str = "aws:";

impl World {
    pub(super) fn create_tags(
        &mut self,
        resources: &[String],
        tags: &BTreeMap<String, String>,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        self.check_taggable(resources, actor)?;
        for (key, value) in tags {
            check_tag(key, value)?;
        }
        for resource in resources {
            let present = self.tags_of(resource);
            let kept =
                present.keys().filter(|key| !key.starts_with(RESERVED_PREFIX) && !tags.contains_key(*key));
            if kept.count() + tags.len() > TAGS_MAX {
                return Err(ApiError::bad_request(
                    "TagLimitExceeded",
                    format!("The resource '{resource}' cannot have more than {TAGS_MAX} tags."),
                ));
            }
        }
        for resource in resources {
            if let Some(present) = self.tags_of_mut(resource) {
                present.extend(tags.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
        }
        Ok(Effect::Done)
    }

    pub(super) fn delete_tags(
        &mut self,
        resources: &[String],
        tags: &BTreeMap<String, Option<String>>,
        actor: &Actor,
    ) -> Result<Effect, ApiError> {
        self.check_taggable(resources, actor)?;
        if let Some(key) = tags.keys().find(|key| key.starts_with(RESERVED_PREFIX)) {
            return Err(reserved(key));
        }
        for resource in resources {
            if let Some(present) = self.tags_of_mut(resource) {
                present.retain(|key, value| {
                    let named = tags
                        .get(key)
                        .is_some_and(|wanted| wanted.as_ref().is_none_or(|wanted| wanted == value));
                    key.starts_with(RESERVED_PREFIX) || !(tags.is_empty() || named)
                });
            }
        }
        Ok(Effect::Done)
    }

    fn check_taggable(&self, resources: &[String], actor: &Actor) -> Result<(), ApiError> {
        if resources.is_empty() {
            return Err(ApiError::missing_parameter("ResourceId"));
        }
        if resources.len() > RESOURCES_MAX {
            return Err(ApiError::bad_request(
                "InvalidParameterValue",
                format!("A request can name at most {RESOURCES_MAX} resources."),
            ));
        }
        for resource in resources {
            if resource.starts_with("ami-") {
                self.own_image(resource, &actor.region, actor.now)?;
            } else if resource.starts_with("snap-") {
                self.own_snapshot(resource, actor)?;
            } else {
                return Err(ApiError::bad_request(
                    "InvalidID",
                    format!("The ID '{resource}' is not valid: the sandbox tags images and snapshots only."),
                ));
            }
        }
        Ok(())
    }

    fn tags_of(&self, resource: &str) -> BTreeMap<String, String> {
        let image = self.images.get(resource).map(|image| &image.tags);
        let snapshot = self.snapshots.get(resource).map(|snapshot| &snapshot.tags);
        image.or(snapshot).cloned().unwrap_or_else(BTreeMap::new)
    }

    fn tags_of_mut(&mut self, resource: &str) -> Option<&mut BTreeMap<String, String>> {
        if let Some(image) = self.images.get_mut(resource) {
            return Some(&mut image.tags);
        }
        Some(&mut self.snapshots.get_mut(resource)?.tags)
    }
}

fn check_tag(key: &str, value: &str) -> Result<(), ApiError> {
    if key.starts_with(RESERVED_PREFIX) {
        return Err(reserved(key));
    }
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
        return Err(ApiError::invalid_value("Tag.Key", key, "A tag key has 1 to 128 characters."));
    }
    if value.chars().count() > VALUE_CHARS_MAX {
        return Err(ApiError::invalid_value("Tag.Value", value, "A tag value has at most 256 characters."));
    }
    Ok(())
}

fn reserved(key: &str) -> ApiError {
    ApiError::invalid_value("Tag.Key", key, "Tag keys starting with 'aws:' are reserved for internal use.")
}
