//! Decisions over time: a row where an image's decision is another one than before.

use std::collections::{BTreeMap, BTreeSet};

use amiwarden_core::{ImageId, RunId, Scope, Timestamp};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::column::{count, from_json, to_json};
use super::error::During;
use super::ledger::{DecisionsBody, EntryKind, append};
use super::sha::Sha;
use super::{DecisionRecord, Store, StoreError, StoreReader, Write, find_run, run_row, scope_row};

const RECORD: &str = "record decisions";
const READ: &str = "read a decision";

/// How many decisions go into one statement, so that no statement's text grows with the number of images.
const BATCH_MAX: usize = 2_000;

/// The decision that stands for an image before a run adds its own.
struct Standing {
    image_id: i64,
    /// Absent before the first, and while the image was not decided about.
    decision: Option<(Sha, Sha)>,
}

/// A decision that differs from the one before. `body` is none where there is no decision any more.
#[derive(Serialize)]
struct Changed {
    image_id: i64,
    key: Option<Sha>,
    digest: Option<Sha>,
    body: Option<String>,
}

impl Store {
    /// Records what a run decided about a scope, all of it at once. Only what differs from the run before is
    /// stored; an image of the scope that has no record any more is stored as not decided about.
    ///
    /// # Errors
    ///
    /// Besides those of the database: when an image was not observed before, or when the run has recorded its
    /// decisions about this scope already.
    pub async fn record_decisions(
        &self,
        run_id: &RunId,
        scope: &Scope,
        records: &[DecisionRecord],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(RECORD).await?;
        let run = run_row(&mut tx, run_id).await?;
        let scope_id = scope_row(&mut tx, scope).await?;
        let mut standing = standing(&mut tx, scope_id).await?;
        let changed = compare(&mut standing, scope, records)?;
        write_changed(&mut tx, run, now, &changed).await?;
        let decided = standing.iter().filter_map(|(id, standing)| {
            let (_, digest) = standing.decision.as_ref()?;
            Some((id.as_str(), digest))
        });
        let body = DecisionsBody {
            scope: scope.clone(),
            images: decided.clone().count(),
            sha256: set_digest(decided),
        };
        sqlx::query(
            "insert into decision_set (run_id, scope_id, at, images, digest) values (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(run)
        .bind(scope_id)
        .bind(now.as_second())
        .bind(count(body.images))
        .bind(body.sha256.0.as_slice())
        .execute(&mut *tx)
        .await
        .during(RECORD)?;
        append(&mut tx, EntryKind::Decisions, Some(run_id), now, &body).await?;
        tx.commit().await.during(RECORD)
    }
}

impl StoreReader {
    /// What stood for an image in a run: the record of that run, or of an earlier one if it was the same decision.
    /// `None` when the run does not exist, did not decide about the image's scope, or did not see the image.
    pub async fn decision_at(
        &self,
        image: &ImageId,
        run_id: &RunId,
    ) -> Result<Option<DecisionRecord>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let Some(run) = find_run(&mut connection, run_id).await? else { return Ok(None) };
        let body: Option<Option<String>> = sqlx::query_scalar(
            "select decision.body
             from image
             join decision_set on decision_set.scope_id = image.scope_id and decision_set.run_id = ?2
             join decision on decision.image_id = image.image_id and decision.run_id <= ?2
             where image.image_key = ?1
             order by decision.decision_id desc
             limit 1",
        )
        .bind(image.as_str())
        .bind(run)
        .fetch_optional(&mut *connection)
        .await
        .during(READ)?;
        body.flatten().map(|body| from_json("a decision", &body)).transpose()
    }
}

/// The digest over the decisions that stand for a scope: each image's id and its decision's digest, in the order
/// of the ids.
pub(super) fn set_digest<'a>(decided: impl Iterator<Item = (&'a str, &'a Sha)>) -> Sha {
    let texts: Vec<(&str, String)> = decided.map(|(id, digest)| (id, digest.to_string())).collect();
    Sha::of_texts(texts.iter().flat_map(|(id, digest)| [id.as_bytes(), digest.as_bytes()]))
}

/// What differs; `standing` becomes what stands from now on.
fn compare(
    standing: &mut BTreeMap<String, Standing>,
    scope: &Scope,
    records: &[DecisionRecord],
) -> Result<Vec<Changed>, StoreError> {
    let mut changed = Vec::new();
    let mut recorded = BTreeSet::new();
    for record in records {
        let Some(before) = standing.get_mut(record.image_id.as_str()) else {
            let image = record.image_id.to_string();
            return Err(StoreError::UnobservedImage { image, scope: scope.clone() });
        };
        recorded.insert(record.image_id.as_str());
        let key = record.key().map_err(|source| StoreError::Json { what: "a decision's key", source })?;
        let key = Sha::of(&key);
        if before.decision.is_some_and(|(known, _)| known == key) {
            continue;
        }
        let body = to_json("a decision", record)?;
        let digest = Sha::of(body.as_bytes());
        before.decision = Some((key, digest));
        let image_id = before.image_id;
        changed.push(Changed { image_id, key: Some(key), digest: Some(digest), body: Some(body) });
    }
    let dropped = standing
        .iter_mut()
        .filter(|(id, before)| before.decision.is_some() && !recorded.contains(id.as_str()));
    for (_, before) in dropped {
        before.decision = None;
        changed.push(Changed { image_id: before.image_id, key: None, digest: None, body: None });
    }
    Ok(changed)
}

async fn standing(
    connection: &mut SqliteConnection,
    scope: i64,
) -> Result<BTreeMap<String, Standing>, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        image_id: i64,
        image_key: String,
        key: Option<Vec<u8>>,
        digest: Option<Vec<u8>>,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select image.image_id, image.image_key, decision.key, decision.digest
         from image left join decision on decision.decision_id = image.decision_id
         where image.scope_id = ?1",
    )
    .bind(scope)
    .fetch_all(connection)
    .await
    .during(RECORD)?;
    let rows = rows.into_iter().map(|row| {
        // Both are empty where the run before did not decide about the image.
        let sha = |bytes: Option<Vec<u8>>| bytes.as_deref().and_then(Sha::from_column);
        (row.image_key, Standing { image_id: row.image_id, decision: sha(row.key).zip(sha(row.digest)) })
    });
    Ok(rows.collect())
}

async fn write_changed(
    tx: &mut Write,
    run: i64,
    now: Timestamp,
    changed: &[Changed],
) -> Result<(), StoreError> {
    for batch in changed.chunks(BATCH_MAX) {
        let batch = to_json("decisions", batch)?;
        sqlx::query(
            "insert into decision (image_id, run_id, at, key, body, digest)
             select value ->> 'image_id', ?1, ?2, unhex(coalesce(value ->> 'key', '')), value ->> 'body',
                    unhex(coalesce(value ->> 'digest', ''))
             from json_each(?3) order by json_each.key",
        )
        .bind(run)
        .bind(now.as_second())
        .bind(&batch)
        .execute(&mut **tx)
        .await
        .during(RECORD)?;
        sqlx::query(
            "update image
             set decision_id = (
                 select max(decision.decision_id) from decision where decision.image_id = image.image_id
             )
             where image_id in (select value ->> 'image_id' from json_each(?1))",
        )
        .bind(&batch)
        .execute(&mut **tx)
        .await
        .during(RECORD)?;
    }
    Ok(())
}
