//! One request: from its bytes to its reply.

mod reports;

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::cloud::Cloud;
use super::control::Admission;
use super::faults::{FaultKind, Seen};
use super::late::{Background, LateChange};
use super::observer::{ExchangeEvent, ExchangePoint, Verdict};
use super::requests::RequestRecord;
use crate::actions::{self, Call, Context, RoleQuery};
use crate::protocol::{ApiError, Caller, Envelope, HttpRequest, Parameters, Service};
use crate::world::{Actor, Change, Effect, History, account_and_role};

/// The accounts that a caller is told to act in where a fault says so: the first that is not its own.
const WRONG_ACCOUNTS: [&str; 2] = ["999988887777", "999988887778"];

/// What the connection is to do.
#[derive(Debug)]
pub(super) enum Reply {
    /// Send this.
    Whole(Message),
    /// Send the first half of this, then break the connection.
    Truncated(Message),
    /// Break the connection, after waiting.
    Reset(Duration),
}

/// A complete reply.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) service: Service,
    pub(super) error_code: Option<String>,
    pub(super) body: String,
    /// A `Date` of its own, where a fault wants one.
    pub(super) date: Option<String>,
    /// What the observer is told once the reply has left.
    pub(super) notice: Option<ExchangeEvent>,
}

/// A request that was understood.
#[derive(Debug)]
struct Understood {
    caller: Caller,
    /// The one that the caller acts in.
    account: String,
    call: Call,
    dry_run: bool,
}

/// What was done for a request.
#[derive(Debug)]
struct Done {
    body: Result<String, ApiError>,
    /// When the world was changed, if it was.
    applied_at: Option<Timestamp>,
    reports_changed: bool,
    fault: Option<FaultKind>,
    clock_skew: Option<i64>,
    /// The change that is to happen after the connection was broken.
    late: Option<(Change, Actor, Duration)>,
}

/// Answers one request, records it, and applies whatever fault it meets.
pub(super) async fn answer(cloud: &Cloud, background: &Background, request: &HttpRequest<'_>) -> Reply {
    let caller = Caller::from_authorization(request.authorization);
    let service = caller.as_ref().map_or(Service::Ec2, |caller| caller.service);
    let Envelope { action, parameters, problem } = Envelope::open(service, request);
    let user_agent = request.user_agent.unwrap_or("");
    let mut record = new_record(cloud, action, &parameters, caller.as_ref().ok(), user_agent);
    let understood = caller.and_then(|caller| match problem {
        Some(problem) => Err(problem),
        None => understand(cloud, caller, &record, &parameters),
    });
    let mut event = ExchangeEvent {
        number: 0,
        point: ExchangePoint::Received,
        sequence: record.sequence,
        action: record.action.clone(),
        image_ids: record.image_ids.clone(),
        dry_run: record.dry_run,
        is_change: understood.as_ref().is_ok_and(|request| request.call.is_change()),
        applied: false,
    };
    if cloud.tell(&event) == Verdict::BreakConnection {
        cloud.control().record(record);
        return Reply::Reset(Duration::ZERO);
    }
    let mut done = match understood {
        Ok(understood) => carry_out(cloud, understood, &record, &parameters).await,
        Err(error) => Done::refused(error),
    };
    record.applied = done.applied_at.is_some();
    record.applied_at = done.applied_at;
    record.reports_changed = done.reports_changed;
    record.fault =
        done.fault.or_else(|| Some(FaultKind::ClockSkew { seconds: done.clock_skew? })).map(fault_name);
    event.point = ExchangePoint::Applied;
    event.applied = record.applied;
    if let Some((change, actor, delay)) = done.late.take() {
        // Recorded before it can land, so that the record can tell of it.
        let account = record.account.clone();
        cloud.control().record(record);
        background.apply_late(cloud.clone(), LateChange { account, change, actor, delay, event });
        return Reply::Reset(Duration::ZERO);
    }
    if cloud.tell(&event) == Verdict::BreakConnection {
        cloud.control().record(record);
        return Reply::Reset(Duration::ZERO);
    }
    event.point = ExchangePoint::Replied;
    finish(cloud, record, done, service, event)
}

/// The record of a request of which nothing is known yet but what it says.
fn new_record(
    cloud: &Cloud,
    action: String,
    parameters: &Parameters,
    caller: Option<&Caller>,
    user_agent: &str,
) -> RequestRecord {
    let rehearses = caller.is_none_or(|caller| caller.service == Service::Ec2);
    let sequence = cloud.control().next_sequence();
    RequestRecord {
        sequence,
        request_id: request_id(cloud, sequence),
        service: caller.map_or("", |caller| caller.service.name()),
        action,
        dry_run: rehearses && parameters.text("DryRun") == Some("true"),
        account: caller.map_or_else(String::new, |caller| account_of(cloud, caller)),
        user_agent: user_agent.to_owned(),
        region: caller.map_or_else(String::new, |caller| caller.region.clone()),
        image_ids: image_ids(parameters),
        parameters: parameters.all().clone(),
        status: None,
        error_code: None,
        applied: false,
        applied_at: None,
        reports_changed: false,
        fault: None,
    }
}

/// The account that a caller acts in.
fn account_of(cloud: &Cloud, caller: &Caller) -> String {
    caller.session_account().map_or_else(|| cloud.account(), str::to_owned)
}

fn understand(
    cloud: &Cloud,
    caller: Caller,
    record: &RequestRecord,
    parameters: &Parameters,
) -> Result<Understood, ApiError> {
    // The endpoints of a Region, its STS included, know callers only where the Region is enabled for them.
    // Organizations has one endpoint for all Regions.
    let is_enabled = caller.service == Service::Organizations
        || cloud
            .read()
            .world
            .of_account(&record.account)
            .is_some_and(|it| it.regions.contains(&caller.region));
    if !is_enabled {
        let message = "AWS was not able to validate the provided access credentials";
        return Err(ApiError::with_status(401, "AuthFailure", message));
    }
    let dry_run = parameters.flag("DryRun")?;
    if dry_run && caller.service != Service::Ec2 {
        let message = "The parameter DryRun is not recognized: only EC2 rehearses";
        return Err(ApiError::bad_request("UnknownParameter", message));
    }
    let call = actions::parse(caller.service, &record.action, parameters)?;
    Ok(Understood { account: record.account.clone(), dry_run, call, caller })
}

async fn carry_out(
    cloud: &Cloud,
    request: Understood,
    record: &RequestRecord,
    parameters: &Parameters,
) -> Done {
    // A fault of an account also meets those who want to get in.
    let role = match &request.call {
        Call::AssumeRole(query) => account_and_role(&query.role_arn),
        Call::Identity | Call::Read(_) | Call::Change(_) | Call::Report(_) => None,
    };
    let seen = Seen {
        service: request.caller.service,
        action: &record.action,
        account: role.map_or(&request.account, |(account, _)| account),
        region: &request.caller.region,
        image_ids: &record.image_ids,
        is_change: request.call.is_change(),
        dry_run: request.dry_run,
        has_token: parameters.text("NextToken").is_some_and(|token| !token.is_empty()),
    };
    let heavy = request.call.is_heavy();
    let admission = cloud.control().admit(&seen, heavy, Instant::now());
    let (fault, clock_skew) = (admission.fault, admission.clock_skew);
    let done = do_admitted(cloud, request, record, admission).await;
    Done { fault, clock_skew, ..done }
}

async fn do_admitted(
    cloud: &Cloud,
    request: Understood,
    record: &RequestRecord,
    admission: Admission,
) -> Done {
    let fault = admission.fault;
    if let Some(error) = admission.refusal {
        return Done::refused(error);
    }
    if matches!(fault, Some(FaultKind::ResetBefore | FaultKind::Hang { .. })) {
        return Done::refused(ApiError::internal());
    }
    let executes = fault == Some(FaultKind::ExecutesDryRun);
    if request.dry_run && !executes {
        return Done::refused(ApiError::dry_run());
    }
    let Caller { access_key, region, service: _ } = request.caller;
    let context = Context {
        action: &record.action,
        account: &request.account,
        region: &region,
        request_id: &record.request_id,
        now: cloud.now(),
        page_size_max: cloud.page_size_max(),
        twist: fault.and_then(FaultKind::twist),
    };
    match request.call {
        Call::Identity => {
            let account = told_account(request.account.clone(), fault);
            Done::answered(Ok(actions::identity_xml(&account, &access_key, &record.request_id)))
        }
        Call::AssumeRole(query) => Done::answered(assume_role(cloud, &query, record, &context)),
        Call::Read(read) => Done::answered(read_world(cloud, &read, &context, fault)),
        Call::Change(change) => {
            let actor = Actor {
                region: region.clone(),
                may_delete_snapshots: admission.may_delete_snapshots,
                now: context.now,
            };
            if let Some(FaultKind::AppliedLate { seconds }) = fault {
                let late = Some((change, actor, Duration::from_secs(seconds)));
                return Done { late, ..Done::refused(ApiError::internal()) };
            }
            change_world(cloud, &change, &context, &actor).await
        }
        Call::Report(call) => reports::answer(cloud, &call, &context).await,
    }
}

/// The account that `GetCallerIdentity` names.
fn told_account(account: String, fault: Option<FaultKind>) -> String {
    let wrong = WRONG_ACCOUNTS.into_iter().find(|wrong| *wrong != account);
    match (fault, wrong) {
        (Some(FaultKind::WrongAccount), Some(wrong)) => wrong.to_owned(),
        _ => account,
    }
}

fn assume_role(
    cloud: &Cloud,
    query: &RoleQuery,
    record: &RequestRecord,
    context: &Context<'_>,
) -> Result<String, ApiError> {
    let simulation = cloud.read();
    let world = simulation.world.of_account(context.account).ok_or_else(ApiError::internal)?;
    let account = query.account(world)?;
    // Clients compare its end with the real clock, whatever the sandbox pretends the time to be.
    Ok(actions::session_xml(query, &account, record.sequence, &record.request_id, Timestamp::now()))
}

fn read_world(
    cloud: &Cloud,
    read: &actions::Read,
    context: &Context<'_>,
    fault: Option<FaultKind>,
) -> Result<String, ApiError> {
    let simulation = cloud.read();
    let world = simulation.world.of_account(context.account).ok_or_else(ApiError::internal)?;
    match (fault, simulation.history.get(context.account)) {
        (Some(FaultKind::StaleReads { changes }), Some(history)) => {
            read.answer(&history.rewind(world, changes), context)
        }
        _ => read.answer(world, context),
    }
}

async fn change_world(cloud: &Cloud, change: &Change, context: &Context<'_>, actor: &Actor) -> Done {
    let effect = match apply(cloud, context.account, change, actor) {
        Ok(effect) => effect,
        Err(error) => return Done::refused(error),
    };
    let body = save(cloud).await.map(|()| actions::effect_xml(&effect, context));
    Done { applied_at: Some(actor.now), ..Done::answered(body) }
}

/// Keeps a change that has happened in memory. Where that fails, a promise of the state file is broken.
async fn save(cloud: &Cloud) -> Result<(), ApiError> {
    cloud.save().await.map_err(|error| {
        tracing::error!(%error, "the sandbox's state could not be written");
        ApiError::internal()
    })
}

/// Changes the world, and remembers what it was.
pub(super) fn apply(
    cloud: &Cloud,
    account: &str,
    change: &Change,
    actor: &Actor,
) -> Result<Effect, ApiError> {
    let mut simulation = cloud.write();
    let world = simulation.world.of_account_mut(account).ok_or_else(ApiError::internal)?;
    let before = History::before(world, change);
    let effect = world.apply(change, actor)?;
    simulation.history.entry(account.to_owned()).or_default().keep(before);
    simulation.version += 1;
    Ok(effect)
}

/// Turns what was done into a reply, and records the request.
fn finish(
    cloud: &Cloud,
    mut record: RequestRecord,
    done: Done,
    service: Service,
    notice: ExchangeEvent,
) -> Reply {
    let body = match (done.fault, done.body) {
        (Some(FaultKind::ServerErrorAfter), Ok(_)) => Err(ApiError::internal()),
        (_, body) => body,
    };
    let broken = match done.fault {
        Some(FaultKind::ResetBefore | FaultKind::ResetAfter | FaultKind::AppliedLate { .. }) => {
            Some(Duration::ZERO)
        }
        Some(FaultKind::Hang { seconds }) => Some(Duration::from_secs(seconds)),
        _ => None,
    };
    let (status, body, error_code) = match body {
        Ok(body) => (200, body, None),
        Err(error) => {
            let error = error.in_words_of(service);
            let body = error.to_body(service, &record.request_id);
            (error.status, body, Some(error.code))
        }
    };
    if broken.is_none() {
        record.status = Some(status);
        record.error_code.clone_from(&error_code);
    }
    let message = Message {
        status,
        request_id: record.request_id.clone(),
        service,
        error_code,
        body,
        date: done.clock_skew.and_then(skewed_date),
        notice: Some(notice),
    };
    tracing::debug!(
        sequence = record.sequence,
        action = %record.action,
        region = %record.region,
        dry_run = record.dry_run,
        status = record.status,
        error_code = record.error_code.as_deref(),
        applied = record.applied,
        fault = record.fault.as_deref(),
        "sandbox answered {}",
        record.action,
    );
    cloud.control().record(record);
    match (broken, done.fault) {
        (Some(wait), _) => Reply::Reset(wait),
        (None, Some(FaultKind::TruncatedBody)) => Reply::Truncated(message),
        (None, _) => Reply::Whole(message),
    }
}

impl Done {
    fn refused(error: ApiError) -> Self {
        Self::answered(Err(error))
    }

    fn answered(body: Result<String, ApiError>) -> Self {
        Self { body, applied_at: None, reports_changed: false, fault: None, clock_skew: None, late: None }
    }
}

/// The `Date` of a clock that is so many seconds off. It is the real clock that is skewed, not the
/// sandbox's: clients compare it with theirs, whatever the sandbox pretends the time to be, and the SDKs
/// retry some errors when the two are minutes apart.
fn skewed_date(seconds: i64) -> Option<String> {
    let at = Timestamp::now().checked_add(SignedDuration::from_secs(seconds)).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

/// Shaped like a UUID; made of the sandbox's time and the number, so that processes differ.
fn request_id(cloud: &Cloud, sequence: u64) -> String {
    let time = cloud.now().as_millisecond().unsigned_abs();
    format!(
        "{:08x}-{:04x}-4000-8000-{:012x}",
        time >> 16 & 0xffff_ffff,
        time & 0xffff,
        sequence & 0xffff_ffff_ffff
    )
}

/// Images that a request names, by whichever parameter.
fn image_ids(parameters: &Parameters) -> Vec<String> {
    let mut ids: Vec<String> = parameters.text("ImageId").map(str::to_owned).into_iter().collect();
    ids.extend(parameters.list("ImageId"));
    ids.extend(parameters.list("ResourceId").into_iter().filter(|id| id.starts_with("ami-")));
    ids
}

/// The fault as a fleet file spells it.
fn fault_name(kind: FaultKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        Ok(other) => other.to_string(),
        Err(_) => format!("{kind:?}"),
    }
}
