//! Images that no cloud has: every policy is tried on them while it loads, so that mistakes of type are found then
//! and not on the night when a rule matches for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amiwarden_core::{
    AccountId, BlockDevice, Cost, DeregistrationProtection, Duration, Fact, Facts, FamilyPlace, Image,
    ImageId, ImageState, ImageUse, LaunchPermission, Lineage, Reading, Region, Scope, SnapshotId, Timestamp,
    UseKind,
};

const ACCOUNT: &str = "111122223333";
const OTHER_ACCOUNT: &str = "444455556666";
const ORGANIZATION: &str = "arn:aws:organizations::111122223333:organization/o-123example";
const UNIT: &str = "arn:aws:organizations::111122223333:ou/o-123example/ou-1234-5exampl";

/// A handful of images: available and disabled, with everything and with nothing. `tag_keys` are the tags that the
/// policy asks about; the image that has everything has them, too.
pub(crate) fn images(tag_keys: &BTreeSet<String>) -> Vec<Arc<Facts>> {
    let Some(rich) = rich(tag_keys) else { return Vec::new() };
    let bare = bare(&rich);
    let mut disabled = rich.clone();
    disabled.image = Arc::new(Image { state: ImageState::Disabled, ..(*rich.image).clone() });
    disabled.disabled_at = Fact::Known(Duration::from_days(40).before(rich.now));
    disabled.disabled_for = Fact::Known(Some(Duration::from_days(40)));
    [rich, disabled, bare].into_iter().map(Arc::new).collect()
}

/// An image with nothing to it, made this very moment: whatever grows with an image is smallest for it.
pub(crate) fn newborn() -> Option<Arc<Facts>> {
    let rich = rich(&BTreeSet::new())?;
    let now = rich.now;
    Some(Arc::new(Facts {
        created_at: Fact::Known(now),
        age: Fact::Known(Duration::ZERO),
        unused_for: Fact::Known(Duration::ZERO),
        ..bare(&rich)
    }))
}

/// Everything that can be there is there.
fn rich(tag_keys: &BTreeSet<String>) -> Option<Facts> {
    let account: AccountId = ACCOUNT.parse().ok()?;
    let now: Timestamp = "2026-01-31T12:00:00Z".parse().ok()?;
    let ago = |days| Duration::from_days(days).before(now);
    let id = ImageId::new("ami-00000000000000000");
    let known_text = |text: &str| Some(text.to_owned());
    let mut tags = BTreeMap::from([("Name".to_owned(), "web".to_owned())]);
    tags.extend(tag_keys.iter().map(|key| (key.clone(), "text".to_owned())));
    let image = Image {
        id: id.clone(),
        owner: account.clone(),
        name: known_text("web-20260101"),
        description: known_text("a web server"),
        location: known_text("111122223333/web-20260101"),
        owner_alias: known_text("self"),
        state: ImageState::Available,
        created_at: Reading::Present(ago(200)?),
        deprecated_at: Reading::Present(ago(100)?),
        last_launched_at: Reading::Present(ago(100)?),
        public: Reading::Present(true),
        protection: DeregistrationProtection::Off,
        tags,
        architecture: known_text("x86_64"),
        platform: known_text("windows"),
        virtualization: known_text("hvm"),
        root_device_type: known_text("ebs"),
        boot_mode: known_text("uefi"),
        tpm_support: known_text("v2.0"),
        imds_support: known_text("v2.0"),
        ena_support: Some(true),
        sriov_net_support: known_text("simple"),
        hypervisor: known_text("xen"),
        image_type: known_text("machine"),
        block_devices: vec![BlockDevice {
            snapshot: Some(SnapshotId::new("snap-00000000000000000")),
            size_gib: Some(8),
            encrypted: Some(false),
        }],
        lineage: Lineage {
            image: Some(ImageId::new("ami-11111111111111111")),
            region: known_text("us-east-1"),
            instance: known_text("i-00000000000000000"),
        },
        product_codes: vec!["abc".to_owned()],
    };
    let grants = ["all", OTHER_ACCOUNT, ORGANIZATION, UNIT];
    Some(Facts {
        image: Arc::new(image),
        scope: Scope { account: account.clone(), region: Region::new("eu-west-1") },
        now,
        family: Some(FamilyPlace { name: "web".to_owned(), rank: Fact::Known(3), size: 9 }),
        created_at: Fact::Known(ago(200)?),
        age: Fact::Known(Duration::from_days(200)),
        deprecated_at: Fact::Known(ago(100)),
        is_deprecated: Fact::Known(true),
        last_launched_at: Fact::Known(ago(100)),
        unused_for: Fact::Known(Duration::from_days(100)),
        disabled_at: Fact::Known(None),
        disabled_for: Fact::Known(None),
        is_public: Fact::Known(true),
        launch_permissions: Fact::Known(
            grants.into_iter().filter_map(|grant| grant.parse::<LaunchPermission>().ok()).collect(),
        ),
        in_use: Fact::Known(true),
        used_by: Fact::Known(vec![ImageUse {
            image: id,
            kind: UseKind::Instance,
            id: "i-00000000000000000".to_owned(),
            account,
        }]),
        size_gib: Fact::Known(8),
        is_encrypted: Fact::Known(false),
        monthly_cost: Fact::Known(Cost { micro_usd: 400_000 }),
    })
}

/// Everything that may be missing is missing.
fn bare(rich: &Facts) -> Facts {
    let image = &rich.image;
    let image = Image {
        id: image.id.clone(),
        owner: image.owner.clone(),
        name: None,
        description: None,
        location: None,
        owner_alias: None,
        state: ImageState::Available,
        created_at: image.created_at.clone(),
        deprecated_at: Reading::Absent,
        last_launched_at: Reading::Absent,
        public: Reading::Present(false),
        protection: DeregistrationProtection::Off,
        tags: BTreeMap::new(),
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
    };
    Facts {
        image: Arc::new(image),
        family: None,
        deprecated_at: Fact::Known(None),
        is_deprecated: Fact::Known(false),
        last_launched_at: Fact::Known(None),
        is_public: Fact::Known(false),
        launch_permissions: Fact::Known(std::iter::empty().collect()),
        in_use: Fact::Known(false),
        used_by: Fact::Known(Vec::new()),
        size_gib: Fact::Known(0),
        monthly_cost: Fact::Known(Cost::default()),
        ..rich.clone()
    }
}
