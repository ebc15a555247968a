//! What every adaptor is made of: how it is called, what it can ask for, what it can be told.

use std::fmt;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::InputError;
use crate::types::diagnostic::Diagnostic;
use crate::types::secret::Secret;
use crate::types::token::Token;
use crate::types::uri::{Origin, Uri};

/// A protocol by which a tool asks for the token.
pub(crate) struct Protocol {
    /// The subcommand.
    pub(crate) name: &'static str,
    /// The protocol's own name, for `version`.
    pub(crate) protocol: &'static str,
    /// The program's other name, where the tool looks for one.
    pub(crate) program: Option<&'static str>,
    /// What it does, in a line of the help page.
    pub(crate) summary: &'static str,
    /// The same at length.
    pub(crate) details: &'static str,
    /// Lines that can be typed.
    pub(crate) examples: &'static str,
    /// What may stand behind the subcommand, in this order; one in brackets may be missing, and
    /// one that begins with `--` is written as a flag.
    pub(crate) operands: &'static [&'static str],
    /// The variable in which the tool says more.
    pub(crate) variable: Option<&'static str>,
    /// How stdin is read: only where the protocol sends something.
    pub(crate) intake: fn(operands: &[String]) -> StdinMode,
    /// Reads what the tool sent.
    pub(crate) read: fn(&Call<'_>) -> Result<ParsedRequest, InputError>,
    /// How a failure is told.
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
    /// Not at all: the tool may have left a terminal or an open pipe there.
    Nothing,
    /// To its end; it is one request.
    All,
    /// Line by line; each is a request that is answered before the next one comes.
    Lines {
        /// What the tool waits for before it sends anything.
        greeting: &'static str,
    },
}

/// One call of the tool.
pub(crate) struct Call<'a> {
    /// What stands behind the subcommand.
    pub(crate) operands: &'a [String],
    /// The value of the adaptor's variable.
    pub(crate) variable: Option<&'a str>,
    /// What stands in stdin.
    pub(crate) input: &'a [u8],
}

/// stdin may hold a secret, and so may a word that does not belong there.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").finish_non_exhaustive()
    }
}

/// What a call asks for, and how the reply to it is said.
pub(crate) struct ParsedRequest {
    /// What is asked for.
    pub(crate) request: Request,
    /// Says the reply in the tool's words.
    pub(crate) say: Box<dyn FnOnce(&Reply<'_>) -> Response>,
}

impl ParsedRequest {
    /// A request, and the way to say its reply.
    pub(super) fn new(
        request: Request,
        say: impl FnOnce(&Reply<'_>) -> Response + 'static,
    ) -> Self {
        Self {
            request,
            say: Box::new(say),
        }
    }

    /// A call whose answer does not depend on anything.
    pub(super) fn answered(stdout: &'static str) -> Self {
        Self::new(Request::Nothing, move |_| Response::text(stdout))
    }
}

impl fmt::Debug for ParsedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.request.fmt(formatter)
    }
}

/// What a tool can ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// A token.
    Token(TokenQuery),
    /// A token, since the server refused the one at hand.
    Renewal(TokenQuery),
    /// Nothing but to hear that the server refused this token.
    Refusal {
        /// Where it was refused.
        uri: String,
        /// The token.
        token: Secret,
    },
    /// That a secret be kept. None is, but the token that came from here needs no keeping.
    Keep {
        /// For which server.
        uri: String,
        /// The secret.
        secret: Secret,
    },
    /// Nothing that anybody has to be asked for.
    Nothing,
}

/// Which token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenQuery {
    /// Where it is to go; `None` where the tool named no server, which is the profile of the
    /// flag, of the variable, or else the usual one.
    pub(crate) uri: Option<String>,
    /// Flags of the command line that the tool hands over in its request.
    pub(crate) flags: Vec<String>,
    /// Whether the tool keeps it for a long time and never asks again, so that one with much of
    /// its life before it is worth a request.
    pub(crate) is_lasting: bool,
    /// The certificates that the tool trusts for this server instead of the system's, as PEM. They
    /// must be the profile's `ca_file`.
    pub(crate) ca_data: Option<Vec<u8>>,
}

impl TokenQuery {
    /// The token for a URI.
    pub(super) fn for_uri(uri: String) -> Self {
        Self {
            uri: Some(uri),
            flags: Vec::new(),
            is_lasting: false,
            ca_data: None,
        }
    }

    /// The token for a server that the tool does not name.
    pub(super) fn for_any() -> Self {
        Self {
            uri: None,
            flags: Vec::new(),
            is_lasting: false,
            ca_data: None,
        }
    }
}

/// What a tool is told.
#[derive(Debug)]
pub(crate) enum Reply<'a> {
    /// A token.
    Credential(Credential<'a>),
    /// The server is none of ours: the tool goes on without us.
    NotMine,
    /// What was asked is done.
    Done,
}

/// A token and what is known of it.
#[derive(Debug)]
pub(crate) struct Credential<'a> {
    /// The token.
    pub(crate) token: &'a Token,
    /// The moment until which this program would hand it out itself: its end, for this caller.
    pub(crate) usable_until: OffsetDateTime,
    /// The profile's name.
    pub(crate) profile: &'a str,
    /// Where API paths begin.
    pub(crate) base_url: Option<&'a Uri>,
    /// Every origin that it may go to.
    pub(crate) origins: &'a [Origin],
}

impl Credential<'_> {
    /// The text of the token.
    pub(super) fn text(&self) -> &str {
        self.token.access_token.expose()
    }
}

/// A reply in a tool's words.
#[derive(PartialEq, Eq)]
pub(crate) struct Response {
    /// For stdout.
    pub(crate) stdout: Zeroizing<Vec<u8>>,
    /// How the process ends.
    pub(crate) end: End,
}

/// The words hold a token.
impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = formatter.debug_struct("Said");
        said.field("end", &self.end).finish_non_exhaustive()
    }
}

impl Response {
    /// Nothing, and success.
    pub(super) fn nothing() -> Self {
        Self::text("")
    }

    /// These words, and success.
    pub(super) fn text(text: &str) -> Self {
        Self::secret(Zeroizing::new(text.to_owned()))
    }

    /// Words with a token in them, and success.
    pub(super) fn secret(mut text: Zeroizing<String>) -> Self {
        Self {
            stdout: Zeroizing::new(std::mem::take(&mut *text).into_bytes()),
            end: End::Answered,
        }
    }

    /// Nothing: the tool cannot go on without us.
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
    /// An error that says which server is not covered.
    NotCovered,
}

/// How a failure is told, beside what stands on stderr for people.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ErrorFormat {
    /// By the exit code; stdout stays empty.
    ExitCode,
    /// By the exit code and these words on stdout, where the tool reads them.
    Stdout(Vec<u8>),
    /// By an answer of the protocol, instead of stderr and exit code; in a dialogue only.
    Answer(Vec<u8>),
}
