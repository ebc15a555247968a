//! The subcommands, one file each. `protocol` processes all subcommands that implement protocols of
//! tools.

mod curl;
mod doctor;
mod erase;
mod exec;
mod header;
mod list;
mod login;
mod logout;
mod pages;
mod protocol;
mod session;
mod setup;
mod status;
mod store;
mod token;
mod use_profile;
mod version;

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::cli::{Command, CommonOptions, Subcommand};
use crate::config::Editing;
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::{Level, Reporter};
use crate::protocol::{InputError, LARGEST_INPUT};
use crate::secret_source::Launcher;
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::system::stdin::{Stdin, StdinError};
use crate::system::stdout::print;
use crate::system::tls_roots::System;
use crate::types::quote::quote;

use session::PROTOCOL_LIMIT;

/// The API path below the base URL that `login` and `doctor` call; it exists for every account.
const API_PATH: &str = "/api/v1/networks";

/// The bytes to write to stdout.
type Output = Zeroizing<Vec<u8>>;

/// The environment and options of one command.
struct Context<'a> {
    subcommand: Subcommand,
    environment: &'a Environment,
    clock: &'a dyn Clock,
    options: &'a CommonOptions,
    /// The system's root certificates, loaded on first use.
    roots: &'a System<'a>,
    /// The reporter that writes to stderr.
    report: Reporter,
    /// Whether a problem with the cache was reported. It is reported once only.
    has_told_of_cache: Rc<Cell<bool>>,
}

impl<'a> Context<'a> {
    fn new(
        subcommand: Subcommand,
        options: &'a CommonOptions,
        environment: &'a Environment,
        clock: &'a dyn Clock,
        roots: &'a System<'a>,
    ) -> Self {
        Self {
            subcommand,
            environment,
            clock,
            options,
            roots,
            report: reporter(subcommand, options, environment),
            has_told_of_cache: Rc::default(),
        }
    }

    /// The settings and the time limit for editing the configuration.
    fn editing(&self) -> Editing<'a> {
        let options = self.options;
        Editing {
            environment: self.environment,
            flag: options.config.as_deref(),
            clock: self.clock,
            lock_limit: options.timeout,
            deadline: self.time_from_now(),
        }
    }

    /// A new deadline for a server or a keychain, after the user was prompted.
    fn time_from_now(&self) -> Deadline {
        Deadline::from_now(self.clock, self.options.timeout.unwrap_or(session::LIMIT))
    }

    /// The settings for starting a program that must end by `deadline`.
    fn launcher(&self, deadline: Deadline) -> Launcher<'a> {
        Launcher {
            environment: self.environment,
            clock: self.clock,
            deadline,
        }
    }

    /// stdin, limited by `--timeout`. Without it, only [`Limits::Tool`] sets a time limit, and not
    /// for input from a terminal.
    fn stdin(&self, limits: Limits) -> Stdin<'a> {
        let is_limited = limits == Limits::Tool && !io::stdin().is_terminal();
        let limit = self
            .options
            .timeout
            .or(is_limited.then_some(PROTOCOL_LIMIT));
        Stdin::new(LARGEST_INPUT, self.clock, limit.map(Deadline::after_start))
    }

    /// Reads stdin to the end.
    fn input(&self, limits: Limits) -> Result<Output, Error> {
        self.stdin(limits)
            .all()
            .map_err(|error| self.no_input(error))
    }

    fn no_input(&self, error: StdinError) -> Error {
        let verb = self.subcommand.name();
        match error {
            StdinError::TooLarge => self.misread(InputError::TooLarge),
            StdinError::TimedOut(limit) => Error::InputTimedOut { verb, limit },
            StdinError::Io(error) => Error::Stdin(error),
        }
    }

    fn misread(&self, error: InputError) -> Error {
        let verb = self.subcommand.name();
        Error::Input { verb, error }
    }
}

/// How long to wait for stdin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limits {
    /// No time limit by default: a person may type.
    Person,
    /// The time limit of a tool.
    Tool,
}

/// Runs a subcommand and writes its output to stdout. Only subcommands whose protocol has input
/// read stdin.
///
/// Subcommands that are not on the hot path are `#[cold]`: if inlined here, their code would be
/// between the parts that every request for a token uses (docs/performance.md).
pub(crate) fn run(
    subcommand: Subcommand,
    command: Command,
    options: &CommonOptions,
    environment: &Environment,
    clock: &dyn Clock,
    stdout: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let roots = System::new(environment);
    let context = &Context::new(subcommand, options, environment, clock, &roots);
    let output = match command {
        Command::Token { json, uri } => token::run(context, json, uri.as_deref())?,
        Command::Header { format, uri } => header::run(context, format, uri.as_deref())?,
        Command::Store => store::run(context, &context.input(Limits::Person)?)?,
        Command::Erase => erase::run(context, &context.input(Limits::Tool)?)?,
        Command::List => list::run(context)?,
        Command::Status { json } => status::run(context, json)?,
        Command::Version => version::run(),
        Command::Doctor { json } => return doctor::run(context, json, stdout),
        Command::Completions { shell } => pages::completions(&shell)?,
        Command::Man { page } => pages::man(page.as_deref())?,
        Command::Exec(options) => return exec::run(context, &options),
        Command::Curl {
            path,
            allowed,
            arguments,
        } => {
            return curl::run(context, &path, &allowed, &arguments, stdout);
        }
        Command::Login(options) => {
            return login::run(context, &options).map(|()| ExitCode::SUCCESS);
        }
        Command::Logout { yes } => return logout::run(context, yes).map(|()| ExitCode::SUCCESS),
        Command::Use { name } => {
            return use_profile::run(context, &name).map(|()| ExitCode::SUCCESS);
        }
        Command::Setup(options) => setup::run(context, &options)?,
        Command::Protocol { protocol, operands } => {
            return protocol::run(protocol, &operands, context, stdout);
        }
    };
    print(stdout, &output).map_err(Error::Stdout)?;
    Ok(ExitCode::SUCCESS)
}

/// The reporter at the level that `-v` or `CLOUDCONNEXA_AUTH_LOG` sets. The default for protocols
/// is errors only, because some tools treat stderr as part of the response.
fn reporter(
    subcommand: Subcommand,
    options: &CommonOptions,
    environment: &Environment,
) -> Reporter {
    let default = match subcommand {
        Subcommand::Protocol(_) => Level::Errors,
        _ => Level::Warnings,
    };
    if options.verbose {
        return Reporter::at(Level::Debug);
    }
    let Some(text) = environment.text("CLOUDCONNEXA_AUTH_LOG") else {
        return Reporter::at(default);
    };
    match text.to_ascii_lowercase().as_str() {
        "error" => Reporter::at(Level::Errors),
        "warn" => Reporter::at(Level::Warnings),
        "debug" => Reporter::at(Level::Debug),
        _ => {
            let report = Reporter::at(default);
            report.warning(&format!(
                "CLOUDCONNEXA_AUTH_LOG is `{}`; it must be `error`, `warn` or `debug`",
                quote(&text)
            ));
            report
        }
    }
}
