//! The subcommands that implement protocols of tools. The adaptor of a tool parses the request and
//! formats the response; this module processes the requests of all tools in the same way.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::Context;
use super::Limits;
use super::session::{Caller, Session};
use crate::cli::parse_flags;
use crate::diagnostics::error::{Code, Error};
use crate::protocol::{
    Call, Credential, End, ErrorFormat, InputError, ParsedRequest, Protocol, Reply, Request,
    Response, StdinMode, TokenQuery,
};
use crate::system::file::{self, Trust};
use crate::system::stdin::StdinError;
use crate::system::stdout::print;
use crate::token_provider::EraseTarget;

/// The largest `ca_file` that is compared, in bytes.
const LARGEST_CA_FILE: u64 = 1024 * 1024;

pub(super) fn run(
    protocol: &Protocol,
    operands: &[String],
    context: &Context<'_>,
    stdout: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let StdinMode::Lines { greeting } = (protocol.intake)(operands) else {
        return answer(protocol, operands, context, stdout, None);
    };
    print(stdout, greeting.as_bytes()).map_err(Error::Stdout)?;
    let mut stdin = context.stdin(Limits::Tool);
    let mut is_answered = false;
    loop {
        match stdin.line() {
            Ok(Some(line)) => answer(protocol, operands, context, stdout, Some(&line))?,
            Ok(None) => return Ok(ExitCode::SUCCESS),
            // A tool that does not close the pipe has received its response.
            Err(StdinError::TimedOut(_)) if is_answered => return Ok(ExitCode::SUCCESS),
            Err(error) => return complain(protocol, context.no_input(error), stdout, true),
        };
        is_answered = true;
    }
}

/// Answers one call; in a dialogue, `line` is its request.
fn answer(
    protocol: &Protocol,
    operands: &[String],
    context: &Context<'_>,
    stdout: &mut dyn Write,
    line: Option<&[u8]>,
) -> Result<ExitCode, Error> {
    match reply(protocol, operands, context, line) {
        Ok(said) => {
            print(stdout, &said.stdout).map_err(Error::Stdout)?;
            Ok(match said.end {
                End::NotFound => ExitCode::from(Code::Unexpected as u8),
                End::Answered => ExitCode::SUCCESS,
                End::NotCovered => ExitCode::from(Code::NotSetUp as u8),
            })
        }
        Err(error) => complain(protocol, error, stdout, line.is_some()),
    }
}

/// Reports a failure in the tool's format. Some tools expect it as a response if `in_dialogue` is
/// true.
fn complain(
    protocol: &Protocol,
    error: Error,
    stdout: &mut dyn Write,
    in_dialogue: bool,
) -> Result<ExitCode, Error> {
    match (protocol.complain)(&error.diagnostic()) {
        ErrorFormat::Stdout(words) => {
            print(stdout, &words).map_err(Error::Stdout)?;
            Err(error)
        }
        ErrorFormat::Answer(words) if in_dialogue => {
            print(stdout, &words).map_err(Error::Stdout)?;
            Ok(ExitCode::SUCCESS)
        }
        ErrorFormat::ExitCode | ErrorFormat::Answer(_) => Err(error),
    }
}

fn reply(
    protocol: &Protocol,
    operands: &[String],
    context: &Context<'_>,
    line: Option<&[u8]>,
) -> Result<Response, Error> {
    let all = match (line, (protocol.intake)(operands)) {
        (None, StdinMode::All) => Some(context.input(Limits::Tool)?),
        _ => None,
    };
    let variable = protocol
        .variable
        .and_then(|name| context.environment.text(name));
    let call = Call {
        operands,
        variable: variable.as_deref(),
        input: line
            .or(all.as_ref().map(|all| all.as_slice()))
            .unwrap_or_default(),
    };
    let ParsedRequest { request, say } =
        (protocol.read)(&call).map_err(|error| context.misread(error))?;
    match request {
        Request::Nothing => Ok(say(&Reply::Done)),
        Request::Refusal { uri, token } => {
            let session = Session::open(context, Caller::Protocol)?;
            if let Some(profile) = session.profile_for(&uri)? {
                session.erase(profile, EraseTarget::Refused(Some(token.expose())))?;
            }
            Ok(say(&Reply::Done))
        }
        Request::Keep { uri, secret } => {
            let session = Session::open(context, Caller::Protocol)?;
            let profile = session.profile_for(&uri)?;
            if profile.is_some_and(|profile| session.holds(profile, secret.expose())) {
                Ok(say(&Reply::Done))
            } else {
                let verb = context.subcommand.name();
                Err(Error::NotKept { verb })
            }
        }
        Request::Token(wanted) => give(context, wanted, false, say),
        Request::Renewal(wanted) => give(context, wanted, true, say),
    }
}

/// Rejects certificates that are not in the profile's own `ca_file`. The server, or a proxy
/// between, could have issued them.
fn check_ca(ca_data: Option<&[u8]>, ca_file: Option<&Path>) -> Result<(), InputError> {
    let Some(data) = ca_data else {
        return Ok(());
    };
    let own = ca_file.and_then(|path| file::read(path, LARGEST_CA_FILE, Trust::Anything).ok());
    match own {
        Some(own) if own.trim_ascii() == data.trim_ascii() => Ok(()),
        _ => Err(InputError::Refused(
            "the cluster has `certificate-authority-data` that is not the profile's `ca_file`, and \
             whoever issued it would be given the token",
        )),
    }
}

/// Returns a token if the caller may have it. If the cached one `is_refused`, returns another one.
fn give(
    context: &Context<'_>,
    wanted: TokenQuery,
    is_refused: bool,
    say: impl FnOnce(&Reply<'_>) -> Response,
) -> Result<Response, Error> {
    let options;
    let context = if wanted.flags.is_empty() {
        context
    } else {
        let given = parse_flags(context.subcommand, wanted.flags)?;
        options = context.options.with(given);
        &Context::new(
            context.subcommand,
            &options,
            context.environment,
            context.clock,
            context.roots,
        )
    };
    let session = Session::open(context, Caller::Protocol)?;
    let profile = match &wanted.uri {
        None => Some(session.profile()?),
        Some(uri) => session.profile_for(uri)?,
    };
    let said = match profile {
        None => say(&Reply::NotMine),
        Some(profile) => {
            check_ca(wanted.ca_data.as_deref(), profile.ca_file.as_deref())
                .map_err(|error| context.misread(error))?;
            let issued = if is_refused {
                session.renew(profile, None)?
            } else if wanted.is_lasting {
                session.obtain_lasting(profile)?
            } else {
                session.obtain(profile)?
            };
            say(&Reply::Credential(Credential {
                token: &issued.token,
                usable_until: issued.usable_until,
                profile: &profile.name,
                base_url: profile.base_url.as_ref(),
                origins: &profile.origins,
            }))
        }
    };
    match said.end {
        End::NotCovered => Err(session.not_covered(wanted.uri.as_deref().unwrap_or_default())),
        End::Answered | End::NotFound => Ok(said),
    }
}
