//! Seeding of Auto Scaling groups, launch configurations, recipes and other accounts' uses.

use super::Seeding;
use crate::fleet::{FleetAutoScalingGroup, FleetMixedInstances, FleetTemplateReference};
use crate::world::{
    AutoScalingGroupRecord, ForeignUse, ImageRecipeRecord, LaunchConfigurationRecord, LaunchSource,
    TemplateOverride, TemplateReference, is_account, is_resource_id,
};

/// What reports print in place of some accounts (User Guide: your-ec2-ami-usage).
const MASKED_ACCOUNT: &str = "************";

impl Seeding<'_> {
    pub(super) fn launch_configurations(&mut self) {
        for (index, configuration) in self.fleet.launch_configurations.iter().enumerate() {
            let path = format!("launch_configurations[{index}]");
            let region = self.region(&format!("{path}.region"), configuration.region.as_deref());
            let image_id = self.image(&format!("{path}.image"), &region, &configuration.image);
            let record = LaunchConfigurationRecord {
                name: configuration.name.clone(),
                region,
                created_at: self.now,
                image_id,
            };
            if self.world.launch_configurations.insert(record.key(), record).is_some() {
                self.name_twice(&path, &configuration.name);
            }
        }
    }

    /// After launch templates and launch configurations, which groups name.
    pub(super) fn auto_scaling_groups(&mut self) {
        for (index, group) in self.fleet.auto_scaling_groups.iter().enumerate() {
            let path = format!("auto_scaling_groups[{index}]");
            let region = self.region(&format!("{path}.region"), group.region.as_deref());
            let Some(source) = self.launch_source(&path, &region, group) else {
                self.problems.add(
                    path,
                    "a group launches from exactly one thing",
                    "Give it one of launch_configuration, launch_template and mixed_instances.",
                );
                continue;
            };
            let name = group.name.clone();
            let record = AutoScalingGroupRecord { name, region, created_at: self.now, source };
            if self.world.auto_scaling_groups.insert(record.key(), record).is_some() {
                self.name_twice(&path, &group.name);
            }
        }
    }

    pub(super) fn image_recipes(&mut self) {
        for (index, recipe) in self.fleet.image_recipes.iter().enumerate() {
            let path = format!("image_recipes[{index}]");
            let region = self.region(&format!("{path}.region"), recipe.region.as_deref());
            let image_id = self.image(&format!("{path}.image"), &region, &recipe.image);
            let record = ImageRecipeRecord { name: recipe.name.clone(), region, image_id, kind: recipe.kind };
            let same = |known: &ImageRecipeRecord| {
                (&known.region, &known.name, known.kind) == (&record.region, &record.name, record.kind)
            };
            if self.world.image_recipes.iter().any(same) {
                self.name_twice(&path, &recipe.name);
            }
            self.world.image_recipes.push(record);
        }
    }

    pub(super) fn foreign_uses(&mut self) {
        for (index, usage) in self.fleet.foreign_uses.iter().enumerate() {
            let path = format!("foreign_uses[{index}]");
            let region = self.region(&format!("{path}.region"), usage.region.as_deref());
            let image_id = self.image(&format!("{path}.image"), &region, &usage.image);
            if !is_account(&usage.account) && usage.account != MASKED_ACCOUNT {
                self.problems.add(
                    format!("{path}.account"),
                    format!("`{}` is not an account", usage.account),
                    format!("Write twelve digits, in quotes, or {MASKED_ACCOUNT}."),
                );
            }
            let (account, kind, count) = (usage.account.clone(), usage.kind, usage.count);
            self.world.foreign_uses.push(ForeignUse { image_id, account, kind, count });
        }
    }

    fn launch_source(
        &mut self,
        path: &str,
        region: &str,
        group: &FleetAutoScalingGroup,
    ) -> Option<LaunchSource> {
        match (&group.launch_configuration, &group.launch_template, &group.mixed_instances) {
            (Some(name), None, None) => {
                let configurations = self.world.launch_configurations.values();
                if !configurations.into_iter().any(|known| known.region == region && known.name == *name) {
                    self.problems.add(
                        format!("{path}.launch_configuration"),
                        format!("no launch configuration in {region} is named `{name}`"),
                        "Auto Scaling keeps those that a group uses: add it to launch_configurations.",
                    );
                }
                Some(LaunchSource::Configuration(name.clone()))
            }
            (None, Some(template), None) => {
                let template = self.template(&format!("{path}.launch_template"), region, template);
                Some(LaunchSource::Template(template))
            }
            (None, None, Some(mixed)) => {
                let path = format!("{path}.mixed_instances");
                let (template, overrides) = self.template_with_overrides(&path, region, mixed);
                Some(LaunchSource::Mixed { template, overrides })
            }
            _ => None,
        }
    }

    pub(super) fn template_with_overrides(
        &mut self,
        path: &str,
        region: &str,
        mixed: &FleetMixedInstances,
    ) -> (TemplateReference, Vec<TemplateOverride>) {
        let template = self.template(&format!("{path}.launch_template"), region, &mixed.launch_template);
        let mut overrides = Vec::new();
        for (index, wanted) in mixed.overrides.iter().enumerate() {
            let path = format!("{path}.overrides[{index}]");
            let image = wanted.image.as_ref();
            let image = image.map(|image| self.image_or_alias(&path, region, image));
            let template = wanted.launch_template.as_ref();
            let template =
                template.map(|template| self.template(&format!("{path}.launch_template"), region, template));
            let instance_type = wanted.instance_type.clone();
            overrides.push(TemplateOverride { instance_type, image, template });
        }
        (template, overrides)
    }

    fn image_or_alias(&mut self, path: &str, region: &str, image: &str) -> String {
        if image.starts_with("resolve:") {
            image.to_owned()
        } else {
            self.image(&format!("{path}.image"), region, image)
        }
    }

    /// Answers have id and name, whichever was given.
    fn template(&mut self, path: &str, region: &str, wanted: &FleetTemplateReference) -> TemplateReference {
        let mut templates = self.world.launch_templates.values();
        let known = templates.find(|known| {
            known.region == region
                && (wanted.id.as_ref() == Some(&known.id) || wanted.name.as_ref() == Some(&known.name))
        });
        let mut reference = TemplateReference {
            id: wanted.id.clone(),
            name: wanted.name.clone(),
            version: wanted.version.clone(),
        };
        if wanted.id.is_some() == wanted.name.is_some() {
            self.problems.add(path, "a launch template is named once", "Write its name or its id.");
        } else if let Some(known) = known {
            (reference.id, reference.name) = (Some(known.id.clone()), Some(known.name.clone()));
        } else if wanted.id.as_ref().is_none_or(|id| !is_resource_id(id, "lt-")) {
            self.problems.add(
                path,
                format!("there is no such launch template in {region}"),
                "Name a launch template of the fleet, or write an id (lt- and 8 or 17 hexadecimal digits).",
            );
        }
        if let Some(version) = &wanted.version
            && !matches!(version.as_str(), "$Latest" | "$Default")
            && version.parse::<u64>().is_err()
        {
            self.problems.add(
                format!("{path}.version"),
                format!("`{version}` is not a version"),
                "Write a number, $Latest or $Default, in quotes.",
            );
        }
        reference
    }

    fn name_twice(&mut self, path: &str, name: &str) {
        self.problems.add(format!("{path}.name"), format!("`{name}` appears twice"), "Choose another name.");
    }
}
