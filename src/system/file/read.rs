//! Reads files that another user may have written.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use thiserror::Error;
use zeroize::Zeroizing;

/// The checks that a file must pass before its content is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Any file that the user named, except pipes and sockets: opening or reading one could block
    /// forever. Links are followed.
    Anything,
    /// A secret that was stored for this user. It must be a regular file. Links are followed,
    /// because Kubernetes mounts secrets as links. Only the owner may read it and, if the owner is
    /// root, its group. A pipe is rejected: it can be read only once, and this program may read it
    /// twice.
    Secret,
    /// This program's own file: a regular file of this user, not a link, mode 0600 or stricter.
    Own,
}

/// The reasons why a file cannot be read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// The file does not exist.
    #[error("it does not exist")]
    Missing,
    /// Other users can read or write it.
    #[cfg_attr(not(unix), expect(dead_code, reason = "file modes exist only on Unix"))]
    #[error("others can read it (mode {mode:04o})")]
    Exposed {
        /// The permission bits.
        mode: u32,
    },
    /// It is a link, a pipe, a directory or a device, or it belongs to another user.
    #[error("it is {0}")]
    Foreign(&'static str),
    /// It is larger than the limit.
    #[error("it is larger than {}", shown_size(*.0))]
    TooLarge(u64),
    /// The error of the system.
    #[error("{0}")]
    Io(#[from] io::Error),
}

fn shown_size(bytes: u64) -> String {
    let (kib, mib) = (bytes / 1024, bytes / (1024 * 1024));
    if mib > 0 {
        format!("{mib} MiB")
    } else {
        format!("{kib} KiB")
    }
}

/// Reads at most `limit` bytes. A larger file is an error and is never truncated.
pub(crate) fn read(path: &Path, limit: u64, trust: Trust) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    read_with_metadata(path, limit, trust).map(|(bytes, _)| bytes)
}

/// As [`read`], but also returns the metadata of the file.
pub(crate) fn read_with_metadata(
    path: &Path,
    limit: u64,
    trust: Trust,
) -> Result<(Zeroizing<Vec<u8>>, Metadata), ReadError> {
    let file = open(path, trust)?;
    let metadata = file.metadata()?;
    check(&metadata, trust)?;
    let size = if metadata.is_file() {
        metadata.len()
    } else {
        0
    };
    if size > limit {
        return Err(ReadError::TooLarge(limit));
    }
    // With spare capacity the buffer never grows, and the standard library does not use a buffer of
    // its own, which it would not wipe.
    let size = usize::try_from(size).unwrap_or(0);
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 64));
    if !is_read_at_once(&file, size, &mut bytes)? {
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge(limit));
    }
    Ok((bytes, metadata))
}

/// Fills the buffer, which is larger than the file, and returns whether the whole file was read.
/// Then no second read is needed to detect the end.
#[cfg(unix)]
fn is_read_at_once(file: &File, size: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
    use rustix::buffer::spare_capacity;
    use rustix::io::{read, retry_on_intr};

    let count = retry_on_intr(|| read(file, spare_capacity(bytes)))?;
    Ok(count == size && size > 0)
}

#[cfg(not(unix))]
fn is_read_at_once(_: &File, _: usize, _: &mut Vec<u8>) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn open(path: &Path, trust: Trust) -> Result<File, ReadError> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::{Errno, retry_on_intr};

    // Without `NONBLOCK`, opening a pipe without a writer would block forever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let flags = match trust {
        Trust::Anything | Trust::Secret => flags,
        Trust::Own => flags | OFlags::NOFOLLOW,
    };
    // The standard library is not used here: with musl, its open sets close-on-exec twice.
    match retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())) {
        Ok(file) => Ok(File::from(file)),
        Err(Errno::NOENT) => Err(ReadError::Missing),
        Err(Errno::LOOP) => Err(ReadError::Foreign("a symbolic link")),
        Err(error) => Err(ReadError::Io(error.into())),
    }
}

#[cfg(not(unix))]
fn open(path: &Path, _: Trust) -> Result<File, ReadError> {
    File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(error),
    })
}

#[cfg(unix)]
fn check(metadata: &Metadata, trust: Trust) -> Result<(), ReadError> {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

    let mode = metadata.mode() & 0o7777;
    let owner = metadata.uid();
    // `/dev/null` is accepted as an empty file.
    let is_null = trust == Trust::Anything && metadata.file_type().is_char_device();
    if !metadata.is_file() && !is_null {
        return Err(ReadError::Foreign("not a regular file"));
    }
    let is_own = || owner == rustix::process::geteuid().as_raw();
    let exposing = match trust {
        Trust::Anything => 0,
        Trust::Own if !is_own() => return Err(ReadError::Foreign("another user's file")),
        Trust::Secret if owner == 0 && !is_own() => 0o007,
        Trust::Secret | Trust::Own => 0o077,
    };
    if mode & exposing == 0 {
        Ok(())
    } else {
        Err(ReadError::Exposed { mode })
    }
}

#[cfg(not(unix))]
fn check(metadata: &Metadata, trust: Trust) -> Result<(), ReadError> {
    if trust != Trust::Anything && !metadata.is_file() {
        return Err(ReadError::Foreign("not a regular file"));
    }
    Ok(())
}
