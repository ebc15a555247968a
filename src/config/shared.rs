//! The token store that several hosts share: the table `shared_store` and the variables that
//! replace it.

use std::fmt;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::file::{At, Document, RawSource};
use super::resolve::resolve_source;
use super::{ProfileError, Profiles};
use crate::secret_source::{STORE_PASSWORD_VARIABLE, Source};
use crate::shared_store::Address;
use crate::system::environment::Environment;

/// The keys of `shared_store`.
const KEYS: [&str; 6] = ["url", "user", "password", "prefix", "ca_file", "insecure"];

/// The default prefix of every key in the store.
const DEFAULT_PREFIX: &str = "cloudconnexa-auth:";

/// The maximum length of the prefix.
const LONGEST_PREFIX: usize = 64;

const URL_VARIABLE: &str = "CLOUDCONNEXA_AUTH_SHARED_STORE";
const USER_VARIABLE: &str = "CLOUDCONNEXA_AUTH_SHARED_STORE_USER";

/// The settings of the token store that several hosts share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SharedStore {
    pub(crate) address: Address,
    /// The prefix of every key.
    pub(crate) prefix: String,
    /// The source of the user name for the store.
    pub(crate) user: Option<Source>,
    /// The source of the password for the store.
    pub(crate) password: Option<Source>,
    /// Additional root certificates, PEM.
    pub(crate) ca_file: Option<PathBuf>,
}

impl SharedStore {
    /// Returns the variable that holds the password; child processes do not inherit it.
    pub(super) fn variable(&self) -> Option<&str> {
        self.password.as_ref()?.variable()
    }
}

impl fmt::Display for SharedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(formatter)
    }
}

/// The table as written.
#[derive(Debug)]
pub(super) struct RawStore {
    url: At<String>,
    user: Option<At<RawSource>>,
    password: Option<At<RawSource>>,
    prefix: Option<At<String>>,
    ca_file: Option<At<String>>,
    is_insecure: bool,
}

/// Parses the table.
pub(super) fn read(
    document: &Document<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Result<RawStore, ProfileError> {
    let table = document.table(value, || "shared_store".to_owned())?;
    document.check_keys(table, &KEYS, || "in shared_store".to_owned())?;
    let source = |key: &'static str| {
        let Some(value) = table.get(key) else {
            return Ok(None);
        };
        if matches!(value.get_ref(), DeValue::String(_)) {
            let problem = format!("`{key}` of the store stands in the file itself");
            let hint =
                format!("move it to a file of mode 0600 and write `{key} = {{ file = \"…\" }}`");
            return Err(document.invalid(&value.span(), problem, Some(hint)));
        }
        document.read_source(value, key).map(Some)
    };
    let Some(url) = document.text_of(table, "url")? else {
        let hint = Some("add `url = \"rediss://HOST:PORT\"`".to_owned());
        return Err(document.invalid(&value.span(), "shared_store has no `url`", hint));
    };
    Ok(RawStore {
        url,
        user: source("user")?,
        password: source("password")?,
        prefix: document.text_of(table, "prefix")?,
        ca_file: document.text_of(table, "ca_file")?,
        is_insecure: match table.get("insecure") {
            None => false,
            Some(value) => match value.get_ref() {
                DeValue::Boolean(chosen) => *chosen,
                other => {
                    let wanted = "`true` or `false`";
                    return Err(document.mistyped(&value.span(), "insecure", wanted, other));
                }
            },
        },
    })
}

/// Interprets the parsed table.
pub(super) fn resolve(
    document: &Document<'_>,
    written: RawStore,
) -> Result<SharedStore, ProfileError> {
    let url = &written.url;
    // The error does not show the value, because it may contain a password.
    let address = Address::parse(&url.value, written.is_insecure).map_err(|error| {
        document.invalid(&url.span, format!("`url` is not usable: {error}"), None)
    })?;
    if let Some(at) = &written.prefix {
        let plain = |byte: u8| (0x21..0x7f).contains(&byte) && !b"{}".contains(&byte);
        if at.value.len() > LONGEST_PREFIX || !at.value.bytes().all(plain) {
            let problem = "`prefix` must be at most 64 printable ASCII characters without white \
                           space and braces";
            return Err(document.invalid(&at.span, problem, None));
        }
    }
    let server = address.to_string();
    let source = |at: &Option<At<RawSource>>| {
        let at = at.as_ref();
        at.map(|at| resolve_source(document, at, || server.clone(), ""))
            .transpose()
    };
    Ok(SharedStore {
        user: source(&written.user)?,
        password: source(&written.password)?,
        prefix: written
            .prefix
            .map_or_else(|| DEFAULT_PREFIX.to_owned(), |at| at.value),
        ca_file: written.ca_file.map(|at| document.path(&at.value)),
        address,
    })
}

/// Replaces the address of the store by the one in the variable. The user and the password then
/// come from variables only, because those in the file belong to another store.
pub(super) fn from_variables(
    environment: &Environment,
    profiles: &mut Profiles,
) -> Result<(), ProfileError> {
    let Some(url) = environment.text(URL_VARIABLE) else {
        return Ok(());
    };
    for profile in &mut profiles.all {
        let written = profile.shared_store.take();
        let is_insecure = written.as_ref().is_some_and(|store| {
            matches!(
                store.address,
                Address::Host {
                    is_insecure: true,
                    ..
                }
            )
        });
        let address =
            Address::parse(&url, is_insecure).map_err(|error| ProfileError::Variable {
                name: URL_VARIABLE,
                problem: format!("is not usable: {error}"),
            })?;
        let source = |name: &str| {
            let is_set = environment.raw(name).is_some();
            is_set.then(|| Source::Variable(name.to_owned()))
        };
        let (prefix, ca_file) = match written {
            Some(store) => (store.prefix, store.ca_file),
            None => (DEFAULT_PREFIX.to_owned(), None),
        };
        profile.shared_store = Some(Box::new(SharedStore {
            address,
            prefix,
            user: source(USER_VARIABLE),
            password: source(STORE_PASSWORD_VARIABLE),
            ca_file,
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::load::parse;
    use crate::system::environment::Environment;

    #[test]
    fn a_prefix_is_short_and_has_neither_space_nor_braces() {
        let of_store = |prefix: &str| {
            let text = format!(
                "[profiles.p]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n\
                 client_secret = {{ env = \"S\" }}\n\
                 shared_store = {{ url = \"rediss://store.acme.test\", prefix = \"{prefix}\" }}\n"
            );
            let environment = Environment::Given([].into());
            let read = parse(Path::new("/c/config.toml"), &text, &environment);
            let profile = read.ok()?.all.into_iter().next()?;
            profile.shared_store.map(|store| store.prefix)
        };
        let longest = "~".repeat(64);
        for good in ["a:", "!", &longest] {
            assert_eq!(of_store(good).as_deref(), Some(good));
        }
        for bad in ["a b", "{a", "a}", "é", &format!("{longest}~")] {
            assert_eq!(of_store(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_variables_that_hold_secrets_are_those_of_both() {
        let hidden = |password: &str| {
            let text = format!(
                "[profiles.p]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n\
                 client_secret = {{ env = \"S\" }}\n\
                 shared_store = {{ url = \"rediss://store.acme.test\"{password} }}\n"
            );
            let environment = Environment::Given([].into());
            let profiles = parse(Path::new("/c/config.toml"), &text, &environment).unwrap();
            let all = profiles.all[0].secret_variables().map(str::to_owned);
            all.collect::<Vec<_>>()
        };
        assert_eq!(hidden(", password = { env = \"P\" }"), ["S", "P"]);
        assert_eq!(hidden(", password = { file = \"p\" }"), ["S"]);
        assert_eq!(hidden(""), ["S"]);
    }
}
