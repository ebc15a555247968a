//! The configuration file as written: the TOML, its keys and their positions.
//!
//! All valid keys are listed here. An unknown key is an error that names the nearest known key. The
//! module `resolve` interprets the values.

use std::borrow::Cow;
use std::fs::Metadata;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::shared::{self, RawStore};
use super::{Position, ProfileError};
use crate::system::environment::Environment;
use crate::system::file;
use crate::types::quote::{self, nearest, quote};

/// The keys of a profile.
const PROFILE_KEYS: [&str; 15] = [
    "cloud_id",
    "base_url",
    "client_id",
    "client_secret",
    "secret_expires",
    "min_ttl",
    "auth_method",
    "hosts",
    "timeout",
    "ca_file",
    "shared_store",
    "token_url",
    "scope",
    "audience",
    "description",
];

/// The keys of `client_secret`.
const SECRET_KEYS: [&str; 5] = [
    "file",
    "env",
    "command",
    "docker_helper",
    "systemd_credential",
];

/// The keys at the top level.
const TOP_KEYS: [&str; 2] = ["default_profile", "profiles"];

/// A value and its position.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A profile as written.
#[derive(Debug)]
pub(super) struct RawProfile {
    pub(super) name: At<String>,
    pub(super) cloud_id: Option<At<String>>,
    pub(super) base_url: Option<At<String>>,
    pub(super) client_id: Option<At<String>>,
    pub(super) client_secret: Option<At<RawSource>>,
    pub(super) secret_expires: Option<At<String>>,
    pub(super) min_ttl: Option<At<String>>,
    pub(super) auth_method: Option<At<String>>,
    pub(super) hosts: Vec<At<String>>,
    pub(super) timeout: Option<At<String>>,
    pub(super) ca_file: Option<At<String>>,
    pub(super) shared_store: Option<Box<RawStore>>,
    pub(super) token_url: Option<At<String>>,
    pub(super) scope: Option<At<String>>,
    pub(super) audience: Option<At<String>>,
}

impl RawProfile {
    /// Returns a profile without any keys.
    fn empty(name: At<String>) -> Self {
        Self {
            name,
            cloud_id: None,
            base_url: None,
            client_id: None,
            client_secret: None,
            secret_expires: None,
            min_ttl: None,
            auth_method: None,
            hosts: Vec::new(),
            timeout: None,
            ca_file: None,
            shared_store: None,
            token_url: None,
            scope: None,
            audience: None,
        }
    }
}

/// A secret source as written.
#[derive(Debug)]
pub(super) enum RawSource {
    File(String),
    Variable(String),
    Command(Vec<String>),
    DockerHelper(String),
    SystemdCredential(String),
}

/// The file as written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) default_profile: Option<At<String>>,
    pub(super) profiles: Vec<RawProfile>,
}

/// The text of a document and the context to interpret it; positions are offsets into the text.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) path: PathBuf,
    pub(super) text: &'a str,
    /// The environment, which defines the home directory for `~/` in a path.
    pub(super) environment: &'a Environment,
    /// The metadata of the file; `None` if the text does not come from a file or is not used.
    pub(super) metadata: Option<&'a Metadata>,
}

impl Document<'_> {
    /// Returns an error at a position of this document.
    #[cold]
    pub(super) fn invalid(
        &self,
        span: &Range<usize>,
        problem: impl Into<String>,
        hint: Option<String>,
    ) -> ProfileError {
        let position = Position::of(&self.path, self.text, span.start);
        ProfileError::Invalid {
            position,
            problem: problem.into(),
            hint,
        }
    }

    /// Resolves a path of the file: `~/` is the home directory; any other relative path is relative
    /// to the directory of the file.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        let path = self.environment.expand_home(Path::new(written));
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Rejects a program at `span` if another user could have written the file.
    pub(super) fn check_may_run(&self, span: &Range<usize>) -> Result<(), ProfileError> {
        let Some(why) = self.metadata.and_then(file::foreign_writer) else {
            return Ok(());
        };
        let path = quote::path(&self.path).replace('\'', "'\\''");
        let problem = format!("a file that {why} may not name programs to run");
        let hint = format!(
            "check what it says, then run `chown \"$(id -u)\" '{path}'` and `chmod go-w '{path}'`"
        );
        Err(self.invalid(span, problem, Some(hint)))
    }

    /// Reads the whole document.
    pub(super) fn read(&self) -> Result<Written, ProfileError> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            self.invalid(&span, quote(error.message()), None)
        })?;
        // The process ends soon, so the tree is not freed: freeing it would take 6,000 of 131,000
        // instructions.
        let table = ManuallyDrop::new(table);
        let table = table.get_ref();
        self.check_keys(table, &TOP_KEYS, || "at the top of the file".to_owned())?;
        let default_profile = self.text_of(table, "default_profile")?;
        let mut profiles = Vec::new();
        if let Some(value) = table.get("profiles") {
            for (name, value) in self.table(value, || "profiles".to_owned())? {
                let name = At {
                    value: name.get_ref().to_string(),
                    span: name.span(),
                };
                profiles.push(self.read_profile(name, value)?);
            }
        }
        Ok(Written {
            default_profile,
            profiles,
        })
    }

    fn read_profile(
        &self,
        name: At<String>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<RawProfile, ProfileError> {
        let table = self.table(value, || format!("profiles.{}", quote(&name.value)))?;
        let mut written = RawProfile::empty(name);
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let text = || self.text(value, name).map(Some);
            match name {
                "cloud_id" => written.cloud_id = text()?,
                "base_url" => written.base_url = text()?,
                "client_id" => written.client_id = text()?,
                "client_secret" => {
                    written.client_secret = Some(self.read_source(value, "client_secret")?);
                }
                "secret_expires" => written.secret_expires = Some(self.date(value, name)?),
                "min_ttl" => written.min_ttl = text()?,
                "auth_method" => written.auth_method = text()?,
                "hosts" => written.hosts = self.texts(value, name)?,
                "timeout" => written.timeout = text()?,
                "ca_file" => written.ca_file = text()?,
                "shared_store" => written.shared_store = Some(Box::new(shared::read(self, value)?)),
                "token_url" => written.token_url = text()?,
                "scope" => written.scope = text()?,
                "audience" => written.audience = text()?,
                "description" => drop(text()?),
                _ => {
                    let place = format!("in [profiles.{}]", quote(&written.name.value));
                    return Err(self.unknown(key, &PROFILE_KEYS, &place));
                }
            }
        }
        Ok(written)
    }

    pub(super) fn read_source(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &'static str,
    ) -> Result<At<RawSource>, ProfileError> {
        let span = value.span();
        let table = match value.get_ref() {
            DeValue::Table(table) => table,
            DeValue::String(_) => {
                return Err(self.invalid(
                    &span,
                    "a client secret stands in the file itself",
                    Some(
                        "move it to a file of mode 0600 and write \
                         `client_secret = { file = \"NAME.secret\" }`; if others could read this \
                         file, make a new secret in the portal"
                            .to_owned(),
                    ),
                ));
            }
            other => {
                return Err(self.mistyped(&span, key, "a table such as { file = \"…\" }", other));
            }
        };
        self.check_keys(table, &SECRET_KEYS, || format!("in {key}"))?;
        let mut keys = table.iter();
        let (Some((kind, value)), None) = (keys.next(), keys.next()) else {
            let problem = format!("{key} needs exactly one of {}", listed(&SECRET_KEYS));
            return Err(self.invalid(&span, problem, None));
        };
        let text = || self.text(value, kind.get_ref()).map(|at| at.value);
        let source = match kind.get_ref().as_ref() {
            "file" => RawSource::File(text()?),
            "env" => RawSource::Variable(text()?),
            "docker_helper" => RawSource::DockerHelper(text()?),
            "systemd_credential" => RawSource::SystemdCredential(text()?),
            _ => {
                let words = self.texts(value, "command")?;
                RawSource::Command(words.into_iter().map(|word| word.value).collect())
            }
        };
        Ok(At {
            value: source,
            span: value.span(),
        })
    }

    pub(super) fn check_keys(
        &self,
        table: &DeTable<'_>,
        known: &[&'static str],
        place: impl Fn() -> String,
    ) -> Result<(), ProfileError> {
        let is_unknown = |key: &&Spanned<Cow<'_, str>>| !known.contains(&key.get_ref().as_ref());
        match table.keys().find(is_unknown) {
            Some(key) => Err(self.unknown(key, known, &place())),
            None => Ok(()),
        }
    }

    /// Returns the error for a key that is not known at its place.
    fn unknown(
        &self,
        key: &Spanned<Cow<'_, str>>,
        known: &[&'static str],
        place: &str,
    ) -> ProfileError {
        let name: &str = key.get_ref().as_ref();
        let problem = format!("unknown key `{}` {place}", quote(name));
        let hint = match nearest(name, known.iter().copied()) {
            // In TOML, all keys after a table header belong to the table.
            _ if TOP_KEYS.contains(&name) => {
                format!("`{name}` belongs at the top of the file, before the first [profiles.…]")
            }
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the keys here are {}", listed(known)),
        };
        self.invalid(&key.span(), problem, Some(hint))
    }

    pub(super) fn table<'a, 'b>(
        &self,
        value: &'a Spanned<DeValue<'b>>,
        key: impl Fn() -> String,
    ) -> Result<&'a DeTable<'b>, ProfileError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            other => Err(self.mistyped(&value.span(), &key(), "a table", other)),
        }
    }

    pub(super) fn text_of(
        &self,
        table: &DeTable<'_>,
        key: &str,
    ) -> Result<Option<At<String>>, ProfileError> {
        table
            .get(key)
            .map(|value| self.text(value, key))
            .transpose()
    }

    fn text(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<At<String>, ProfileError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(At {
                value: text.to_string(),
                span: value.span(),
            }),
            other => Err(self.mistyped(&value.span(), key, "a text in quotes", other)),
        }
    }

    fn date(&self, value: &Spanned<DeValue<'_>>, key: &str) -> Result<At<String>, ProfileError> {
        let span = value.span();
        let text = match value.get_ref() {
            DeValue::Datetime(date) => date.date.map(|date| date.to_string()).unwrap_or_default(),
            DeValue::String(text) => text.to_string(),
            other => return Err(self.mistyped(&span, key, "a date such as 2027-05-22", other)),
        };
        Ok(At { value: text, span })
    }

    fn texts(
        &self,
        value: &Spanned<DeValue<'_>>,
        key: &str,
    ) -> Result<Vec<At<String>>, ProfileError> {
        match value.get_ref() {
            DeValue::Array(values) => values.iter().map(|value| self.text(value, key)).collect(),
            other => Err(self.mistyped(&value.span(), key, "a list of texts", other)),
        }
    }

    pub(super) fn mistyped(
        &self,
        span: &Range<usize>,
        key: &str,
        wanted: &str,
        found: &DeValue<'_>,
    ) -> ProfileError {
        let problem = format!(
            "`{key}` must be {wanted}, not {}",
            with_article(found.type_str())
        );
        self.invalid(span, problem, None)
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'i', 'o']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// Formats a list: `a`, `b` and `c`.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn names_are_listed_as_a_person_would() {
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b"]), "`a` and `b`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
