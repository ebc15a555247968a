//! Gets an access token for the CloudConnexa API and gives it to other tools.
//!
//! The one public function of this library is [`run`]. A module uses modules of lower layers only
//! (`tests/it/layers.rs` checks this); modules of one layer do not use each other.
//!
//! | layer | modules | contents |
//! |---|---|---|
//! | 7 | `fuzzing` | properties of the parsers, for the tests and the fuzzer only |
//! | 6 | `commands` | one file per subcommand |
//! | 5 | `diagnostics` | errors, exit codes, the reporter on stderr |
//! | 4 | `token_provider` | from a profile to a token: cache, lock, request, cool-down |
//! | 3 | `cli`, `config` | the command line; the configuration and the choice of a profile |
//! | 2 | `cache`, `curl`, `oauth`, `protocol`, `secret_source`, `shared_store`, `tool_config` | see each |
//! | 1 | `system` | files, streams, environment, clock, terminal, processes, root certificates |
//! | 0 | `types` | secrets, tokens, URIs, durations, templates, diagnostics |
//!
//! There is no async code, no daemon and no unsafe code. Only the reply is written to stdout.

mod cache;
mod cli;
mod commands;
mod config;
mod curl;
mod diagnostics;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod oauth;
mod protocol;
mod secret_source;
#[cfg(feature = "shared-store")]
mod shared_store;
mod system;
mod token_provider;
mod tool_config;
mod types;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::cli::Invocation;
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::Reporter;
use crate::system::clock::SystemClock;
use crate::system::environment::Environment;

/// Runs the program. `arguments` are the program's name, which may be the name of a tool's helper,
/// and the command-line arguments. The output is written to `stdout`, and messages to the process's
/// stderr. Only subcommands whose protocol has input read the process's stdin.
pub fn run(arguments: Vec<OsString>, stdout: &mut dyn Write) -> ExitCode {
    system::process::disable_core_dumps();
    system::process::on_panic(Reporter::error);
    answer(arguments, stdout).unwrap_or_else(|error| {
        Reporter::error(&error.diagnostic());
        ExitCode::from(error.code() as u8)
    })
}

fn answer(arguments: Vec<OsString>, stdout: &mut dyn Write) -> Result<ExitCode, Error> {
    let clock = SystemClock::start();
    let page = match cli::parse(arguments)? {
        Invocation::Run(subcommand, command, options) => {
            let environment = &Environment::process();
            return commands::run(subcommand, command, &options, environment, &clock, stdout);
        }
        Invocation::Help(subcommand) => cli::help(subcommand),
        Invocation::Version => {
            concat!("cloudconnexa-auth ", env!("CARGO_PKG_VERSION"), "\n").into()
        }
    };
    system::stdout::print(stdout, page.as_bytes()).map_err(Error::Stdout)?;
    Ok(ExitCode::SUCCESS)
}
