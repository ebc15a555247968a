//! The trusted root certificates: those of the system, or those of `SSL_CERT_FILE` and
//! `SSL_CERT_DIR`, and those of a profile's `ca_file`.

use std::cell::OnceCell;
use std::env::split_paths;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls_native_certs::{CertificateResult, ErrorKind};
use thiserror::Error;

use crate::system::environment::Environment;
use crate::system::file::{self, ReadError};
use crate::types::quote::quote;

/// The maximum size of a certificate file, in bytes. A system's bundle has about 256 KiB.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The roots of this machine or of the variables, read once and only if needed.
#[derive(Debug)]
pub(crate) struct System<'a> {
    environment: &'a Environment,
    loaded: OnceCell<Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    certificates: Vec<CertificateDer<'static>>,
    /// The text of the first problem.
    problem: Option<String>,
}

/// The trusted roots of one connection.
#[derive(Debug)]
pub(crate) struct Roots<'a> {
    system: &'a System<'a>,
    /// The roots of the profile's `ca_file`.
    further: Vec<CertificateDer<'static>>,
}

/// A CA file that cannot be used. A retry does not help.
#[derive(Debug, Error)]
#[error(
    "the CA file `{}` cannot be used: {problem}",
    crate::types::quote::path(path)
)]
pub(crate) struct RootsError {
    pub(crate) path: PathBuf,
    pub(crate) problem: CaFileError,
}

/// The reasons why a certificate file is not used.
#[derive(Debug, Error)]
pub(crate) enum CaFileError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is a pipe, a device or a directory.
    #[error("it is not a regular file")]
    NotRegular,
    /// The file has certificates in OpenSSL's own format, which include trust settings.
    #[error(
        "it holds `BEGIN TRUSTED CERTIFICATE`, a format of OpenSSL; convert it with `openssl x509 -in \
         FILE -out NEW`"
    )]
    Trusted,
    /// The file has a PEM section that cannot be decoded.
    #[error("it holds damaged PEM")]
    Damaged,
    /// The file has no certificate.
    #[error("it holds no PEM certificate")]
    Empty,
}

impl<'a> System<'a> {
    /// Returns an empty value; nothing is read yet.
    pub(crate) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            loaded: OnceCell::new(),
        }
    }

    fn loaded(&self) -> &Loaded {
        self.loaded.get_or_init(|| Loaded::read(self.environment))
    }
}

impl Loaded {
    /// Each variable replaces all roots of the system, so a file with one CA trusts only that CA.
    /// An empty variable counts as unset.
    fn read(environment: &Environment) -> Self {
        let file = environment.path("SSL_CERT_FILE");
        let directories = environment.raw("SSL_CERT_DIR");
        let mut loaded = Self::default();
        if file.is_none() && directories.is_none() {
            loaded.add(load_platform_roots(), "the system's directory of roots");
        }
        if let Some(path) = file {
            loaded.add_file(&path);
        }
        for path in split_paths(&directories.unwrap_or_default()) {
            if !path.as_os_str().is_empty() {
                let result = rustls_native_certs::load_certs_from_paths(None, Some(&path));
                loaded.add(result, &format!("`{}`", crate::types::quote::path(&path)));
            }
        }
        let order = |one: &CertificateDer<'_>, other: &CertificateDer<'_>| one.as_ref().cmp(other);
        loaded.certificates.sort_unstable_by(order);
        loaded.certificates.dedup();
        loaded
    }

    fn add(&mut self, result: CertificateResult, place: &str) {
        self.certificates.extend(result.certs);
        if let Some(error) = result.errors.into_iter().next() {
            self.note(match error.kind {
                ErrorKind::Io { inner, path } => unread(&path, &inner),
                ErrorKind::Pem(_) => format!("{place} holds a file with damaged PEM"),
                _ => error.to_string(),
            });
        }
    }

    fn add_file(&mut self, path: &Path) {
        match read_file(path) {
            Ok((certificates, problem)) => {
                self.certificates.extend(certificates);
                if let Some(problem) = problem {
                    self.note(format!("`{}`: {problem}", crate::types::quote::path(path)));
                }
            }
            Err(problem) => self.note(format!(
                "no roots were read from `{}`: {problem}",
                crate::types::quote::path(path)
            )),
        }
    }

    fn note(&mut self, problem: String) {
        self.problem.get_or_insert_with(|| quote(&problem));
    }
}

fn unread(path: &Path, error: &io::Error) -> String {
    let text = error.to_string();
    let text = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist",
        _ => text.split(" (os error").next().unwrap_or_default(),
    };
    format!(
        "no roots were read from `{}`: {text}",
        crate::types::quote::path(path)
    )
}

/// Reads the roots of the platform. The library treats an empty variable as a path, but here it
/// counts as unset. So the locations that it would search are passed to it.
#[cfg(all(unix, not(target_os = "macos")))]
fn load_platform_roots() -> CertificateResult {
    use rustls_native_certs::load_certs_from_paths;

    let found = openssl_probe::probe();
    let mut directories = found.cert_dir.iter().map(PathBuf::as_path);
    let mut result = load_certs_from_paths(found.cert_file.as_deref(), directories.next());
    for directory in directories {
        let more = load_certs_from_paths(None, Some(directory));
        result.certs.extend(more.certs);
        result.errors.extend(more.errors);
    }
    result
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn load_platform_roots() -> CertificateResult {
    rustls_native_certs::load_native_certs()
}

impl<'a> Roots<'a> {
    /// Reads the roots of the system and of `ca_file`. Cold path only: it takes milliseconds.
    pub(crate) fn read(system: &'a System<'a>, ca_file: Option<&Path>) -> Result<Self, RootsError> {
        let mut further = match ca_file {
            None => Vec::new(),
            Some(path) => read_ca_file(path).map_err(|problem| RootsError {
                path: path.to_owned(),
                problem,
            })?,
        };
        further.retain(|it| !system.loaded().certificates.contains(it));
        Ok(Self { system, further })
    }

    /// Returns all certificates.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.system
            .loaded()
            .certificates
            .iter()
            .chain(&self.further)
    }

    /// Returns the certificates for rustls. A certificate that rustls cannot parse is left out.
    pub(crate) fn store(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(self.certificates().cloned());
        store
    }

    /// Returns the first problem with the system's roots. It matters only if a server is not
    /// trusted.
    pub(crate) fn problem(&self) -> Option<&str> {
        let loaded = self.system.loaded();
        loaded.problem.as_deref().or_else(|| {
            let has_none = loaded.certificates.is_empty();
            has_none.then_some(NO_ROOTS)
        })
    }
}

/// The problem of a system without root certificates.
pub(crate) const NO_ROOTS: &str = "no root certificates were found";

/// Returns the TLS error inside an I/O error, if it is one.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Reads a `ca_file`. It must hold a certificate; a damaged section beside it is ignored.
fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, CaFileError> {
    match read_file(path)? {
        (_, Some(problem @ CaFileError::Trusted)) => Err(problem),
        (certificates, _) if certificates.is_empty() => Err(CaFileError::Empty),
        (certificates, _) => Ok(certificates),
    }
}

/// Reads the certificates of a file, and returns the first problem of the rest. A pipe or a device
/// is refused before it is opened.
fn read_file(
    path: &Path,
) -> Result<(Vec<CertificateDer<'static>>, Option<CaFileError>), CaFileError> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(CaFileError::NotRegular);
    }
    let bytes = file::read(path, LARGEST_FILE, file::Trust::Anything)?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut certificates = Vec::new();
    let mut problem = has_trusted_format(text).then_some(CaFileError::Trusted);
    for certificate in CertificateDer::pem_slice_iter(text) {
        match certificate {
            Ok(certificate) => certificates.push(certificate),
            Err(_) => problem = problem.or(Some(CaFileError::Damaged)),
        }
    }
    if certificates.is_empty() {
        problem = problem.or(Some(CaFileError::Empty));
    }
    Ok((certificates, problem))
}

fn has_trusted_format(text: &[u8]) -> bool {
    let header = b"-----BEGIN TRUSTED CERTIFICATE-----";
    text.windows(header.len()).any(|window| window == header)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{CaFileError, NO_ROOTS, Roots, System, read_ca_file, read_file};
    use crate::system::environment::Environment;

    fn pem(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the test's own")]
    fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        fs::write(path, text).unwrap();
    }

    fn environment(file: &Path, directory: &Path) -> Environment {
        let variables = [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)];
        let variables =
            variables.map(|(name, path)| (name.to_owned(), crate::types::quote::path(path)));
        Environment::Given(variables.into())
    }

    #[test]
    fn file_and_directories_count_each_certificate_once() {
        let (place, directory) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let file = place.path().join("roots.pem");
        let bodies = ["AgIC", "AAAA", "AQEB", "AAAA"];
        write(&file, bodies.map(pem).concat());
        write(directory.path().join("same"), pem("AAAA"));
        write(directory.path().join("more"), pem("AwMD"));
        let environment = environment(&file, directory.path());
        let system = System::new(&environment);
        let roots = Roots::read(&system, None).unwrap();
        assert_eq!(roots.certificates().count(), 4);
        assert_eq!(roots.problem(), None);
        let ca_file = place.path().join("ca.pem");
        write(&ca_file, pem("BAQE"));
        let roots = Roots::read(&system, Some(&ca_file)).unwrap();
        assert_eq!(roots.certificates().count(), 5);
    }

    #[test]
    fn missing_roots_are_named() {
        let place = TempDir::new().unwrap();
        let missing = place.path().join("missing");
        for (file, directory) in [(&*missing, place.path()), (Path::new(""), &*missing)] {
            let environment = environment(file, directory);
            let system = System::new(&environment);
            let roots = Roots::read(&system, None).unwrap();
            let problem = roots.problem().unwrap();
            assert!(
                problem.ends_with("missing`: it does not exist"),
                "{problem}"
            );
        }
        let environment = environment(Path::new(""), place.path());
        let system = System::new(&environment);
        assert_eq!(
            Roots::read(&system, None).unwrap().problem(),
            Some(NO_ROOTS)
        );
    }

    #[test]
    fn byte_order_mark_hides_no_certificate() {
        let place = TempDir::new().unwrap();
        let path = place.path().join("ca.pem");
        write(&path, format!("\u{feff}{}{}", pem("AAAA"), pem("AQEB")));
        assert_eq!(read_ca_file(&path).unwrap().len(), 2);
    }

    #[test]
    fn trusted_certificate_format_is_named() {
        let place = TempDir::new().unwrap();
        let path = place.path().join("ca.pem");
        let trusted = pem("AQEB").replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        write(&path, pem("AAAA") + &trusted);
        let error = read_ca_file(&path).unwrap_err();
        assert!(error.to_string().contains("openssl x509"), "{error}");
        let (certificates, problem) = read_file(&path).unwrap();
        assert_eq!(certificates.len(), 1);
        assert!(matches!(problem, Some(CaFileError::Trusted)));
    }

    #[test]
    fn file_of_more_than_4_mib_is_refused() {
        let place = TempDir::new().unwrap();
        let path = place.path().join("ca.pem");
        let pem = pem("AAAA");
        let most = 4 * 1024 * 1024;
        write(&path, pem.clone() + &"\n".repeat(most - pem.len()));
        assert_eq!(read_ca_file(&path).unwrap().len(), 1);
        write(&path, pem.clone() + &"\n".repeat(most + 1 - pem.len()));
        let error = read_ca_file(&path).unwrap_err();
        assert!(error.to_string().contains("larger than 4 MiB"), "{error}");
    }
}
