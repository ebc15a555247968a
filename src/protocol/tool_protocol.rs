//! The interface of a tool protocol: its description, its requests and its replies.

use std::fmt;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::InputError;
use crate::types::diagnostic::Diagnostic;
use crate::types::secret::Secret;
use crate::types::token::Token;
use crate::types::uri::{Origin, Uri};

/// A protocol by which a tool requests a token.
pub(crate) struct Protocol {
    /// The subcommand.
    pub(crate) name: &'static str,
    /// The name of the protocol, for `version`.
    pub(crate) protocol: &'static str,
    /// The program name that the tool calls, if it requires one.
    pub(crate) program: Option<&'static str>,
    /// The description in one line, for the help page.
    pub(crate) summary: &'static str,
    /// The description in detail.
    pub(crate) details: &'static str,
    /// Example command lines.
    pub(crate) examples: &'static str,
    /// The operands after the subcommand, in this order. An operand in brackets is optional. An
    /// operand that begins with `--` is written as a flag.
    pub(crate) operands: &'static [&'static str],
    /// The environment variable in which the tool sends more data.
    pub(crate) variable: Option<&'static str>,
    /// How stdin is read. It is read only if the protocol sends something.
    pub(crate) intake: fn(operands: &[String]) -> StdinMode,
    /// Parses the input of the tool.
    pub(crate) read: fn(&Call<'_>) -> Result<ParsedRequest, InputError>,
    /// How an error is reported to the tool.
    pub(crate) complain: fn(&Diagnostic) -> ErrorFormat,
}

impl fmt::Debug for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Adaptor({})", self.name)
    }
}

impl PartialEq for Protocol {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Protocol {}

/// How stdin is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StdinMode {
    /// stdin is not read: it may be a terminal or a pipe that stays open.
    Nothing,
    /// All of stdin is one request.
    All,
    /// Each line is a request. It is answered before the next line is read.
    Lines {
        /// The text that the tool waits for before it sends a request.
        greeting: &'static str,
    },
}

/// One call by a tool.
pub(crate) struct Call<'a> {
    /// The arguments after the subcommand.
    pub(crate) operands: &'a [String],
    /// The value of the protocol's environment variable.
    pub(crate) variable: Option<&'a str>,
    /// The content of stdin.
    pub(crate) input: &'a [u8],
}

/// stdin may contain a secret, and so may a misplaced argument.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").finish_non_exhaustive()
    }
}

/// A parsed request, and how its reply is formatted.
pub(crate) struct ParsedRequest {
    /// The request.
    pub(crate) request: Request,
    /// Formats the reply for the tool.
    pub(crate) say: Box<dyn FnOnce(&Reply<'_>) -> Response>,
}

impl ParsedRequest {
    /// A request, and the function that formats its reply.
    pub(super) fn new(
        request: Request,
        say: impl FnOnce(&Reply<'_>) -> Response + 'static,
    ) -> Self {
        Self {
            request,
            say: Box::new(say),
        }
    }

    /// A call that always gets the same response.
    pub(super) fn answered(stdout: &'static str) -> Self {
        Self::new(Request::Nothing, move |_| Response::text(stdout))
    }
}

impl fmt::Debug for ParsedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.fmt(formatter)
    }
}

/// A request by a tool.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Return a token.
    Token(TokenQuery),
    /// Return a new token, because the server rejected the cached one.
    Renewal(TokenQuery),
    /// Record that the server rejected this token.
    Refusal {
        /// The URI that rejected it.
        uri: String,
        /// The token.
        token: Secret,
    },
    /// Store a secret. Secrets are not stored this way, but a token from this program is accepted
    /// because it needs no storage.
    Keep {
        /// The URI of the server.
        uri: String,
        /// The secret.
        secret: Secret,
    },
    /// No action.
    Nothing,
}

/// The parameters of a token request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenQuery {
    /// The URI that gets the token. `None` if the tool named no server; then the profile comes from
    /// the flag, the environment variable or the default.
    pub(crate) uri: Option<String>,
    /// Command-line flags that the tool sends in its request.
    pub(crate) flags: Vec<String>,
    /// Whether the tool keeps the token for a long time and does not ask again. Then a refresh is
    /// useful earlier.
    pub(crate) is_lasting: bool,
    /// The certificates that the tool trusts for this server instead of the system roots, as PEM.
    /// They must match the profile's `ca_file`.
    pub(crate) ca_data: Option<Vec<u8>>,
}

impl TokenQuery {
    /// A query for the token of a URI.
    pub(super) fn for_uri(uri: String) -> Self {
        Self {
            uri: Some(uri),
            flags: Vec::new(),
            is_lasting: false,
            ca_data: None,
        }
    }

    /// A query for a token if the tool names no server.
    pub(super) fn for_any() -> Self {
        Self {
            uri: None,
            flags: Vec::new(),
            is_lasting: false,
            ca_data: None,
        }
    }
}

/// The reply to a tool.
#[derive(Debug)]
pub(crate) enum Reply<'a> {
    /// A token.
    Credential(Credential<'a>),
    /// No profile covers the server: the tool continues without a token.
    NotMine,
    /// The action is done.
    Done,
}

/// A token and its metadata.
#[derive(Debug)]
pub(crate) struct Credential<'a> {
    /// The token.
    pub(crate) token: &'a Token,
    /// The time until which this program returns the token to this caller. The caller treats it as
    /// the expiry.
    pub(crate) usable_until: OffsetDateTime,
    pub(crate) profile: &'a str,
    /// The base URL of the API.
    pub(crate) base_url: Option<&'a Uri>,
    /// All origins that the token may be sent to.
    pub(crate) origins: &'a [Origin],
}

impl Credential<'_> {
    /// The text of the token.
    pub(super) fn text(&self) -> &str {
        self.token.access_token.expose()
    }
}

/// A reply in the format of the tool.
#[derive(PartialEq, Eq)]
pub(crate) struct Response {
    /// The bytes for stdout.
    pub(crate) stdout: Zeroizing<Vec<u8>>,
    /// How the process ends.
    pub(crate) end: End,
}

/// `stdout` may contain a token.
impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = formatter.debug_struct("Said");
        said.field("end", &self.end).finish_non_exhaustive()
    }
}

impl Response {
    /// An empty response with success.
    pub(super) fn nothing() -> Self {
        Self::text("")
    }

    /// This text, with success.
    pub(super) fn text(text: &str) -> Self {
        Self::secret(Zeroizing::new(text.to_owned()))
    }

    /// A text that contains a token, with success.
    pub(super) fn secret(mut text: Zeroizing<String>) -> Self {
        Self {
            stdout: Zeroizing::new(std::mem::take(&mut *text).into_bytes()),
            end: End::Answered,
        }
    }

    /// An empty response: the tool cannot continue without a token.
    pub(super) fn not_covered() -> Self {
        Self {
            end: End::NotCovered,
            ..Self::nothing()
        }
    }
}

/// How a reply ends the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Exit 0.
    Answered,
    /// Exit 1 and a silent stderr: the tool reads it as "no credential here".
    NotFound,
    /// An error that names the server that no profile covers.
    NotCovered,
}

/// How an error is reported to the tool, in addition to the message on stderr.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// By the exit code; stdout is empty.
    ExitCode,
    /// By the exit code and this text on stdout, which the tool reads.
    Stdout(Vec<u8>),
    /// By a response of the protocol, without stderr and exit code. Only for protocols with several
    /// requests per process.
    Answer(Vec<u8>),
}
