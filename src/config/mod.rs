//! Profiles: the API credentials for each server, from the configuration file and from variables.
//!
//! `file` parses the TOML and records the position of each value. `resolve` validates and
//! interprets the values. `select` chooses the profile for a request. `edit` changes the file and
//! leaves the rest of its content unchanged.

mod default;
mod edit;
mod file;
#[cfg(any(test, fuzzing))]
#[path = "../fuzzing/profile.rs"]
pub(crate) mod fuzzing;
mod lifetime;
mod load;
mod remove;
mod resolve;
mod select;
#[cfg(feature = "shared-store")]
mod shared;
#[cfg(not(feature = "shared-store"))]
#[path = "shared_off.rs"]
mod shared;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use time::Date;

use crate::oauth::Client;
use crate::secret_source::Source;
use crate::types::token::MinTtl;
use crate::types::uri::{Origin, Uri};

pub(crate) use default::set_default;
pub(crate) use edit::{Editing, NewProfile, SETTABLE, SecretBackend, preview, store};
pub(crate) use lifetime::{
    NAMES as LIFETIMES, days_left, end as end_of_lifetime, warning as lifetime_warning,
};
pub(crate) use load::load;
pub(crate) use remove::remove;
pub(crate) use resolve::{check_client_id, check_helper_name, check_name, tenant_url};
pub(crate) use select::{choose, choose_for};
pub(crate) use shared::SharedStore;

/// The name of the profile that is built from environment variables.
pub(crate) const ENVIRONMENT_PROFILE: &str = "env";

/// One profile, complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Letters, digits, `-`, `_`, `.`; at most 64 characters.
    pub(crate) name: String,
    /// The tenant, if the profile has the key `cloud_id`.
    pub(crate) cloud_id: Option<String>,
    /// The base of API paths, without a trailing slash; `None` if only `token_url` is set.
    pub(crate) base_url: Option<Uri>,
    /// The OAuth client: its ID, the token endpoint and the token parameters.
    pub(crate) client: Client,
    /// The source of the client secret.
    pub(crate) source: Source,
    /// The expiry date of the API credential, as chosen in the portal.
    pub(crate) secret_expires: Option<Date>,
    /// The required remaining lifetime of a token.
    pub(crate) min_ttl: MinTtl,
    /// All origins that may receive this token.
    pub(crate) origins: Vec<Origin>,
    /// The time limit of the process, if the profile sets one.
    pub(crate) timeout: Option<Duration>,
    /// Additional root certificates, PEM.
    pub(crate) ca_file: Option<PathBuf>,
    /// The token store that several hosts share.
    pub(crate) shared_store: Option<Box<SharedStore>>,
}

impl Profile {
    /// Whether a token of this profile may go to `origin`.
    pub(crate) fn covers(&self, origin: &Origin) -> bool {
        self.origins.contains(origin)
    }

    /// Returns the variables that hold secrets of this profile; child processes do not inherit
    /// them.
    pub(crate) fn secret_variables(&self) -> impl Iterator<Item = &str> {
        let of_store = self.shared_store.as_deref().and_then(SharedStore::variable);
        self.source.variable().into_iter().chain(of_store)
    }

    /// Returns the tenant, including one that only the base URL names.
    pub(crate) fn tenant(&self) -> Option<&str> {
        let of_url = || {
            let host = self.base_url.as_ref()?.origin().host();
            host.strip_suffix(resolve::TENANT_SUFFIX)
                .filter(|tenant| !tenant.contains('.'))
        };
        self.cloud_id.as_deref().or_else(of_url)
    }

    /// Returns the tenant in the suffix of the client ID if it differs from the tenant of the
    /// profile. The vendor's client IDs end in `.{cloud_id}`.
    pub(crate) fn mismatched_suffix(&self) -> Option<&str> {
        let cloud_id = self.cloud_id.as_deref()?;
        let (_, suffix) = self.client.client_id.rsplit_once('.')?;
        (!suffix.eq_ignore_ascii_case(cloud_id)).then_some(suffix)
    }
}

/// All loaded profiles.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    /// The profiles; the one from environment variables comes first.
    pub(crate) all: Vec<Profile>,
    /// The value of `default_profile` in the file.
    pub(crate) default: Option<String>,
    /// `default_profile = ""`: no profile is the default, not even the only one.
    pub(crate) is_default_cleared: bool,
    /// The path of the file, which may not exist; `None` if no home directory is known.
    pub(crate) path: Option<PathBuf>,
    /// The variables that are missing for a profile from the environment, if some are set.
    pub(crate) missing_variables: Vec<&'static str>,
    /// Whether the variables name a client, so that the user expects a profile from the
    /// environment.
    pub(crate) is_environment_meant: bool,
}

impl Profiles {
    /// Whether this program stored the secret of a profile: in a file that `store` wrote, or in a
    /// keychain entry under a name that only this program uses.
    pub(crate) fn keeps_secret_of(&self, profile: &Profile) -> bool {
        match &profile.source {
            Source::File(path) => {
                let folder = self.path.as_deref().and_then(Path::parent);
                folder.is_some_and(|folder| *path == folder.join(secret_file_name(&profile.name)))
            }
            Source::DockerHelper(_) => true,
            Source::Variable(_) | Source::SystemdCredential(_) | Source::Command(_) => false,
        }
    }

    /// Whether another profile uses the same secret source, even if its path is written
    /// differently.
    pub(crate) fn shares_secret_of(&self, profile: &Profile) -> bool {
        let mut others = self.all.iter().filter(|other| other.name != profile.name);
        others.any(|other| match (&other.source, &profile.source) {
            (Source::File(one), Source::File(another)) => {
                let is_same = |one: PathBuf| fs::canonicalize(another).is_ok_and(|it| it == one);
                one == another || fs::canonicalize(one).is_ok_and(is_same)
            }
            (one, another) => one == another,
        })
    }

    /// Returns the profile with that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Profile> {
        self.all.iter().find(|profile| profile.name == name)
    }
}

/// Formats `A is` or `A and B are`.
pub(crate) fn are(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(" and "))
}

/// Returns the name of the secret file beside the configuration file.
fn secret_file_name(profile: &str) -> String {
    format!("{profile}.secret")
}

/// A position in the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    path: PathBuf,
    line: usize,
    column: usize,
}

impl Position {
    /// Returns line and column of byte `offset` of `text`, both counted from 1; columns in
    /// characters.
    fn of(path: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Self {
            path: path.to_owned(),
            line,
            column,
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{}:{}:{}",
            crate::types::quote::path(&self.path),
            self.line,
            self.column
        )
    }
}

/// The reasons for a missing or unusable profile. The user must fix the cause; a retry does not
/// help.
#[derive(Debug, Error)]
pub(crate) enum ProfileError {
    /// The file exists and cannot be read.
    #[error(
        "the configuration file `{}` cannot be read: {error}",
        crate::types::quote::path(path)
    )]
    Unreadable {
        path: PathBuf,
        error: crate::system::file::ReadError,
    },
    /// The file has an invalid key or value.
    #[error("{position}: {problem}")]
    Invalid {
        position: Position,
        problem: String,
        /// The suggested fix.
        hint: Option<String>,
    },
    /// A variable has an invalid value.
    #[error("the environment variable `{name}` {problem}")]
    Variable {
        /// The name of the variable.
        name: &'static str,
        problem: String,
    },
    /// The file that was set explicitly does not exist.
    #[error("there is no configuration file `{}`", crate::types::quote::path(.0))]
    NoFile(PathBuf),
    /// No profile exists.
    #[error("no profile is set up")]
    None {
        /// The path where the file would be.
        path: Option<PathBuf>,
        /// The variables that are missing for a profile from the environment, if some are set.
        missing_variables: Vec<&'static str>,
    },
    /// The variables name a client, but some required variables are missing.
    #[error(
        "the profile of the environment is not complete: {} not set",
        are(missing_variables)
    )]
    Incomplete {
        missing_variables: Vec<&'static str>,
    },
    /// The requested profile does not exist.
    #[error("profile `{name}` does not exist")]
    Unknown {
        /// The requested name.
        name: String,
        /// The most similar name of an existing profile.
        meant: Option<String>,
        /// The names of all profiles.
        known: Vec<String>,
    },
    /// No profile is the default.
    #[error("{}", match known.len() {
        1 => "1 profile is set up and it is not the default".to_owned(),
        count => format!("{count} profiles exist and none is the default"),
    })]
    Undecided {
        /// The configuration file.
        path: Option<PathBuf>,
        /// The names of all profiles.
        known: Vec<String>,
    },
    /// Several profiles cover one host, and none of them has priority.
    #[error("the profiles {} all cover `{host}`", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        host: String,
        /// The names of these profiles.
        known: Vec<String>,
    },
    /// The file cannot be written.
    #[error(
        "the configuration file `{}` cannot be written: {error}",
        crate::types::quote::path(path)
    )]
    Unwritable {
        path: PathBuf,
        error: std::io::Error,
    },
    /// Another process is changing the file.
    #[error("another process holds the lock of the configuration file `{}`", crate::types::quote::path(.0))]
    Locked(PathBuf),
    /// No home directory is known, so there is no path for a configuration file.
    #[error("there is no place for a configuration file: neither HOME nor XDG_CONFIG_HOME is set")]
    NoPlace,
    /// The profile to store is not valid.
    #[error("the profile to store is not valid: {problem}")]
    NotStorable {
        problem: String,
        /// The suggested fix.
        hint: Option<String>,
    },
    /// The secret file beside the configuration cannot be written.
    #[error(transparent)]
    Secret(#[from] crate::secret_source::SourceError),
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{Profile, Profiles, load};
    use crate::system::environment::Environment;
    use crate::system::file::{self, Guard};

    /// Parses a file `config.toml` in `folder`.
    fn profiles(folder: &Path, text: &str) -> Profiles {
        let path = folder.join("config.toml");
        let mut profiles = load::parse(&path, text, &Environment::Given([].into())).unwrap();
        profiles.path = Some(path);
        profiles
    }

    /// Returns the text of a profile with this server and this secret source.
    fn written(name: &str, server: &str, secret: &str) -> String {
        format!(
            "[profiles.{name}]\n{server}\nclient_id = \"x.acme\"\nclient_secret = {{ {secret} }}\n"
        )
    }

    #[test]
    fn the_tenant_is_named_by_the_profile_or_by_its_host() {
        let tenant = |server: &str| {
            let text = written("p", server, "env = \"S\"");
            let profile = &profiles(Path::new("/c"), &text).all[0];
            let suffix = profile.mismatched_suffix().map(str::to_owned);
            (profile.tenant().map(str::to_owned), suffix)
        };
        let named = |tenant: &str, suffix: Option<&str>| {
            (Some(tenant.to_owned()), suffix.map(str::to_owned))
        };
        assert_eq!(tenant("cloud_id = \"Acme\""), named("Acme", None));
        assert_eq!(tenant("cloud_id = \"other\""), named("other", Some("acme")));
        let url = |host: &str| tenant(&format!("base_url = \"https://{host}\""));
        assert_eq!(url("acme.api.openvpn.com"), named("acme", None));
        assert_eq!(url("a.b.api.openvpn.com"), (None, None));
        assert_eq!(url("acme.test"), (None, None));
    }

    #[test]
    fn a_secret_is_ours_where_this_program_put_it() {
        let keeps = |secret: &str| {
            let text = written("p", "cloud_id = \"acme\"", secret);
            let profiles = profiles(Path::new("/c"), &text);
            profiles.keeps_secret_of(&profiles.all[0])
        };
        assert!(keeps("file = \"p.secret\""));
        assert!(keeps("docker_helper = \"pass\""));
        for foreign in [
            "file = \"q.secret\"",
            "file = \"/run/p.secret\"",
            "env = \"S\"",
            "command = [\"op\"]",
            "systemd_credential = \"s\"",
        ] {
            assert!(!keeps(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_secret_is_shared_however_its_place_is_written() {
        let folder = TempDir::new().unwrap();
        for name in ["p.secret", "q.secret"] {
            file::replace(&folder.path().join(name), b"", &Guard::without_lock()).unwrap();
        }
        fs::create_dir(folder.path().join("sub")).unwrap();
        let shares = |one: &str, other: &str| {
            let server = "cloud_id = \"acme\"";
            let text = [written("p", server, one), written("q", server, other)].concat();
            let profiles = profiles(folder.path(), &text);
            let is_shared = |it: &Profile| profiles.shares_secret_of(it);
            assert_eq!(is_shared(&profiles.all[0]), is_shared(&profiles.all[1]));
            is_shared(&profiles.all[0])
        };
        let ours = "file = \"p.secret\"";
        assert!(shares(ours, ours));
        let around = "file = \"sub/../p.secret\"";
        assert!(shares(ours, around), "another path to the same file");
        assert!(!shares(ours, "file = \"q.secret\""));
        assert!(!shares(ours, "env = \"S\""));
        assert!(shares("env = \"S\"", "env = \"S\""));
        assert!(!shares("env = \"S\"", "env = \"T\""));
        let missing = "file = \"r.secret\"";
        assert!(shares(missing, missing), "the file does not have to exist");
        assert!(!shares(missing, "file = \"s.secret\""));
    }
}
