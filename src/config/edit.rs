//! `store`: writes a profile to the configuration file and its secret to a file beside it.
//! Everything else in the file is unchanged, including comments and order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use time::Date;
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value, value};

use super::default::{default_after_store, with_default};
use super::file::listed;
use super::{Position, Profile, ProfileError, lifetime, load, resolve, secret_file_name};
use crate::secret_source::{Launcher, Source, SourceError};
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::system::file::{self, Guard, Trust, WaitError};
use crate::types::quote::quote;
use crate::types::secret::Secret;

/// The default limit of the wait for the lock of another `store`.
const LOCK_LIMIT: Duration = Duration::from_secs(5);

/// The keys that `store` can set directly, with the value as given.
pub(crate) const SETTABLE: [&str; 9] = [
    "cloud_id",
    "base_url",
    "token_url",
    "scope",
    "audience",
    "auth_method",
    "ca_file",
    "min_ttl",
    "timeout",
];

/// A profile to be stored.
#[derive(Debug)]
pub(crate) struct NewProfile {
    pub(crate) name: String,
    /// The complete client ID.
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    /// `2w`, `1mo`, `6mo`, `1y` or the date on which the credential expires.
    pub(crate) lifetime: Option<String>,
    /// More keys of [`SETTABLE`] and their values.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// The backend that stores the secret.
    pub(crate) keeper: SecretBackend,
    /// Makes the profile the default.
    pub(crate) make_default: bool,
}

/// The backend that stores a client secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretBackend {
    /// The file `NAME.secret` beside the configuration.
    File,
    /// `docker-credential-NAME`.
    DockerHelper(String),
}

/// The context of a change to the stored profiles.
#[derive(Clone, Copy)]
pub(crate) struct Editing<'a> {
    pub(crate) environment: &'a Environment,
    /// The value of `--config`.
    pub(crate) flag: Option<&'a Path>,
    pub(crate) clock: &'a dyn Clock,
    /// The longest wait for the lock while another process edits the file.
    pub(crate) lock_limit: Option<Duration>,
    /// The deadline of a credential helper.
    pub(crate) deadline: Deadline,
}

impl Editing<'_> {
    pub(super) fn path(&self) -> Result<PathBuf, ProfileError> {
        let (path, _) = load::file_path(self.environment, self.flag);
        path.ok_or(ProfileError::NoPlace)
    }

    fn launcher(&self) -> Launcher<'_> {
        Launcher {
            environment: self.environment,
            clock: self.clock,
            deadline: self.deadline,
        }
    }

    pub(super) fn lock(&self, path: &Path) -> Result<Guard, ProfileError> {
        lock(path, self.lock_limit.unwrap_or(LOCK_LIMIT))
    }
}

/// Returns the profile that [`store`] would write. Writes nothing.
///
/// # Errors
/// The errors of [`store`], except those of writing.
pub(crate) fn preview(
    editing: &Editing<'_>,
    profile: &NewProfile,
) -> Result<Profile, ProfileError> {
    let path = editing.path()?;
    let (_, _, stored) = prepared(editing, &path, profile)?;
    Ok(stored)
}

/// Returns the old text, the new text, and the profile as read from the new text.
fn prepared(
    editing: &Editing<'_>,
    path: &Path,
    profile: &NewProfile,
) -> Result<(String, String, Profile), ProfileError> {
    check(profile)?;
    let secret_expires = end_of_life(profile, editing.clock.now().date())?;
    let old = read_old(path)?;
    // The old file must be valid before it is changed; this reports the position of an error.
    let before = load::parse(path, &old, editing.environment)?;
    let mut new = edited(path, &old, profile, secret_expires)?;
    let default = if profile.make_default {
        Some((profile.name.as_str(), ""))
    } else {
        default_after_store(&before, &profile.name)
    };
    if let Some((default, comment)) = default {
        new = with_default(path, &new, default, comment)?;
    }
    let read = load::parse(path, &new, editing.environment).map_err(not_storable)?;
    let is_it = |stored: &Profile| stored.name == profile.name;
    let stored = read.all.into_iter().find(is_it);
    let stored = stored.ok_or_else(|| ProfileError::NotStorable {
        problem: "it is not in the file that was made of it".to_owned(),
        hint: None,
    })?;
    Ok((old, new, stored))
}

/// Writes the profile and its secret. An existing profile of that name is changed.
///
/// The whole new file is parsed before it replaces the old one, so this program never writes a file
/// that it rejects later. If the file cannot be written, the old secret is restored.
pub(crate) fn store(editing: &Editing<'_>, profile: &NewProfile) -> Result<Profile, ProfileError> {
    check(profile)?;
    let path = editing.path()?;
    let unwritable = |error| ProfileError::Unwritable {
        path: path.clone(),
        error,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.as_os_str().is_empty() && !folder.exists() {
        let home = editing.environment.home();
        file::create_private_folder(folder, home.as_deref()).map_err(unwritable)?;
    }
    let guard = editing.lock(&path)?;
    let (old, new, stored) = prepared(editing, &path, profile)?;
    let source = &stored.source;
    let old_secret = match source.read(editing.environment, editing.clock, editing.deadline) {
        // The helper would not store a secret in the remaining time either.
        Err(error @ SourceError::TimedOut { .. }) => return Err(error.into()),
        other => other,
    };
    let restore = || match &old_secret {
        Ok(secret) => keep(editing, source, secret, &guard),
        Err(error) if error.is_absence() => source.remove(editing.launcher()),
        // An unreadable secret cannot be restored, and it may be in use, so keep it.
        Err(_) => Ok(()),
    };
    if let Err(error) = keep(editing, source, &profile.client_secret, &guard) {
        // The helper may have accepted a secret that it cannot return, so restore the old one.
        drop(restore());
        return Err(error.into());
    }
    if new == old {
        return Ok(stored);
    }
    write(&path, &new, &guard).map_err(|error| {
        let error = match restore() {
            Ok(()) => error,
            Err(second) => io::Error::new(error.kind(), format!("{error}; and then: {second}")),
        };
        unwritable(error)
    })?;
    Ok(stored)
}

/// Stores a secret in this source. Does nothing if this program cannot write to the source.
fn keep(
    editing: &Editing<'_>,
    source: &Source,
    secret: &Secret,
    guard: &Guard,
) -> Result<(), SourceError> {
    match source {
        Source::File(path) => Source::store_file(path, secret, guard),
        Source::DockerHelper(entry) => Source::store_in_helper(entry, secret, editing.launcher()),
        Source::Variable(_) | Source::SystemdCredential(_) | Source::Command(_) => Ok(()),
    }
}

/// Replaces the file and keeps its mode and owner. If the path is a link, replaces its target.
pub(super) fn write(path: &Path, text: &str, guard: &Guard) -> io::Result<()> {
    file::replace_as_it_is(&real_path(path), text.as_bytes(), guard)
}

pub(super) fn check(profile: &NewProfile) -> Result<(), ProfileError> {
    let refuse = |problem| {
        Err(ProfileError::NotStorable {
            problem,
            hint: None,
        })
    };
    if let Err(problem) = resolve::check_name(&profile.name) {
        return refuse(problem);
    }
    if let Err(problem) = resolve::check_client_id(&profile.client_id) {
        return refuse(problem.to_owned());
    }
    let secret = profile.client_secret.expose();
    if secret.is_empty() || secret.chars().any(char::is_control) {
        return refuse("`client_secret` must be one line, not empty".to_owned());
    }
    Ok(())
}

pub(super) fn end_of_life(profile: &NewProfile, today: Date) -> Result<Option<Date>, ProfileError> {
    let Some(text) = profile.lifetime.as_deref() else {
        return Ok(None);
    };
    let refuse = || ProfileError::NotStorable {
        problem: format!("`{}` is not a `lifetime`", quote(text)),
        hint: Some(format!(
            "use {}, or the day it ends: 2027-05-22",
            listed(&lifetime::NAMES)
        )),
    };
    lifetime::end(text, today).map(Some).ok_or_else(refuse)
}

/// Resolves links, so that the target of a dotfile manager's link is written and the link is kept.
fn real_path(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn lock(path: &Path, limit: Duration) -> Result<Guard, ProfileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    file::exclusive(&path.with_file_name(name), limit).map_err(|error| match error {
        WaitError::TimedOut => ProfileError::Locked(path.to_owned()),
        WaitError::Io(error) => ProfileError::Unwritable {
            path: path.to_owned(),
            error,
        },
    })
}

pub(super) fn read_old(path: &Path) -> Result<String, ProfileError> {
    match file::read(path, load::LARGEST_FILE, Trust::Anything) {
        Ok(bytes) => String::from_utf8(bytes.to_vec()).map_err(|_| ProfileError::Unreadable {
            path: path.to_owned(),
            error: file::ReadError::Foreign("not UTF-8 text"),
        }),
        Err(file::ReadError::Missing) => Ok(String::new()),
        Err(error) => Err(ProfileError::Unreadable {
            path: path.to_owned(),
            error,
        }),
    }
}

/// Returns the new text. A new profile is appended. In an existing profile only the changed values
/// are edited.
pub(super) fn edited(
    path: &Path,
    old: &str,
    profile: &NewProfile,
    secret_expires: Option<Date>,
) -> Result<String, ProfileError> {
    let mut document = DocumentMut::from_str(old).map_err(|error| ProfileError::Invalid {
        position: Position::of(path, old, error.span().unwrap_or_default().start),
        problem: quote(error.message()),
        hint: None,
    })?;
    let profiles = document
        .get_mut("profiles")
        .and_then(Item::as_table_like_mut);
    let table = profiles.and_then(|profiles| profiles.get_mut(&profile.name));
    if let Some(table) = table.and_then(Item::as_table_like_mut) {
        fill(table, profile, secret_expires);
        return Ok(written(&document, old));
    }
    let inline = document
        .get_mut("profiles")
        .and_then(Item::as_inline_table_mut);
    if let Some(profiles) = inline {
        let mut table = InlineTable::new();
        fill(&mut table, profile, secret_expires);
        profiles.insert(&profile.name, Value::InlineTable(table));
        return Ok(written(&document, old));
    }
    let mut table = Table::new();
    fill(&mut table, profile, secret_expires);
    let mut profiles = Table::new();
    profiles.set_implicit(true);
    profiles.insert(&profile.name, Item::Table(table));
    let mut addition = DocumentMut::new();
    addition.insert("profiles", Item::Table(profiles));
    // Each kind of file end gets a different separator, so that `remove` can restore the file.
    let addition = match old {
        "" => addition.to_string(),
        text if text.ends_with('\n') => format!("\n{addition}"),
        _ => format!("\n\n{}", addition.to_string().trim_end()),
    };
    let is_dos = old.contains("\r\n");
    Ok(old.to_owned()
        + &if is_dos {
            addition.replace('\n', "\r\n")
        } else {
            addition
        })
}

/// Serializes a document parsed from `old` with the line endings of `old`. The library writes only
/// line feeds, and always one at the end.
pub(super) fn written(document: &DocumentMut, old: &str) -> String {
    let mut text = document.to_string();
    if !old.ends_with('\n') && text.ends_with('\n') {
        text.pop();
    }
    let is_dos = old.contains('\n') && old.matches('\n').count() == old.matches("\r\n").count();
    if is_dos {
        text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    text
}

/// Sets the values of the profile. Keys without a new value are unchanged.
fn fill(table: &mut dyn TableLike, profile: &NewProfile, secret_expires: Option<Date>) {
    // A new server replaces the old one, whichever key holds it.
    let is_server = |key: &str| ["cloud_id", "base_url", "token_url"].contains(&key);
    if profile.settings.iter().any(|(key, _)| is_server(key)) {
        for key in ["cloud_id", "base_url", "token_url"] {
            if !profile.settings.iter().any(|(name, _)| *name == key) {
                table.remove(key);
            }
        }
    }
    let server = profile.settings.iter().filter(|(key, _)| is_server(key));
    let others = profile.settings.iter().filter(|(key, _)| !is_server(key));
    for (key, text) in server {
        set(table, key, text.as_str().into());
    }
    set(table, "client_id", profile.client_id.as_str().into());
    let mut source = InlineTable::new();
    match &profile.keeper {
        SecretBackend::File => source.insert("file", secret_file_name(&profile.name).into()),
        SecretBackend::DockerHelper(name) => source.insert("docker_helper", name.as_str().into()),
    };
    set(table, "client_secret", Value::InlineTable(source));
    match secret_expires.map(|date| date.to_string().parse::<toml_edit::Datetime>()) {
        Some(Ok(date)) => set(table, "secret_expires", date.into()),
        // The expiry date of the old secret does not apply to the new one.
        _ => drop(table.remove("secret_expires")),
    }
    for (key, text) in others {
        set(table, key, text.as_str().into());
    }
}

/// Sets a key. An existing comment on its line is kept.
pub(super) fn set(table: &mut dyn TableLike, key: &str, mut new: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => drop(table.insert(key, value(new))),
    }
}

/// Converts an error in the new file to an error of the input, because the old file was valid.
fn not_storable(error: ProfileError) -> ProfileError {
    match error {
        ProfileError::Invalid { problem, hint, .. } => ProfileError::NotStorable { problem, hint },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{NewProfile, SecretBackend, edited};
    use crate::types::secret::Secret;

    #[test]
    fn a_new_profile_stands_behind_an_empty_line_and_each_end_of_a_file_leads_to_another() {
        let profile = NewProfile {
            name: "p".to_owned(),
            client_id: "x.acme".to_owned(),
            client_secret: Secret::new("s3cret".to_owned()),
            lifetime: None,
            settings: vec![("cloud_id", "acme".to_owned())],
            keeper: SecretBackend::File,
            make_default: false,
        };
        let table = "[profiles.p]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n\
                     client_secret = { file = \"p.secret\" }";
        let dos = table.replace('\n', "\r\n");
        for (old, new) in [
            ("", format!("{table}\n")),
            ("# mine\n", format!("# mine\n\n{table}\n")),
            ("# mine", format!("# mine\n\n{table}")),
            ("# mine\r\n", format!("# mine\r\n\r\n{dos}\r\n")),
        ] {
            let edited = edited(Path::new("config.toml"), old, &profile, None);
            assert_eq!(edited.unwrap(), new, "{old:?}");
        }
    }
}
