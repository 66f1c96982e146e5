//! A file for `node_exporter`'s textfile collector, which reads it whenever it likes: it has to be whole at any moment.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteTextfileError {
    /// The values have no text form.
    #[error("the metrics cannot be rendered")]
    Render(#[from] super::RenderError),
    /// The system refused.
    #[error("the metrics file {} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Puts `text` in the place of the file at `path`, whole or not at all.
pub(super) fn write(path: &Path, text: &str) -> Result<(), WriteTextfileError> {
    replace(path, text).map_err(|source| WriteTextfileError::Write { path: path.to_owned(), source })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Beside it, since only within one file system a rename replaces. The collector takes `*.prom` alone, so the name
    // must not end so.
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = fill(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Nothing more can be done about it than about the first failure, which is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
