//! The names of the runs, plans and scopes that rows point to. Many rows of a page point to few of them, so they are
//! read apart.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

use super::packed::{PackedRows, pack};
use crate::store::StoreError;
use crate::store::column::to_json;
use crate::store::error::During;

/// The rows whose names are wanted, by their numbers.
#[derive(Default)]
pub(super) struct Pointers {
    pub(super) runs: BTreeSet<i64>,
    pub(super) plans: BTreeSet<i64>,
    pub(super) scopes: BTreeSet<i64>,
}

/// Names by the numbers of their rows. A row that is not there has none.
#[derive(Default)]
pub(super) struct Keys {
    pub(super) runs: BTreeMap<i64, Vec<u8>>,
    pub(super) plans: BTreeMap<i64, Vec<u8>>,
    /// Account and Region.
    pub(super) scopes: BTreeMap<i64, (Vec<u8>, Vec<u8>)>,
}

impl Keys {
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        pointers: &Pointers,
    ) -> Result<Self, StoreError> {
        if pointers.runs.is_empty() && pointers.plans.is_empty() && pointers.scopes.is_empty() {
            return Ok(Self::default());
        }
        let list = |numbers| to_json("a list of rows", numbers);
        let sql = concat!(
            "select ",
            pack!(["source", "id"], ["name", "region"]),
            " from (
                select 0 as source, run_id as id, run_key as name, '' as region
                from json_each(?1) cross join run on run_id = json_each.value
                union all
                select 1, plan_id, plan_key, '' from json_each(?2) cross join plan on plan_id = json_each.value
                union all
                select 2, scope_id, account, region
                from json_each(?3) cross join scope on scope_id = json_each.value
             )"
        );
        let packed: PackedRows = sqlx::query(sql)
            .bind(list(&pointers.runs)?)
            .bind(list(&pointers.plans)?)
            .bind(list(&pointers.scopes)?)
            .fetch_one(connection)
            .await
            .during("look up names")?
            .into();
        let mut rows = packed.rows()?;
        let mut keys = Self::default();
        while !rows.is_at_end() {
            let ([source, id], [name, region]) = rows.full_row()?;
            match source {
                0 => drop(keys.runs.insert(id, name.to_vec())),
                1 => drop(keys.plans.insert(id, name.to_vec())),
                _ => drop(keys.scopes.insert(id, (name.to_vec(), region.to_vec()))),
            }
        }
        Ok(keys)
    }
}
