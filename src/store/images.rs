//! What was observed of images, stored as changes over time, and since when each has been disabled.

use std::collections::BTreeMap;

use amiwarden_core::{Coverage, ImageId, ImageState, Inventory, Memory, RunId, Scope, Source, Timestamp};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::column::{instant, to_json};
use super::error::During;
use super::{Store, StoreError, StoreReader, Write, find_scope, run_row, scope_row};

const OBSERVE: &str = "record the images of a scope";
const READ: &str = "read what is remembered about images";
const SEED: &str = "record since when images are disabled";

/// An image as the store last saw it.
#[derive(Debug)]
struct KnownImage {
    state: ImageState,
    is_gone: bool,
}

/// A difference between what the store knew and what was observed.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Sighting<'a> {
    image: &'a ImageId,
    name: Option<&'a str>,
    kind: &'static str,
    state: &'a ImageState,
    gone_at: Option<i64>,
}

impl Store {
    /// Records what is new in `inventory` and yields what is remembered about the images of its scope.
    ///
    /// An image counts as gone only when a complete reading no longer holds it. The date since when an image has
    /// been disabled is set when it is first seen so, and dropped when it is seen otherwise or is gone: an image
    /// that returns starts anew, which can only lengthen its hold.
    pub async fn observe_images(
        &self,
        run_id: &RunId,
        inventory: &Inventory,
        now: Timestamp,
    ) -> Result<Memory, StoreError> {
        let mut tx = self.begin(OBSERVE).await?;
        let run = run_row(&mut tx, run_id).await?;
        let scope = scope_row(&mut tx, &inventory.scope).await?;
        let known = known_images(&mut tx, scope).await?;
        let sightings = sightings(&known, inventory, now);
        if !sightings.is_empty() {
            write_sightings(&mut tx, Place { run, scope, now }, &sightings).await?;
        }
        let before = disabled_since(&mut tx, scope).await?;
        let after = still_disabled(&before, inventory, now);
        write_disabled_since(&mut tx, scope, &before, &after).await?;
        tx.commit().await.during(OBSERVE)?;
        Ok(Memory { first_seen_disabled: after })
    }

    /// Remembers since when images have been disabled that no run of this store has seen disabled. A date that is
    /// known already stands. It is for a simulated scope, whose past this store cannot have seen.
    pub async fn seed_first_seen_disabled(
        &self,
        scope: &Scope,
        dates: &BTreeMap<ImageId, Timestamp>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin(SEED).await?;
        let scope = scope_row(&mut tx, scope).await?;
        insert_disabled_since(&mut tx, scope, dates.iter()).await?;
        tx.commit().await.during(SEED)
    }
}

impl StoreReader {
    /// What is remembered about the images of a scope, as of the last run that read it.
    pub async fn memory(&self, scope: &Scope) -> Result<Memory, StoreError> {
        let mut connection = self.connection(READ).await?;
        let Some(scope) = find_scope(&mut connection, scope).await? else { return Ok(Memory::default()) };
        Ok(Memory { first_seen_disabled: disabled_since(&mut connection, scope).await? })
    }
}

/// What differs, in the order of the images' ids.
fn sightings<'a>(
    known: &'a BTreeMap<ImageId, KnownImage>,
    inventory: &'a Inventory,
    now: Timestamp,
) -> Vec<Sighting<'a>> {
    let mut sightings = Vec::new();
    for (id, image) in &inventory.images {
        let kind = match known.get(id) {
            None => "first-seen",
            Some(before) if before.is_gone => "returned",
            Some(before) if before.state != image.state => "state-changed",
            Some(_) => continue,
        };
        let name = image.name.as_deref();
        sightings.push(Sighting { image: id, name, kind, state: &image.state, gone_at: None });
    }
    if *inventory.coverage(Source::Images) == Coverage::Complete {
        let missing =
            known.iter().filter(|(id, before)| !before.is_gone && !inventory.images.contains_key(*id));
        sightings.extend(missing.map(|(id, before)| Sighting {
            image: id,
            name: None,
            kind: "gone",
            state: &before.state,
            gone_at: Some(now.as_second()),
        }));
    }
    sightings
}

/// Since when the images of a scope have been disabled, after `inventory` has been read.
fn still_disabled(
    before: &BTreeMap<ImageId, Timestamp>,
    inventory: &Inventory,
    now: Timestamp,
) -> BTreeMap<ImageId, Timestamp> {
    let is_complete = *inventory.coverage(Source::Images) == Coverage::Complete;
    // What a partial reading does not show is as it was.
    let unseen = before.iter().filter(|(id, _)| !is_complete && !inventory.images.contains_key(*id));
    let unseen = unseen.map(|(id, since)| (id.clone(), *since));
    let disabled = inventory.images.iter().filter(|(_, image)| image.state == ImageState::Disabled);
    unseen.chain(disabled.map(|(id, _)| (id.clone(), before.get(id).copied().unwrap_or(now)))).collect()
}

async fn known_images(
    connection: &mut SqliteConnection,
    scope: i64,
) -> Result<BTreeMap<ImageId, KnownImage>, StoreError> {
    let rows: Vec<(String, String, bool)> =
        sqlx::query_as("select image_key, state, gone_at is not null from image where scope_id = ?1")
            .bind(scope)
            .fetch_all(connection)
            .await
            .during(OBSERVE)?;
    let known = rows.into_iter().map(|(id, state, is_gone)| {
        let state = ImageState::from(state);
        (ImageId::new(id), KnownImage { state, is_gone })
    });
    Ok(known.collect())
}

/// Where and when something was observed.
#[derive(Clone, Copy)]
struct Place {
    run: i64,
    scope: i64,
    now: Timestamp,
}

async fn write_sightings(tx: &mut Write, place: Place, sightings: &[Sighting<'_>]) -> Result<(), StoreError> {
    let batch = to_json("sightings of images", sightings)?;
    sqlx::query(
        "insert into image (scope_id, image_key, name, state, gone_at)
         select ?1, value ->> 'image', value ->> 'name', value ->> 'state', value ->> 'gone_at'
         from json_each(?2) where true
         on conflict (scope_id, image_key) do update
         set name = coalesce(excluded.name, name), state = excluded.state, gone_at = excluded.gone_at",
    )
    .bind(place.scope)
    .bind(&batch)
    .execute(&mut **tx)
    .await
    .during(OBSERVE)?;
    // A cross join is carried out as written: the other way round, the batch would be read once for each image.
    sqlx::query(
        "insert into sighting (image_id, run_id, at, kind, state)
         select image.image_id, ?2, ?3, seen.value ->> 'kind', image.state
         from json_each(?4) as seen
         cross join image on image.scope_id = ?1 and image.image_key = seen.value ->> 'image'
         order by seen.key",
    )
    .bind(place.scope)
    .bind(place.run)
    .bind(place.now.as_second())
    .bind(&batch)
    .execute(&mut **tx)
    .await
    .during(OBSERVE)?;
    Ok(())
}

async fn disabled_since(
    connection: &mut SqliteConnection,
    scope: i64,
) -> Result<BTreeMap<ImageId, Timestamp>, StoreError> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select image_key, since from disabled_since where scope_id = ?1")
            .bind(scope)
            .fetch_all(connection)
            .await
            .during(READ)?;
    rows.into_iter().map(|(id, since)| Ok((ImageId::new(id), instant(since)?))).collect()
}

async fn write_disabled_since(
    tx: &mut Write,
    scope: i64,
    before: &BTreeMap<ImageId, Timestamp>,
    after: &BTreeMap<ImageId, Timestamp>,
) -> Result<(), StoreError> {
    let ended: Vec<&ImageId> = before.keys().filter(|id| !after.contains_key(*id)).collect();
    if !ended.is_empty() {
        sqlx::query(
            "delete from disabled_since
             where scope_id = ?1 and image_key in (select value from json_each(?2))",
        )
        .bind(scope)
        .bind(to_json("images that are not disabled", &ended)?)
        .execute(&mut **tx)
        .await
        .during(OBSERVE)?;
    }
    let begun = after.iter().filter(|(id, _)| !before.contains_key(*id));
    insert_disabled_since(tx, scope, begun).await
}

async fn insert_disabled_since<'a>(
    tx: &mut Write,
    scope: i64,
    dates: impl Iterator<Item = (&'a ImageId, &'a Timestamp)> + Send,
) -> Result<(), StoreError> {
    let batch: BTreeMap<&ImageId, i64> = dates.map(|(id, since)| (id, since.as_second())).collect();
    if batch.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into disabled_since (scope_id, image_key, since)
         select ?1, key, value from json_each(?2) where true
         on conflict (scope_id, image_key) do nothing",
    )
    .bind(scope)
    .bind(to_json("dates of images", &batch)?)
    .execute(&mut **tx)
    .await
    .during(SEED)?;
    Ok(())
}
