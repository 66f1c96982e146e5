//! What a person has accepted although a guard tripped: single changes of a surge, and a reading in which much is
//! missing.

use std::collections::BTreeSet;

use amiwarden_core::{ActionKind, Guard, Held, ImageId, Plan, Scope, Timestamp};
use serde::Serialize;

use super::column::{read_action, to_json};
use super::error::During;
use super::ledger::{AcceptanceBody, EntryKind, append};
use super::scope_counts::accept_count;
use super::{Store, StoreError, StoreReader, Write, find_scope, scope_row};

const ACCEPT: &str = "record what was accepted";
const READ: &str = "read what was accepted";

/// Whether the accepted change has been carried out since: an acceptance is for one time.
macro_rules! is_used_up {
    () => {
        "exists (
             select 1 from intent join outcome using (intent_id)
             where intent.scope_id = acceptance.scope_id and intent.image_key = acceptance.image_key
               and intent.at >= acceptance.at and outcome.outcome = 'done'
               and case acceptance.action
                   when 'disable' then intent.step ->> '$.change' = 'Disable'
                   when 'deregister' then json_type(intent.step, '$.change.Deregister') is not null
                   else false end
         )"
    };
}

#[derive(Serialize)]
struct Row<'a> {
    image: &'a ImageId,
    action: ActionKind,
}

/// How much was accepted that had not been before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Changes that the surge guard holds.
    pub changes: usize,
    /// Scopes of which much had vanished.
    pub scopes: usize,
}

impl Store {
    /// Remembers every change that the surge guard holds in `plan` as accepted; and where the collapse guard tripped
    /// in it, takes what the plan counted in the scope for the truth. The other guards hold as ever.
    pub async fn accept(&self, plan: &Plan, now: Timestamp) -> Result<Accepted, StoreError> {
        let mut tx = self.begin(ACCEPT).await?;
        let mut scopes_counted = Vec::new();
        for tripped in plan.tripped.iter().filter(|tripped| tripped.guard == Guard::Collapse) {
            let Some(counted) = &tripped.counted else { continue };
            if accept_count(&mut tx, &tripped.scope, counted).await? {
                scopes_counted.push((&tripped.scope, counted));
            }
        }
        let held: Vec<&Held> = plan.held.iter().filter(|held| held.guard == Guard::Surge).collect();
        let scopes: BTreeSet<&Scope> = held.iter().map(|held| &held.scope).collect();
        let mut accepted = Vec::new();
        for scope in scopes {
            let of_scope = held.iter().filter(|held| held.scope == *scope);
            let rows: Vec<Row<'_>> =
                of_scope.map(|held| Row { image: &held.image_id, action: held.change.kind() }).collect();
            for (image, action) in insert(&mut tx, scope, plan, now, &rows).await? {
                accepted.push((scope.clone(), image, action));
            }
        }
        if !accepted.is_empty() || !scopes_counted.is_empty() {
            let body = AcceptanceBody {
                plan: &plan.id,
                accepted: accepted.iter().map(|(scope, image, action)| (scope, image, *action)).collect(),
                counts: scopes_counted.clone(),
            };
            append(&mut tx, EntryKind::Acceptance, None, now, &body).await?;
        }
        let counts = Accepted { changes: accepted.len(), scopes: scopes_counted.len() };
        tx.commit().await.during(ACCEPT)?;
        Ok(counts)
    }

    /// Everything that is accepted in a scope and has not been carried out since.
    pub async fn accepted(&self, scope: &Scope) -> Result<BTreeSet<(ImageId, ActionKind)>, StoreError> {
        self.reader().accepted(scope).await
    }
}

impl StoreReader {
    /// As [`Store::accepted`].
    pub async fn accepted(&self, scope: &Scope) -> Result<BTreeSet<(ImageId, ActionKind)>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let Some(scope) = find_scope(&mut connection, scope).await? else { return Ok(BTreeSet::new()) };
        let rows: Vec<(String, String)> = sqlx::query_as(concat!(
            "select image_key, action from acceptance where scope_id = ?1 and not ",
            is_used_up!()
        ))
        .bind(scope)
        .fetch_all(&mut *connection)
        .await
        .during(READ)?;
        rows.into_iter().map(|(image, action)| Ok((ImageId::new(image), read_action(&action)?))).collect()
    }
}

/// Inserts what is new and yields it, in the order of the images.
async fn insert(
    tx: &mut Write,
    scope: &Scope,
    plan: &Plan,
    now: Timestamp,
    rows: &[Row<'_>],
) -> Result<BTreeSet<(ImageId, ActionKind)>, StoreError> {
    let scope = scope_row(tx, scope).await?;
    sqlx::query(concat!("delete from acceptance where scope_id = ?1 and ", is_used_up!()))
        .bind(scope)
        .execute(&mut **tx)
        .await
        .during(ACCEPT)?;
    let new: Vec<(String, String)> = sqlx::query_as(
        "insert into acceptance (scope_id, image_key, action, plan_key, at)
         select ?1, value ->> 'image', value ->> 'action', ?2, ?3 from json_each(?4) where true
         on conflict (scope_id, image_key, action) do nothing
         returning image_key, action",
    )
    .bind(scope)
    .bind(plan.id.as_str())
    .bind(now.as_second())
    .bind(to_json("what is accepted", rows)?)
    .fetch_all(&mut **tx)
    .await
    .during(ACCEPT)?;
    new.into_iter().map(|(image, action)| Ok((ImageId::new(image), read_action(&action)?))).collect()
}
