//! What most commands begin with: configuration, policies, the sandbox or AWS, the store.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use amiwarden_core::{ImageId, Mode, Region, RunId, Scope, Timestamp};
use amiwarden_ec2::{
    AccountOptions, ConnectOptions, Connection, CredentialSource, OrganizationOptions, StaticCredentials,
};
use amiwarden_sandbox::{Fleet, Sandbox, SandboxOptions};
use anyhow::Context;

use super::args::Global;
use super::failure::Failure;
use super::terminal;
use crate::config::{
    self, AccountConfig, Config, LoadRequest, OrganizationConfig, Overrides, RegionChoice, WithoutFile,
};
use crate::rules::Rules;
use crate::store::{Store, StoreOptions, StoreReader};

/// The fleet that the sandbox starts with.
pub(super) const DEMO_FLEET: &str = include_str!("../../examples/fleets/demo.json");

/// Loads the configuration.
pub(super) fn load_config(global: &Global, mode: Option<Mode>) -> Result<Config, Failure> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| !crate::telemetry::VARIABLES.contains(&name.as_str()))
        .collect();
    let working_dir = std::env::current_dir().context("the working directory cannot be told")?;
    let mut config = config::load(&LoadRequest {
        path: global.config.as_deref(),
        without_file: if global.sandbox { WithoutFile::Sandbox } else { WithoutFile::Search },
        environment: &environment,
        working_dir: &working_dir,
        overrides: Overrides {
            mode,
            db: global.db.clone(),
            policies_dir: global.policies.clone(),
            regions: global.region.clone(),
            profile: global.profile.clone(),
            endpoint_url: global.endpoint_url.clone(),
        },
    })
    .map_err(Failure::usage)?;
    if global.sandbox {
        keep_apart(&mut config, global);
    }
    Ok(config)
}

/// A simulated account never shares a database, nor a list of policies, with a configuration that was made for
/// something else.
fn keep_apart(config: &mut Config, global: &Global) {
    if global.config.is_some() && global.db.is_none() {
        let stem = config.store.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        config.store.path.set_file_name(format!("{stem}-sandbox.db"));
        config.store.ledger_head = config.store.path.with_extension("head");
    }
    // Nobody is to be told of simulated images as if they were real.
    config.notify.clear();
    if global.config.is_none() && global.policies.is_some() {
        // What the embedded configuration says is about the built-in policies.
        config.policy.clear();
    }
}

/// Compiles the policies that `config` names.
pub(super) fn load_rules(config: Config) -> Result<Rules, Failure> {
    Rules::load(config).map_err(Failure::usage)
}

/// A connection to AWS, or to a simulated endpoint that lives as long as this does.
pub(super) struct Cloud {
    pub(super) connection: Connection,
    sandbox: Option<Sandbox>,
}

impl Cloud {
    /// Ends the simulated endpoint, if there is one, after the requests in flight.
    pub(super) async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
    }

    /// Lets the store remember what the demo fleet says amiwarden has seen in the past. Only a simulated
    /// account has such a past.
    pub(super) async fn seed(&self, store: &Store) -> Result<(), Failure> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let seen: BTreeMap<ImageId, Timestamp> = sandbox
            .cloud()
            .first_seen_disabled()
            .into_iter()
            .map(|(id, at)| (ImageId::new(id), at))
            .collect();
        for scope in self.connection.scopes() {
            store.seed_first_seen_disabled(&scope, &seen).await?;
        }
        Ok(())
    }
}

/// Connects to AWS, or starts the simulated endpoint and connects to that.
pub(super) async fn connect(
    global: &Global,
    config: &Config,
    run_id: Option<RunId>,
) -> Result<Cloud, Failure> {
    let mut options = ConnectOptions {
        profile: config.aws.profile.clone(),
        regions: region_choice(&config.aws.regions),
        accounts: config.aws.accounts.iter().map(account_options).collect(),
        organization: config.aws.organization.as_ref().map(organization_options),
        endpoint_url: config.aws.endpoint_url.clone(),
        run_id,
        pace: Some(config.speed.pace.clone()),
        ..ConnectOptions::default()
    };
    let sandbox = if global.sandbox {
        let sandbox = start_sandbox(global, config).await?;
        options.credentials = CredentialSource::Static(StaticCredentials::sandbox());
        options.endpoint_url = Some(sandbox.endpoint_url());
        if config.aws.regions == RegionChoice::Default {
            let region = Region::new(sandbox.cloud().default_region());
            options.regions = amiwarden_ec2::RegionChoice::Named(vec![region]);
        }
        Some(sandbox)
    } else {
        None
    };
    let connection = amiwarden_ec2::connect(options).await.map_err(Failure::usage)?;
    Ok(Cloud { connection, sandbox })
}

fn region_choice(choice: &RegionChoice) -> amiwarden_ec2::RegionChoice {
    match choice {
        RegionChoice::Default => amiwarden_ec2::RegionChoice::Default,
        RegionChoice::All => amiwarden_ec2::RegionChoice::All,
        RegionChoice::Named(regions) => amiwarden_ec2::RegionChoice::Named(regions.clone()),
    }
}

fn account_options(account: &AccountConfig) -> AccountOptions {
    AccountOptions {
        account: account.id.clone(),
        role: account.role.clone(),
        external_id: account.external_id.clone(),
        regions: account.regions.as_ref().map(region_choice),
    }
}

fn organization_options(organization: &OrganizationConfig) -> OrganizationOptions {
    OrganizationOptions {
        role: organization.role.clone(),
        external_id: organization.external_id.clone(),
        include: organization.include.clone(),
        exclude: organization.exclude.clone(),
    }
}

async fn start_sandbox(global: &Global, config: &Config) -> Result<Sandbox, Failure> {
    let fleet = read_fleet(global.fleet.as_deref())?;
    let state_file = sandbox_state_file(&config.store.path);
    let mut options = SandboxOptions::new(fleet, Timestamp::now());
    options.state_file = Some(state_file.clone());
    let sandbox = Sandbox::start(options).await.map_err(Failure::usage)?;
    if sandbox.cloud().resumed() {
        terminal::note(&format!(
            "sandbox: going on with the simulated account in {} (to start over: `rm {} {} {}`)",
            state_file.display(),
            state_file.display(),
            config.store.path.display(),
            config.store.ledger_head.display(),
        ));
    }
    Ok(sandbox)
}

/// The simulated account is kept beside the database, so that the two tell the same story.
fn sandbox_state_file(database: &Path) -> PathBuf {
    database.with_extension("account.json")
}

/// Reads a fleet, or takes the demo fleet.
pub(super) fn read_fleet(path: Option<&Path>) -> Result<Fleet, Failure> {
    let fleet = match path {
        None => Fleet::from_json(DEMO_FLEET).map_err(Failure::usage)?,
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the fleet {}", path.display()))
                .map_err(Failure::Usage)?;
            Fleet::from_json(&text)
                .with_context(|| format!("{} is no fleet", path.display()))
                .map_err(Failure::Usage)?
        }
    };
    Ok(fleet)
}

/// Opens the store for writing.
pub(super) async fn open_store(config: &Config) -> Result<Store, Failure> {
    let options = StoreOptions { ledger_head: Some(config.store.ledger_head.clone()) };
    Store::open(&config.store.path, options).await.map_err(Failure::usage)
}

/// Opens the store for reading, beside whoever writes to it.
pub(super) async fn open_reader(config: &Config) -> Result<StoreReader, Failure> {
    StoreReader::open(&config.store.path).await.map_err(Failure::usage)
}

/// The scopes that a command works on.
pub(super) fn scopes(cloud: &Cloud) -> Vec<Scope> {
    cloud.connection.scopes()
}
