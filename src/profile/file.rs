//! The configuration file as written: the TOML, its keys and their positions.
//!
//! Every key is known here by name; one that is not is an error with the nearest known one.
//! What the values mean is `resolve`'s business.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Position, ProfileError};
use crate::quote::{nearest, quote};

/// The keys of a profile.
const PROFILE_KEYS: [&str; 14] = [
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

/// The keys at the top.
const TOP_KEYS: [&str; 2] = ["default_profile", "profiles"];

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A profile as written.
#[derive(Debug)]
pub(super) struct WrittenProfile {
    pub(super) name: At<String>,
    pub(super) cloud_id: Option<At<String>>,
    pub(super) base_url: Option<At<String>>,
    pub(super) client_id: Option<At<String>>,
    pub(super) client_secret: Option<At<WrittenSource>>,
    pub(super) secret_expires: Option<At<String>>,
    pub(super) min_ttl: Option<At<String>>,
    pub(super) auth_method: Option<At<String>>,
    pub(super) hosts: Vec<At<String>>,
    pub(super) timeout: Option<At<String>>,
    pub(super) ca_file: Option<At<String>>,
    pub(super) token_url: Option<At<String>>,
    pub(super) scope: Option<At<String>>,
    pub(super) audience: Option<At<String>>,
}

/// A secret source as written.
#[derive(Debug)]
pub(super) enum WrittenSource {
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
    pub(super) profiles: Vec<WrittenProfile>,
}

/// The text that positions are counted in.
#[derive(Debug)]
pub(super) struct Document<'a> {
    pub(super) path: PathBuf,
    pub(super) text: &'a str,
    /// What `~/` stands for in a path.
    pub(super) home: Option<PathBuf>,
}

impl Document<'_> {
    /// An error at a place of this document.
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

    /// Where a path of the file leads: `~/` is the home, anything else that is relative stands
    /// beside the file.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.path.parent().unwrap_or(Path::new("")).join(written),
        }
    }

    /// Reads the whole document.
    pub(super) fn read(&self) -> Result<Written, ProfileError> {
        let table = DeTable::parse(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            self.invalid(&span, quote(error.message()), None)
        })?;
        let table = table.get_ref();
        self.check_keys(table, &TOP_KEYS, "at the top of the file")?;
        let default_profile = self.text_of(table, "default_profile")?;
        let mut profiles = Vec::new();
        if let Some(value) = table.get("profiles") {
            for (name, value) in self.table(value, "profiles")? {
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
    ) -> Result<WrittenProfile, ProfileError> {
        let place = format!("profiles.{}", quote(&name.value));
        let table = self.table(value, &place)?;
        self.check_keys(table, &PROFILE_KEYS, &format!("in [{place}]"))?;
        let text = |key| self.text_of(table, key);
        text("description")?;
        Ok(WrittenProfile {
            name,
            cloud_id: text("cloud_id")?,
            base_url: text("base_url")?,
            client_id: text("client_id")?,
            client_secret: match table.get("client_secret") {
                Some(value) => Some(self.read_source(value)?),
                None => None,
            },
            secret_expires: self.date_of(table, "secret_expires")?,
            min_ttl: text("min_ttl")?,
            auth_method: text("auth_method")?,
            hosts: match table.get("hosts") {
                Some(value) => self.texts(value, "hosts")?,
                None => Vec::new(),
            },
            timeout: text("timeout")?,
            ca_file: text("ca_file")?,
            token_url: text("token_url")?,
            scope: text("scope")?,
            audience: text("audience")?,
        })
    }

    fn read_source(&self, value: &Spanned<DeValue<'_>>) -> Result<At<WrittenSource>, ProfileError> {
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
                return Err(self.mistyped(
                    &span,
                    "client_secret",
                    "a table such as { file = \"…\" }",
                    other,
                ));
            }
        };
        self.check_keys(table, &SECRET_KEYS, "in client_secret")?;
        let mut keys = table.iter();
        let (Some((key, value)), None) = (keys.next(), keys.next()) else {
            let problem = format!(
                "client_secret needs exactly one of {}",
                listed(&SECRET_KEYS)
            );
            return Err(self.invalid(&span, problem, None));
        };
        let text = || self.text(value, key.get_ref()).map(|at| at.value);
        let source = match key.get_ref().as_ref() {
            "file" => WrittenSource::File(text()?),
            "env" => WrittenSource::Variable(text()?),
            "docker_helper" => WrittenSource::DockerHelper(text()?),
            "systemd_credential" => WrittenSource::SystemdCredential(text()?),
            _ => {
                let words = self.texts(value, "command")?;
                WrittenSource::Command(words.into_iter().map(|word| word.value).collect())
            }
        };
        Ok(At {
            value: source,
            span: value.span(),
        })
    }

    fn check_keys(
        &self,
        table: &DeTable<'_>,
        known: &[&'static str],
        place: &str,
    ) -> Result<(), ProfileError> {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let problem = format!("unknown key `{}` {place}", quote(name));
                let hint = match nearest(name, known.iter().copied()) {
                    // In TOML whatever stands behind a table's head is the table's.
                    _ if TOP_KEYS.contains(&name) => {
                        format!(
                            "`{name}` stands at the top of the file, before the first [profiles.…]"
                        )
                    }
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("the keys here are {}", listed(known)),
                };
                return Err(self.invalid(&key.span(), problem, Some(hint)));
            }
        }
        Ok(())
    }

    fn table<'a, 'b>(
        &self,
        value: &'a Spanned<DeValue<'b>>,
        key: &str,
    ) -> Result<&'a DeTable<'b>, ProfileError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            other => Err(self.mistyped(&value.span(), key, "a table", other)),
        }
    }

    fn text_of(&self, table: &DeTable<'_>, key: &str) -> Result<Option<At<String>>, ProfileError> {
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

    fn date_of(&self, table: &DeTable<'_>, key: &str) -> Result<Option<At<String>>, ProfileError> {
        let Some(value) = table.get(key) else {
            return Ok(None);
        };
        let span = value.span();
        match value.get_ref() {
            DeValue::Datetime(date) => {
                let text = date.date.map(|date| date.to_string()).unwrap_or_default();
                Ok(Some(At { value: text, span }))
            }
            DeValue::String(text) => Ok(Some(At {
                value: text.to_string(),
                span,
            })),
            other => Err(self.mistyped(&span, key, "a date such as 2027-05-22", other)),
        }
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

    fn mistyped(
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

/// `a`, `b` and `c`.
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
