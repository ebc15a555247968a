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

use std::io::Read;

use zeroize::Zeroizing;

use crate::cli::{Options, Verb};
use crate::clock::Clock;
use crate::environment::Environment;
use crate::error::Error;
use crate::protocol::{InputError, LARGEST_INPUT};
use crate::report::Report;

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
pub(crate) fn run(
    verb: Verb,
    context: &Context<'_>,
    stdin: &mut dyn Read,
) -> Result<Output, Error> {
    match verb {
        Verb::Token => token::run(context),
        Verb::Header => header::run(context),
        Verb::Get => get::run(context, &input(stdin, verb)?),
        Verb::Store => store::run(context, &input(stdin, verb)?),
        Verb::Erase => erase::run(context, &input(stdin, verb)?),
        Verb::List => list::run(context),
        Verb::Status => status::run(context),
        Verb::Version => Ok(version::run()),
    }
}

/// All of stdin, within the bound.
fn input(stdin: &mut dyn Read, verb: Verb) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    stdin
        .take(LARGEST_INPUT + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::Stdin)?;
    if bytes.len() as u64 > LARGEST_INPUT {
        return Err(Error::Input {
            verb: verb.name(),
            error: InputError::TooLarge,
        });
    }
    Ok(bytes)
}
