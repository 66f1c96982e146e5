//! What runs decided: the rows that say when a run decided about a scope, and the changes of decisions that it made.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use amiwarden_core::Scope;
use futures::TryStreamExt;
use sqlx::SqliteConnection;

use super::body::DecisionsBody;
use super::keys::Keys;
use super::packed::{PackedRows, pack};
use super::vouched::{CHECK, Numbers, list, read_packed};
use crate::store::StoreError;
use crate::store::column::{count, read_scope};
use crate::store::error::During;
use crate::store::sha::Sha;

/// The rows of runs, as they come from SQLite.
#[derive(Default)]
pub(super) struct StoredRuns {
    between: PackedRows,
    others: PackedRows,
}

/// What is stored of what runs decided.
pub(super) struct Decided<'a> {
    /// The numbers of runs.
    runs: HashMap<&'a [u8], i64>,
    decisions: Decisions,
    /// By run.
    sets: Vec<StoredSet<'a>>,
}

/// The changes of decisions, by the number of the run and by scope.
type Decisions = BTreeMap<(i64, Scope), Arc<Vec<StoredDecision>>>;

/// That an image's decision changed.
pub(super) struct StoredDecision {
    pub(super) image: String,
    /// Of its text; absent where the image is not decided about any more.
    pub(super) digest: Option<Sha>,
    /// Whether the digest in the row is that of its text.
    pub(super) is_consistent: bool,
    pub(super) at: i64,
}

/// That a run decided about a scope.
struct StoredSet<'a> {
    run: i64,
    scope: i64,
    images: i64,
    at: i64,
    digest: &'a [u8],
}

impl StoredRuns {
    /// Reads the runs of these names.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        wanted: &[String],
    ) -> Result<Self, StoreError> {
        let mut stored = Self::default();
        let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(stored) };
        let limit = count(wanted.len().saturating_mul(2));
        let between = sqlx::query(RUNS_BETWEEN).bind(first).bind(last).bind(limit);
        stored.between = between.fetch_one(&mut *connection).await.during(CHECK)?.into();
        let mut found = HashSet::new();
        let mut rows = stored.between.rows()?;
        while !rows.is_at_end() {
            let (_, [run, _]) = rows.row::<4, 2>()?;
            found.insert(run.unwrap_or_default());
        }
        let others: Vec<&String> = wanted.iter().filter(|run| !found.contains(run.as_bytes())).collect();
        if !others.is_empty() {
            stored.others = read_packed(connection, RUNS, list(&others)?).await?;
        }
        Ok(stored)
    }
}

impl<'a> Decided<'a> {
    /// Looks up the decisions, too.
    pub(super) async fn unpack(
        connection: &mut SqliteConnection,
        wanted: &[String],
        stored: &'a StoredRuns,
    ) -> Result<Self, StoreError> {
        let mut runs = HashMap::new();
        let mut sets = Vec::new();
        read_runs(&stored.between, &mut runs, &mut sets)?;
        read_runs(&stored.others, &mut runs, &mut sets)?;
        sets.sort_by_key(|set| set.run);
        let mut numbers = Numbers::default();
        for run in wanted.iter().filter_map(|run| runs.get(run.as_bytes())) {
            numbers.add(*run);
        }
        Ok(Self { decisions: decisions(connection, &numbers).await?, runs, sets })
    }

    /// The scopes of the rows, by their numbers.
    pub(super) fn scopes(&self) -> impl Iterator<Item = i64> {
        self.sets.iter().map(|set| set.scope)
    }

    /// The changes of decisions that a run made in a scope.
    pub(super) fn changed(&self, run: &[u8], scope: &Scope) -> Arc<Vec<StoredDecision>> {
        if self.decisions.is_empty() {
            return Arc::default();
        }
        let Some(run) = self.runs.get(run) else { return Arc::default() };
        self.decisions.get(&(*run, scope.clone())).cloned().unwrap_or_default()
    }

    /// Whether it is stored that the run decided at that time as the entry says.
    pub(super) fn has_set(&self, run: &[u8], at: i64, body: &DecisionsBody, keys: &Keys) -> bool {
        let Some(&run) = self.runs.get(run) else { return false };
        let sets = &self.sets[self.sets.partition_point(|set| set.run < run)..];
        sets.iter().take_while(|set| set.run == run).any(|set| {
            set.digest == body.sha256.0
                && set.at == at
                && set.images == count(body.images)
                && keys.scopes.get(&set.scope).is_some_and(|(account, region)| {
                    *account == body.scope.account.as_str().as_bytes()
                        && *region == body.scope.region.as_str().as_bytes()
                })
        })
    }
}

async fn decisions(connection: &mut SqliteConnection, runs: &Numbers) -> Result<Decisions, StoreError> {
    #[derive(sqlx::FromRow)]
    struct Row {
        run_id: i64,
        account: String,
        region: String,
        image_key: String,
        at: i64,
        body: Option<Vec<u8>>,
        digest: Vec<u8>,
    }
    if runs.ranges.is_empty() {
        return Ok(Decisions::new());
    }
    // Row by row: the first run of a store decides about every image.
    let mut rows = sqlx::query_as(
        "select decision.run_id, scope.account, scope.region, image.image_key, decision.at, decision.body,
                decision.digest
         from json_each(?1) as span
         cross join decision on decision.run_id between span.value ->> 0 and span.value ->> 1
         join image using (image_id)
         join scope using (scope_id)
         order by decision.decision_id",
    )
    .bind(list(&runs.ranges)?)
    .fetch(connection);
    let mut decisions: BTreeMap<(i64, Scope), Vec<StoredDecision>> = BTreeMap::new();
    while let Some(row) = rows.try_next().await.during(CHECK)? {
        let row: Row = row;
        let Ok(scope) = read_scope(&row.account, row.region) else { continue };
        let digest = row.body.as_deref().map(Sha::of);
        let is_consistent = row.digest == digest.as_ref().map_or(&[][..], |digest| &digest.0);
        let decision = StoredDecision { image: row.image_key, digest, is_consistent, at: row.at };
        decisions.entry((row.run_id, scope)).or_default().push(decision);
    }
    Ok(decisions.into_iter().map(|(key, changed)| (key, Arc::new(changed))).collect())
}

/// A run, and one scope that it decided about, if any.
macro_rules! runs {
    ($from:literal) => {
        concat!(
            "select ",
            pack!(["run_id", "scope_id", "images", "at"], ["run_key", "digest"]),
            " from (
                select found.run_id, coalesce(scope_id, 0) as scope_id, coalesce(images, 0) as images,
                       coalesce(at, 0) as at, run_key, digest
                from (",
            $from,
            ") as found
                left join decision_set on decision_set.run_id = found.run_id
             )"
        )
    };
}

/// From the first run of a page to its last: where nobody has changed anything, all others are between them.
const RUNS_BETWEEN: &str = runs!(
    "select run_id, run_key from run
     where run_id between (select run_id from run where run_key = ?1)
                      and (select run_id from run where run_key = ?2)
     order by run_id limit ?3"
);

const RUNS: &str =
    runs!("select run_id, run_key from json_each(?1) cross join run on run.run_key = json_each.value");

fn read_runs<'a>(
    packed: &'a PackedRows,
    runs: &mut HashMap<&'a [u8], i64>,
    sets: &mut Vec<StoredSet<'a>>,
) -> Result<(), StoreError> {
    let mut packed = packed.rows()?;
    while !packed.is_at_end() {
        let ([run, scope, images, at], [key, digest]) = packed.row()?;
        runs.insert(key.unwrap_or_default(), run);
        sets.extend(digest.map(|digest| StoredSet { run, scope, images, at, digest }));
    }
    Ok(())
}
