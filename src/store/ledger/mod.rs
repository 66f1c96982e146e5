//! The audit ledger: an append-only table in which each entry's hash covers the entry and the hash before it.
//!
//! The triggers of the table keep amiwarden itself, and anyone with a plain SQL shell, from changing it; the
//! chain shows what somebody changed who went around them; the head, kept outside the database, shows that the
//! end was cut off. What is large stands in other tables and in the ledger by its digest, which is checked too.
//!
//! Deliberately absent: signatures. Whoever can write both the database and the head can forge both; keep the
//! head where amiwarden's host cannot reach back, if that matters.

mod acceptances;
mod append;
mod body;
mod claim;
mod contents;
mod decided;
mod encoding;
mod export;
mod finding;
mod head;
mod keys;
mod packed;
mod page;
mod structure;
mod verify;
mod vouched;

pub(super) use append::{append, hash_at, newest};
pub(super) use body::{
    AcceptanceBody, DecisionsBody, EmptyBody, IntentBody, OutcomeBody, PlanBody, RunFinishedBody,
    RunStartedBody,
};
pub(super) use encoding::EntryKind;
pub use export::{LedgerEntry, LedgerFilter, LedgerPart, MangledEntry};
pub use finding::{HeadOrigin, LedgerFinding};
pub use head::{Head, ParseHeadError};
pub(super) use head::{read as read_head, write as write_head};
#[cfg(test)]
pub(super) use page::Paging;
pub use verify::{ComparedHead, Verification};
