//! One changing request: from the domain's call to the SDK's, and from its reply to a receipt.

use amiwarden_core::{
    Call, CallErrorKind, ImageId, LaunchPermissions, Receipt, SnapshotFate, SnapshotId, SnapshotResult,
};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::RequestId;
use aws_sdk_ec2::types::{
    AttributeValue, DeleteSnapshotReturnCode, LaunchPermissionModifications, SnapshotReturnCodes, Tag,
};

use crate::convert;
use crate::errors::Failure;

/// Whether the request is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `DryRun=true`: EC2 only says whether it would be permitted.
    Rehearse,
    /// It is carried out.
    Execute,
}

impl Mode {
    fn is_dry_run(self) -> bool {
        self == Self::Rehearse
    }
}

/// A request that is to be sent.
#[derive(Clone, Copy)]
struct Request<'a> {
    client: &'a Client,
    image: &'a str,
    call: &'a Call,
    dry_run: bool,
}

// Each operation has types of its own, so each branch of `send` sends for itself. The second macro is for the replies
// whose body the SDK does not look at, the third for those whose member `return` tells.

macro_rules! reply {
    ($request:expr, $sdk:expr) => {
        $sdk.dry_run($request.dry_run)
            .send()
            .await
            .map_err(|error| Failure::new($request.call.operation(), &error))?
    };
}

macro_rules! accepted {
    ($request:expr, $sdk:expr) => {
        Ok(receipt(reply!($request, $sdk).request_id()))
    };
}

macro_rules! confirmed {
    ($request:expr, $sdk:expr) => {{
        let reply = reply!($request, $sdk);
        confirmed($request.call, reply.r#return(), reply.request_id())
    }};
}

/// Sends `call` once, by a client that does not retry.
pub(crate) async fn send(
    client: &Client,
    image: &ImageId,
    call: &Call,
    mode: Mode,
) -> Result<Receipt, Failure> {
    if let Some(reason) = refusal(call) {
        return Err(Failure::not_sent(call.operation(), reason));
    }
    Request { client, image: image.as_str(), call, dry_run: mode.is_dry_run() }.send().await
}

impl Request<'_> {
    async fn send(self) -> Result<Receipt, Failure> {
        let Self { client, image: id, call, .. } = self;
        match call {
            Call::ModifyLaunchPermissions { add, remove } => {
                let modifications = launch_permission_modifications(add, remove);
                accepted!(self, client.modify_image_attribute().image_id(id).launch_permission(modifications))
            }
            Call::ModifyDescription(text) => {
                accepted!(self, client.modify_image_attribute().image_id(id).description(attribute(text)))
            }
            Call::RequireImdsV2 => {
                accepted!(self, client.modify_image_attribute().image_id(id).imds_support(attribute("v2.0")))
            }
            Call::CreateTags(tags) => {
                let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
                accepted!(self, client.create_tags().resources(id).set_tags(Some(tags.collect())))
            }
            Call::DeleteTags(keys) => {
                let tags = keys.iter().map(|key| Tag::builder().key(key).build());
                accepted!(self, client.delete_tags().resources(id).set_tags(Some(tags.collect())))
            }
            Call::EnableDeregistrationProtection { with_cooldown } => self.protect(*with_cooldown).await,
            Call::DisableDeregistrationProtection => self.unprotect().await,
            Call::EnableDeprecation(at) => {
                let at = convert::to_sdk(*at);
                confirmed!(self, client.enable_image_deprecation().image_id(id).deprecate_at(at))
            }
            Call::DisableDeprecation => confirmed!(self, client.disable_image_deprecation().image_id(id)),
            Call::DisableImage => confirmed!(self, client.disable_image().image_id(id)),
            Call::EnableImage => confirmed!(self, client.enable_image().image_id(id)),
            Call::RestoreSnapshot(snapshot) => {
                accepted!(self, client.restore_snapshot_from_recycle_bin().snapshot_id(snapshot.as_str()))
            }
            Call::RestoreImage => confirmed!(self, client.restore_image_from_recycle_bin().image_id(id)),
            Call::DeregisterImage { snapshots } => self.deregister(*snapshots).await,
        }
    }

    async fn protect(self, with_cooldown: bool) -> Result<Receipt, Failure> {
        let request = self.client.enable_image_deregistration_protection().image_id(self.image);
        let reply = reply!(self, request.with_cooldown(with_cooldown));
        confirmed_by_word(self.call, reply.r#return(), reply.request_id())
    }

    async fn unprotect(self) -> Result<Receipt, Failure> {
        let reply = reply!(self, self.client.disable_image_deregistration_protection().image_id(self.image));
        confirmed_by_word(self.call, reply.r#return(), reply.request_id())
    }

    async fn deregister(self, snapshots: SnapshotFate) -> Result<Receipt, Failure> {
        let request = self.client.deregister_image().image_id(self.image);
        let reply = reply!(self, request.delete_associated_snapshots(snapshots == SnapshotFate::Delete));
        let receipt = confirmed(self.call, reply.r#return(), reply.request_id())?;
        let snapshots = reply.delete_snapshot_results().iter().map(snapshot_result).collect();
        Ok(Receipt { snapshots, ..receipt })
    }
}

/// Why `call` must not be sent at all. EC2 reads a `DeleteTags` without tags as a wish to remove every tag.
fn refusal(call: &Call) -> Option<&'static str> {
    match call {
        Call::DeleteTags(keys) if keys.is_empty() => {
            Some("without a key it would remove every tag of the image")
        }
        Call::CreateTags(tags) if tags.is_empty() => Some("it names no tag"),
        Call::ModifyLaunchPermissions { add, remove } if add.is_empty() && remove.is_empty() => {
            Some("it names no launch permission")
        }
        Call::ModifyLaunchPermissions { .. }
        | Call::ModifyDescription(_)
        | Call::RequireImdsV2
        | Call::CreateTags(_)
        | Call::DeleteTags(_)
        | Call::EnableDeregistrationProtection { .. }
        | Call::DisableDeregistrationProtection
        | Call::EnableDeprecation(_)
        | Call::DisableDeprecation
        | Call::DisableImage
        | Call::EnableImage
        | Call::RestoreSnapshot(_)
        | Call::RestoreImage
        | Call::DeregisterImage { .. } => None,
    }
}

fn attribute(value: &str) -> AttributeValue {
    AttributeValue::builder().value(value).build()
}

fn launch_permission_modifications(
    add: &LaunchPermissions,
    remove: &LaunchPermissions,
) -> LaunchPermissionModifications {
    let to_sdk = |grants: &LaunchPermissions| {
        let grants: Vec<_> = grants.iter().map(convert::permission_to_sdk).collect();
        (!grants.is_empty()).then_some(grants)
    };
    LaunchPermissionModifications::builder().set_add(to_sdk(add)).set_remove(to_sdk(remove)).build()
}

fn receipt(request_id: Option<&str>) -> Receipt {
    Receipt { request_id: request_id.map(str::to_owned), snapshots: Vec::new() }
}

/// The member `return` of a successful reply. EC2 documents `true` and nothing else; a reply without it confirms
/// nothing, so the image has to be read.
fn confirmed(call: &Call, returned: Option<bool>, request_id: Option<&str>) -> Result<Receipt, Failure> {
    match returned {
        Some(true) => Ok(receipt(request_id)),
        Some(false) => Err(not_carried_out(call, request_id)),
        None => Err(unconfirmed(call, request_id)),
    }
}

/// The same where `return` is a word, such as `enabled-without-cooldown`. The words are not documented.
fn confirmed_by_word(
    call: &Call,
    returned: Option<&str>,
    request_id: Option<&str>,
) -> Result<Receipt, Failure> {
    match returned {
        Some("false") => Err(not_carried_out(call, request_id)),
        Some(word) if !word.is_empty() => Ok(receipt(request_id)),
        Some(_) | None => Err(unconfirmed(call, request_id)),
    }
}

fn not_carried_out(call: &Call, request_id: Option<&str>) -> Failure {
    let message = "EC2 answered `return=false`: it was not carried out, and no reason was given";
    Failure::in_reply(call.operation(), CallErrorKind::Refused, message, request_id)
}

fn unconfirmed(call: &Call, request_id: Option<&str>) -> Failure {
    let message = "the reply does not say whether it was carried out";
    Failure::in_reply(call.operation(), CallErrorKind::NoReply, message, request_id)
}

fn snapshot_result(raw: &DeleteSnapshotReturnCode) -> SnapshotResult {
    SnapshotResult {
        snapshot_id: SnapshotId::new(raw.snapshot_id().unwrap_or("not named")),
        return_code: raw.return_code().map_or("not given", SnapshotReturnCodes::as_str).to_owned(),
    }
}
