//! Looks up other programs, and removes secret variables from their environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::environment::Environment;

/// The variable that holds a client secret.
pub(crate) const SECRET_VARIABLE: &str = "CLOUDCONNEXA_CLIENT_SECRET";

/// The variable that holds the password of the shared store.
pub(crate) const STORE_PASSWORD_VARIABLE: &str = "CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD";

/// The variable that holds a token, set by `exec`.
pub(crate) const TOKEN_VARIABLE: &str = "CLOUDCONNEXA_TOKEN";

/// The directories that are searched if PATH is unset or empty.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// `ENOENT`, and `ERROR_FILE_NOT_FOUND` on Windows.
const NOT_FOUND: i32 = 2;

/// `EACCES`; only Unix has files that cannot be executed.
const NOT_EXECUTABLE: i32 = 13;

/// Returns a command for a program, without the variables that hold a secret in its environment.
///
/// # Errors
/// `NotFound` if no absolute directory of PATH has the program;
/// `PermissionDenied` if it is there and cannot be executed.
pub(crate) fn command(name: &OsStr, environment: &Environment) -> io::Result<Command> {
    let path = environment.raw("PATH");
    let path = path.unwrap_or_else(|| OsString::from(DEFAULT_PATH));
    let mut command = Command::new(find(name, &path)?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, name);
    for variable in [SECRET_VARIABLE, STORE_PASSWORD_VARIABLE, TOKEN_VARIABLE] {
        command.env_remove(variable);
    }
    for variable in environment.secret_variables() {
        command.env_remove(variable);
    }
    Ok(command)
}

/// Looks a name up in the absolute directories of `path`. Empty and relative elements are skipped:
/// they mean the working directory, which another user may control. A name with a separator is
/// already a path.
fn find(name: &OsStr, path: &OsStr) -> io::Result<PathBuf> {
    let parent = Path::new(name).parent();
    if parent.is_none_or(|parent| !parent.as_os_str().is_empty()) {
        return Ok(PathBuf::from(name));
    }
    let mut error = NOT_FOUND;
    for directory in env::split_paths(path).filter(|directory| directory.is_absolute()) {
        for candidate in candidates(&directory, name) {
            if !candidate.is_file() {
                continue;
            }
            if is_executable(&candidate) {
                return Ok(candidate);
            }
            error = NOT_EXECUTABLE;
        }
    }
    Err(io::Error::from_raw_os_error(error))
}

#[cfg(unix)]
fn candidates(directory: &Path, name: &OsStr) -> [PathBuf; 1] {
    [directory.join(name)]
}

#[cfg(not(unix))]
fn candidates(directory: &Path, name: &OsStr) -> [PathBuf; 2] {
    let mut with_extension = name.to_owned();
    with_extension.push(".exe");
    [directory.join(with_extension), directory.join(name)]
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_executable(_: &Path) -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::io::ErrorKind;
    use std::path::Path;

    use super::find;

    #[test]
    fn only_absolute_directories_are_searched() {
        let found = |name: &str, path: &str| {
            let found = find(OsStr::new(name), OsStr::new(path));
            found.map_err(|error| error.kind())
        };
        assert_eq!(
            found("sh", ":.:bin:/bin:").as_deref(),
            Ok(Path::new("/bin/sh"))
        );
        // The working directory of a unit test is the directory of the package.
        for path in ["", ":", ".", "::/nowhere", "src:tests"] {
            assert_eq!(
                found("build.rs", path),
                Err(ErrorKind::NotFound),
                "{path:?}"
            );
        }
        assert_eq!(found("./x", "").as_deref(), Ok(Path::new("./x")), "a path");
    }
}
