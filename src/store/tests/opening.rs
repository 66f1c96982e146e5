//! Opening: what is refused, with which error, and that nothing is changed by it.

use std::fs;

use super::fixture::{Place, cycle_report, new_run, plan};
use crate::store::{OpenStoreError, Store, StoreOptions, StoreReader};

/// Asserts that opening is refused as `is_expected` says, and that the file is afterwards what it was.
async fn check_refused(place: &Place, is_expected: fn(&OpenStoreError) -> bool) {
    let before = fs::read(place.store()).ok();
    let error = Store::open(&place.store(), place.options()).await.unwrap_err();
    assert!(is_expected(&error), "{error:?}");
    assert_eq!(fs::read(place.store()).ok(), before);
}

async fn used(place: &Place) {
    let store = place.open().await;
    let plan = plan("plan-1", Vec::new(), Vec::new());
    store.begin_run(&new_run(1)).await.unwrap();
    store.record_plan(&new_run(1).run_id, &plan, new_run(1).started_at).await.unwrap();
    store.finish_run(&cycle_report(1, &plan, &[])).await.unwrap();
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_new_store_is_made_and_opened_again() {
    let place = Place::new();
    used(&place).await;
    let store = place.open().await;
    assert_eq!(store.reader().runs(10).await.unwrap().len(), 1);
    assert!(store.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let place = Place::new();
    fs::write(place.store(), "").unwrap();
    place.open().await.close().await.unwrap();
    place.open().await;
}

#[tokio::test]
async fn a_store_whose_making_was_cut_short_is_made_again() {
    let place = Place::new();
    fs::write(place.store(), "").unwrap();
    place
        .tamper("pragma journal_mode = wal; pragma user_version = 0; create table t (a); drop table t")
        .await;
    assert!(fs::metadata(place.store()).unwrap().len() > 0);
    used(&place).await;
}

#[tokio::test]
async fn p1_a_store_whose_maker_died_before_its_first_page_was_whole_is_made_again() {
    let place = Place::new();
    fs::write(place.store(), "").unwrap();
    place.tamper("pragma journal_mode = wal").await;
    // "Database File Format", sqlite.org: magic, no pages, a nonce, a database that was empty, sectors of 512
    // bytes, pages of 4096.
    let mut journal = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7".to_vec();
    journal.extend([0, 0, 0, 0, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 16, 0]);
    journal.resize(512, 0);
    fs::write(place.directory().join("amiwarden.db-journal"), journal).unwrap();
    let error = StoreReader::open(&place.store()).await.unwrap_err();
    assert!(matches!(error, OpenStoreError::HalfMade(_)), "{error:?}");
    used(&place).await;
    assert!(place.open().await.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn a_head_that_was_not_kept_before_is_kept_from_now_on() {
    let place = Place::new();
    used(&place).await;
    fs::remove_file(place.head()).unwrap();
    let store = place.open().await;
    assert!(fs::read_to_string(place.head()).unwrap().starts_with(r#"{"sequence":3,"#));
    assert!(store.verify().await.unwrap().is_intact());
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let place = Place::new();
    let path = place.directory().join("nowhere/amiwarden.db");
    let error = Store::open(&path, StoreOptions::default()).await.unwrap_err();
    assert!(
        matches!(&error, OpenStoreError::MissingDirectory { directory, .. } if directory.ends_with("nowhere"))
    );
    assert!(!place.directory().join("nowhere").exists());
}

#[tokio::test]
async fn a_file_is_no_directory() {
    let place = Place::new();
    let parent = place.directory().join("file");
    fs::write(&parent, "x").unwrap();
    let error = Store::open(&parent.join("amiwarden.db"), StoreOptions::default()).await.unwrap_err();
    assert!(matches!(error, OpenStoreError::MissingDirectory { .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_is_no_store() {
    let place = Place::new();
    fs::create_dir(place.store()).unwrap();
    check_refused(&place, |error| matches!(error, OpenStoreError::IsDirectory(_))).await;
}

#[tokio::test]
async fn a_lock_that_cannot_be_made_means_that_the_place_cannot_be_written() {
    let place = Place::new();
    fs::create_dir(place.directory().join("amiwarden.db.lock")).unwrap();
    check_refused(&place, |error| matches!(error, OpenStoreError::NotWritable { .. })).await;
    assert!(!place.store().exists());
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_it() {
    let place = Place::new();
    let store = place.open().await;
    let error = Store::open(&place.store(), place.options()).await.unwrap_err();
    assert!(
        matches!(error, OpenStoreError::Locked { holder: Some(id), .. } if id == std::process::id()),
        "{error:?}"
    );
    assert!(error.to_string().contains("another amiwarden"));
    // The lock ends with the last handle.
    let clone = store.clone();
    drop(store);
    check_refused(&place, |error| matches!(error, OpenStoreError::Locked { .. })).await;
    drop(clone);
    place.open().await;
}

#[tokio::test]
async fn what_is_not_sqlite_is_refused() {
    let place = Place::new();
    fs::write(place.store(), "[store]\npath = \"a text file, longer than a header of SQLite\"\n").unwrap();
    check_refused(&place, |error| matches!(error, OpenStoreError::NotAStore(_))).await;
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let place = Place::new();
    fs::write(place.store(), "").unwrap();
    place.tamper("create table bookmark (url text)").await;
    check_refused(&place, |error| matches!(error, OpenStoreError::NotAStore(_))).await;
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let place = Place::new();
    used(&place).await;
    place
        .tamper(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (9999, 'from the future', true, x'00', 0)",
        )
        .await;
    let is_newer = |error: &OpenStoreError| matches!(error, OpenStoreError::Newer { found: 9999, .. });
    check_refused(&place, is_newer).await;
    let error = StoreReader::open(&place.store()).await.unwrap_err();
    assert!(is_newer(&error), "{error:?}");
}

#[tokio::test]
async fn a_store_of_an_older_version_is_not_read_as_it_is() {
    let place = Place::new();
    used(&place).await;
    place.tamper("delete from _sqlx_migrations").await;
    let error = StoreReader::open(&place.store()).await.unwrap_err();
    assert!(matches!(error, OpenStoreError::Older { found: 0, .. }), "{error:?}");
}

#[tokio::test]
async fn damaged_pages_are_found() {
    let place = Place::new();
    used(&place).await;
    let mut bytes = fs::read(place.store()).unwrap();
    // All pages but the first, which holds the header.
    bytes[4096..].fill(0xa5);
    fs::write(place.store(), &bytes).unwrap();
    check_refused(&place, |error| matches!(error, OpenStoreError::Corrupt { .. })).await;
}

#[tokio::test]
async fn a_store_that_was_cut_off_is_found() {
    let place = Place::new();
    used(&place).await;
    let bytes = fs::read(place.store()).unwrap();
    fs::write(place.store(), &bytes[..bytes.len() / 2]).unwrap();
    check_refused(&place, |error| matches!(error, OpenStoreError::Corrupt { .. })).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    used(&place).await;
    fs::set_permissions(place.store(), fs::Permissions::from_mode(0o400)).unwrap();
    // The superuser writes to it all the same.
    if fs::File::options().write(true).open(place.store()).is_err() {
        check_refused(&place, |error| matches!(error, OpenStoreError::NotWritable { .. })).await;
    }
}

#[tokio::test]
async fn a_head_that_the_ledger_does_not_reach_is_kept() {
    let place = Place::new();
    used(&place).await;
    let head = fs::read(place.head()).unwrap();
    fs::remove_file(place.store()).unwrap();
    check_refused(&place, |error| matches!(error, OpenStoreError::Head { .. })).await;
    assert!(!place.store().exists());
    assert_eq!(fs::read(place.head()).unwrap(), head);
}

#[tokio::test]
async fn a_head_of_another_ledger_is_kept() {
    let place = Place::new();
    used(&place).await;
    let zeros = "0".repeat(64);
    for text in [format!(r#"{{"sequence":1,"hash":"{zeros}"}}"#), "{}".to_owned()] {
        fs::write(place.head(), &text).unwrap();
        check_refused(&place, |error| matches!(error, OpenStoreError::Head { .. })).await;
        assert_eq!(fs::read_to_string(place.head()).unwrap(), text);
    }
}

#[tokio::test]
async fn a_reader_reads_beside_a_writer_and_needs_a_store() {
    let place = Place::new();
    let error = StoreReader::open(&place.store()).await.unwrap_err();
    assert!(matches!(error, OpenStoreError::Missing(_)), "{error:?}");
    assert!(!place.store().exists());
    let store = place.open().await;
    let reader = StoreReader::open(&place.store()).await.unwrap();
    assert!(reader.runs(10).await.unwrap().is_empty());
    store.begin_run(&new_run(1)).await.unwrap();
    assert_eq!(reader.runs(10).await.unwrap().len(), 1);
    let refused = sqlx::query("delete from run").execute(&reader.pool).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("readonly")));
}
