//! The accounts of a fleet, each with a world of its own.

use super::Seeding;
use crate::world::OrganizationAccount;

impl Seeding<'_> {
    /// Whether something that says to be in an account is in the one that is seeded.
    pub(super) fn is_here(&self, account: Option<&str>) -> bool {
        account.unwrap_or(&self.fleet.account) == self.account
    }

    /// The organization, and whether everything is in an account that there is.
    pub(super) fn accounts(&mut self) {
        for (index, account) in self.fleet.accounts.iter().enumerate() {
            let path = format!("accounts[{index}]");
            self.account(&format!("{path}.id"), &account.id);
            let known = OrganizationAccount {
                name: account.name.clone().unwrap_or_else(|| format!("account {}", account.id)),
                state: account.status,
                role: account.role.clone(),
                external_id: account.external_id.clone(),
            };
            if self.world.organization.insert(account.id.clone(), known).is_some() {
                self.duplicate(&path, &account.id);
            }
        }
        let fleet = self.fleet;
        let images = fleet.images.iter().map(|it| it.account.as_deref()).enumerate();
        let instances = fleet.instances.iter().map(|it| it.account.as_deref()).enumerate();
        let templates = fleet.launch_templates.iter().map(|it| it.account.as_deref()).enumerate();
        let all = images.map(|it| ("images", it));
        let all = all.chain(instances.map(|it| ("instances", it)));
        for (kind, (index, account)) in all.chain(templates.map(|it| ("launch_templates", it))) {
            let Some(account) = account else { continue };
            if account != fleet.account && !self.world.organization.contains_key(account) {
                self.problems.add(
                    format!("{kind}[{index}].account"),
                    format!("`{account}` is no account of the fleet"),
                    "Add it to accounts, or name another.",
                );
            }
        }
    }

    /// The worlds of the other accounts. Images of the callers' account are known there by name, too.
    pub(super) fn members(&mut self) {
        for account in self.fleet.accounts.iter().filter(|account| account.id != self.fleet.account) {
            let mut member = Self::new(self.fleet, &account.id, self.now);
            member.names_elsewhere.clone_from(&self.names);
            member.computing();
            self.problems.extend(member.problems);
            self.world.members.insert(account.id.clone(), member.world);
        }
        let mut regions = self.world.regions.clone();
        regions.extend(self.world.members.values().flat_map(|member| member.regions.iter().cloned()));
        for member in self.world.members.values_mut() {
            member.regions.clone_from(&regions);
        }
        self.world.regions = regions;
    }
}
