//! Every series: its name, its type, its labels and what it means. The registry, `docs/METRICS.md`, the dashboard and
//! the alerts are all held against this list.
//!
//! Names follow the conventions of Prometheus: a prefix, base units, `_total` for what only grows while the process
//! lives. What begins with `amiwarden_run_` is of the last run that ended. Labels are closed enums or names that somebody
//! has configured; never an image.

/// The type of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value as it is. Also in the file of `--metrics-file`.
    Gauge,
    /// What has been counted since the service started. Only of the service.
    Counter,
}

/// A name with all its labels.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
    pub(crate) help: &'static str,
}

const SCOPE: &[&str] = &["account", "region"];

macro_rules! series {
    ($($id:ident, $kind:ident, $name:literal, $labels:expr, $help:literal;)*) => {
        $(pub(crate) const $id: Series =
            Series { name: concat!("amiwarden_", $name), kind: Kind::$kind, labels: $labels, help: $help };)*
        /// All of them.
        pub(crate) const ALL: &[&Series] = &[$(&$id),*];
    };
}

series! {
    BUILD_INFO, Gauge, "build_info", &["version"], "Always 1; the label is the version of amiwarden.";

    LAST_ATTEMPT, Gauge, "last_attempt_timestamp_seconds", &["schedule"],
        "When a run of the schedule last began, or was to begin and could not.";
    LAST_SUCCESS, Gauge, "last_success_timestamp_seconds", &["schedule"],
        "When a run of the schedule last ended without a failure.";
    LAST_RUN_OK, Gauge, "last_run_success", &["schedule"],
        "Whether the last run of the schedule that ended was without a failure: 1 or 0.";
    RUNS, Counter, "runs_total", &["schedule", "result"], "Runs that ended, by schedule and result.";
    TICKS_SKIPPED, Counter, "ticks_skipped_total", &["schedule", "reason"],
        "Times at which a schedule was due and nothing was run.";
    RUN_DURATION, Gauge, "run_duration_seconds", &[], "How long the last run took.";
    RUN_PHASE_DURATION, Gauge, "run_phase_duration_seconds", &["phase"],
        "How long each part of the last run took.";
    RUN_ENFORCES, Gauge, "run_enforces", &[], "Whether the last run was to carry out changes: 1 or 0.";

    SCOPE_LAST_ATTEMPT, Gauge, "scope_last_attempt_timestamp_seconds", SCOPE,
        "When a run that covers the scope last began.";
    SCOPE_LAST_SUCCESS, Gauge, "scope_last_success_timestamp_seconds", SCOPE,
        "When the images of the scope were last read to the end.";
    SCOPE_INCOMPLETE, Gauge, "scope_incomplete_sources", SCOPE,
        "Sources of the scope that the last run could not read to the end.";
    IMAGES, Gauge, "images", &["account", "region", "state"],
        "Images of the scope by state, as the last run read them.";
    USAGE_UNKNOWN, Gauge, "images_usage_unknown", SCOPE,
        "Images of which was asked whether something uses them, and nobody can tell.";
    GUARD_TRIPPED, Gauge, "guard_tripped", &["account", "region", "guard"],
        "Whether the guard found something wrong with the whole scope in the last run: 1 or 0.";
    DISABLED_REFERENCED, Gauge, "disabled_images_referenced", SCOPE,
        "Disabled images that a template, group, fleet or alias would launch.";
    DISABLED_COST, Gauge, "disabled_images_monthly_cost_dollars", SCOPE,
        "What the snapshots of disabled images cost a month at most, in US dollars.";
    PENDING_DEREGISTRATIONS, Gauge, "pending_deregistrations", SCOPE,
        "Disabled images that are held for now or whose deregistration is asked for.";
    NEXT_DEREGISTRATION, Gauge, "next_deregistration_timestamp_seconds", SCOPE,
        "When the next minimum hold of a disabled image ends.";

    RUN_DECISIONS, Gauge, "run_decisions", &["policy", "action"],
        "Images of which the policy said so in the last run.";
    RUN_POLICY_ERRORS, Gauge, "run_policy_errors", &["policy"],
        "Images for which the policy could not be evaluated in the last run.";
    RUN_CONFLICTS, Gauge, "run_conflicts", &[], "Contradictions between policies in the last run.";
    RUN_STEPS, Gauge, "run_steps", &["action", "outcome"], "Steps of the last run's plan, and what became of them.";
    STEPS, Counter, "steps_total", &["outcome"], "Steps of all plans, by what became of them.";
    RUN_HELD, Gauge, "run_held", &["guard"], "Changes that the guard held back in the last run.";
    GUARD_TRIPS, Counter, "guard_trips_total", &["guard"],
        "How often a guard found something wrong with a whole scope.";

    RUN_SAVED_COST, Gauge, "run_saved_monthly_cost_dollars", &[],
        "What the snapshots that the last run deleted cost a month at most, in US dollars.";
    SAVED_COST, Counter, "saved_monthly_cost_dollars_total", &[],
        "What the snapshots that were deleted cost a month at most, in US dollars.";

    POLICY_SET_INFO, Gauge, "policy_set_info", &["digest"],
        "Always 1; the label is the beginning of the digest of policies and configuration.";
    POLICY_SET_LOADED, Gauge, "policy_set_loaded_timestamp_seconds", &[],
        "Since when these policies are in force.";
    POLICY_SET_OK, Gauge, "policy_set_ok", &[],
        "Whether the newest policies and configuration are the ones in force (1), or were refused (0).";
    POLICIES, Gauge, "policies", &[], "Policies in force.";

    RUN_AWS_CALLS, Gauge, "run_aws_calls", &["operation", "result"],
        "Requests of the last run to AWS, by operation and result, retries included.";
    RUN_AWS_THROTTLED, Gauge, "run_aws_throttled_calls", &[],
        "Requests of the last run for which AWS was too busy.";
    RUN_AWS_WAIT, Gauge, "run_aws_wait_seconds", &[],
        "How long the last run's requests waited for tokens of their buckets, added up.";
    AWS_CALLS, Counter, "aws_calls_total", &["result"], "Requests to AWS by result, retries included.";
    AWS_WAIT, Counter, "aws_wait_seconds_total", &[],
        "How long requests waited for tokens of their buckets, added up.";

    LEDGER_HEAD, Gauge, "ledger_head_sequence", &[], "The number of the newest entry of the ledger.";
    LEDGER_OK, Gauge, "ledger_ok", &[],
        "Whether the ledger was as it was written when it was last checked: 1 or 0.";
    UNRESOLVED_INTENTS, Gauge, "unresolved_intents", &[],
        "Changes that were sent and of which nobody knows yet whether they took effect.";
    PAUSED, Gauge, "paused", &[], "Whether all changes are paused: 1 or 0.";
    NOTIFICATIONS, Counter, "notifications_total", &["kind", "result"],
        "Notifications by the kind of notifier and whether they were delivered.";
}
