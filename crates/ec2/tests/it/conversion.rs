//! Images and launch permissions from real XML, through the SDK's own parser.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{
    BlockDevice, CloudReader, DeregistrationProtection, Gap, Image, ImageId, ImageState, LaunchPermissions,
    Lineage, Listing, Reading, Snapshot, SnapshotId, StorageTier,
};

use crate::server::{Reply, Server};
use crate::setup::{ACCOUNT, IMAGE, account, image_id, reader};

/// Every member of `Image` (botocore model), as EC2 spells it.
const EVERY_MEMBER: &str = r"<item>
  <imageId>ami-0123456789abcdef0</imageId>
  <imageLocation>111122223333/web-1</imageLocation>
  <imageState>disabled</imageState>
  <imageOwnerId>111122223333</imageOwnerId>
  <creationDate>2025-01-15T08:00:00.000Z</creationDate>
  <isPublic>false</isPublic>
  <productCodes><item><productCode>abc123</productCode><type>marketplace</type></item></productCodes>
  <architecture>arm64</architecture>
  <imageType>machine</imageType>
  <kernelId>aki-1</kernelId>
  <ramdiskId>ari-1</ramdiskId>
  <platform>windows</platform>
  <platformDetails>Windows</platformDetails>
  <usageOperation>RunInstances:0002</usageOperation>
  <description>Web &amp; more</description>
  <enaSupport>true</enaSupport>
  <hypervisor>xen</hypervisor>
  <imageOwnerAlias>self</imageOwnerAlias>
  <name>web-1</name>
  <rootDeviceName>/dev/sda1</rootDeviceName>
  <rootDeviceType>ebs</rootDeviceType>
  <sriovNetSupport>simple</sriovNetSupport>
  <stateReason><code>Client.UserInitiated</code><message>disabled</message></stateReason>
  <virtualizationType>hvm</virtualizationType>
  <bootMode>uefi-preferred</bootMode>
  <tpmSupport>v2.0</tpmSupport>
  <deprecationTime>2027-01-15T08:00:00Z</deprecationTime>
  <imdsSupport>v2.0</imdsSupport>
  <sourceInstanceId>i-1</sourceInstanceId>
  <deregistrationProtection>enabled-with-cooldown</deregistrationProtection>
  <lastLaunchedTime>2025-06-01T00:00:00Z</lastLaunchedTime>
  <imageAllowed>true</imageAllowed>
  <sourceImageId>ami-1</sourceImageId>
  <sourceImageRegion>us-east-1</sourceImageRegion>
  <freeTierEligible>false</freeTierEligible>
  <publicSsmParameterName>/aws/service/x</publicSsmParameterName>
  <imageWatermarkSet/>
  <blockDeviceMapping>
    <item><deviceName>/dev/sda1</deviceName><ebs><snapshotId>snap-1</snapshotId><volumeSize>30</volumeSize>
      <deleteOnTermination>true</deleteOnTermination><volumeType>gp3</volumeType><encrypted>true</encrypted></ebs></item>
    <item><deviceName>/dev/sdb</deviceName><ebs><volumeSize>8</volumeSize><encrypted>false</encrypted></ebs></item>
    <item><deviceName>/dev/sdc</deviceName><virtualName>ephemeral0</virtualName></item>
  </blockDeviceMapping>
  <tagSet><item><key>Env</key><value>dev</value></item><item><key>Empty</key><value/></item></tagSet>
  <somethingNewer><nested/></somethingNewer>
</item>";

async fn images(items: &str) -> Listing<Image> {
    let reply = Reply::ok("DescribeImages", &format!("<imagesSet>{items}</imagesSet>"));
    let server = Server::scripted([reply]).await;
    reader(&server).await.images().await
}

/// One image with these members besides its id and owner.
async fn image(members: &str) -> Image {
    let listing = images(&format!(
        "<item><imageId>{IMAGE}</imageId><imageOwnerId>{ACCOUNT}</imageOwnerId>{members}</item>"
    ))
    .await;
    assert_eq!(listing.gap, None, "{members}");
    listing.items.into_iter().next().unwrap()
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn at(text: &str) -> Reading<amiwarden_core::Timestamp> {
    Reading::Present(text.parse().unwrap())
}

#[tokio::test]
async fn every_member_is_read() {
    let listing = images(EVERY_MEMBER).await;
    assert_eq!(listing.gap, None);
    let expected = Image {
        id: image_id(),
        owner: account(),
        name: Some(text("web-1")),
        description: Some(text("Web & more")),
        location: Some(text("111122223333/web-1")),
        owner_alias: Some(text("self")),
        state: ImageState::Disabled,
        created_at: at("2025-01-15T08:00:00Z"),
        deprecated_at: at("2027-01-15T08:00:00Z"),
        last_launched_at: at("2025-06-01T00:00:00Z"),
        public: Reading::Present(false),
        protection: DeregistrationProtection::OnWithCooldown,
        tags: BTreeMap::from([("Empty".to_owned(), String::new()), ("Env".to_owned(), "dev".to_owned())]),
        architecture: Some(text("arm64")),
        platform: Some(text("windows")),
        virtualization: Some(text("hvm")),
        root_device_type: Some(text("ebs")),
        boot_mode: Some(text("uefi-preferred")),
        tpm_support: Some(text("v2.0")),
        imds_support: Some(text("v2.0")),
        ena_support: Some(true),
        sriov_net_support: Some(text("simple")),
        hypervisor: Some(text("xen")),
        image_type: Some(text("machine")),
        block_devices: vec![
            BlockDevice {
                snapshot: Some(SnapshotId::new("snap-1")),
                size_gib: Some(30),
                encrypted: Some(true),
            },
            BlockDevice { snapshot: None, size_gib: Some(8), encrypted: Some(false) },
        ],
        lineage: Lineage {
            image: Some(ImageId::new("ami-1")),
            region: Some(text("us-east-1")),
            instance: Some(text("i-1")),
        },
        product_codes: vec!["abc123".to_owned()],
    };
    assert_eq!(listing.items, [expected]);
}

#[tokio::test]
async fn what_is_not_sent_is_absent_and_nothing_is_made_up() {
    let image = image("").await;
    assert_eq!(image.state, ImageState::Other(String::new()));
    assert_eq!(image.created_at, Reading::Absent);
    assert_eq!(image.deprecated_at, Reading::Absent);
    assert_eq!(image.last_launched_at, Reading::Absent);
    assert_eq!(image.public, Reading::Absent);
    assert_eq!(image.protection, DeregistrationProtection::Off);
    assert_eq!((image.name, image.platform, image.ena_support), (None, None, None));
    assert!(image.tags.is_empty() && image.block_devices.is_empty() && image.product_codes.is_empty());
}

#[tokio::test]
async fn dates_are_read_in_both_forms_or_kept_as_text() {
    for (text, expected) in [
        ("2025-01-15T08:00:00.000Z", at("2025-01-15T08:00:00Z")),
        ("2025-01-15T08:00:00Z", at("2025-01-15T08:00:00Z")),
        ("last week", Reading::Unreadable("last week".to_owned())),
        ("", Reading::Unreadable(String::new())),
    ] {
        let dates = format!(
            "<creationDate>{text}</creationDate><deprecationTime>{text}</deprecationTime>\
             <lastLaunchedTime>{text}</lastLaunchedTime>"
        );
        let image = image(&dates).await;
        assert_eq!(image.created_at, expected, "{text}");
        assert_eq!(image.deprecated_at, expected, "{text}");
        assert_eq!(image.last_launched_at, expected, "{text}");
    }
}

#[tokio::test]
async fn states_and_protections_newer_than_this_program_are_kept() {
    let member = |name: &str, text: &str| format!("<{name}>{text}</{name}>");
    for text in
        ["pending", "available", "invalid", "deregistered", "transient", "failed", "error", "disabled"]
    {
        let state = image(&member("imageState", text)).await.state;
        assert!(!matches!(state, ImageState::Other(_)), "{text}");
        assert_eq!(state.as_str(), text);
    }
    assert_eq!(image(&member("imageState", "frozen")).await.state, ImageState::Other("frozen".to_owned()));
    for (text, protects) in [
        ("disabled", false),
        ("enabled-without-cooldown", true),
        ("enabled-with-cooldown", true),
        ("disabled after 2026-01-01T00:00:00Z", true),
        ("", true),
    ] {
        let protection = image(&member("deregistrationProtection", text)).await.protection;
        assert_eq!(protection.protects(), protects, "{text}");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_told_apart_is_a_gap_and_the_rest_are_read() {
    for (broken, gap) in [
        ("<item><name>lost</name></item>", "an image without an id (name `lost`)"),
        ("<item><imageId/></item>", "an image without an id (name `none`)"),
        ("<item><imageId>ami-2</imageId></item>", "ami-2 has no owner"),
        (
            "<item><imageId>ami-2</imageId><imageOwnerId>self</imageOwnerId></item>",
            "ami-2 has the owner `self`, which is no account",
        ),
        (
            "<item><imageId>ami-2</imageId><imageOwnerId>111122223333</imageOwnerId>\
             <tagSet><item><value>x</value></item></tagSet></item>",
            "ami-2 has a tag without a key",
        ),
    ] {
        let listing = images(&format!("{broken}{EVERY_MEMBER}")).await;
        assert_eq!(listing.items.len(), 1, "{broken}");
        let reason = listing.gap.unwrap().reason;
        assert_eq!(reason, format!("DescribeImages: page 1: {gap}"));
    }
}

async fn launch_permissions(content: &str) -> Result<LaunchPermissions, Gap> {
    let reply = Reply::ok("DescribeImageAttribute", content);
    let server = Server::scripted([reply]).await;
    let mut answer = reader(&server).await.launch_permissions(vec![image_id()]).await;
    let request = &server.requests()[0];
    assert_eq!(request.form["Attribute"], "launchPermission");
    assert_eq!(request.form["ImageId"], IMAGE);
    answer.remove(&image_id()).unwrap()
}

#[tokio::test]
async fn launch_permissions_are_read_in_all_four_forms() {
    let organization = "arn:aws:organizations::111122223333:organization/o-1";
    let unit = "arn:aws:organizations::111122223333:ou/o-1/ou-1";
    let content = format!(
        "<imageId>{IMAGE}</imageId><launchPermission><item><group>all</group></item>\
         <item><userId>444455556666</userId></item><item><organizationArn>{organization}</organizationArn></item>\
         <item><organizationalUnitArn>{unit}</organizationalUnitArn></item></launchPermission>"
    );
    let expected: BTreeSet<_> =
        ["all", "444455556666", organization, unit].map(|text| text.parse().unwrap()).into();
    assert_eq!(launch_permissions(&content).await, Ok(expected));
}

#[tokio::test]
async fn a_private_image_is_no_gap_and_anything_unclear_is() {
    assert_eq!(launch_permissions("<launchPermission/>").await, Ok(BTreeSet::new()));
    for (content, gap) in [
        ("", "the reply has no launch permissions"),
        ("<launchPermission><item/></launchPermission>", "with 0 of its four members set"),
        (
            "<launchPermission><item><group>all</group><userId>444455556666</userId></item></launchPermission>",
            "with 2 of its four members set",
        ),
        ("<launchPermission><item><group>some</group></item></launchPermission>", "the group `some`"),
        (
            "<launchPermission><item><userId>me</userId></item></launchPermission>",
            "a launch permission for `me`, which is no account",
        ),
        ("<imageId>ami-2</imageId><launchPermission/>", "the answer is about ami-2"),
    ] {
        let reason = launch_permissions(content).await.unwrap_err().reason;
        assert!(reason.starts_with(&format!("DescribeImageAttribute of {IMAGE}: ")), "{reason}");
        assert!(reason.contains(gap), "{reason} lacks {gap}");
    }
}

#[tokio::test]
async fn each_image_has_its_own_launch_permissions_or_gap() {
    let server = Server::answering(|request| match request.form["ImageId"].as_str() {
        "ami-denied" => Reply::error(403, "UnauthorizedOperation", "No."),
        "ami-gone" => Reply::error(400, "InvalidAMIID.NotFound", "Gone."),
        id => Reply::ok("DescribeImageAttribute", &format!("<imageId>{id}</imageId><launchPermission/>")),
    })
    .await;
    let many = (0..40).map(|number| format!("ami-{number}"));
    let ids: Vec<_> =
        many.chain(["ami-denied".to_owned(), "ami-gone".to_owned()]).map(ImageId::new).collect();
    let answer = reader(&server).await.launch_permissions(ids.clone()).await;
    assert_eq!(answer.keys().cloned().collect::<BTreeSet<_>>(), ids.into_iter().collect());
    let gaps: Vec<_> = answer.values().filter_map(|entry| entry.as_ref().err()).map(Gap::to_string).collect();
    assert_eq!(
        gaps,
        [
            "DescribeImageAttribute of ami-denied: UnauthorizedOperation: No. (the credentials need \
             ec2:DescribeImageAttribute)",
            "DescribeImageAttribute of ami-gone: InvalidAMIID.NotFound: Gone.",
        ]
    );
}

#[tokio::test]
async fn snapshots_are_read_with_size_and_tier() {
    let reply = Reply::ok(
        "DescribeSnapshots",
        "<snapshotSet>\
         <item><snapshotId>snap-1</snapshotId><volumeSize>30</volumeSize><storageTier>standard</storageTier>\
         <fullSnapshotSizeInBytes>5000000000</fullSnapshotSizeInBytes>\
         <tagSet><item><key>Env</key><value>dev</value></item></tagSet></item>\
         <item><snapshotId>snap-2</snapshotId><storageTier>archive</storageTier></item>\
         <item><snapshotId>snap-3</snapshotId><volumeSize>-1</volumeSize><storageTier>glacial</storageTier></item>\
         <item><volumeSize>1</volumeSize></item>\
         <item><snapshotId>snap-4</snapshotId><tagSet><item><value>dev</value></item></tagSet></item></snapshotSet>",
    );
    let server = Server::scripted([reply]).await;
    let listing = reader(&server).await.snapshots().await;
    let snapshot = |id: &str, volume_size_gib, full_size_bytes, tier| Snapshot {
        id: SnapshotId::new(id),
        volume_size_gib,
        full_size_bytes,
        tier,
        tags: BTreeMap::new(),
    };
    let mut tagged = snapshot("snap-1", Some(30), Some(5_000_000_000), StorageTier::Standard);
    tagged.tags = BTreeMap::from([("Env".to_owned(), "dev".to_owned())]);
    let expected = [
        tagged,
        snapshot("snap-2", None, None, StorageTier::Archive),
        snapshot("snap-3", None, None, StorageTier::Other),
    ];
    assert_eq!(listing.items, expected);
    let gap =
        "DescribeSnapshots: page 1: a snapshot has a tag without a key; page 1: a snapshot without an id";
    assert_eq!(listing.gap, Some(Gap::new(gap)));
    let form = &server.requests()[0].form;
    assert_eq!((form["Owner.1"].as_str(), form["MaxResults"].as_str()), ("self", "1000"));
}
