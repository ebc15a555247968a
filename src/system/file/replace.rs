//! Replaces files atomically, and creates their private directory.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::Guard;

/// A temporary file older than this no longer has a writer.
const ABANDONED: Duration = Duration::from_secs(60);

/// Replaces `path` by a file with these bytes. Creates a temporary file in the same directory,
/// exclusively and with mode 0600, writes and syncs it, renames it to `path`, and syncs the
/// directory.
///
/// The guard is that of the lock of `path`. After a crash at any moment `path` is the old file or
/// the new one. The temporary file of a killed process is removed by the next call that holds the
/// lock, or `ABANDONED` later by a call that does not.
///
/// # Errors
/// The error of the file system; `path` is then unchanged.
pub(crate) fn replace(path: &Path, bytes: &[u8], guard: &Guard) -> io::Result<()> {
    put(path, bytes, guard, None, Sync::Yes)
}

/// As [`replace`], without a sync: after a power failure the file may be the old one or incomplete.
pub(crate) fn replace_unsynced(path: &Path, bytes: &[u8], guard: &Guard) -> io::Result<()> {
    put(path, bytes, guard, None, Sync::No)
}

/// As [`replace`], but keeps the mode and the owner of an existing file.
pub(crate) fn replace_as_it_is(path: &Path, bytes: &[u8], guard: &Guard) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(old) => put(path, bytes, guard, Some(&old), Sync::Yes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(path, bytes, guard),
        Err(error) => Err(error),
    }
}

/// Whether a file must survive a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    Yes,
    No,
}

fn put(
    path: &Path,
    bytes: &[u8],
    guard: &Guard,
    old: Option<&fs::Metadata>,
    sync: Sync,
) -> io::Result<()> {
    let is_exclusive = guard.is_exclusive();
    if is_exclusive {
        // This process holds the lock, so the writers of these files are dead.
        temporaries_of(path).try_for_each(|temporary| remove(&temporary))?;
    }
    let temporary = temporary_path(path)?;
    // If files cannot be removed here, do not write a secret here.
    remove(&temporary)?;
    let result = create_new(&temporary, 0o600)
        .inspect(|file| {
            if !is_exclusive {
                remove_abandoned(path, file);
            }
        })
        .and_then(|file| fill(file, bytes, old, sync))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        remove(&temporary)?;
        return result;
    }
    if sync == Sync::Yes {
        // Not every system can sync a directory. The file is already replaced.
        drop(sync_folder(path));
    }
    Ok(())
}

/// Replaces a file of the user as [`replace`] does, but keeps the mode and the owner of the file.
/// If `path` is a link, replaces its target. A new file gets `new_mode` (less the umask), and
/// missing parent directories are created for this user only.
///
/// Other programs do not use this program's locks. The temporary file is `NAME.lock`: git, kubectl
/// and other processes of this program create the same file before they change theirs. `check` is
/// called while it exists, so that no other change is lost.
///
/// # Errors
/// The error of the file system or of `check`; also if another program has the lock, or if `path`
/// is not a regular file of this user. `path` is then unchanged.
pub(crate) fn rewrite(
    path: &Path,
    bytes: &[u8],
    new_mode: u32,
    check: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    let is_there = fs::symlink_metadata(path).is_ok();
    let path = if is_there {
        fs::canonicalize(path)?
    } else {
        path.to_owned()
    };
    if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".lock");
    let temporary = path.with_file_name(name);
    let file = create_new(&temporary, if is_there { 0o600 } else { new_mode });
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::Error::other(format!(
            "another program is changing it; if none is, remove `{}`",
            crate::types::quote::path(&temporary)
        )),
        _ => error,
    })?;
    let written = check()
        .and_then(|()| is_there.then(|| fs::metadata(&path)).transpose())
        .and_then(|old| match old {
            Some(old) if !old.is_file() => {
                let problem = "it is not a regular file";
                Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
            }
            old => fill(file, bytes, old.as_ref(), Sync::Yes),
        })
        .and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        remove(&temporary)?;
        return written;
    }
    drop(sync_folder(&path));
    Ok(())
}

/// Writes a new file and gives it the owner and the mode of another file. Uses only the handle: in
/// another user's directory the name could now refer to another file.
fn fill(mut file: File, bytes: &[u8], old: Option<&fs::Metadata>, sync: Sync) -> io::Result<()> {
    check_size_limit(bytes)?;
    write_at_start(&mut file, bytes)?;
    if let Some(old) = old {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt as _, fchown};
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
        }
        file.set_permissions(old.permissions())?;
    }
    match sync {
        Sync::Yes => file.sync_all(),
        Sync::No => Ok(()),
    }
}

/// Writes with `pwrite`, which is never used for pipes and sockets. So fault injection can fail
/// only the writes to files.
#[cfg(unix)]
fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    io::Write::write_all(file, bytes)
}

/// Checks that this process may write a file of that size (`ulimit -f`). Otherwise the system would
/// end the process with SIGXFSZ, and a valid response would be lost. To ignore the signal takes
/// unsafe code or one more library; this takes one system call per written file.
#[cfg(unix)]
fn check_size_limit(bytes: &[u8]) -> io::Result<()> {
    use rustix::process::{Resource, getrlimit};
    match getrlimit(Resource::Fsize).current {
        Some(limit) if limit < bytes.len() as u64 => Err(rustix::io::Errno::FBIG.into()),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_size_limit(_: &[u8]) -> io::Result<()> {
    Ok(())
}

/// Removes a file that [`replace`] writes and, if the lock is held, the temporary files of killed
/// writers. A missing file is not an error.
///
/// # Errors
/// The error of the file system, or if the lock was lost: the file may belong to the process that
/// holds the new lock.
pub(crate) fn remove_all_of(path: &Path, guard: &Guard) -> io::Result<()> {
    if guard.is_lost() {
        return Err(io::Error::other("its lock was removed meanwhile"));
    }
    if guard.is_exclusive() {
        temporaries_of(path).try_for_each(|temporary| remove(&temporary))?;
    }
    remove(path)
}

/// Returns the temporary files of `path`, of live and of killed writers.
pub(crate) fn temporaries_of(path: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.file_name().unwrap_or_default().to_owned();
    let folder = path.parent().map(fs::read_dir).and_then(Result::ok);
    let files = folder.into_iter().flatten().flatten();
    let is_temporary = move |other: &Path| {
        let other = other.file_name().and_then(OsStr::to_str);
        let middle = other.and_then(|it| it.strip_prefix(name.to_str()?)?.strip_suffix(".new"));
        let random = middle.and_then(|middle| middle.strip_prefix('.'));
        random.is_some_and(|it| it.len() == 16 && it.bytes().all(|it| it.is_ascii_hexdigit()))
    };
    files
        .map(|file| file.path())
        .filter(move |path| is_temporary(path))
}

/// Removes temporary files of `path` that are so much older than `new` that they have no writer.
/// Ages are measured with the clock of the file system. The next writer retries a failed removal.
fn remove_abandoned(path: &Path, new: &File) {
    let modified = |metadata: io::Result<fs::Metadata>| metadata.and_then(|it| it.modified()).ok();
    let Some(now) = modified(new.metadata()) else {
        return;
    };
    for temporary in temporaries_of(path) {
        let written = modified(fs::symlink_metadata(&temporary));
        let age = written.and_then(|written| now.duration_since(written).ok());
        if age.is_some_and(|age| age > ABANDONED) {
            drop(remove(&temporary));
        }
    }
}

/// Removes a file. A missing file is not an error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Creates `folder` and its missing parents for this user only, with mode 0700. An existing
/// directory is never changed, because the user may have configured any directory. A missing `home`
/// is not created: it may be mounted later, or be a placeholder such as `/nonexistent`.
///
/// # Errors
/// If the directory is a link, a file or another user's, if other users can write to it, or if it
/// cannot be created.
pub(crate) fn create_private_folder(folder: &Path, home: Option<&Path>) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_missing = |home: &&Path| folder.starts_with(home) && !home.exists();
            if let Some(home) = home.filter(is_missing) {
                let problem = format!("there is no home `{}`", crate::types::quote::path(home));
                return Err(io::Error::new(io::ErrorKind::NotFound, problem));
            }
            builder.create(folder)?;
        }
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        let is = if metadata.is_symlink() {
            "a symbolic link"
        } else {
            "a file, not a folder"
        };
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("it is {is}"),
        ));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let denied = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return denied("it is another user's".to_owned());
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o022 != 0 {
            return denied(format!("others can write there (mode {mode:04o})"));
        }
    }
    Ok(())
}

/// Returns a random name beside `path`, so that two writers never use the same file.
fn temporary_path(path: &Path) -> io::Result<PathBuf> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{random:016x}.new"));
    Ok(path.with_file_name(name))
}

pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fill(create_new(path, 0o600)?, bytes, None, Sync::Yes)
}

#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "file modes exist only on Unix")
)]
fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(mode);
    }
    options.open(path)
}

/// Makes the rename itself durable. Windows has no handle for that and does not need one.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;

    use super::replace;
    #[cfg(unix)]
    use super::{create_private_folder, remove, replace_as_it_is, rewrite, write_new};
    use crate::system::file::{Attempt, try_exclusive};

    #[test]
    fn a_leftover_of_a_killed_writer_does_not_stand_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.json");
        File::create(folder.path().join("entry.json.0123456789abcdef.new")).unwrap();
        let Attempt::Held(guard) = try_exclusive(&folder.path().join("entry.lock")).unwrap() else {
            panic!("nobody else holds the lock");
        };

        replace(&path, b"new", &guard).unwrap();

        let mut text = String::new();
        File::open(&path)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "new");
        assert!(
            !folder
                .path()
                .join("entry.json.0123456789abcdef.new")
                .exists(),
            "the leftover is gone"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_rewritten_keeps_its_mode_whatever_the_umask() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for mode in [0o600, 0o664, 0o666, 0o400] {
            remove(&path).unwrap();
            write_new(&path, b"old").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();

            rewrite(&path, b"new", 0o600, || Ok(())).unwrap();

            let kept = path.metadata().unwrap().permissions().mode() & 0o7777;
            assert_eq!(kept, mode, "{kept:04o} instead of {mode:04o}");
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_as_it_is_stays_its_owners() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        let kept = || {
            path.metadata()
                .map(|it| (it.uid(), it.gid(), it.mode()))
                .unwrap()
        };
        let guard = crate::system::file::Guard::without_lock();
        replace_as_it_is(&path, b"old", &guard).unwrap();
        assert_eq!(kept().2 & 0o7777, 0o600, "only the user has access");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        // Only root can change the owner; for other users the owner stays the same.
        drop(chown(&path, Some(65534), Some(65534)));
        let before = kept();

        replace_as_it_is(&path, b"new", &guard).unwrap();

        assert_eq!(kept(), before);
        assert_eq!(path.metadata().unwrap().len(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_another_program_is_changing_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let text =
            || crate::system::file::read(&path, 16, crate::system::file::Trust::Own).unwrap();
        write_new(&path, b"old").unwrap();
        File::create(folder.path().join("config.lock")).unwrap();
        assert!(rewrite(&path, b"new", 0o600, || Ok(())).is_err());
        assert_eq!(text().as_slice(), b"old");
        assert!(folder.path().join("config.lock").exists(), "git's lock");

        std::fs::remove_file(folder.path().join("config.lock")).unwrap();
        let changed = || Err(std::io::Error::other("it was changed"));
        assert!(rewrite(&path, b"new", 0o600, changed).is_err());
        assert_eq!(text().as_slice(), b"old");
        assert!(!folder.path().join("config.lock").exists(), "our lock");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_others_can_write_in_is_refused_and_left_as_it_is() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("tmp");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o1777)).unwrap();

        assert!(
            create_private_folder(&folder, None).is_err(),
            "users who can write there can replace our files"
        );

        let mode = folder.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(
            mode, 0o1777,
            "the user may have configured /tmp, and other users need it"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_home_that_is_not_there_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let home = parent.path().join("home");
        let folder = home.join(".cache/ours");

        let made = create_private_folder(&folder, Some(&home));
        assert!(made.is_err() && !home.exists(), "{made:?}");

        std::fs::create_dir(&home).unwrap();
        create_private_folder(&folder, Some(&home)).unwrap();
        let elsewhere = parent.path().join("elsewhere/ours");
        create_private_folder(&elsewhere, Some(parent.path().join("none").as_ref())).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let link = parent.path().join("cache");
        std::os::unix::fs::symlink(parent.path(), &link).unwrap();
        assert!(
            create_private_folder(&link, None).is_err(),
            "the target of a link is not trusted"
        );
    }
}
