//! Finds the policies: those of a directory, or those that are built in.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use amiwarden_core::PolicyName;
use amiwarden_policy::{Modules, PolicySource};

/// The ending of a policy's file name.
const EXTENSION: &str = "rhai";

/// The policies that are built in, by name. They are the files of `policies/`.
pub const BUILT_IN: [(&str, &str); 7] = [
    ("deprecate-first", include_str!("../policies/deprecate-first.rhai")),
    ("keep-newest-per-family", include_str!("../policies/keep-newest-per-family.rhai")),
    ("require-imdsv2", include_str!("../policies/require-imdsv2.rhai")),
    ("retire-stale", include_str!("../policies/retire-stale.rhai")),
    ("strip-public", include_str!("../policies/strip-public.rhai")),
    ("tag-owners", include_str!("../policies/tag-owners.rhai")),
    ("unshare-unknown-accounts", include_str!("../policies/unshare-unknown-accounts.rhai")),
];

/// The policies could not be found.
#[derive(Debug, thiserror::Error)]
pub enum FindPoliciesError {
    /// The directory or a file of it cannot be read.
    #[error("cannot read {}: check that it exists and may be read (`amiwarden init` makes a policy directory)", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory without policies is a mistake more often than a wish.
    #[error("{} holds no policy: a policy is a file whose name ends in `.rhai`", .0.display())]
    Empty(PathBuf),
    /// A file name that is no text.
    #[error("{} has a name that is not UTF-8: rename it", .0.display())]
    Name(PathBuf),
}

/// The policies of `dir`, in the order of their names, and where their imports are looked for; without a
/// directory, those that are built in.
pub fn find(dir: Option<&Path>) -> Result<(Vec<PolicySource>, Modules), FindPoliciesError> {
    match dir {
        None => Ok((built_in(), Modules::Embedded(BTreeMap::new()))),
        Some(dir) => Ok((in_directory(dir)?, Modules::Directory(dir.to_owned()))),
    }
}

fn built_in() -> Vec<PolicySource> {
    let source = |(name, text): (&str, &str)| PolicySource {
        name: PolicyName::new(name),
        origin: format!("built-in {name}.{EXTENSION}"),
        text: text.to_owned(),
    };
    BUILT_IN.into_iter().map(source).collect()
}

/// Every `*.rhai` directly in the directory. Modules for `import` live in folders below it, so that a module is
/// never taken for a policy.
fn in_directory(dir: &Path) -> Result<Vec<PolicySource>, FindPoliciesError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| FindPoliciesError::Read { path, source }
    };
    let mut sources = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable(dir))? {
        let path = entry.map_err(unreadable(dir))?.path();
        if !path.is_file() || path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let name = PolicyName::new(name.ok_or_else(|| FindPoliciesError::Name(path.clone()))?);
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        sources.push(PolicySource { name, origin: path.display().to_string(), text });
    }
    if sources.is_empty() {
        return Err(FindPoliciesError::Empty(dir.to_owned()));
    }
    sources.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(sources)
}
