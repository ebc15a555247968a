//! The CloudConnexa API token once, for every tool, safely.
//!
//! This library is the program's own; its one public function is [`run`] (and for the fuzzer
//! `fuzzing`, which is not in the program). The map, from the top
//! floor down; a room uses only what stands below it, and rooms of one floor do not know each
//! other:
//!
//! | floor | room | what it is for |
//! |---|---|---|
//! | 6 | `fuzzing` | properties of the parsers; for the tests and the fuzzer only |
//! | 5 | `command` | one file a verb, and one for all that are protocols |
//! | 4 | `error`, `report` | what people are told, and the exit code |
//! | 3 | `broker` | the life of a request: cache, lock, exchange, cool-down |
//! | 2 | `profile`, `cli` | configuration, and which profile a request is for; argv |
//! | 1 | `source`, `oauth`, `cache`, `fleet`, `protocol`, `wiring`, `curl` | secret sources; the exchange; the entries; the store that hosts share; the tools' protocols and configuration files; curl's arguments and answers |
//! | 0 | `process`, `file`, `input`, `output`, `secret`, `token`, `uri`, `clock`, … | what the process shows of itself, plain values, name lookup, stdin and stdout, files that hold secrets |
//!
//! Deliberately absent: async, a daemon, unsafe code, anything on stdout but the reply.

mod broker;
mod cache;
mod cli;
mod clock;
mod command;
mod curl;
mod duration;
mod environment;
mod error;
mod explanation;
mod file;
#[cfg(feature = "shared-store")]
mod fleet;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hex;
mod input;
mod oauth;
mod output;
mod process;
mod profile;
mod protocol;
mod quote;
mod report;
mod resolver;
mod roots;
mod secret;
mod source;
mod style;
mod template;
#[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere nobody is asked"))]
mod terminal;
mod token;
mod uri;
mod wiring;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::cli::Invocation;
use crate::clock::SystemClock;
use crate::environment::Environment;
use crate::error::Error;
use crate::report::Report;

/// Runs the program: `arguments` are its name, by which a tool may have called it as its helper,
/// and those behind it. The answer goes to `stdout`, and everything else to the process's stderr;
/// the process's stdin is read only by the verbs whose protocol sends something.
pub fn run(arguments: Vec<OsString>, stdout: &mut dyn Write) -> ExitCode {
    process::close_off();
    process::on_panic(Report::error);
    answer(arguments, stdout).unwrap_or_else(|error| {
        Report::error(&error.explanation());
        ExitCode::from(error.code() as u8)
    })
}

fn answer(arguments: Vec<OsString>, stdout: &mut dyn Write) -> Result<ExitCode, Error> {
    let clock = SystemClock::start();
    let page = match cli::parse(arguments)? {
        Invocation::Run(verb, options) => {
            return command::run(verb, &options, &Environment::Process, &clock, stdout);
        }
        Invocation::Help(verb) => cli::help(verb),
        Invocation::Version => {
            concat!("cloudconnexa-auth ", env!("CARGO_PKG_VERSION"), "\n").into()
        }
    };
    output::print(stdout, page.as_bytes()).map_err(Error::Stdout)?;
    Ok(ExitCode::SUCCESS)
}
