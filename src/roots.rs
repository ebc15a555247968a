//! The root certificates that TLS trusts: the system's, or those that `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` name, and those of a `ca_file`.
//!
//! They are read in two steps. What a distribution puts into its folder of roots it puts into the one
//! file beside it too: the folder says once more what the file says, in a file for each root. But an
//! administrator may have put a root into the folder alone, where OpenSSL finds it by the hash of its
//! name. So the file is all that is read, until a server's certificate cannot be trusted by it; then the
//! folders are read too, and where they hold more, the handshake is made once more, on a new connection.
//! Nothing of a request is sent before a handshake has ended, so nobody is asked twice.
//!
//! The other way would be a verifier of ours that looks further in the midst of the handshake. rustls
//! calls that dangerous: whether a certificate is good would then depend on our code. As it is, all
//! that we decide is which roots rustls is given, and in the end they are the same as in one step.

use std::cell::{Cell, OnceCell};
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;

use crate::environment::Environment;
use crate::file::{self, ReadError};
use crate::quote::quote;

/// The largest file of roots that is read, in bytes; a system's has a quarter of a megabyte.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The most that is read of all files in folders together, in bytes.
const MOST_OF_FOLDERS: u64 = 4 * LARGEST_FILE;

/// The most entries of folders that are looked at; a system's has three hundred.
const MOST_ENTRIES: usize = 10_000;

/// The roots of this machine, or those that the variables name instead, as far as a run has read them:
/// each file once, and none before it is needed.
#[derive(Debug)]
pub(crate) struct System<'a> {
    environment: &'a Environment,
    places: OnceCell<Places>,
    first: OnceCell<Found>,
    folders: OnceCell<Found>,
}

/// Where roots are.
#[derive(Debug, Default)]
struct Places {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
    /// Whether they are the system's own.
    is_platform: bool,
}

/// What was read: certificates that differ, in the order of their bytes.
#[derive(Debug, Default)]
struct Found {
    certificates: Vec<CertificateDer<'static>>,
    /// The first thing that went wrong.
    problem: Option<String>,
}

/// Whom to trust on one way.
#[derive(Debug)]
pub(crate) struct Roots<'a> {
    system: &'a System<'a>,
    /// Those of the CA file.
    further: Vec<CertificateDer<'static>>,
    /// Whether the folders count too.
    is_whole: Cell<bool>,
}

/// A CA file that is of no use. Mend it; a retry does not help.
#[derive(Debug, Error)]
pub(crate) enum RootsError {
    /// It cannot be read.
    #[error("the CA file `{}` cannot be used: {error}", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: ReadError,
    },
    /// There is no certificate in it.
    #[error("the CA file `{}` holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
}

impl<'a> System<'a> {
    /// Nothing is read before it is needed, and no variable asked for.
    pub(crate) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            places: OnceCell::new(),
            first: OnceCell::new(),
            folders: OnceCell::new(),
        }
    }

    fn places(&self) -> &Places {
        self.places.get_or_init(|| Places::of(self.environment))
    }

    /// What is read in any case.
    fn first(&self) -> &Found {
        self.first.get_or_init(|| {
            let mut found = Found::default();
            match &self.places().file {
                Some(path) => found.add_named(path),
                None if self.places().is_platform => found.add_platform(),
                None => {}
            }
            found.sort();
            found
        })
    }

    /// What the folders hold beyond that.
    fn folders(&self) -> &Found {
        self.folders.get_or_init(|| {
            let first = self.first();
            let mut found = Found::default();
            let mut search = Search::beside(self.places().file.as_deref());
            for folder in &self.places().folders {
                search.go_through(folder, &mut found);
            }
            found.sort();
            found.certificates.retain(|it| !first.holds(it));
            found
        })
    }
}

impl Places {
    /// Those of the variables; only where neither is set, the platform's.
    ///
    /// With OpenSSL and Go each variable takes the place of its own kind only, so that a file of one
    /// CA would still leave the system's folder trusted. Who names whom to trust means nobody else.
    fn of(environment: &Environment) -> Self {
        let file = environment.path("SSL_CERT_FILE");
        let folders = environment.raw("SSL_CERT_DIR");
        if file.is_none() && folders.is_none() {
            return Self::of_platform();
        }
        let folders = folders.unwrap_or_default();
        let folders = std::env::split_paths(&folders).filter(|it| !it.as_os_str().is_empty());
        Self {
            file,
            folders: folders.collect(),
            is_platform: false,
        }
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    fn of_platform() -> Self {
        // It asks for the two variables too, which have no value here.
        let found = openssl_probe::probe();
        Self {
            file: found.cert_file,
            folders: found.cert_dir,
            is_platform: true,
        }
    }

    /// There the roots are in a store of the system's.
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    fn of_platform() -> Self {
        Self {
            is_platform: true,
            ..Self::default()
        }
    }
}

impl Found {
    /// Reads a file that is there for its roots alone.
    fn add_named(&mut self, path: &Path) {
        let before = self.certificates.len();
        match file::read(path, LARGEST_FILE, file::Trust::Anything) {
            Ok(bytes) => {
                self.add_pem(&bytes, path);
                if self.certificates.len() == before {
                    self.note(|| format!("`{}` holds no PEM certificate", path.display()));
                }
            }
            Err(error) => self.note_unread(path, &error),
        }
    }

    /// The good ones of a file; what is broken between them is passed over.
    fn add_pem(&mut self, bytes: &[u8], path: &Path) {
        for certificate in CertificateDer::pem_slice_iter(bytes) {
            match certificate {
                Ok(certificate) => self.certificates.push(certificate),
                Err(_) => self.note(|| format!("`{}` holds damaged PEM", path.display())),
            }
        }
    }

    /// The store of a system that has one. An empty variable, which names nothing here, is to that
    /// library the name of a file; then there are no roots, and that is told.
    #[cfg(any(windows, target_os = "macos"))]
    fn add_platform(&mut self) {
        let native = rustls_native_certs::load_native_certs();
        self.certificates = native.certs;
        if let Some(error) = native.errors.first() {
            self.note(|| error.to_string());
        }
    }

    #[cfg(not(any(windows, target_os = "macos")))]
    #[expect(clippy::unused_self, reason = "elsewhere there is one")]
    fn add_platform(&mut self) {}

    fn sort(&mut self) {
        self.certificates
            .sort_unstable_by(|one, other| one.as_ref().cmp(other));
        self.certificates.dedup();
    }

    fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        let search = |it: &CertificateDer<'_>| it.as_ref().cmp(certificate.as_ref());
        self.certificates.binary_search_by(search).is_ok()
    }

    fn note_unread(&mut self, path: &Path, error: &ReadError) {
        let told = error.to_string();
        let told = told.split(" (os error").next().unwrap_or_default();
        self.note(|| format!("no roots were read from `{}`: {told}", path.display()));
    }

    fn note(&mut self, problem: impl FnOnce() -> String) {
        self.problem.get_or_insert_with(|| quote(&problem()));
    }
}

/// A way through folders that ends, whatever is in them.
struct Search {
    /// Device and inode of each file that was read: most have two names or three.
    seen: HashSet<(u64, u64)>,
    entries: usize,
    bytes: u64,
}

impl Search {
    /// A search that does not read this file again, which may be in one of the folders.
    fn beside(file: Option<&Path>) -> Self {
        let metadata = file.and_then(|file| fs::metadata(file).ok());
        Self {
            seen: metadata.as_ref().and_then(identity).into_iter().collect(),
            entries: MOST_ENTRIES,
            bytes: MOST_OF_FOLDERS,
        }
    }

    /// Reads every regular file of a folder. What is none is passed over, and so is a file without a
    /// certificate: people leave more than roots there.
    fn go_through(&mut self, folder: &Path, found: &mut Found) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return found.note_unread(folder, &unread(error)),
        };
        for entry in entries {
            let Some(left) = self.entries.checked_sub(1) else {
                return found.note(|| format!("`{}` holds too many files", folder.display()));
            };
            self.entries = left;
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => return found.note_unread(folder, &unread(error)),
            };
            // A link may lead nowhere.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            let is_new = identity(&metadata).is_none_or(|it| self.seen.insert(it));
            if !metadata.is_file() || !is_new {
                continue;
            }
            match file::read(&path, LARGEST_FILE.min(self.bytes), file::Trust::Anything) {
                Ok(bytes) => {
                    self.bytes = self.bytes.saturating_sub(bytes.len() as u64);
                    found.add_pem(&bytes, &path);
                }
                Err(error) => found.note_unread(&path, &error),
            }
        }
    }
}

/// Why there is nothing of a folder.
fn unread(error: io::Error) -> ReadError {
    match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Io(error),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

impl<'a> Roots<'a> {
    /// The system's as far as they are needed at first, and those of the CA file. Cold path only: it
    /// takes milliseconds.
    pub(crate) fn read(system: &'a System<'a>, ca_file: Option<&Path>) -> Result<Self, RootsError> {
        let further = ca_file.map_or_else(|| Ok(Vec::new()), read_ca_file)?;
        // Without any there is nothing to shake hands with; and what is read already costs nothing.
        let is_whole = system.first().certificates.is_empty() || system.folders.get().is_some();
        Ok(Self {
            system,
            further,
            is_whole: Cell::new(is_whole),
        })
    }

    /// Those that count as of now.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        let founds = [Some(self.system.first()), self.folders()];
        let system = founds.into_iter().flatten();
        system
            .flat_map(|found| &found.certificates)
            .chain(&self.further)
    }

    /// Whether no folder is left that was not looked into.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole.get() || self.system.places().folders.is_empty()
    }

    /// What went wrong with reading the system's, to be told only where a certificate is then not
    /// trusted.
    pub(crate) fn problem(&self) -> Option<&str> {
        let first = self.system.first();
        let problem = first.problem.as_deref();
        problem.or_else(|| match self.folders() {
            Some(folders) if folders.problem.is_some() => folders.problem.as_deref(),
            Some(folders) if !folders.certificates.is_empty() => None,
            _ if !first.certificates.is_empty() => None,
            _ => Some("no root certificates were found"),
        })
    }

    /// Looks further where a handshake ended with `error`; `true` where there is now more to trust,
    /// so that another can end otherwise.
    ///
    /// Whatever is wrong with a certificate, with another root there may be another way to one: a
    /// CA that was renewed has its old name and a new key.
    pub(crate) fn reach_further(&self, error: &rustls::Error) -> bool {
        if self.is_whole() || !matches!(error, rustls::Error::InvalidCertificate(_)) {
            return false;
        }
        self.is_whole.set(true);
        !self.system.folders().certificates.is_empty()
    }

    fn folders(&self) -> Option<&Found> {
        self.is_whole.get().then(|| self.system.folders())
    }
}

/// What TLS itself says, where it was that by which a connection ended.
pub(crate) fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn read_ca_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, RootsError> {
    let bytes = file::read(path, LARGEST_FILE, file::Trust::Anything).map_err(|error| {
        RootsError::CaFile {
            path: path.to_owned(),
            error,
        }
    })?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .filter_map(Result::ok)
        .collect();
    if certificates.is_empty() {
        return Err(RootsError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{Roots, RootsError, System};
    use crate::environment::Environment;

    fn pem(body: &str) -> String {
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the test's own")]
    fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        fs::write(path, text).unwrap();
    }

    /// Where both variables are set.
    fn environment(file: &Path, folder: &Path) -> Environment {
        let variables = [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", folder)];
        let variables = variables.map(|(name, path)| (name.to_owned(), path.display().to_string()));
        Environment::Given(variables.into())
    }

    #[test]
    fn a_folder_that_repeats_the_file_in_another_order_is_worth_no_other_handshake() {
        let (place, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let file = place.path().join("roots.pem");
        let bodies = ["AgIC", "AAAA", "AQEB", "AAAA"];
        write(&file, bodies.map(pem).concat());
        for body in bodies {
            write(folder.path().join(body), pem(body));
        }
        let environment = environment(&file, folder.path());
        let system = System::new(&environment);
        let roots = Roots::read(&system, None).unwrap();
        assert_eq!(roots.certificates().count(), 3, "each once");

        let unknown = rustls::Error::from(rustls::CertificateError::UnknownIssuer);
        assert!(!roots.reach_further(&unknown), "nothing more to trust");
        assert!(roots.is_whole(), "and no place is left");
        assert_eq!(roots.certificates().count(), 3);

        write(folder.path().join("more"), pem("AwMD"));
        let system = System::new(&environment);
        let roots = Roots::read(&system, None).unwrap();
        assert!(roots.reach_further(&unknown));
        assert_eq!(roots.certificates().count(), 4);
        assert!(!roots.reach_further(&unknown), "once");
    }

    #[test]
    fn a_problem_is_that_there_are_no_roots_or_why_some_are_missing() {
        let place = TempDir::new().unwrap();
        let path = |name: &str| place.path().join(name);
        let (good, empty) = (path("good"), path("empty"));
        for folder in [&good, &empty] {
            fs::create_dir(folder).unwrap();
        }
        let root = good.join("root.pem");
        write(&root, pem("AAAA"));
        let none = Some("no root certificates were found");
        let nothing = Path::new("");
        for (file, folder, told) in [
            (root.as_path(), nothing, None),
            (&root, &empty, None),
            (nothing, &good, None),
            (nothing, &empty, none),
            (nothing, Path::new(":"), none),
        ] {
            let environment = environment(file, folder);
            let system = System::new(&environment);
            let roots = Roots::read(&system, None).unwrap();
            assert_eq!(roots.problem(), told, "{file:?} {folder:?}");
            roots.reach_further(&rustls::CertificateError::UnknownIssuer.into());
            assert_eq!(roots.problem(), told, "{file:?} {folder:?}");
        }
    }

    #[test]
    fn a_ca_file_is_trusted_beside_the_systems_and_has_to_hold_a_certificate() {
        let place = TempDir::new().unwrap();
        let (file, ca_file) = (place.path().join("system.pem"), place.path().join("ca.pem"));
        write(&file, pem("AAAA"));
        write(&ca_file, "rubbish");
        let environment = environment(&file, Path::new(""));
        let system = System::new(&environment);
        let error = Roots::read(&system, Some(&ca_file)).unwrap_err();
        assert!(matches!(error, RootsError::NoCertificate(_)), "{error}");
        write(&ca_file, pem("AQEB"));
        let roots = Roots::read(&system, Some(&ca_file)).unwrap();
        assert_eq!(roots.certificates().count(), 2);
    }

    #[test]
    fn of_a_file_4_mib_are_read_and_of_folders_16() {
        let (place, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let file = place.path().join("roots.pem");
        let padded = |body: &str, length: usize| {
            let pem = pem(body);
            let padding = "\n".repeat(length - pem.len());
            pem + &padding
        };
        let most = 4 * 1024 * 1024;
        for (length, count, problem) in [(most, 1, false), (most + 1, 0, true)] {
            write(&file, padded("AAAA", length));
            let environment = environment(&file, Path::new(""));
            let system = System::new(&environment);
            let roots = Roots::read(&system, None).unwrap();
            assert_eq!(roots.certificates().count(), count, "{length}");
            assert_eq!(roots.problem().is_some(), problem, "{length}");
        }
        for (count, body) in (1..).zip(["AAAA", "AQEB", "AgIC", "AwMD", "BAQE"]) {
            write(folder.path().join(body), padded(body, most));
            let environment = environment(Path::new(""), folder.path());
            let system = System::new(&environment);
            let roots = Roots::read(&system, None).unwrap();
            assert_eq!(roots.certificates().count(), count.min(4));
            assert_eq!(roots.problem().is_some(), count > 4, "{count}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_in_our_words() {
        let place = TempDir::new().unwrap();
        let missing = place.path().join("missing");
        for (file, folder) in [(&*missing, place.path()), (Path::new(""), &*missing)] {
            let environment = environment(file, folder);
            let system = System::new(&environment);
            let roots = Roots::read(&system, None).unwrap();
            let told = roots.problem().unwrap();
            assert!(told.ends_with("missing`: it does not exist"), "{told}");
        }
    }
}
