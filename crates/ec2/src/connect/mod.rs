//! From options to a connection: configuration, account, Regions.

mod config;
mod error;
mod identity;
mod options;
mod regions;

use amiwarden_core::{AccountId, Region, Scope, TemplateVersions};
use aws_config::SdkConfig;

pub use error::ConnectError;
pub use options::{ConnectOptions, CredentialSource, RegionChoice, StaticCredentials};

use crate::client::{self, Purpose, Services, Timing};
use crate::{Ec2Reader, Ec2Writer, Publisher};

/// One account in the Regions that were asked for.
#[derive(Clone, Debug)]
pub struct Connection {
    config: SdkConfig,
    timing: Timing,
    account: AccountId,
    regions: Vec<Region>,
}

/// Loads the configuration, asks STS whose credentials these are, and settles the Regions. What is wrong with any of
/// them is said here, with its remedy, before anything is read or changed.
pub async fn connect(options: ConnectOptions) -> Result<Connection, ConnectError> {
    if let RegionChoice::Named(named) = &options.regions {
        regions::check_names(named)?;
    }
    let config = config::load(&options).await?;
    let home = regions::home(&options.regions, config.region())?;
    let config = config.into_builder().region(aws_config::Region::new(home.as_str().to_owned())).build();
    let account = identity::account(&config, &home, &options.timing).await?;
    let scope = Scope { account: account.clone(), region: home };
    let regions = regions::resolve(&options.regions, &config, scope, &options.timing).await?;
    Ok(Connection { config, timing: options.timing, account, regions })
}

impl Connection {
    /// Whose credentials these are, as STS says.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The account in each of its Regions, in the order in which they were named, or else by name.
    pub fn scopes(&self) -> Vec<Scope> {
        let scope = |region: &Region| Scope { account: self.account.clone(), region: region.clone() };
        self.regions.iter().map(scope).collect()
    }

    /// A reader of one of the [`scopes`](Self::scopes). Each counts its own requests and has its own retry quota:
    /// make one per scope and run.
    /// `template_versions` says how deep launch templates are read.
    pub fn reader(&self, scope: &Scope, template_versions: TemplateVersions) -> Ec2Reader {
        let services = Services::new(&self.config, scope, &self.timing);
        Ec2Reader::new(scope.clone(), services, template_versions)
    }

    /// What publishes to topics of SNS, in whatever account and Region they are, with these credentials.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.config.clone(), self.timing.clone())
    }

    /// A writer to one of the [`scopes`](Self::scopes). The same holds for it.
    pub fn writer(&self, scope: &Scope) -> Ec2Writer {
        Ec2Writer::new(client::build(&self.config, scope, Purpose::Write, &self.timing))
    }
}
