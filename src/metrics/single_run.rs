//! The metrics of a run that nobody serves: `run`, `plan` or `apply` with `--metrics-file`.

use std::path::Path;

use amiwarden_core::{CycleReport, Timestamp};

use super::{LedgerCheck, Metrics, PolicySetInfo, RenderError, WriteTextfileError};
use crate::pause::PauseFile;
use crate::rules::Rules;
use crate::store::{Store, StoreError};

/// One run from the command line.
pub(crate) struct SingleRun<'a> {
    /// The command, which stands in the place of a schedule.
    pub(crate) command: &'a str,
    pub(crate) rules: &'a Rules,
    pub(crate) store: &'a Store,
    pub(crate) started_at: Timestamp,
}

/// There is no metrics file, or an old one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteMetricsError {
    /// A bug in the list of series.
    #[error("the metrics cannot be made")]
    Make(#[from] RenderError),
    /// What the store knows could not be read.
    #[error("the metrics lack what the store knows")]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteTextfileError),
}

impl SingleRun<'_> {
    /// Writes the gauges to the file at `path`; `report` is none where the run came to no report.
    pub(crate) async fn write(
        &self,
        report: Option<&CycleReport>,
        path: &Path,
    ) -> Result<(), WriteMetricsError> {
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), PauseFile::of(&self.rules.config))?;
        metrics.schedules([self.command]);
        metrics.recall(self.store).await?;
        metrics.policies(PolicySetInfo::of(self.rules, self.started_at));
        metrics.attempted(self.command, &[], self.started_at);
        match report {
            Some(report) => metrics.finished(self.command, report),
            None => metrics.failed(self.command),
        }
        metrics.look_at(self.store, LedgerCheck::Whole).await?;
        Ok(metrics.write_textfile(path)?)
    }
}
