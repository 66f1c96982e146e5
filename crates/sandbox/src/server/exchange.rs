//! One request: from its bytes to its reply.

mod reports;

use std::time::Duration;

use tokio::time::Instant;

use super::cloud::Cloud;
use super::control::Admission;
use super::faults::{FaultKind, Seen};
use super::requests::RequestRecord;
use crate::actions::{self, Call, Context, ReportCall};
use crate::protocol::{ApiError, Caller, Envelope, HttpRequest, Parameters, Service};
use crate::world::{Actor, Change, Effect, History};

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
}

/// A request that was understood.
#[derive(Debug)]
struct Understood {
    caller: Caller,
    call: Call,
    dry_run: bool,
}

/// What was done for a request.
#[derive(Debug)]
struct Done {
    body: Result<String, ApiError>,
    applied: bool,
    reports_changed: bool,
}

/// Answers one request, records it, and applies whatever fault it meets.
pub(super) async fn answer(cloud: &Cloud, request: &HttpRequest<'_>) -> Reply {
    let caller = Caller::from_authorization(request.authorization);
    let service = caller.as_ref().map_or(Service::Ec2, |caller| caller.service);
    let Envelope { action, parameters, problem } = Envelope::open(service, request);
    let sequence = cloud.control().next_sequence();
    let mut record = RequestRecord {
        sequence,
        request_id: request_id(cloud, sequence),
        service: caller.as_ref().map_or("", |caller| caller.service.name()),
        dry_run: service == Service::Ec2 && parameters.text("DryRun") == Some("true"),
        region: String::new(),
        image_ids: image_ids(&parameters),
        parameters: parameters.all().clone(),
        status: None,
        error_code: None,
        applied: false,
        reports_changed: false,
        fault: None,
        action,
    };
    if let Ok(caller) = &caller {
        record.region.clone_from(&caller.region);
    }
    let understood = caller.and_then(|caller| match problem {
        Some(problem) => Err(problem),
        None => understand(cloud, caller, &record, &parameters),
    });
    let (done, fault) = match understood {
        Ok(understood) => carry_out(cloud, &understood, &record, &parameters).await,
        Err(error) => (Done::refused(error), None),
    };
    record.applied = done.applied;
    record.reports_changed = done.reports_changed;
    record.fault = fault.map(fault_name);
    finish(cloud, record, done, fault, service)
}

fn understand(
    cloud: &Cloud,
    caller: Caller,
    record: &RequestRecord,
    parameters: &Parameters,
) -> Result<Understood, ApiError> {
    // The endpoints of a Region, its STS included, know callers only where the Region is enabled for them.
    if !cloud.read().world.regions.contains(&caller.region) {
        let message = "AWS was not able to validate the provided access credentials";
        return Err(ApiError::with_status(401, "AuthFailure", message));
    }
    let dry_run = parameters.flag("DryRun")?;
    if dry_run && caller.service != Service::Ec2 {
        let message = "The parameter DryRun is not recognized: only EC2 rehearses";
        return Err(ApiError::bad_request("UnknownParameter", message));
    }
    Ok(Understood { dry_run, call: actions::parse(caller.service, &record.action, parameters)?, caller })
}

async fn carry_out(
    cloud: &Cloud,
    request: &Understood,
    record: &RequestRecord,
    parameters: &Parameters,
) -> (Done, Option<FaultKind>) {
    let (is_change, heavy) = match &request.call {
        Call::Change(_) | Call::Report(ReportCall::Create(_) | ReportCall::Delete { .. }) => (true, false),
        Call::Read(read) => (false, read.is_heavy()),
        Call::Identity | Call::Report(ReportCall::Describe(_)) => (false, false),
    };
    let seen = Seen {
        service: request.caller.service,
        action: &record.action,
        image_ids: &record.image_ids,
        is_change,
        dry_run: request.dry_run,
        has_token: parameters.text("NextToken").is_some_and(|token| !token.is_empty()),
    };
    let region = &request.caller.region;
    let admission = cloud.control().admit(&seen, region, heavy, Instant::now());
    let fault = admission.fault;
    if let Some(error) = admission.refusal {
        return (Done::refused(error), fault);
    }
    if matches!(fault, Some(FaultKind::ResetBefore | FaultKind::Hang { .. })) {
        return (Done::refused(ApiError::internal()), fault);
    }
    let executes = fault == Some(FaultKind::ExecutesDryRun);
    if request.dry_run && !executes {
        return (Done::refused(ApiError::dry_run()), fault);
    }
    let context = Context {
        action: &record.action,
        region,
        request_id: &record.request_id,
        now: cloud.now(),
        page_size_max: cloud.page_size_max(),
        twist: fault.and_then(FaultKind::twist),
    };
    let done = match &request.call {
        Call::Identity => {
            let account = cloud.account();
            let access_key = &request.caller.access_key;
            Done::answered(Ok(actions::identity_xml(&account, access_key, &record.request_id)))
        }
        Call::Read(read) => Done::answered(read_world(cloud, read, &context, fault)),
        Call::Change(change) => change_world(cloud, change, &context, &admission).await,
        Call::Report(call) => reports::answer(cloud, call, &context).await,
    };
    (done, fault)
}

fn read_world(
    cloud: &Cloud,
    read: &actions::Read,
    context: &Context<'_>,
    fault: Option<FaultKind>,
) -> Result<String, ApiError> {
    let simulation = cloud.read();
    match fault {
        Some(FaultKind::StaleReads { changes }) => {
            let past = simulation.history.rewind(&simulation.world, changes);
            read.answer(&past, context)
        }
        _ => read.answer(&simulation.world, context),
    }
}

async fn change_world(cloud: &Cloud, change: &Change, context: &Context<'_>, admission: &Admission) -> Done {
    let actor = Actor {
        region: context.region.to_owned(),
        may_delete_snapshots: admission.may_delete_snapshots,
        now: context.now,
    };
    let effect = match apply(cloud, change, &actor) {
        Ok(effect) => effect,
        Err(error) => return Done::refused(error),
    };
    let body = save(cloud).await.map(|()| actions::effect_xml(&effect, context));
    Done { applied: true, ..Done::answered(body) }
}

/// Keeps a change that has happened in memory. Where that fails, a promise of the state file is broken.
async fn save(cloud: &Cloud) -> Result<(), ApiError> {
    cloud.save().await.map_err(|error| {
        tracing::error!(%error, "the sandbox's state could not be written");
        ApiError::internal()
    })
}

fn apply(cloud: &Cloud, change: &Change, actor: &Actor) -> Result<Effect, ApiError> {
    let mut simulation = cloud.write();
    let before = History::before(&simulation.world, change);
    let effect = simulation.world.apply(change, actor)?;
    simulation.history.keep(before);
    simulation.version += 1;
    Ok(effect)
}

/// Turns what was done into a reply, and records the request.
fn finish(
    cloud: &Cloud,
    mut record: RequestRecord,
    done: Done,
    fault: Option<FaultKind>,
    service: Service,
) -> Reply {
    let body = match (fault, done.body) {
        (Some(FaultKind::ServerErrorAfter), Ok(_)) => Err(ApiError::internal()),
        (_, body) => body,
    };
    let broken = match fault {
        Some(FaultKind::ResetBefore | FaultKind::ResetAfter) => Some(Duration::ZERO),
        Some(FaultKind::Hang { seconds }) => Some(Duration::from_secs(seconds)),
        _ => None,
    };
    let message = match body {
        Ok(body) => {
            Message { status: 200, request_id: record.request_id.clone(), service, error_code: None, body }
        }
        Err(error) => {
            let error = error.in_words_of(service);
            let body = error.to_body(service, &record.request_id);
            record.error_code = Some(error.code.clone());
            Message {
                status: error.status,
                request_id: record.request_id.clone(),
                service,
                error_code: Some(error.code),
                body,
            }
        }
    };
    if broken.is_some() {
        record.error_code = None;
    } else {
        record.status = Some(message.status);
    }
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
    match (broken, fault) {
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
        Self { body, applied: false, reports_changed: false }
    }
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
