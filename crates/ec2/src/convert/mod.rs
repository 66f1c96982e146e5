//! From the SDK's shapes, in which everything is optional text, to the domain's, which cannot hold nonsense.

mod dates;
mod image;
mod permissions;
mod tags;

pub(crate) use dates::{reading, to_sdk};
pub(crate) use image::image;
pub(crate) use permissions::{launch_permission, to_sdk as permission_to_sdk};
pub(crate) use tags::tags;

/// EC2 writes an empty element for many a value that is not set.
pub(crate) fn filled(text: impl AsRef<str>) -> Option<String> {
    let text = text.as_ref();
    (!text.is_empty()).then(|| text.to_owned())
}

/// EC2 leaves out a list of an image's members, such as its tags, when it is empty. This is not so for the lists that
/// a whole reply consists of: there, no list is no answer.
pub(crate) fn listed<T>(list: Option<Vec<T>>) -> impl Iterator<Item = T> {
    list.into_iter().flatten()
}
