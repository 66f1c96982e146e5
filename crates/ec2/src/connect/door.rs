//! The way into one account and Region: open, or shut for a reason.

use std::collections::BTreeSet;
use std::sync::Arc;

use amiwarden_core::{Region, RunId, Scope};
use aws_config::SdkConfig;

use super::{AccountOptions, ConnectError, RegionChoice, config};

/// One scope, and the way into it.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) scope: Scope,
    pub(super) way: Way,
}

/// The way into a scope.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of the few hundred are open")]
pub(super) enum Way {
    /// With these credentials.
    Open(SdkConfig),
    /// There is none, for this reason.
    Shut(Arc<str>),
}

/// What came of connecting to one account.
#[derive(Debug)]
pub(super) enum Settled {
    /// These are its Regions.
    Doors(Vec<Door>),
    /// It cannot be reached, for this reason.
    Unreached(String),
}

impl Way {
    pub(super) fn shut(reason: impl Into<String>) -> Self {
        Self::Shut(reason.into().into())
    }

    /// Why it is shut, if it is.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Open(_) => None,
            Self::Shut(reason) => Some(reason),
        }
    }
}

impl Door {
    /// The same, with the run in the user agent.
    pub(super) fn named(&self, run_id: &RunId) -> Result<Self, ConnectError> {
        let way = match &self.way {
            Way::Open(config) => Way::Open(config::named(config.clone(), Some(run_id))?),
            Way::Shut(reason) => Way::Shut(Arc::clone(reason)),
        };
        Ok(Self { scope: self.scope.clone(), way })
    }
}

/// The doors that a session leads to.
pub(super) fn settle(
    account: &AccountOptions,
    opened: Result<(SdkConfig, Vec<super::regions::Settled>), String>,
) -> Settled {
    match opened {
        Ok((config, regions)) => Settled::Doors(
            regions
                .into_iter()
                .map(|(region, problem)| Door {
                    scope: Scope { account: account.account.clone(), region },
                    way: problem
                        .map_or_else(|| Way::Open(config.clone()), |problem| Way::shut(chain(&problem))),
                })
                .collect(),
        ),
        Err(reason) => Settled::Unreached(reason),
    }
}

/// All doors. An account that cannot be reached has a shut door in every Region where it may hold something: those
/// named, or else, because nobody knows, those of all other accounts.
pub(super) fn close(
    accounts: Vec<(&AccountOptions, Settled)>,
    choice: &RegionChoice,
    home: &Region,
) -> Vec<Door> {
    let elsewhere: BTreeSet<Region> = accounts
        .iter()
        .flat_map(|(_, settled)| match settled {
            Settled::Doors(doors) => doors.as_slice(),
            Settled::Unreached(_) => &[],
        })
        .map(|door| door.scope.region.clone())
        .chain([home.clone()])
        .collect();
    let mut all = Vec::new();
    for (account, settled) in accounts {
        match settled {
            Settled::Doors(doors) => all.extend(doors),
            Settled::Unreached(reason) => {
                let reason: Arc<str> = reason.into();
                let regions: Vec<Region> = match account.regions.as_ref().unwrap_or(choice) {
                    RegionChoice::Named(named) => named.clone(),
                    RegionChoice::Default => vec![home.clone()],
                    RegionChoice::All => elsewhere.iter().cloned().collect(),
                };
                all.extend(regions.into_iter().map(|region| Door {
                    scope: Scope { account: account.account.clone(), region },
                    way: Way::Shut(Arc::clone(&reason)),
                }));
            }
        }
    }
    all
}

/// An error with all its causes, in one line.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, regions: Option<RegionChoice>) -> AccountOptions {
        AccountOptions { account: id.parse().unwrap(), role: None, external_id: None, regions }
    }

    #[test]
    fn an_account_that_cannot_be_reached_is_shut_wherever_it_may_hold_something() {
        let region = |name: &str| Region::new(name);
        let check = |choice: &RegionChoice, own: Option<RegionChoice>, expected: &[&str]| {
            let (one, other) = (account("111122223333", None), account("222233334444", own));
            let open = ["us-east-1", "us-west-2"].map(|name| Door {
                scope: Scope { account: one.account.clone(), region: region(name) },
                way: Way::shut("not looked at here"),
            });
            let accounts =
                vec![(&one, Settled::Doors(open.into())), (&other, Settled::Unreached("no".to_owned()))];
            let doors = close(accounts, choice, &region("eu-west-1"));
            let of_other = doors.iter().filter(|door| door.scope.account == other.account);
            let regions: Vec<&str> = of_other.map(|door| door.scope.region.as_str()).collect();
            assert_eq!(regions, expected, "{choice:?}");
        };
        let named = RegionChoice::Named(vec![region("sa-east-1")]);
        check(&RegionChoice::Default, None, &["eu-west-1"]);
        check(&RegionChoice::All, None, &["eu-west-1", "us-east-1", "us-west-2"]);
        check(&RegionChoice::All, Some(named.clone()), &["sa-east-1"]);
        check(&named, Some(RegionChoice::All), &["eu-west-1", "us-east-1", "us-west-2"]);
    }
}
