//! The entries on disk.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Entry, FILE_NAME_END};
use super::key::Key;
use crate::system::file::{self, Attempt, Guard, Kind, Trust, WaitError, WaitPolicy};

/// The maximum size of an entry that is read, in bytes.
const LARGEST: u64 = 256 * 1024;

/// The maximum size of a reminder file, which contains a day, in bytes.
const LONGEST_DAY: u64 = 32;

/// The directory of all entries.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    home: Option<PathBuf>,
}

impl Cache {
    /// Creates the cache in a directory. `folder` need not exist, but `home` must exist.
    pub(crate) fn in_folder(folder: PathBuf, home: Option<PathBuf>) -> Self {
        Self { folder, home }
    }

    /// The files of one identity.
    pub(crate) fn slot(self, key: Key) -> Slot {
        let file = |ending| self.folder.join([key.as_str(), ending].concat());
        // A program version with another format has its own entries and does not overwrite these.
        let (entry, lock_file) = (file(FILE_NAME_END), file(".lock"));
        Slot {
            folder: self.folder,
            home: self.home,
            entry,
            lock_file,
            key,
        }
    }
}

/// The two files of one identity.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    folder: PathBuf,
    home: Option<PathBuf>,
    entry: PathBuf,
    lock_file: PathBuf,
    key: Key,
}

impl Slot {
    /// Reads the entry without a lock and in one read. Returns an empty entry if it is invalid.
    pub(crate) fn read(&self) -> Entry {
        file::read(&self.entry, LARGEST, Trust::Own)
            .ok()
            .and_then(|bytes| Entry::from_bytes(&bytes, &self.key))
            .unwrap_or_default()
    }

    /// Returns whether the entry exists, or a temporary file that a killed writer left behind.
    pub(crate) fn is_there(&self) -> bool {
        let is_left = || file::temporaries_of(&self.entry).next().is_some();
        self.entry.symlink_metadata().is_ok() || is_left()
    }

    /// Creates the directory for the lock and the entry if it does not exist.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        file::create_private_folder(&self.folder, self.home.as_deref())
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_lock(&self) -> io::Result<Attempt> {
        self.with_folder(|| file::try_exclusive(&self.lock_file))
    }

    /// Waits for the lock. A directory that was removed meanwhile is created again.
    pub(crate) fn wait(&self, kind: Kind, policy: &WaitPolicy<'_>) -> Result<Guard, WaitError> {
        self.with_folder(|| match file::wait(&self.lock_file, kind, policy) {
            Ok(guard) => Ok(Ok(guard)),
            Err(WaitError::Io(error)) => Err(error),
            Err(error) => Ok(Err(error)),
        })?
    }

    /// Replaces the entry. The new entry is durable when this returns. `guard` is the lock on
    /// [`Slot::lock_file`].
    pub(crate) fn write(&self, entry: &Entry, guard: &Guard) -> io::Result<()> {
        let bytes = entry.to_bytes(&self.key);
        self.with_folder(|| file::replace(&self.entry, &bytes, guard))
    }

    /// Like [`Slot::write`], but without a sync. For data whose loss in a power failure costs one
    /// request.
    pub(crate) fn write_note(&self, entry: &Entry, guard: &Guard) -> io::Result<()> {
        let bytes = entry.to_bytes(&self.key);
        self.with_folder(|| file::replace_unsynced(&self.entry, &bytes, guard))
    }

    /// Runs `act`. If it fails because the directory was removed, creates the directory and
    /// retries.
    fn with_folder<T>(&self, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match act() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.prepare()?;
                act()
            }
            done => done,
        }
    }

    /// Removes the entry and the temporary files of killed writers. If no file can be written, this
    /// is the only way to remove a token.
    pub(crate) fn remove(&self, guard: &Guard) -> io::Result<()> {
        file::remove_all_of(&self.entry, guard)
    }

    /// Returns whether a reminder was already recorded for `day`. Returns `false` if this is not
    /// known.
    pub(crate) fn was_reminded(&self, day: &str) -> bool {
        let noted = file::read(&self.reminder(), LONGEST_DAY, Trust::Own);
        noted.is_ok_and(|noted| noted.as_slice() == day.as_bytes())
    }

    /// Records a reminder for `day`. If two processes do this at once, the result is the same.
    pub(crate) fn note_reminder(&self, day: &str) -> io::Result<()> {
        self.prepare()?;
        file::replace(&self.reminder(), day.as_bytes(), &Guard::without_lock())
    }

    fn reminder(&self) -> PathBuf {
        self.entry.with_extension("reminded")
    }

    /// The directory of the cache.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The lock file.
    pub(crate) fn lock_file(&self) -> &Path {
        &self.lock_file
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::Cache;
    use crate::cache::{CachedToken, Entry, Identity, Key};
    use crate::system::file::Guard;
    use crate::types::token::{AccessToken, Token};

    #[test]
    fn a_long_token_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::of(&Identity {
            token_url: "https://a",
            client_id: "i",
            scope: None,
            audience: None,
        });
        let slot = Cache::in_folder(folder.path().to_owned(), None).slot(key);
        let text = "t".repeat(16 * 1024);
        let token = Token {
            access_token: AccessToken::parse(text.clone()).unwrap(),
            scope: None,
            requested_at: OffsetDateTime::UNIX_EPOCH,
            obtained_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(3600),
        };
        let entry = Entry {
            tokens: vec![CachedToken {
                token,
                secret: None,
                is_refused: false,
            }],
            ..Entry::default()
        };
        slot.write(&entry, &Guard::without_lock()).unwrap();
        let read = slot
            .read()
            .tokens
            .pop()
            .map(|cached| cached.token.access_token);
        assert_eq!(read.as_ref().map(AccessToken::expose), Some(text.as_str()));
    }
}
