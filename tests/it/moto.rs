//! Against moto, an EC2 endpoint that is not ours. It runs where `MOTO_PORT` says that a
//! `moto_server` listens on this machine; elsewhere it says that it was skipped.

use amiwarden_core::{
    Call, CloudReader, CloudWriter, Image, ImageId, ImageState, LaunchPermission, LaunchPermissions, Scope,
    TemplateVersions,
};
use amiwarden_ec2::{ConnectOptions, Connection, CredentialSource, RegionChoice, StaticCredentials};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Place, having};

const VARIABLE: &str = "MOTO_PORT";

/// What moto's account is to look like; each image by what shall become of it.
struct Seeded {
    disable: ImageId,
    enable: ImageId,
    deregister: ImageId,
    strip: ImageId,
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_images_are_disabled_enabled_deregistered_and_unshared() {
    let Ok(port) = std::env::var(VARIABLE) else {
        // The one place where a test prints: who runs the tests should know what was not tested.
        #[expect(clippy::print_stderr, reason = "says that the test was skipped")]
        {
            eprintln!("skipped: {VARIABLE} names no moto_server");
        }
        return;
    };
    let url = format!("http://127.0.0.1:{port}");
    let cloud = Box::pin(Moto::connect(&url)).await;
    let seeded = Box::pin(cloud.seed()).await;

    let place = Place::facing(&url);
    place.write("amiwarden.toml", CONFIG).write("policies/moto.rhai", POLICY);
    let observed = place.run(&["run", "--format", "json"]).code(0).json();
    assert_eq!(observed["totals"]["steps"], 5, "{observed}");
    assert!(having(&observed["steps"], &[("rehearsal", "permitted")]).len() == 5, "{observed}");
    assert_eq!(cloud.image(&seeded.disable).await.unwrap().state, ImageState::Available);

    let report = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(having(&report["steps"], &[("outcome", "done")]).len(), 5, "{report}");
    assert_eq!(cloud.image(&seeded.disable).await.unwrap().state, ImageState::Disabled);
    assert_eq!(cloud.image(&seeded.enable).await.unwrap().state, ImageState::Available);
    assert_eq!(cloud.image(&seeded.deregister).await, None);
    assert_eq!(cloud.permissions(&seeded.strip).await, permissions(&["222233334444"]));

    let again = place.run(&["run", "--enforce", "--yes", "--format", "json"]).code(0).json();
    assert_eq!(again["totals"]["steps"], 0, "{again}");
}

/// moto knows neither references nor the newer fleets.
const CONFIG: &str = r#"
[policies]
dir = "policies"
[usage]
disabled_sources = ["image-references", "auto-scaling-groups", "launch-configurations", "ssm-parameters", "fleets"]
[limits]
disable_per_cycle = 10
deregister_per_cycle = 10
share_percent = 100
surge_percent = 100
min_age = "0d"
min_hold = "0d"
keep_newest = 0
permanent = "allow"
"#;

/// moto's images are all new, so a tag says what each is for.
const POLICY: &str = r#"
rule "disable" when image.tag("task") == "disable" { disable("asked for by its tag") }
rule "enable" when image.tag("task") == "enable" { enable("asked for by its tag") }
rule "deregister" when image.tag("task") == "deregister" { deregister("asked for by its tag") }
rule "strip" when image.tag("task") == "strip" {
    [strip_public("never public"), strip_shares(#{except_accounts: ["222233334444"]}, "unknown account")]
}
"#;

/// The account behind moto, through the AWS API.
struct Moto {
    host: String,
    connection: Connection,
    scope: Scope,
}

impl Moto {
    async fn connect(url: &str) -> Self {
        let connection = amiwarden_ec2::connect(ConnectOptions {
            endpoint_url: Some(url.to_owned()),
            regions: RegionChoice::Named(vec![amiwarden_core::Region::new("us-east-1")]),
            credentials: CredentialSource::Static(StaticCredentials::new("test", "test")),
            ..ConnectOptions::default()
        })
        .await
        .unwrap();
        let scope = connection.scopes().remove(0);
        Self { host: url.trim_start_matches("http://").to_owned(), connection, scope }
    }

    /// Four images, registered by the server's own query API and then set up through the adapter.
    async fn seed(&self) -> Seeded {
        let [disable, enable, deregister, strip] =
            ["disable", "enable", "deregister", "strip"].map(|task| async move {
                let id = self.register(task).await;
                self.change(&id, &Call::CreateTags([("task".to_owned(), task.to_owned())].into())).await;
                id
            });
        let seeded = Seeded {
            disable: disable.await,
            enable: enable.await,
            deregister: deregister.await,
            strip: strip.await,
        };
        for id in [&seeded.enable, &seeded.deregister] {
            self.change(id, &Call::DisableImage).await;
        }
        let add = permissions(&["all", "222233334444", "999988887777"]);
        let remove = LaunchPermissions::new();
        self.change(&seeded.strip, &Call::ModifyLaunchPermissions { add, remove }).await;
        seeded
    }

    /// Registers an image. amiwarden never does, so the adapter has no call for it: this is the bare protocol.
    async fn register(&self, name: &str) -> ImageId {
        let body = format!("Action=RegisterImage&Version=2016-11-15&Name={name}");
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ec2/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}",
            host = self.host,
            length = body.len(),
        );
        let mut stream = TcpStream::connect(&self.host).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        let id = reply.split("<imageId>").nth(1).and_then(|rest| rest.split('<').next());
        ImageId::new(id.unwrap_or_else(|| panic!("no image id in {reply}")))
    }

    async fn change(&self, id: &ImageId, call: &Call) {
        self.connection.writer(&self.scope).execute(id, call).await.unwrap();
    }

    async fn image(&self, id: &ImageId) -> Option<Image> {
        self.connection.reader(&self.scope, TemplateVersions::Pinned).image(id).await.unwrap()
    }

    async fn permissions(&self, id: &ImageId) -> LaunchPermissions {
        let mut answer = self
            .connection
            .reader(&self.scope, TemplateVersions::Pinned)
            .launch_permissions(vec![id.clone()])
            .await;
        answer.remove(id).unwrap().unwrap()
    }
}

fn permissions(texts: &[&str]) -> LaunchPermissions {
    texts.iter().map(|text| text.parse::<LaunchPermission>().unwrap()).collect()
}
