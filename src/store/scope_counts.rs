//! How much each scope held when it was last read to its end, and how often policies have been rehearsed.

use std::collections::BTreeMap;

use amiwarden_core::{PolicyName, RunId, Scope, Tally, Timestamp};

use super::column::{from_json, instant, to_json};
use super::error::During;
use super::{Store, StoreError, StoreReader, Write, find_run, find_scope, run_row, scope_row};

const RECORD: &str = "record how much a scope holds";
const READ: &str = "read how much a scope held";
const COUNT: &str = "count the rehearsals of the policies";

/// What a run counted in a scope.
#[derive(Clone, Copy, Debug)]
pub struct ScopeCount<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The counts.
    pub tally: &'a Tally,
    /// Whether they are taken for broken: then later readings are still compared with the earlier ones.
    pub is_collapsed: bool,
}

impl Store {
    /// Remembers what a run counted in a scope.
    pub async fn record_count(
        &self,
        run_id: &RunId,
        count: &ScopeCount<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(RECORD).await?;
        let run = run_row(&mut tx, run_id).await?;
        let scope = scope_row(&mut tx, count.scope).await?;
        let earlier: Option<String> =
            sqlx::query_scalar("select baseline from scope_count where scope_id = ?1")
                .bind(scope)
                .fetch_optional(&mut *tx)
                .await
                .during(RECORD)?;
        let earlier: Option<Tally> = earlier.map(|text| from_json("counts", &text)).transpose()?;
        let counted = earlier.as_ref().map_or_else(|| count.tally.clone(), |it| count.tally.clone().or(it));
        let baseline = earlier.filter(|_| count.is_collapsed).unwrap_or_else(|| counted.clone());
        sqlx::query(
            "insert into scope_count (scope_id, run_id, at, counted, baseline) values (?1, ?2, ?3, ?4, ?5)
             on conflict (scope_id) do update
             set run_id = excluded.run_id, at = excluded.at, counted = excluded.counted,
                 baseline = excluded.baseline",
        )
        .bind(scope)
        .bind(run)
        .bind(now.as_second())
        .bind(to_json("counts", &counted)?)
        .bind(to_json("counts", &baseline)?)
        .execute(&mut *tx)
        .await
        .during(RECORD)?;
        tx.commit().await.during(RECORD)
    }
}

/// Takes `counted` for the truth about a scope. Yields whether that is anything new.
pub(super) async fn accept_count(tx: &mut Write, scope: &Scope, counted: &Tally) -> Result<bool, StoreError> {
    let Some(scope) = find_scope(tx, scope).await? else { return Ok(false) };
    let changed = sqlx::query("update scope_count set baseline = ?2 where scope_id = ?1 and baseline <> ?2")
        .bind(scope)
        .bind(to_json("counts", counted)?)
        .execute(&mut **tx)
        .await
        .during(RECORD)?;
    Ok(changed.rows_affected() > 0)
}

impl StoreReader {
    /// The counts that a new reading of the scope is compared with, if there are any.
    pub async fn baseline(&self, scope: &Scope) -> Result<Option<Tally>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let Some(scope) = find_scope(&mut connection, scope).await? else { return Ok(None) };
        let text: Option<String> = sqlx::query_scalar("select baseline from scope_count where scope_id = ?1")
            .bind(scope)
            .fetch_optional(&mut *connection)
            .await
            .during(READ)?;
        text.map(|text| from_json("counts", &text)).transpose()
    }

    /// The newest instant that the store holds a record of.
    pub async fn newest_record(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut connection = self.connection(READ).await?;
        let newest: Option<i64> = sqlx::query_scalar("select max(at) from ledger")
            .fetch_one(&mut *connection)
            .await
            .during(READ)?;
        newest.map(instant).transpose()
    }

    /// In how many finished cycles each policy of `run` has been rehearsed as it stands, without a break: with the
    /// same text and parameters, under the same configuration, and by the same command: one schedule may look at other
    /// accounts than another.
    pub async fn rehearsed_cycles(&self, run: &RunId) -> Result<BTreeMap<PolicyName, u32>, StoreError> {
        let mut connection = self.connection(COUNT).await?;
        let Some(run) = find_run(&mut connection, run).await? else { return Ok(BTreeMap::new()) };
        let rows: Vec<(String, u32)> = sqlx::query_as(
            "with this as (
                 select run.run_id, run.command, run.config_digest, policy.policy_id, policy.name
                 from run join run_policy using (run_id) join policy using (policy_id)
                 where run.run_id = ?1
             ),
             -- The last run in which the policy, or the configuration, was another.
             other as (
                 select this.policy_id, coalesce(max(earlier.run_id), 0) as run_id
                 from this left join run as earlier
                 on earlier.run_id < this.run_id and earlier.command <> 'undo' and (
                     earlier.config_digest <> this.config_digest
                     or not exists (
                         select 1 from run_policy
                         where run_policy.run_id = earlier.run_id and run_policy.policy_id = this.policy_id
                     )
                 )
                 group by this.policy_id
             )
             select this.name, count(cycle.run_id)
             from this join other using (policy_id)
             left join run as cycle
             on cycle.run_id > other.run_id and cycle.run_id < this.run_id
                and cycle.state = 'finished' and cycle.command = this.command
                and cycle.command not in ('plan', 'undo')
             group by this.name",
        )
        .bind(run)
        .fetch_all(&mut *connection)
        .await
        .during(COUNT)?;
        Ok(rows.into_iter().map(|(name, cycles)| (PolicyName::new(name), cycles)).collect())
    }
}
