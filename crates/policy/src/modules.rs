//! Modules: files of functions that policies import.
//!
//! They are found and compiled while policies load, never while one is evaluated, and only below the directory
//! that the caller names: a policy that could read `../../etc/passwd` through `import` would be a way out.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Shared};

use crate::fault::RhaiError;

const EXTENSION: &str = "rhai";

/// A compiled module.
pub(crate) type SharedModule = Shared<Module>;

/// Where `import "name"` looks.
#[derive(Clone, Debug)]
pub enum Modules {
    /// In the files of this directory and of those below it: `name.rhai`.
    Directory(PathBuf),
    /// In these texts, by name without the ending.
    Embedded(BTreeMap<String, String>),
}

/// A module's text and where it came from.
#[derive(Clone, Debug)]
pub(crate) struct ModuleText {
    pub(crate) origin: String,
    pub(crate) text: String,
}

/// Why a module cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindModuleError {
    #[error(
        "`{0}` does not name a module: write a name below the policy directory, without `..`, without the ending"
    )]
    Name(String),
    #[error("`{0}` leads out of the policy directory")]
    Outside(String),
    #[error("there is no module `{name}`: {place} {problem}")]
    Missing { name: String, place: String, problem: String },
    #[error("the module `{name}` is larger than {bytes_max} bytes")]
    TooLarge { name: String, bytes_max: usize },
}

impl Modules {
    /// The text of the module, if `name` stays where modules may be.
    pub(crate) fn find(&self, name: &str, bytes_max: usize) -> Result<ModuleText, FindModuleError> {
        check_name(name)?;
        let module = match self {
            Self::Directory(root) => read(root, name)?,
            Self::Embedded(texts) => {
                let Some(text) = texts.get(name) else {
                    let place = "the built-in policies".to_owned();
                    let problem = "have no module of that name".to_owned();
                    return Err(FindModuleError::Missing { name: name.to_owned(), place, problem });
                };
                ModuleText { origin: format!("built-in {name}.{EXTENSION}"), text: text.clone() }
            }
        };
        if module.text.len() > bytes_max {
            return Err(FindModuleError::TooLarge { name: name.to_owned(), bytes_max });
        }
        Ok(module)
    }
}

/// Plain names separated by `/`, nothing that a file system reads as anything else.
fn check_name(name: &str) -> Result<(), FindModuleError> {
    let plain = |component| matches!(component, Component::Normal(_));
    let fits = !name.is_empty()
        && !name.contains(['\\', '\0', ':'])
        && !name.starts_with('.')
        && Path::new(name).components().all(plain);
    if fits { Ok(()) } else { Err(FindModuleError::Name(name.to_owned())) }
}

fn read(root: &Path, name: &str) -> Result<ModuleText, FindModuleError> {
    let path = root.join(format!("{name}.{EXTENSION}"));
    let missing = |error: io::Error| FindModuleError::Missing {
        name: name.to_owned(),
        place: path.display().to_string(),
        problem: format!("cannot be read ({error})"),
    };
    // The real places, with every symbolic link followed.
    let real_root = root.canonicalize().map_err(missing)?;
    let real_path = path.canonicalize().map_err(missing)?;
    if !real_path.starts_with(&real_root) {
        return Err(FindModuleError::Outside(name.to_owned()));
    }
    let text = fs::read_to_string(&real_path).map_err(missing)?;
    Ok(ModuleText { origin: path.display().to_string(), text })
}

/// The modules that have been compiled, for Rhai to find when a module imports another. A handle: the compiler
/// fills it while the engine owns a copy.
#[derive(Clone, Default)]
pub(crate) struct Library {
    modules: Arc<RwLock<BTreeMap<String, SharedModule>>>,
}

impl Library {
    pub(crate) fn get(&self, name: &str) -> Option<SharedModule> {
        self.modules.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn insert(&self, name: &str, module: SharedModule) {
        self.modules.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), module);
    }
}

impl ModuleResolver for Library {
    fn resolve(
        &self,
        _engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<SharedModule, RhaiError> {
        self.get(path).ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(modules: &Modules, name: &str) -> Result<String, FindModuleError> {
        modules.find(name, 100).map(|module| module.text)
    }

    #[test]
    fn only_plain_names_are_looked_up() {
        let modules = Modules::Embedded(BTreeMap::new());
        for name in ["", "..", "../x", "a/../b", "/etc/passwd", "./x", ".hidden", "a\\b", "C:x", "a\0b"] {
            assert!(matches!(find(&modules, name), Err(FindModuleError::Name(_))), "{name:?}");
        }
        assert!(matches!(find(&modules, "x"), Err(FindModuleError::Missing { .. })));
    }

    #[test]
    fn a_link_that_leaves_the_directory_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret.rhai"), "secret").unwrap();
        fs::create_dir(root.path().join("lib")).unwrap();
        fs::write(root.path().join("lib/fine.rhai"), "fine").unwrap();
        let modules = Modules::Directory(root.path().to_owned());
        assert_eq!(find(&modules, "lib/fine").unwrap(), "fine");
        #[cfg(unix)]
        {
            use std::os::unix::fs::symlink;
            symlink(outside.path().join("secret.rhai"), root.path().join("leak.rhai")).unwrap();
            symlink(outside.path(), root.path().join("away")).unwrap();
            symlink(root.path().join("lib/fine.rhai"), root.path().join("alias.rhai")).unwrap();
            for name in ["leak", "away/secret"] {
                assert!(matches!(find(&modules, name), Err(FindModuleError::Outside(_))), "{name}");
            }
            assert_eq!(find(&modules, "alias").unwrap(), "fine");
        }
    }

    #[test]
    fn a_module_may_be_as_large_as_the_limit_and_no_larger() {
        let texts =
            BTreeMap::from([("fits".to_owned(), "x".repeat(100)), ("big".to_owned(), "x".repeat(101))]);
        let modules = Modules::Embedded(texts);
        assert!(find(&modules, "fits").is_ok());
        assert!(matches!(find(&modules, "big"), Err(FindModuleError::TooLarge { .. })));
    }
}
