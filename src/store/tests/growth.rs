//! A run in which nothing changed adds little, however many images there are.

use amiwarden_core::{ImageState, Plan, Rehearsal, StepOutcome, StepReport};

use super::fixture::{
    Place, cycle_report, day, image, inventory, new_run, plan, record, run_id, scope, step, step_report,
};
use crate::store::{Standing, Store};

const IMAGES: u32 = 2_000;
const STEPS: u32 = 200;

/// The bound of the design is 64 KiB for 10,000 images; nothing here depends on their number.
const UNCHANGED_BYTES_MAX: u64 = 64 << 10;

async fn run(store: &Store, n: u32, plan: &Plan) {
    let now = day(i64::from(n));
    store.begin_run(&new_run(n)).await.unwrap();
    let images = (0..IMAGES).map(|n| image(n, ImageState::Available));
    store.observe_images(&run_id(n), &inventory(images), now).await.unwrap();
    let records: Vec<_> =
        (0..IMAGES).map(|image| record(image, Standing::Kept, &format!("no launch for {n} days"))).collect();
    store.record_decisions(&run_id(n), &scope(), &records, now).await.unwrap();
    store.record_plan(&run_id(n), plan, now).await.unwrap();
    let rehearsals: Vec<_> = (0..STEPS as usize).map(|index| (index, Rehearsal::Permitted)).collect();
    store.record_rehearsals(&run_id(n), &plan.id, &rehearsals).await.unwrap();
    let report = step_report(StepOutcome::NotAttempted("observing".to_owned()));
    let reports: Vec<StepReport> = (0..STEPS).map(|_| report.clone()).collect();
    store.finish_run(&cycle_report(n, plan, &reports)).await.unwrap();
}

async fn bytes(place: &Place, store: &Store) -> u64 {
    let mut connection = store.inner.writer.acquire().await.unwrap();
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut *connection).await.unwrap();
    std::fs::metadata(place.store()).unwrap().len()
}

#[tokio::test]
async fn an_unchanged_run_adds_less_than_64_kib() {
    let place = Place::new();
    let store = place.open().await;
    let plan = plan("plan-1", (0..STEPS).map(step).collect(), Vec::new());
    run(&store, 1, &plan).await;
    let first = bytes(&place, &store).await;
    run(&store, 2, &plan).await;
    let second = bytes(&place, &store).await;
    // The first run is what it is measured against: it does store the images.
    assert!(first > 500 << 10, "{first} bytes");
    assert!(second - first < UNCHANGED_BYTES_MAX, "{} bytes", second - first);
}
