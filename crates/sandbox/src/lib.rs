//! A simulated EC2 endpoint, with what images need of its neighbours: HTTP, the protocols, and
//! programmable faults.
//!
//! [`Sandbox::start`] opens a loopback port that any AWS client can be pointed at. Behind it is a
//! [`World`] seeded from a [`Fleet`] file: images with their states, permissions, tags, snapshots,
//! protection and deprecation, the Recycle Bin, and the instances, launch templates, fleets, Spot requests,
//! Auto Scaling groups, parameters, recipes and other accounts that use them. The same port serves EC2, STS, Auto
//! Scaling, Systems Manager, the Recycle Bin, SNS and Organizations; the signature of a request says which. Callers may
//! assume roles in the other accounts of the fleet, each of which has images, instances and templates of its own.
//! People rehearse policies on it, and tests check against it what is sent over the wire.
//!
//! It models what AWS documents about these calls and nothing more. Deliberately absent: checking of
//! signatures, creating images, changing anything through other services than EC2, and every part of a service that has
//! nothing to do with images. It shares no code with the program that it is there to check, and depends on no AWS
//! crate.

mod actions;
mod fleet;
mod protocol;
mod server;
mod world;

pub use fleet::{
    FLEET_SCHEMA, Fleet, FleetAccount, FleetAutoScalingGroup, FleetDate, FleetEc2Fleet, FleetError,
    FleetForeignUse, FleetImage, FleetImageRecipe, FleetInstance, FleetLaunchConfiguration,
    FleetMixedInstances, FleetProblem, FleetProtection, FleetRetentionRule, FleetSnapshot,
    FleetSpotFleetRequest, FleetSpotInstanceRequest, FleetTemplate, FleetTemplateOverride,
    FleetTemplateReference, FleetTemplateVersion, ParseFleetDateError,
};
pub use protocol::ApiError;
pub use server::{
    Bucket, BucketSizes, Cloud, ExchangeEvent, ExchangeObserver, ExchangePoint, Fault, FaultKind,
    LoadStateError, Nth, RequestRecord, Sandbox, SandboxOptions, StartSandboxError, Verdict,
};
pub use world::{
    AccountState, Actor, AutoScalingGroupRecord, Binned, Change, Deregistered, Ec2FleetKind, Ec2FleetRecord,
    Ec2FleetState, Effect, ForeignUse, ForeignUseKind, ImageRecipeRecord, ImageRecord, ImageState,
    InstanceRecord, InstanceState, LaunchConfigurationRecord, LaunchPermission, LaunchSource,
    LaunchTemplateRecord, OrganizationAccount, ParseLaunchPermissionError, Protection, RecipeKind,
    RecycleBin, ResourceKind, RetentionRuleRecord, RetentionRuleStatus, SnapshotRecord, SnapshotReturnCode,
    SpotFleetRequestRecord, SpotFleetRequestState, SpotInstanceRequestRecord, SpotInstanceRequestState,
    TemplateOverride, TemplateReference, TemplateUseRecord, TemplateVersionRecord, UsageReportRecord,
    UsageReportWanted, UsageReports, WholeImage, World,
};
