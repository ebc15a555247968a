//! HTTP to the token endpoint (and to the API, for `doctor` and `login`), under this program's rules
//! instead of ureq's defaults: no redirect
//! is followed here, every status is an answer, time and size are bounded, the system's roots are
//! trusted, and no error text of the library reaches a message (it could hold the URL).
//!
//! This is the only file that names ureq.

use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use thiserror::Error;
use ureq::http::{HeaderValue, Response, Uri as HttpUri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, RequestBuilder, Timeout};
use zeroize::Zeroizing;

use super::failure::Failure;
use super::proxy::{Proxies, has_valid_port};
use super::request::Composed;
use super::response::Answer;
use crate::duration;
use crate::file;
use crate::quote::quote;
use crate::secret::joined;
use crate::token::AccessToken;
use crate::uri::{Origin, Scheme, Uri};

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: u64 = 1024 * 1024;

/// The largest CA file that is read, in bytes.
const LARGEST_CA_FILE: u64 = 4 * 1024 * 1024;

/// How long the name look-up may take, and then again TCP, proxy and TLS together.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What a profile and the environment say about the way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    /// Where the requests go.
    pub(crate) origin: Origin,
    /// Further root certificates, PEM.
    pub(crate) ca_file: Option<PathBuf>,
    /// The proxy settings.
    pub(crate) proxies: Proxies,
}

/// Settings with which no request can be made. Mend them; a retry does not help.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    /// The file of further root certificates cannot be read.
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
    /// The variable holds no URL of a proxy. The value is not shown: it can hold a password.
    #[error("the environment variable `{0}` holds no URL of a proxy")]
    Proxy(&'static str),
}

/// A way to one origin.
#[derive(Debug)]
pub(crate) struct Http {
    agent: Agent,
    host: String,
    /// Whom the connection is made to: the host, or the proxy (without its password).
    peer: String,
    /// The proxy's name and port.
    proxy: Option<(String, u16)>,
    roots: Arc<Vec<Certificate<'static>>>,
    root_problem: Option<String>,
}

impl Http {
    /// Reads the root certificates (HTTPS only) and sets the proxy. Cold path only: it takes
    /// milliseconds.
    pub(crate) fn new(settings: &HttpSettings) -> Result<Self, SetupError> {
        let proxy = match settings.proxies.for_origin(&settings.origin) {
            Some((name, url)) if has_valid_port(url) => {
                Some(Proxy::new(url).map_err(|_| SetupError::Proxy(name))?)
            }
            Some((name, _)) => return Err(SetupError::Proxy(name)),
            None => None,
        };
        let host = settings.origin.to_string();
        let place = proxy
            .as_ref()
            .map(|proxy| (proxy.host().to_owned(), proxy.port()));
        let peer = match &place {
            Some((name, port)) => format!("the proxy {name}:{port}"),
            None => host.clone(),
        };
        let (roots, root_problem) = match settings.origin.scheme() {
            Scheme::Http => (Vec::new(), None),
            Scheme::Https => read_roots(settings)?,
        };
        let roots = Arc::new(roots);
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::clone(&roots)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent = Agent::config_builder()
            .proxy(proxy)
            .tls_config(tls)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("cloudconnexa-auth/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .build();
        Ok(Self {
            agent: agent.into(),
            host,
            peer,
            proxy: place,
            roots,
            root_problem,
        })
    }

    /// Sends one request and reads the whole answer, both within `limit`.
    pub(super) fn send(&self, request: &Composed, limit: Duration) -> Result<Reply, Failure> {
        check_time(limit)?;
        let url = HttpUri::from_maybe_shared(wiped(&request.url));
        let mut builder = match url {
            Ok(url) => self.agent.post(url),
            // Refused there in the library's words.
            Err(_) => self.agent.post(request.url.as_str()),
        };
        if let Some(authorization) = &request.authorization {
            builder = builder.header("Authorization", header(authorization)?);
        }
        if let Some(content_type) = request.content_type {
            builder = builder.header("Content-Type", content_type);
        }
        let sent = bounded(builder, limit).send(request.body.as_bytes());
        self.reply(sent, limit)
    }

    /// Asks for `url`, which has to be of this origin, and reads the whole answer within `limit`.
    /// Whoever gives a token gives it to this origin.
    pub(crate) fn look(
        &self,
        url: &Uri,
        token: Option<&AccessToken>,
        limit: Duration,
    ) -> Result<Seen, Failure> {
        check_time(limit)?;
        let mut builder = self.agent.get(url.to_string());
        if let Some(token) = token {
            let bearer = joined(&["Bearer ", token.expose()]);
            builder = builder.header("Authorization", header(&bearer)?);
        }
        let reply = self.reply(bounded(builder, limit).call(), limit)?;
        Ok(Seen {
            status: reply.answer.status,
            date: reply.date,
            requests_left: reply.requests_left,
            replenish_time: reply.answer.replenish_time,
            location: reply.location,
            body: reply.answer.body,
        })
    }

    /// The proxy's name and port, where one is taken.
    pub(crate) fn proxy(&self) -> Option<(&str, u16)> {
        self.proxy
            .as_ref()
            .map(|(name, port)| (name.as_str(), *port))
    }

    /// How many root certificates there are, and what went wrong with reading them.
    pub(crate) fn roots(&self) -> (usize, Option<&str>) {
        (self.roots.len(), self.root_problem.as_deref())
    }

    pub(super) fn root_certificates(&self) -> impl Iterator<Item = CertificateDer<'_>> {
        self.roots
            .iter()
            .map(|root| CertificateDer::from_slice(root.der()))
    }

    fn reply(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
        limit: Duration,
    ) -> Result<Reply, Failure> {
        let response = sent.map_err(|error| self.failure(&error, limit))?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (location, date) = (header("location"), header("date"));
        let (retry_after, replenish_time) =
            (header("retry-after"), header("x-ratelimit-replenish-time"));
        let requests_left = header("x-ratelimit-remaining");
        let status = response.status().as_u16();
        // Room for the longest token: what grows leaves copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(32 * 1024));
        let config = response.into_body().into_with_config();
        let read = config.limit(LARGEST_ANSWER).reader().read_to_end(&mut body);
        read.map_err(|error| self.failure(&error.into(), limit))?;
        Ok(Reply {
            answer: Answer {
                status,
                retry_after,
                replenish_time,
                body,
            },
            location,
            date,
            requests_left,
        })
    }

    fn failure(&self, error: &ureq::Error, limit: Duration) -> Failure {
        let unavailable = |reason: &str, detail: Option<String>| Failure::Unavailable {
            reason: reason.to_owned(),
            detail,
        };
        let unusable = |reason: &str, detail: Option<String>, hint: Option<&str>| {
            let (reason, hint) = (reason.to_owned(), hint.map(str::to_owned));
            Failure::Unusable {
                reason,
                detail,
                hint,
            }
        };
        let (host, peer) = (&self.host, &self.peer);
        match error {
            // Where the caller's own time was shorter, it says nothing of the server.
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) if limit >= CONNECT_LIMIT => {
                let shown = duration::show(CONNECT_LIMIT);
                unavailable(&format!("no connection to {peer} within {shown}"), None)
            }
            ureq::Error::Timeout(_) => Failure::TimedOut {
                reason: format!(
                    "nothing whole came from {host}{} within {}",
                    if host == peer {
                        String::new()
                    } else {
                        format!(" through {peer}")
                    },
                    duration::show(limit)
                ),
            },
            ureq::Error::HostNotFound => {
                unavailable(&format!("the name of {peer} was not found"), None)
            }
            ureq::Error::ConnectionFailed => unavailable(&format!("no connection to {peer}"), None),
            ureq::Error::Io(io) => match io.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(tls) => self.tls_failure(tls),
                None => self.io_failure(io),
            },
            ureq::Error::Rustls(tls) => self.tls_failure(tls),
            ureq::Error::ConnectProxyFailed(said) => unusable(
                &format!("{peer} did not let the connection through"),
                said.split(|c: char| !c.is_ascii_digit())
                    .find(|number| number.len() == 3)
                    .map(|status| format!("it answered {status}")),
                Some("check `HTTPS_PROXY` (its user and password too) and `NO_PROXY`"),
            ),
            ureq::Error::BodyExceedsLimit(_) => {
                unusable("the answer is larger than 1 MiB", None, None)
            }
            ureq::Error::LargeResponseHeader(..) => {
                unusable("the header of the answer is too large", None, None)
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
                unusable("the answer is not HTTP/1.1", None, None)
            }
            _ => unusable("the request could not be made", None, None),
        }
    }

    pub(super) fn io_failure(&self, error: &io::Error) -> Failure {
        let (host, peer) = (&self.host, &self.peer);
        let reason = match error.kind() {
            io::ErrorKind::ConnectionRefused => format!("{peer} refused the connection"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                format!("{host} reset the connection")
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted => {
                format!("{host} closed the connection in the middle of the answer")
            }
            _ if error.to_string().contains("lookup address") => {
                format!("the name of {peer} was not found")
            }
            _ => format!("no connection to {peer}"),
        };
        let told = error.to_string();
        let told = told.split(" (os error").next().unwrap_or_default();
        let told = told
            .strip_prefix("failed to lookup address information: ")
            .unwrap_or(told);
        Failure::Unavailable {
            reason,
            detail: Some(quote(told)).filter(|told| !told.is_empty()),
        }
    }

    pub(super) fn tls_failure(&self, error: &rustls::Error) -> Failure {
        use rustls::CertificateError as Bad;
        let hint = match error {
            rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => {
                "if the server or a proxy uses a private CA, set `ca_file` or `SSL_CERT_FILE`"
            }
            rustls::Error::InvalidCertificate(
                Bad::Expired
                | Bad::ExpiredContext { .. }
                | Bad::NotValidYet
                | Bad::NotValidYetContext { .. },
            ) => "check this machine's clock, then the server's certificate",
            rustls::Error::InvalidCertificate(
                Bad::NotValidForName | Bad::NotValidForNameContext { .. },
            ) => "check `cloud_id` or `base_url`: another host answers there",
            _ => "the server must speak TLS 1.2 or 1.3",
        };
        let mut detail = quote(&error.to_string());
        if let Some(problem) = &self.root_problem {
            detail = format!("{detail}; {problem}");
        }
        Failure::Unusable {
            reason: format!("the TLS connection to {} cannot be trusted", self.host),
            detail: Some(detail),
            hint: Some(hint.to_owned()),
        }
    }
}

/// A text that the library shares instead of copying it, and that is wiped when the last of its
/// holders is dropped.
fn wiped(text: &Zeroizing<String>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec()))
}

/// The value of a header that nobody may see.
fn header(text: &Zeroizing<String>) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_maybe_shared(wiped(text));
    let mut value = value.map_err(|_| Failure::Unusable {
        reason: "the credentials cannot be put into a header".to_owned(),
        detail: None,
        hint: None,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn check_time(limit: Duration) -> Result<(), Failure> {
    if limit.is_zero() {
        return Err(Failure::TimedOut {
            reason: "no time was left for a request".to_owned(),
        });
    }
    Ok(())
}

/// A request that ends within `limit`.
fn bounded<B>(builder: RequestBuilder<B>, limit: Duration) -> RequestBuilder<B> {
    builder
        .config()
        .timeout_global(Some(limit))
        .timeout_resolve(Some(CONNECT_LIMIT.min(limit)))
        .timeout_connect(Some(CONNECT_LIMIT.min(limit)))
        .build()
}

/// An answer, where it points if it is a redirect, and what else its header says.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) location: Option<String>,
    pub(super) date: Option<String>,
    pub(super) requests_left: Option<String>,
}

/// What a look at the server brought. None of it is trusted, and none of it quoted.
pub(crate) struct Seen {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Date`.
    pub(crate) date: Option<String>,
    /// `X-RateLimit-Remaining`.
    pub(crate) requests_left: Option<String>,
    /// `X-RateLimit-Replenish-Time`.
    pub(crate) replenish_time: Option<String>,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// The body, at most 1 MiB.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

/// The system's roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name), then `ca_file`;
/// and what went wrong with the former, to be told only where a certificate is then not trusted.
fn read_roots(
    settings: &HttpSettings,
) -> Result<(Vec<Certificate<'static>>, Option<String>), SetupError> {
    let native = rustls_native_certs::load_native_certs();
    let problem = match native.errors.first() {
        Some(error) => Some(quote(&error.to_string())),
        None if native.certs.is_empty() => Some("no root certificates were found".to_owned()),
        None => None,
    };
    let mut ders: Vec<CertificateDer<'static>> = native.certs;
    if let Some(path) = &settings.ca_file {
        let bytes = file::read(path, LARGEST_CA_FILE, file::Trust::Anything).map_err(|error| {
            SetupError::CaFile {
                path: path.clone(),
                error,
            }
        })?;
        let before = ders.len();
        ders.extend(CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok));
        if ders.len() == before {
            return Err(SetupError::NoCertificate(path.clone()));
        }
    }
    let certificates = ders
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    Ok((certificates, problem))
}
