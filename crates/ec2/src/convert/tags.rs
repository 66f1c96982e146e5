//! Tags of images and snapshots.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as sdk;

use super::listed;

/// A tag has no key. It may be the very one that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TagWithoutKey;

/// Tags by their keys. A tag without a value has the empty one.
pub(crate) fn tags(raw: Option<Vec<sdk::Tag>>) -> Result<BTreeMap<String, String>, TagWithoutKey> {
    listed(raw)
        .map(|tag| {
            let key = tag.key.ok_or(TagWithoutKey)?;
            Ok((key, tag.value.unwrap_or_else(String::new)))
        })
        .collect()
}
