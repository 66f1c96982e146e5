//! A store in which everything has happened that the ledger records, to be changed by whoever goes around amiwarden.

use std::fs;

use amiwarden_core::{Guard, ImageState, StepOutcome};

use super::fixture::{
    Place, cycle_report, day, held, image, intent, inventory, new_run, plan, record, run_id, scope, step,
    step_report,
};
use crate::store::ledger::Paging;
use crate::store::{IntentId, LedgerFinding, LedgerHead, Standing, Store, StoreReader, Verification};

/// A run that decides, plans and carries out two changes, one of them with a reply that was lost at first.
pub(super) async fn run(store: &Store, n: u32) {
    let name = format!("plan-{n}");
    let plan = plan(&name, vec![step(1), step(2)], vec![held(3, Guard::Surge)]);
    let now = day(i64::from(n));
    store.begin_run(&new_run(n)).await.unwrap();
    let images = [1, 2, 3].map(|n| image(n, ImageState::Available));
    store.observe_images(&run_id(n), &inventory(images), now).await.unwrap();
    let records = [1, 2].map(|image| record(image, Standing::Planned, &format!("reason {n}")));
    // The second run finds that one image is decided about no more.
    let records = if n == 1 { &records[..] } else { &records[..1] };
    store.record_decisions(&run_id(n), &scope(), records, now).await.unwrap();
    store.record_plan(&run_id(n), &plan, now).await.unwrap();
    let unknown = step_report(StepOutcome::Unknown("no reply".to_owned()));
    let reports = [step_report(StepOutcome::Done), unknown];
    for (index, report) in reports.iter().enumerate() {
        let mut intent = intent(n, &plan, index);
        if n == 2 && index == 0 {
            intent.undoes = vec![IntentId(1), IntentId(2)];
        }
        let intent_id = store.write_intent(&intent).await.unwrap();
        store.write_outcome(intent_id, report, now).await.unwrap();
    }
    let open = store.open_intents().await.unwrap();
    store.write_outcome(open[0].intent_id, &reports[0], now).await.unwrap();
    store.accept(&plan, now).await.unwrap();
    store.finish_run(&cycle_report(n, &plan, &reports)).await.unwrap();
}

/// A store that can be put back after each mutilation.
pub(super) struct Specimen {
    pub(super) place: Place,
    /// As it was after the first run, and its head then.
    pub(super) older: (Vec<u8>, Vec<u8>),
    pub(super) newest: Vec<u8>,
    pub(super) head: Vec<u8>,
    pub(super) entries: i64,
    /// The statements that make the triggers, by name.
    pub(super) triggers: Vec<(String, String)>,
}

impl Specimen {
    pub(super) async fn new() -> Self {
        let place = Place::new();
        let read = |path| fs::read(path).unwrap();
        let store = place.open().await;
        run(&store, 1).await;
        store.close().await.unwrap();
        drop(store);
        let older = (read(place.store()), read(place.head()));
        let store = place.open().await;
        // One that dies before it does anything.
        store.begin_run(&new_run(3)).await.unwrap();
        run(&store, 2).await;
        store.close().await.unwrap();
        let reader = StoreReader::open(&place.store()).await.unwrap();
        let triggers = sqlx::query_as("select name, sql from sqlite_schema where type = 'trigger'")
            .fetch_all(&reader.pool)
            .await
            .unwrap();
        reader.close().await;
        let (newest, head) = (read(place.store()), read(place.head()));
        let verification = verify(&place, None).await;
        assert_eq!(verification.findings, []);
        let entries = verification.newest.sequence();
        Self { place, older, newest, head, entries, triggers }
    }

    /// What verifying finds after somebody has gone around the triggers, run `sql`, and put the triggers back.
    pub(super) async fn mutilate(&self, sql: &str) -> Vec<LedgerFinding> {
        fs::write(self.place.store(), &self.newest).unwrap();
        let dropped: String = self
            .triggers
            .iter()
            .map(|(name, _)| format!("drop trigger {name};"))
            .collect::<Vec<_>>()
            .concat();
        let put_back: String =
            self.triggers.iter().map(|(_, text)| format!("{text};")).collect::<Vec<_>>().concat();
        self.place.tamper(&format!("begin; {dropped} {sql}; {put_back} commit;")).await;
        verify(&self.place, None).await.findings
    }

    pub(super) async fn columns_of(&self, table: &str) -> Vec<String> {
        let reader = StoreReader::open(&self.place.store()).await.unwrap();
        let names = sqlx::query_scalar("select name from pragma_table_info(?1) order by cid")
            .bind(table)
            .fetch_all(&reader.pool)
            .await
            .unwrap();
        reader.close().await;
        names
    }

    pub(super) async fn columns(&self, table: &str) -> Vec<Vec<u8>> {
        let reader = StoreReader::open(&self.place.store()).await.unwrap();
        let sql = format!("select {table} from ledger order by sequence");
        let values = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(&reader.pool).await.unwrap();
        reader.close().await;
        values
    }
}

/// The same is found however the ledger is cut into pages and whichever of them is read first.
pub(super) async fn verify(place: &Place, given: Option<&LedgerHead>) -> Verification {
    let reader = StoreReader::open(&place.store()).await.unwrap();
    let verification = reader.verify_against(Some(&place.head()), given).await.unwrap();
    for (entries_max, lanes_max) in [(1, 2), (5, 3)] {
        let paging = Paging { entries_max, lanes_max };
        let by_pages = reader.verify_by(paging, Some(&place.head()), given).await.unwrap();
        assert_eq!(by_pages, verification, "{paging:?}");
    }
    reader.close().await;
    verification
}
