//! The secret file that `store` writes beside the configuration file.

use std::io;
use std::path::Path;

use super::SourceError;
use crate::system::file;
use crate::types::secret::{Secret, joined};

/// Writes the secret and a newline atomically, with mode 0600. The guard is that of the
/// configuration file, so there is only one writer, and files of killed writers are removed.
pub(super) fn put(path: &Path, secret: &Secret, guard: &file::Guard) -> Result<(), SourceError> {
    let line = joined(&[secret.expose(), "\n"]);
    file::replace(path, line.as_bytes(), guard).map_err(|error| unusable(path, error))
}

/// Removes the file, but first the temporary files of killed writers. A missing file is not an
/// error. A concurrent writer fails with an error.
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
