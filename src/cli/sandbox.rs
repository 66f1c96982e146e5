//! `sandbox`: the simulated endpoint alone.

use amiwarden_core::Timestamp;
use amiwarden_sandbox::{BucketSizes, Fleet, Sandbox, SandboxOptions};

use super::args::SandboxArgs;
use super::failure::{Failure, Outcome};
use super::{prepare, terminal};

/// Made-up fleets are the same each time.
const SEED: u64 = 1;

pub(super) async fn serve(args: &SandboxArgs) -> Result<Outcome, Failure> {
    let fleet = match args.images {
        Some(images) => Fleet::generated(images, SEED),
        None => prepare::read_fleet(args.file.as_deref())?,
    };
    let mut options = SandboxOptions::new(fleet, Timestamp::now());
    options.listen = args.listen;
    options.state_file.clone_from(&args.state);
    options.buckets = args.throttle.then(BucketSizes::documented);
    let sandbox = Sandbox::start(options).await.map_err(Failure::usage)?;
    let (url, region) = (sandbox.endpoint_url(), sandbox.cloud().default_region());
    terminal::print(format!("{url}\n").as_bytes())?;
    terminal::note(&format!(
        "account {} in {region}, {} images. Ctrl-C ends it. In another terminal:\n\n  \
         export AWS_ENDPOINT_URL={url} AWS_REGION={region} AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any\n  \
         amiwarden run\n",
        sandbox.cloud().account(),
        sandbox.cloud().images().len(),
    ));
    tokio::signal::ctrl_c().await?;
    sandbox.stop().await;
    Ok(Outcome::Fine)
}
