//! Replacing a file whole or not at all, and the private folder it stands in.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::Guard;

/// A temporary file that is older than this has no writer any more.
const ABANDONED: Duration = Duration::from_secs(60);

/// Replaces `path` by a file with these bytes: a temporary file in the same directory, 0600 and created
/// exclusively, written, synced, renamed over `path`, and the directory synced.
///
/// The guard is that of the lock of `path`. After a crash at any moment `path` is the old file or the
/// new one. The temporary file of a killed process is removed by the next call that holds the
/// lock, or `ABANDONED` later by a call that does not.
///
/// # Errors
/// The error of the file system; `path` is then unchanged.
pub(crate) fn replace(path: &Path, bytes: &[u8], guard: &Guard) -> io::Result<()> {
    put(path, bytes, guard, None, Sync::Yes)
}

/// As [`replace`], without a sync: after a power cut the file may be the old one or incomplete.
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

/// Whether a file is to survive a power cut.
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
        // Their writers are dead: this process holds the lock.
        temporaries_of(path).try_for_each(|temporary| remove(&temporary))?;
    }
    let temporary = temporary_path(path)?;
    // If nothing can be removed here, nothing secret is written here.
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
        // Not every system can sync a directory; the file is in its place.
        drop(sync_folder(path));
    }
    Ok(())
}

/// Puts `bytes` in the place of a file that is the user's: as [`replace`] does, but with the mode
/// and the owner that the file has, and where a link stands, in the place of what it leads to.
/// A new file gets `new_mode` (less the umask), and the folders above it are made for this user
/// alone.
///
/// Other programs do not know our locks. The temporary file is `NAME.lock`, which git and kubectl
/// make before they change theirs, as another run of this program does; `check` is asked while it
/// is there, so that nobody's change is lost.
///
/// # Errors
/// As the file system and `check` say, where somebody else has the lock, and for anything but a
/// regular file of this user; `path` is then as it was.
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

/// Writes a new file and gives it the owner and the mode of another. All of it through the handle:
/// in a folder of somebody else's the name could lead elsewhere by now.
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

/// Writes with `pwrite`, which no pipe and no socket is written with: so fault injection can make the
/// writes to files fail and no others.
#[cfg(unix)]
fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn write_at_start(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    io::Write::write_all(file, bytes)
}

/// Whether this process may write a file of that size (`ulimit -f`). The system would send a signal that
/// ends the process (SIGXFSZ), and a good answer with it; to have it ignored takes unsafe code or one
/// more library, and this is one system call a written file.
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

/// Removes a file that [`replace`] writes, and under its lock the temporary files of killed writers.
/// A missing file is not an error.
///
/// # Errors
/// The error of the file system, or if the lock was lost: the file may be of the process that holds
/// the new lock.
pub(crate) fn remove_all_of(path: &Path, guard: &Guard) -> io::Result<()> {
    if guard.is_lost() {
        return Err(io::Error::other("its lock was removed meanwhile"));
    }
    if guard.is_exclusive() {
        temporaries_of(path).try_for_each(|temporary| remove(&temporary))?;
    }
    remove(path)
}

/// The temporary files of `path`, of writers that live and of killed ones.
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

/// Removes the temporary files of `path` that are so much older than `new` that nobody writes them
/// any more. The file system's own clock decides. What stays is tried again by the next writer.
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

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes `folder` (and what is above it) for this user alone, mode 0700. One that is there is
/// taken as it is, and never changed: it may be anything that somebody named. A `home` that is not there is
/// not made: it may be mounted later, or be called `/nonexistent` because there is to be none.
///
/// # Errors
/// Where the folder is a link, a file or another user's, where others can write in it, or where
/// it cannot be made.
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

/// A random name beside `path`, so that two writers never use the same file.
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
    expect(unused_variables, reason = "modes are a thing of Unix")
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

/// Makes the rename itself durable. Windows has no handle for that and needs none.
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
        assert_eq!(kept().2 & 0o7777, 0o600, "a new one is the user's alone");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        // Only root can give a file away; anybody else keeps what is his.
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
        assert!(folder.path().join("config.lock").exists(), "it is git's");

        std::fs::remove_file(folder.path().join("config.lock")).unwrap();
        let changed = || Err(std::io::Error::other("it was changed"));
        assert!(rewrite(&path, b"new", 0o600, changed).is_err());
        assert_eq!(text().as_slice(), b"old");
        assert!(!folder.path().join("config.lock").exists(), "it was ours");
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
            "whoever writes there can swap our files"
        );

        let mode = folder.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(
            mode, 0o1777,
            "somebody may have named /tmp, and others need it"
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
            "a link may lead anywhere"
        );
    }
}
