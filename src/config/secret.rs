//! Secrets: where they are, and how they are read without ever being shown.
//!
//! A secret is read each time that it is used, so a file may be replaced while amiwarden runs. Deliberately absent: any
//! way to print one. Its debug form, which also makes the digest of the configuration, says that there is one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Nothing that is used as a secret is longer; a file that is holds something else.
const SECRET_BYTES_MAX: usize = 64 << 10;

/// What stands in the place of a secret in texts.
const HIDDEN: &str = "(hidden)";

/// A text that nobody is to see.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever sends it where it belongs.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `text` without the secret in it: what others say may quote it.
    pub fn hide_in(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, HIDDEN) }
    }
}

/// Without the text.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In the configuration itself.
    Written(Secret),
    /// In a file.
    File(SecretFile),
}

/// A file that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile {
    /// Where it may be, in this order. At least one.
    candidates: Vec<PathBuf>,
}

/// A secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadSecretError {
    /// There is no such file, or it may not be read.
    #[error("the secret file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is there and holds nothing.
    #[error("the secret file {} is empty", .0.display())]
    Empty(PathBuf),
    /// It holds something else.
    #[error("the secret file {} is too large to be one", .0.display())]
    TooLarge(PathBuf),
}

impl SecretSource {
    /// The secret, as it is now.
    pub fn read(&self) -> Result<Secret, ReadSecretError> {
        match self {
            Self::Written(secret) => Ok(secret.clone()),
            Self::File(file) => file.read(),
        }
    }
}

impl SecretFile {
    /// The file that `written` names: where it is relative, in the directory of systemd's credentials if there is one
    /// (`LoadCredential=` in systemd.exec(5)), else at `resolved`.
    pub(super) fn new(written: &str, resolved: PathBuf, credentials: Option<&Path>) -> Self {
        let beside = credentials.filter(|_| Path::new(written).is_relative()).map(|dir| dir.join(written));
        Self { candidates: beside.into_iter().chain([resolved]).collect() }
    }

    /// The file at this path and no other.
    pub fn at(path: PathBuf) -> Self {
        Self { candidates: vec![path] }
    }

    /// What the file holds, without the end of its line.
    pub fn read(&self) -> Result<Secret, ReadSecretError> {
        let mut missing = None;
        for path in &self.candidates {
            match read_file(path) {
                Ok(bytes) if bytes.len() > SECRET_BYTES_MAX => {
                    return Err(ReadSecretError::TooLarge(path.clone()));
                }
                Ok(bytes) => {
                    let text = String::from_utf8(bytes).map_err(|_| ReadSecretError::Read {
                        path: path.clone(),
                        source: io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"),
                    })?;
                    let text = text.trim_end_matches(['\r', '\n']);
                    if text.is_empty() {
                        return Err(ReadSecretError::Empty(path.clone()));
                    }
                    return Ok(Secret::new(text));
                }
                Err(source) if source.kind() == io::ErrorKind::NotFound => {
                    missing = Some(ReadSecretError::Read { path: path.clone(), source });
                }
                Err(source) => return Err(ReadSecretError::Read { path: path.clone(), source }),
            }
        }
        Err(missing.unwrap_or_else(|| ReadSecretError::Empty(PathBuf::new())))
    }
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than may be there tells that there is more.
    File::open(path)?.take(SECRET_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let source = SecretSource::Written(Secret::new("hunter2"));
        let shown = format!("{source:?} {source:#?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let secret = Secret::new("hunter2");
        assert_eq!(secret.hide_in("no hunter2 here, hunter2"), "no (hidden) here, (hidden)");
        assert_eq!(Secret::new("").hide_in("as it is"), "as it is");
    }

    #[test]
    fn a_relative_file_is_looked_for_among_the_credentials_first() {
        let (credentials, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file =
            |written: &str| SecretFile::new(written, beside.path().join(written), Some(credentials.path()));
        let read = |written: &str| file(written).read().map(|secret| secret.expose().to_owned());
        fs::write(beside.path().join("hook"), "beside\r\n\n").unwrap();
        assert_eq!(read("hook").unwrap(), "beside");
        fs::write(credentials.path().join("hook"), " credential ").unwrap();
        assert_eq!(read("hook").unwrap(), " credential ");
        let absolute = beside.path().join("hook");
        assert_eq!(read(absolute.to_str().unwrap()).unwrap(), "beside");
        // What is missing is told of the place that the configuration names.
        let error = read("other").unwrap_err().to_string();
        assert!(error.contains(beside.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn what_holds_no_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let check = |bytes: &[u8], expected: &str| {
            let path = dir.path().join("secret");
            fs::write(&path, bytes).unwrap();
            let error = SecretFile::at(path).read().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check(b"", "is empty");
        check(b"\n", "is empty");
        check(&[0xff], "cannot be read");
        check(&vec![b'x'; SECRET_BYTES_MAX + 1], "too large");
    }
}
