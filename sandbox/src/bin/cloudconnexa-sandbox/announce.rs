//! Telling a client where the sandbox is: the CA's file, the lines to paste, the ready file.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cloudconnexa_sandbox::Sandbox;
use tempfile::{NamedTempFile, TempDir};

/// The directory of `ca.pem`; a temporary one is removed when this is dropped.
pub(crate) enum Home {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Home {
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<Self> {
        let Some(directory) = directory else {
            return private(tempfile::Builder::new().prefix("cloudconnexa-sandbox-"))
                .tempdir()
                .map(Self::Temporary);
        };
        fs::create_dir_all(directory)?;
        fs::canonicalize(directory).map(Self::Kept)
    }

    /// Writes the CA's certificate and says where; nothing to write where the sandbox speaks plain HTTP.
    pub(crate) fn write_ca(&self, sandbox: &Sandbox) -> io::Result<Option<PathBuf>> {
        if sandbox.ca_pem().is_empty() {
            return Ok(None);
        }
        let directory = match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        };
        let path = directory.join("ca.pem");
        fs::write(&path, sandbox.ca_pem())?;
        Ok(Some(path))
    }
}

#[cfg(unix)]
fn private<'a, 'p, 's>(
    builder: &'a mut tempfile::Builder<'p, 's>,
) -> &'a mut tempfile::Builder<'p, 's> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn private<'a, 'p, 's>(
    builder: &'a mut tempfile::Builder<'p, 's>,
) -> &'a mut tempfile::Builder<'p, 's> {
    builder
}

/// Lines for a POSIX shell, comments first.
pub(crate) fn exports(sandbox: &Sandbox, ca: Option<&Path>) -> String {
    let credential = sandbox.credential();
    let mut text = "# cloudconnexa-sandbox: a stand-in for the CloudConnexa API on this machine, for tests only.\n\
                    # Paste these lines into the shell that shall use it. Ctrl-C here stops it.\n"
        .to_owned();
    let mut export = |name: &str, value: &str| {
        writeln!(text, "export {name}={}", quoted(value))
            .expect("a String takes all that is written to it");
    };
    export("CLOUDCONNEXA_BASE_URL", sandbox.base_url());
    export("CLOUDCONNEXA_CLIENT_ID", &credential.client_id);
    export("CLOUDCONNEXA_CLIENT_SECRET", &credential.client_secret);
    if let Some(ca) = ca {
        export("SSL_CERT_FILE", &ca.to_string_lossy());
    }
    text
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// A file that is there whole (mode 0600) or not at all, and gone when this is dropped.
pub(crate) struct ReadyFile(PathBuf);

impl ReadyFile {
    pub(crate) fn write(path: &Path, text: &str) -> io::Result<Self> {
        let directory = path
            .parent()
            .filter(|it| !it.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        let _: File = file.persist(path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for ReadyFile {
    fn drop(&mut self) {
        // Somebody else may have removed it already, which is as good.
        fs::remove_file(&self.0).ok();
    }
}
