//! The root certificates that TLS trusts.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;

use crate::file;
use crate::quote::quote;

/// The largest CA file that is read, in bytes.
const LARGEST_CA_FILE: u64 = 4 * 1024 * 1024;

/// Whom to trust.
pub(crate) struct Roots {
    /// The system's roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name), then those of
    /// the CA file.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    /// What went wrong with reading the system's, to be told only where a certificate is then not
    /// trusted.
    pub(crate) problem: Option<String>,
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
        error: file::ReadError,
    },
    /// There is no certificate in it.
    #[error("the CA file `{}` holds no PEM certificate", .0.display())]
    NoCertificate(PathBuf),
}

/// Reads them. Cold path only: it takes milliseconds.
pub(crate) fn read(ca_file: Option<&Path>) -> Result<Roots, RootsError> {
    let native = rustls_native_certs::load_native_certs();
    let problem = match native.errors.first() {
        Some(error) => Some(quote(&error.to_string())),
        None if native.certs.is_empty() => Some("no root certificates were found".to_owned()),
        None => None,
    };
    let mut certificates: Vec<CertificateDer<'static>> = native.certs;
    if let Some(path) = ca_file {
        let bytes = file::read(path, LARGEST_CA_FILE, file::Trust::Anything).map_err(|error| {
            RootsError::CaFile {
                path: path.to_owned(),
                error,
            }
        })?;
        let before = certificates.len();
        certificates.extend(CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok));
        if certificates.len() == before {
            return Err(RootsError::NoCertificate(path.to_owned()));
        }
    }
    Ok(Roots {
        certificates,
        problem,
    })
}
