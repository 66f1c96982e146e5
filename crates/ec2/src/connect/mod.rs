//! From options to a connection: configuration, accounts, sessions, Regions.
//!
//! Several accounts are told apart by their credentials: a role is assumed in each, and what STS says of the session is
//! compared with the account that was meant. An account or Region that cannot be reached does not stop the others: it
//! is a door that stays shut, and whoever reads there is told why, so that nothing is concluded from the silence.

mod config;
mod door;
mod error;
mod identity;
mod members;
mod options;
mod organization;
mod regions;
mod session;

use std::sync::Arc;

use amiwarden_core::{AccountId, Region, RunId, Scope, TemplateVersions};
use aws_config::SdkConfig;
use futures::StreamExt;

pub use error::ConnectError;
pub use options::{
    AccountOptions, ConnectOptions, CredentialSource, OrganizationOptions, RegionChoice, StaticCredentials,
};

use crate::client::{self, Purpose, Services};
use crate::http::Clients;
use crate::{Ec2Reader, Ec2Writer, Publisher};
use door::{Door, Way, close, settle};
use members::Members;

/// How many accounts are connected to at the same time. STS grants far more; this is about open connections.
const CONCURRENT_SESSIONS: usize = 16;

/// Accounts in the Regions that were asked for. Clones share everything.
#[derive(Clone, Debug)]
pub struct Connection {
    home: Arc<Home>,
    doors: Arc<Vec<Door>>,
    /// Why not all accounts of the organization are known, if so.
    unlisted: Option<String>,
}

/// What stays the same from run to run: one's own credentials, and the open connections.
#[derive(Debug)]
struct Home {
    options: ConnectOptions,
    /// With one's own credentials.
    config: SdkConfig,
    clients: Clients,
    account: AccountId,
    region: Region,
}

/// Loads the configuration, asks STS whose credentials these are, opens a session in every other account, and settles
/// the Regions. What is wrong with any of them is said here, with its remedy, before anything is read or changed.
///
/// # Errors
///
/// Where the one account, or each one of several, cannot be reached. Otherwise the connection says which those are:
/// [`Connection::unreached`].
pub async fn connect(options: ConnectOptions) -> Result<Connection, ConnectError> {
    let own = options.accounts.iter().filter_map(|account| account.regions.as_ref());
    for choice in own.chain([&options.regions]) {
        if let RegionChoice::Named(named) = choice {
            regions::check_names(named)?;
        }
    }
    let (config, clients) = config::load(&options).await?;
    let region = regions::home(&options.regions, config.region())?;
    let config = config.into_builder().region(aws_config::Region::new(region.as_str().to_owned())).build();
    let account = identity::account(&config, &region, &options.timing).await?;
    let config = config.into_builder().http_client(clients.of(&account)).build();
    let run_id = options.run_id.clone();
    let home = Arc::new(Home { options, config, clients, account, region });
    if home.is_alone() {
        let settled = home.own_regions().await?;
        let doors = settled.into_iter().map(|region| home.door(region, Way::Open(home.config.clone())));
        return Ok(Connection { doors: Arc::new(doors.collect()), home, unlisted: None });
    }
    open(home, run_id.as_ref()).await
}

impl Connection {
    /// Whose credentials these are, as STS says.
    pub fn account(&self) -> &AccountId {
        &self.home.account
    }

    /// Every account in each of its Regions: accounts in the order in which they were named and then by their ids,
    /// Regions in the order in which they were named, or else by name. Those that cannot be reached are among them.
    pub fn scopes(&self) -> Vec<Scope> {
        self.doors.iter().map(|door| door.scope.clone()).collect()
    }

    /// What cannot be reached, and why. Readers of these scopes read nothing and say so.
    pub fn unreached(&self) -> impl Iterator<Item = (&Scope, &str)> {
        self.doors.iter().filter_map(|door| Some((&door.scope, door.way.reason()?)))
    }

    /// Why there may be accounts of the organization that nobody knows of, if so.
    pub fn unlisted(&self) -> Option<&str> {
        self.unlisted.as_deref()
    }

    /// The same for another run, whose id goes into the user agent and into the names of new sessions. The open
    /// connections, one's own credentials and the token buckets stay. One account costs no request; of several, each
    /// costs an `AssumeRole` and a `GetCallerIdentity`, and an organization is listed anew.
    ///
    /// # Errors
    ///
    /// As of [`connect`].
    pub async fn for_run(&self, run_id: &RunId) -> Result<Self, ConnectError> {
        if !self.home.is_alone() {
            return open(Arc::clone(&self.home), Some(run_id)).await;
        }
        let named = self.doors.iter().map(|door| door.named(run_id)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { doors: Arc::new(named), ..self.clone() })
    }

    /// A reader of one of the [`scopes`](Self::scopes). Each counts its own requests and has its own retry quota:
    /// make one per scope and run.
    /// `template_versions` says how deep launch templates are read.
    pub fn reader(&self, scope: &Scope, template_versions: TemplateVersions) -> Ec2Reader {
        match self.way(scope) {
            Way::Open(config) => {
                let services = Services::new(&config, scope, &self.home.options.timing);
                Ec2Reader::new(scope.clone(), services, template_versions)
            }
            Way::Shut(reason) => Ec2Reader::shut(scope.clone(), reason),
        }
    }

    /// What publishes to topics of SNS, in whatever account and Region they are, with these credentials.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.home.config.clone(), self.home.options.timing.clone())
    }

    /// A writer to one of the [`scopes`](Self::scopes). The same holds for it.
    pub fn writer(&self, scope: &Scope) -> Ec2Writer {
        match self.way(scope) {
            Way::Open(config) => {
                Ec2Writer::new(client::build(&config, scope, Purpose::Write, &self.home.options.timing))
            }
            Way::Shut(reason) => Ec2Writer::shut(reason),
        }
    }

    fn way(&self, scope: &Scope) -> Way {
        let door = self.doors.iter().find(|door| door.scope == *scope);
        door.map_or_else(
            || Way::shut(format!("{scope} is no part of the connection")),
            |door| door.way.clone(),
        )
    }
}

impl Home {
    /// Whether there is one account only: that of the credentials.
    fn is_alone(&self) -> bool {
        self.options.accounts.is_empty() && self.options.organization.is_none()
    }

    /// The Regions of the only account, all of which have to be there.
    async fn own_regions(&self) -> Result<Vec<Region>, ConnectError> {
        let scope = Scope { account: self.account.clone(), region: self.region.clone() };
        let settled =
            regions::resolve(&self.options.regions, &self.config, &scope, &self.options.timing).await?;
        settled.into_iter().map(|(region, problem)| problem.map_or(Ok(region), Err)).collect()
    }

    fn door(&self, region: Region, way: Way) -> Door {
        Door { scope: Scope { account: self.account.clone(), region }, way }
    }
}

/// Opens a session in every account.
async fn open(home: Arc<Home>, run_id: Option<&RunId>) -> Result<Connection, ConnectError> {
    let base = config::named(home.config.clone(), run_id)?;
    let Members { accounts, unlisted } = members::find(&home.options, &home.account, &base).await?;
    // Dropped with the run: the credentials of its sessions are nobody else's.
    let cache = config::identity_cache();
    let name = session::name(run_id);
    let opening = &session::Opening { home: &home, base: &base, cache: &cache, name: &name };
    let opened: Vec<_> = futures::stream::iter(&accounts)
        .map(|account| async move { (account, settle(account, opening.open(account).await)) })
        .buffered(CONCURRENT_SESSIONS)
        .collect()
        .await;
    let doors = close(opened, &home.options.regions, &home.region);
    if doors.iter().all(|door| door.way.reason().is_some()) {
        let reasons = doors.iter().filter_map(|door| Some(format!("{}: {}", door.scope, door.way.reason()?)));
        return Err(ConnectError::NoAccountReached { reasons: reasons.collect() });
    }
    for (scope, reason) in doors.iter().filter_map(|door| Some((&door.scope, door.way.reason()?))) {
        tracing::warn!(%scope, reason, "{scope} cannot be reached: {reason}");
    }
    if let Some(reason) = &unlisted {
        tracing::warn!(reason, "{reason}");
    }
    Ok(Connection { home, doors: Arc::new(doors), unlisted })
}
