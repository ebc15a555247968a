//! The environment variables of the process, and the directories that depend on them.
//!
//! Only this file reads variables of the process; tests pass their own set.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

/// This program's subdirectory of the configuration and cache directories.
const FOLDER: &str = "cloudconnexa-auth";

/// The variable that names the directory of the cache.
pub(crate) const CACHE_VARIABLE: &str = "CLOUDCONNEXA_AUTH_CACHE_DIR";

/// The environment variables.
#[derive(Debug)]
pub(crate) enum Environment {
    /// The variables of the process, and the names of those that hold a secret.
    Process(Mutex<BTreeSet<String>>),
    /// The variables of a test.
    #[cfg_attr(
        not(any(test, fuzzing)),
        expect(dead_code, reason = "tests give their own variables")
    )]
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// Returns the variables of this process.
    pub(crate) const fn process() -> Self {
        Self::Process(Mutex::new(BTreeSet::new()))
    }

    /// Marks a variable as secret, so that no child process inherits it.
    pub(crate) fn mark_secret(&self, name: &str) {
        if let Self::Process(names) = self {
            let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
            names.insert(name.to_owned());
        }
    }

    /// Returns the variables that were marked as secret.
    pub(crate) fn secret_variables(&self) -> Vec<String> {
        match self {
            Self::Process(names) => {
                let names = names.lock().unwrap_or_else(PoisonError::into_inner);
                names.iter().cloned().collect()
            }
            Self::Given(_) => Vec::new(),
        }
    }

    /// Returns the value of a variable; an empty one counts as unset, as in curl and git.
    pub(crate) fn raw(&self, name: &str) -> Option<OsString> {
        #[expect(clippy::disallowed_methods, reason = "only this method may call it")]
        let value = match self {
            Self::Process(_) => std::env::var_os(name),
            Self::Given(variables) => variables.get(name).map(OsString::from),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Whether a variable has a value. Leaves no copy of the value in memory, because it may be a
    /// secret.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        let value = self.raw(name).map(OsString::into_encoded_bytes);
        value.map(Zeroizing::new).is_some()
    }

    /// Returns the value of a variable as text. Bytes that are not UTF-8 become `\u{fffd}`, so that
    /// the value is rejected with its name when it is used.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.raw(name)
            .map(|value| value.to_string_lossy().into_owned())
    }

    /// Returns the value of a variable as a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.raw(name).map(PathBuf::from)
    }

    /// Returns the value of a variable as a path, with `~/` expanded.
    pub(crate) fn configured_path(&self, name: &str) -> Option<PathBuf> {
        self.path(name).map(|path| self.expand_home(&path))
    }

    /// Replaces a leading `~` by the home directory. Returns `path` unchanged if there is no home.
    pub(crate) fn expand_home(&self, path: &Path) -> PathBuf {
        let home = path.strip_prefix("~").ok().zip(self.home());
        home.map_or_else(|| path.to_owned(), |(rest, home)| home.join(rest))
    }

    /// Returns the user's home directory.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.absolute(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
    }

    /// Returns the configuration directory; `None` without a home directory.
    ///
    /// `$XDG_CONFIG_HOME` or `~/.config`; `~/Library/Application Support` on macOS; `%APPDATA%`
    /// on Windows.
    pub(crate) fn configuration_folder(&self) -> Option<PathBuf> {
        let platform = if cfg!(windows) {
            self.absolute("APPDATA")
        } else if cfg!(target_os = "macos") {
            self.absolute("HOME")
                .map(|home| home.join("Library/Application Support"))
        } else {
            self.absolute("HOME").map(|home| home.join(".config"))
        };
        let folder = self.absolute("XDG_CONFIG_HOME").or(platform)?;
        Some(folder.join(FOLDER))
    }

    /// Returns the cache directory; `None` without a home directory.
    ///
    /// `CLOUDCONNEXA_AUTH_CACHE_DIR`; else a subdirectory of `$XDG_CACHE_HOME` or `~/.cache`;
    /// `~/Library/Caches` on macOS; `%LOCALAPPDATA%` on Windows.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        if let Some(chosen) = self.configured_path(CACHE_VARIABLE) {
            return Some(chosen);
        }
        let platform = if cfg!(windows) {
            self.absolute("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            self.absolute("HOME")
                .map(|home| home.join("Library/Caches"))
        } else {
            self.absolute("HOME").map(|home| home.join(".cache"))
        };
        let folder = self.absolute("XDG_CACHE_HOME").or(platform)?;
        Some(folder.join(FOLDER))
    }

    /// Returns an absolute path. The XDG specification says to ignore a relative one.
    fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.path(name).filter(|path| path.is_absolute())
    }
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use std::path::Path;

    use super::Environment;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Environment::Given(owned.collect())
    }

    #[test]
    fn folders_follow_the_xdg_specification() {
        let home = environment(&[("HOME", "/home/ana"), ("XDG_CACHE_HOME", "relative")]);
        let expected = Path::new("/home/ana/.config/cloudconnexa-auth");
        assert_eq!(home.configuration_folder().as_deref(), Some(expected));
        let expected = Path::new("/home/ana/.cache/cloudconnexa-auth");
        assert_eq!(
            home.cache_folder().as_deref(),
            Some(expected),
            "a relative path is ignored"
        );
    }

    #[test]
    fn no_home_is_no_folder_rather_than_the_working_directory() {
        let nothing = environment(&[("HOME", "")]);
        assert_eq!(nothing.configuration_folder(), None);
        assert_eq!(nothing.cache_folder(), None);
    }
}
