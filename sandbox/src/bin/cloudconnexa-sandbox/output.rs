//! The files and the text for clients: the CA certificate, the variables, the ready file.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cloudconnexa_sandbox::Sandbox;
use tempfile::{NamedTempFile, TempDir};

/// The directory of `ca.pem`; a temporary one is removed when this is dropped.
pub(crate) enum OutputDirectory {
    Permanent(PathBuf),
    Temporary(TempDir),
}

impl OutputDirectory {
    pub(crate) fn open(directory: Option<&Path>) -> io::Result<Self> {
        let Some(directory) = directory else {
            return private(tempfile::Builder::new().prefix("cloudconnexa-sandbox-"))
                .tempdir()
                .map(Self::Temporary);
        };
        fs::create_dir_all(directory)?;
        fs::canonicalize(directory).map(Self::Permanent)
    }

    /// Writes the CA certificate and returns its path; `None` with plain HTTP.
    pub(crate) fn write_ca(&self, sandbox: &Sandbox) -> io::Result<Option<PathBuf>> {
        if sandbox.ca_pem().is_empty() {
            return Ok(None);
        }
        let directory = match self {
            Self::Permanent(path) => path,
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

/// The variables as commands for a POSIX shell.
pub(crate) fn exports(sandbox: &Sandbox, ca: Option<&Path>) -> String {
    let credential = sandbox.credential();
    let mut text = "# cloudconnexa-sandbox: a stand-in for the CloudConnexa API on this machine, for tests only.\n\
                    # Paste these lines into your shell. Ctrl-C here stops the sandbox.\n"
        .to_owned();
    let mut export = |name: &str, value: &str| {
        writeln!(text, "export {name}={}", quoted(value)).expect("writing to a String cannot fail");
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

/// A file (mode 0600) that is created atomically and removed when this is dropped.
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
        // The user may have removed the file.
        fs::remove_file(&self.0).ok();
    }
}
