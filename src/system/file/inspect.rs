//! Inspects files and directories. Does not trust or change their content.

use std::fs;
use std::io;
use std::path::Path;

use super::replace::{create_private_folder, remove, write_new};

/// The type, permissions and ownership of a file or a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStatus {
    /// Whether it is a directory.
    pub(crate) is_folder: bool,
    /// The permission bits, if the system has them.
    pub(crate) mode: Option<u32>,
    /// Whether the owner is neither this user nor root.
    pub(crate) is_foreign: bool,
}

impl FileStatus {
    /// Reads the status of `path`; follows links.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let (mode, is_foreign) = rights(&metadata);
        Ok(Self {
            is_folder: metadata.is_dir(),
            mode,
            is_foreign,
        })
    }

    /// Returns the mode if other users can write to it. A directory with the sticky bit does not
    /// count, because they cannot replace existing files in it.
    pub(crate) fn writable_for_others(&self) -> Option<u32> {
        let is_sticky = |mode: u32| self.is_folder && mode & 0o1000 != 0;
        self.mode
            .filter(|mode| mode & 0o022 != 0 && !is_sticky(*mode))
    }
}

/// Returns the permission bits, and whether it belongs to another user.
#[cfg(unix)]
fn rights(metadata: &fs::Metadata) -> (Option<u32>, bool) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = metadata.uid();
    let is_foreign = owner != 0 && owner != rustix::process::geteuid().as_raw();
    (Some(metadata.mode() & 0o7777), is_foreign)
}

#[cfg(not(unix))]
fn rights(_: &fs::Metadata) -> (Option<u32>, bool) {
    (None, false)
}

/// Returns the reason why another user could have written the file with this metadata; `None` if
/// only this user and root could. The caller's primary group counts as the caller's own.
#[cfg(unix)]
pub(crate) fn foreign_writer(metadata: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        Some(format!("belongs to another user (user ID {owner})"))
    } else if mode & 0o002 != 0 {
        Some(format!("can be written by every user (mode {mode:04o})"))
    } else if mode & 0o020 != 0 && metadata.gid() != rustix::process::getegid().as_raw() {
        Some(format!("can be written by a group (mode {mode:04o})"))
    } else {
        None
    }
}

#[cfg(not(unix))]
pub(crate) fn foreign_writer(_: &fs::Metadata) -> Option<String> {
    None
}

/// Creates the private directory `folder`, if it is missing, and a file in it. Only the directory
/// is kept.
pub(crate) fn try_writing(folder: &Path, home: Option<&Path>) -> io::Result<()> {
    create_private_folder(folder, home)?;
    let random = getrandom::u64().map_err(io::Error::other)?;
    let path = folder.join(format!("probe.{random:016x}.new"));
    let written = write_new(&path, b"\n");
    remove(&path)?;
    written
}

/// Returns the kind of network file system of `path`; `None` if it is on none of the known ones.
#[cfg(target_os = "linux")]
pub(crate) fn network_file_system(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    u32::try_from(kind & 0xffff_ffff)
        .ok()
        .and_then(name_of_kind)
}

/// Other systems are not checked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// Maps the file system types of statfs(2) to names.
#[cfg(target_os = "linux")]
fn name_of_kind(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x0116_1970 => "GFS2",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::{FileStatus, name_of_kind, network_file_system, try_writing};

    #[test]
    fn a_local_file_system_is_none_of_the_network() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(network_file_system(folder.path()), None);
        assert_eq!(name_of_kind(0x6969), Some("NFS"));
        assert_eq!(name_of_kind(0xef53), None, "ext4");
    }

    #[test]
    fn a_sticky_folder_lets_nobody_replace_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let with = |mode: u32| {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            FileStatus::of(folder.path()).unwrap().writable_for_others()
        };
        assert_eq!(with(0o777), Some(0o777));
        assert_eq!(with(0o1777), None);
        assert_eq!(with(0o755), None);
    }

    #[test]
    fn a_try_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("cache");
        try_writing(&folder, None).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
