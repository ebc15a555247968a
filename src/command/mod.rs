//! What a person or a tool asked for: one file a verb. Each gives the bytes for stdout, which are
//! written once, at the end.

mod erase;
mod get;
mod header;
mod list;
mod session;
mod status;
mod store;
mod token;
mod version;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::cli::{Options, Verb};
use crate::clock::{Clock, Deadline};
use crate::environment::Environment;
use crate::error::Error;
use crate::input::{StdinError, read_stdin};
use crate::protocol::{InputError, LARGEST_INPUT};
use crate::report::Report;

use session::PROTOCOL_LIMIT;

/// What stdout is given.
pub(crate) type Output = Zeroizing<Vec<u8>>;

/// What a command works with.
pub(crate) struct Context<'a> {
    /// The variables.
    pub(crate) environment: &'a Environment,
    /// The clock.
    pub(crate) clock: &'a dyn Clock,
    /// The flags.
    pub(crate) options: &'a Options,
    /// The way to stderr.
    pub(crate) report: Report,
}

/// Carries out a verb. stdin is read by those verbs only whose protocol sends something.
pub(crate) fn run(verb: Verb, context: &Context<'_>) -> Result<Output, Error> {
    match verb {
        Verb::Token => token::run(context),
        Verb::Header => header::run(context),
        Verb::Get => get::run(context, &input(context, verb, Some(PROTOCOL_LIMIT))?),
        Verb::Store => store::run(context, &input(context, verb, None)?),
        Verb::Erase => erase::run(context, &input(context, verb, Some(PROTOCOL_LIMIT))?),
        Verb::List => list::run(context),
        Verb::Status => status::run(context),
        Verb::Version => Ok(version::run()),
    }
}

/// All of stdin: within the time that was given, or else within `limit` unless a person types.
fn input(
    context: &Context<'_>,
    verb: Verb,
    limit: Option<Duration>,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let limit = limit.filter(|_| !io::stdin().is_terminal());
    let deadline = context.options.timeout.or(limit).map(Deadline::after_start);
    read_stdin(LARGEST_INPUT, context.clock, deadline).map_err(|error| match error {
        StdinError::TooLarge => Error::Input {
            verb: verb.name(),
            error: InputError::TooLarge,
        },
        StdinError::TimedOut(limit) => Error::InputTimedOut {
            verb: verb.name(),
            limit,
        },
        StdinError::Io(error) => Error::Stdin(error),
    })
}
