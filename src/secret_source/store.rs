//! The secret file that `store` keeps beside the configuration.

use std::io;
use std::path::Path;

use super::SourceError;
use crate::system::file;
use crate::types::secret::{Secret, joined};

/// Writes the secret and a newline, 0600, atomically. The guard is that of the configuration, so
/// no two writers meet, and what a killed one left behind is cleaned up.
pub(super) fn put(path: &Path, secret: &Secret, guard: &file::Guard) -> Result<(), SourceError> {
    let line = joined(&[secret.expose(), "\n"]);
    file::replace(path, line.as_bytes(), guard).map_err(|error| unusable(path, error))
}

/// Removes it, and first what killed writers left of one beside it; what is not there is no error.
/// Whoever writes it at this very moment fails and says so.
pub(super) fn remove(path: &Path) -> Result<(), SourceError> {
    let mut leftovers = file::temporaries_of(path);
    let removed = leftovers.try_for_each(|leftover| file::remove(&leftover));
    removed
        .and_then(|()| file::remove(path))
        .map_err(|error| unusable(path, error))
}

fn unusable(path: &Path, error: io::Error) -> SourceError {
    SourceError::File {
        path: path.to_owned(),
        error: file::ReadError::Io(error),
    }
}
