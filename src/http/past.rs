//! What was done: runs, and what happened to an image. The documents are those of `history --format json`.

use amiwarden_core::{ImageId, RunId};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::SemaphorePermit;

use super::answer::Failure;
use super::{App, Shared};
use crate::report::past;
use crate::store::StoreReader;

const RUNS_DEFAULT: u32 = 50;
const RUNS_MAX: u32 = 500;

/// An image's newest events, at most so many: years of an ordinary one.
const EVENTS_MAX: usize = 1_000;

/// No identifier of EC2's or ours is longer.
const ID_CHARS_MAX: usize = 64;

/// Which runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    limit: Option<u32>,
    before: Option<String>,
}

pub(super) async fn runs(
    State(app): Shared,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let Query(Which { limit, before }) = which?;
    let limit = limit.unwrap_or(RUNS_DEFAULT);
    if !(1..=RUNS_MAX).contains(&limit) {
        return Err(Failure::bad_request(format!("limit is 1 to {RUNS_MAX}")));
    }
    let before = before.map(|id| valid(&id).map(RunId::new)).transpose()?;
    let (reader, _permit) = open(&app).await?;
    let found = match &before {
        None => reader.runs(limit).await.map(Some),
        Some(before) => reader.runs_before(before, limit).await,
    };
    reader.close().await;
    let runs = found.map_err(|error| Failure::store(&error))?;
    let runs = runs.ok_or_else(|| Failure::not_found("there is no run that `before` names"))?;
    Ok(Json(past::runs(&runs)))
}

pub(super) async fn run(
    State(app): Shared,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Failure> {
    let id = RunId::new(valid(&id?)?);
    let (reader, _permit) = open(&app).await?;
    let document = async {
        let Some(detail) = reader.run(&id).await? else { return Ok(None) };
        let plan = match &detail.summary.plan_id {
            Some(plan) => reader.plan(plan).await?,
            None => None,
        };
        Ok(Some(past::run_detail(&detail, plan.as_ref())))
    };
    let document = document.await;
    reader.close().await;
    let document = document.map_err(|error: crate::store::StoreError| Failure::store(&error))?;
    document.map(Json).ok_or_else(|| Failure::not_found(format!("there is no run {id}")))
}

pub(super) async fn image(
    State(app): Shared,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Failure> {
    let id = valid(&id?)?;
    let (reader, _permit) = open(&app).await?;
    let events = reader.image_history(&ImageId::new(id.as_str())).await;
    reader.close().await;
    let events = events.map_err(|error| Failure::store(&error))?;
    if events.is_empty() {
        return Err(Failure::not_found(format!("no run that is recorded has ever seen {id}")));
    }
    let newest = events.len().saturating_sub(EVENTS_MAX);
    let mut document = past::image(&id, events.get(newest..).unwrap_or(&events));
    document["truncated"] = (newest > 0).into();
    Ok(Json(document))
}

/// An identifier, if it can be one.
fn valid(id: &str) -> Result<String, Failure> {
    let is_fine = |char: char| char.is_ascii_alphanumeric() || char == '-';
    if (1..=ID_CHARS_MAX).contains(&id.len()) && id.chars().all(is_fine) {
        return Ok(id.to_owned());
    }
    Err(Failure::bad_request(format!(
        "an identifier consists of at most {ID_CHARS_MAX} letters, digits and `-`"
    )))
}

/// The store, for as long as one of the few places is taken.
async fn open(app: &App) -> Result<(StoreReader, SemaphorePermit<'_>), Failure> {
    let permit = app.readers.acquire().await.map_err(|error| Failure::store(&error))?;
    let reader = StoreReader::open(&app.parts.store).await.map_err(|error| Failure::store(&error))?;
    Ok((reader, permit))
}
