//! The pure domain of amiwarden: images, facts, decisions, guards, plans.
//!
//! The flow is `Inventory -> Facts -> Verdict -> Decision -> Plan -> StepOutcome -> CycleReport`, and the
//! modules stand in that order. Everything here is a value or a pure function: equal inputs give equal
//! outputs, byte for byte.
//!
//! Deliberately absent: tokio, the AWS SDK, sqlx, Rhai, clocks, randomness, files. `now` and every
//! identifier are arguments. Two ports, [`CloudReader`] and [`CloudWriter`], are all that this crate knows
//! of the outside.

mod action;
mod call;
mod change;
mod circumstances;
mod decision;
mod derive;
mod fact;
mod facts;
mod family;
mod figures;
mod fingerprint;
mod guard;
mod id;
mod image;
mod inventory;
mod limits;
mod outcome;
mod pace;
mod plan;
mod port;
mod proof;
mod report;
mod retention;
mod sharing;
mod source;
mod time;
mod undo;
mod usage;
mod verdict;
mod window;

pub use action::{Action, ActionKind, GrantFilter, SnapshotFate};
pub use call::Call;
pub use change::{Change, DISABLED_AT_TAG, Resolution};
pub use circumstances::{Circumstances, ImageTally, Tally, clock_doubt};
pub use decision::{
    Because, Conflict, Decision, PlannedChange, Satisfied, Unresolved, Vetoed, decide, missing,
};
pub use derive::{Memory, cost_at_most, derive_facts};
pub use fact::{Fact, Need};
pub use facts::{Cost, Facts};
pub use family::{FamilyPlace, FamilyRule, ParseFamilyRuleError, place_families};
pub use figures::{
    Became, CallCounts, CallResult, CyclePhase, DecisionCount, Figures, PhaseDuration, Said, ScopeFigures,
    count_decisions, saved, scope_figures,
};
pub use fingerprint::{EvidenceField, Fingerprint, Mask, fingerprint};
pub use guard::{Guard, TrippedGuard, opted_out};
pub use id::{AccountId, ImageId, ParseAccountIdError, PlanId, PolicyName, Region, RunId, Scope, SnapshotId};
pub use image::{
    BlockDevice, DeregistrationProtection, Image, ImageState, Lineage, Reading, Snapshot, StorageTier,
};
pub use inventory::{CandidateUses, Coverage, Gap, Inventory, Listing};
pub use limits::{Ladder, Limits, LimitsOverride, Mode, Permanent};
pub use outcome::{Rehearsal, SnapshotResult, StepOutcome, StepReport};
pub use pace::{ApiClass, BucketSize, Estimate, OPERATIONS, Pace, Share, TokenBucket, Traffic, estimate};
pub use plan::{
    Assembled, Held, Kept, Plan, PlanRequest, PolicySettings, Removal, ScopeDraft, Step, Wanted, assemble,
    draft_scope, due_removals,
};
pub use port::{CallError, CallErrorKind, CloudReader, CloudWriter, Receipt};
pub use proof::{Finding, Proof, ProofResult, prove};
pub use report::{CycleReport, PolicyErrorReport, ScopeReport, Totals};
pub use retention::{RecycleBinCover, RetainedKind, RetentionRule, recycle_bin_cover};
pub use sharing::{LaunchPermission, LaunchPermissions, ParseLaunchPermissionError};
pub use source::Source;
pub use time::{Duration, ParseDurationError, Timestamp};
pub use undo::{DoneChange, Present, Refusal, Undo, undo};
pub use usage::{ImageUse, TemplateVersions, UsageSettings, UseKind};
pub use verdict::{
    Evaluation, FactReading, FailureKind, Opinion, PolicyFailure, Proposal, RuleRef, Verdict, Wish,
};
pub use window::{ParseWindowError, Window};
