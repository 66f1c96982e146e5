//! What is rendered, how many series there are at most, and whether documents, dashboard and alerts speak of series that
//! exist.

mod documents;
mod limit;
mod rendering;
mod sample;
