//! Results of system calls on files: errors, a full disk, a limit.

use super::super::Claim;
use super::{Case, case, try_all};

/// A strace command line with these faults, for the whole process.
macro_rules! faults {
    ($faults:literal) => {
        concat!("strace -f -qq -o /dev/null -e inject=", $faults)
    };
}

/// The same, only for the system calls on one file.
macro_rules! faults_of {
    ($place:literal, $faults:literal) => {
        concat!(
            "strace -f -qq -o /dev/null -P \"$",
            $place,
            "\" -e inject=",
            $faults
        )
    };
}

const FAULTS: &[Case] = &[
    // Reading the entry.
    case("openat of the entry, EIO", "")
        .under(faults_of!("E", "?open,openat:error=EIO"))
        .missed(),
    case("openat of the entry, EACCES", "")
        .under(faults_of!("E", "?open,openat:error=EACCES"))
        .missed(),
    case("openat of the entry, ENFILE", "")
        .under(faults_of!("E", "?open,openat:error=ENFILE"))
        .missed(),
    case("openat of the entry, ESTALE", "")
        .under(faults_of!("E", "?open,openat:error=ESTALE"))
        .missed(),
    case("openat of the entry, EINTR", "")
        .under(faults_of!("E", "?open,openat:error=EINTR:when=1"))
        .served(),
    case("fstat of the entry, EIO", "")
        .under(faults_of!("E", "fstat,statx:error=EIO"))
        .missed(),
    case("read of the entry, EIO", "")
        .under(faults_of!("E", "read:error=EIO"))
        .missed(),
    case("read of the entry, ESTALE", "")
        .under(faults_of!("E", "read:error=ESTALE"))
        .missed(),
    case("read of the entry, EINTR", "")
        .under(faults_of!("E", "read:error=EINTR:when=1"))
        .served(),
    // Locking the entry.
    case("openat of the lock, EIO", "")
        .under(faults_of!("L", "?open,openat:error=EIO"))
        .served()
        .warns("Input/output error"),
    case("openat of the lock, EROFS", "")
        .under(faults_of!("L", "?open,openat:error=EROFS"))
        .served()
        .warns("Read-only"),
    case("openat of the lock, ENFILE", "")
        .under(faults_of!("L", "?open,openat:error=ENFILE"))
        .served()
        .warns("Too many open files"),
    case("flock, ENOLCK", "")
        .under(faults!("flock:error=ENOLCK"))
        .served()
        .unlocked("cannot be locked: No locks available"),
    case("flock, ENOSYS", "")
        .under(faults!("flock:error=ENOSYS"))
        .served()
        .unlocked("cannot be locked: Function not implemented"),
    case("flock, EOPNOTSUPP", "")
        .under(faults!("flock:error=EOPNOTSUPP"))
        .served()
        .unlocked("cannot be locked: Operation not supported"),
    case("flock, EIO", "")
        .under(faults!("flock:error=EIO"))
        .served()
        .unlocked("cannot be locked: Input/output error"),
    case("flock, EBADF", "")
        .under(faults!("flock:error=EBADF"))
        .served()
        .unlocked("cannot be locked: Bad file descriptor"),
    // Writing the entry.
    case("write, EIO", "")
        .under(faults!("pwrite64:error=EIO"))
        .served()
        .warns("Input/output error"),
    case("write, ENOSPC", "")
        .under(faults!("pwrite64:error=ENOSPC"))
        .served()
        .warns("No space left"),
    case("write, EDQUOT", "")
        .under(faults!("pwrite64:error=EDQUOT"))
        .served()
        .warns("quota exceeded"),
    case("write, EFBIG", "")
        .under(faults!("pwrite64:error=EFBIG"))
        .served()
        .warns("File too large"),
    case("write, EINTR", "")
        .under(faults!("pwrite64:error=EINTR:when=1"))
        .served(),
    case("fsync, EIO", "")
        .under(faults!("fsync:error=EIO"))
        .served()
        .warns("Input/output error"),
    case("fsync, ENOSPC", "")
        .under(faults!("fsync:error=ENOSPC"))
        .served()
        .warns("No space left"),
    case("fsync, EDQUOT", "")
        .under(faults!("fsync:error=EDQUOT"))
        .served()
        .warns("quota exceeded"),
    case("fsync of the directory, EIO", "")
        .under(faults_of!("C", "fsync:error=EIO"))
        .served(),
    case("openat of the directory, EACCES", "")
        .under(faults_of!("C", "?open,openat:error=EACCES"))
        .served(),
    case("rename, EIO", "")
        .under(faults!("rename:error=EIO"))
        .served()
        .warns("Input/output error"),
    case("rename, ENOSPC", "")
        .under(faults!("rename:error=ENOSPC"))
        .served()
        .warns("No space left"),
    case("rename, EROFS", "")
        .under(faults!("rename:error=EROFS"))
        .served()
        .warns("Read-only"),
    case("rename, EXDEV", "")
        .under(faults!("rename:error=EXDEV"))
        .served()
        .warns("cross-device"),
    case("rename, EPERM", "")
        .under(faults!("rename:error=EPERM"))
        .served()
        .warns("not permitted"),
    case("statx of the directory, EIO", "")
        .under(faults_of!("C", "fstat,statx:error=EIO"))
        .served()
        .warns("Input/output error"),
    case("mkdir, ENOSPC", "rm -r $C")
        .under(faults!("mkdir:error=ENOSPC"))
        .missed()
        .warns("No space left"),
    case("mkdir, EDQUOT", "rm -r $C")
        .under(faults!("mkdir:error=EDQUOT"))
        .missed()
        .warns("quota exceeded"),
    case("mkdir, EROFS", "rm -r $C")
        .under(faults!("mkdir:error=EROFS"))
        .missed()
        .warns("Read-only"),
    // Several failures at once still cause one warning.
    case("no locks and no space", "")
        .under(faults!("flock:error=ENOLCK -e inject=rename:error=ENOSPC"))
        .served()
        .warns("cannot be locked"),
    case("nothing can be changed", "")
        .under(faults!("rename,fsync,unlink,unlinkat,mkdir:error=EROFS"))
        .served()
        .warns("Read-only"),
];

#[test]
fn no_error_of_the_file_system_fails_a_good_answer() {
    let claim = Claim::that(
        "An error of open, stat, read, write, fsync, rename, mkdir or flock on the cache (EIO, \
         ENOSPC, EDQUOT, EROFS, ENOLCK and others) causes at most one warning, and the token is \
         still returned",
    );
    try_all(&claim, FAULTS);
}

/// Mounts a small file system over the directory of the cache, with the cache in it.
macro_rules! small {
    ($options:literal, $then:literal) => {
        concat!(
            "cp -a $C $A/kept; mount -t tmpfs -o ",
            $options,
            " small $H/cache; own $H/cache; mv $A/kept $C; ",
            $then
        )
    };
}

const DISKS: &[Case] = &[
    case("read-only", "mount --options-mode ignore -o remount,ro $H")
        .served()
        .warns("Read-only file system"),
    case(
        "read-only, no cache yet",
        "rm -r $C; mount --options-mode ignore -o remount,ro $H",
    )
    .missed()
    .warns("Read-only file system"),
    case(
        "read-only by a bind mount",
        "mount --bind $H/cache $H/cache; mount -o remount,ro,bind $H/cache",
    )
    .served()
    .warns("Read-only file system"),
    case(
        "64 KiB, full",
        small!(
            "size=64k",
            "dd if=/dev/zero of=$C/full bs=4k 2>/dev/null || :; own $C/full"
        ),
    )
    .served()
    .warns("No space left"),
    case(
        "64 KiB, full, no cache yet",
        small!(
            "size=64k",
            "rm -r $C; dd if=/dev/zero of=$H/cache/full bs=4k 2>/dev/null || :"
        ),
    )
    .missed()
    .warns("No space left"),
    case(
        "out of inodes",
        small!(
            "size=64k,nr_inodes=10",
            "while touch $C/$((n=n+1)) 2>/dev/null; do :; done; own $C/*"
        ),
    )
    .served()
    .warns("No space left"),
    case(
        "out of inodes, no lock yet",
        small!(
            "size=64k,nr_inodes=10",
            "rm $L; while touch $C/$((n=n+1)) 2>/dev/null; do :; done; own $C/*"
        ),
    )
    .served()
    .warns("No space left"),
    case(
        "out of inodes, no cache yet",
        small!(
            "size=64k,nr_inodes=10",
            "rm -r $C; while touch $H/cache/$((n=n+1)) 2>/dev/null; do :; done"
        ),
    )
    .missed()
    .warns("No space left"),
    case("a file may have no byte", "")
        .under("prlimit --fsize=0")
        .served()
        .warns("File too large"),
    case("a file may have 100 bytes", "")
        .under("prlimit --fsize=100")
        .served()
        .warns("File too large"),
    case("a file may have 4 KiB", "")
        .under("prlimit --fsize=4096")
        .served(),
    case("no limit on files", "")
        .under("prlimit --fsize=unlimited")
        .served(),
];

#[test]
fn a_disk_that_takes_nothing_costs_a_warning_and_never_the_answer() {
    let claim = Claim::that(
        "A disk that is read-only, full or out of inodes, or a limit on the file size, causes \
         one warning; the token is still returned, and no partial entry is left",
    );
    try_all(&claim, DISKS);
}
