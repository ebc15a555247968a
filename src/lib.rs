//! The CloudConnexa API token once, for every tool, safely.
//!
//! This library is the program's own; its one public function is [`run`]. The map, from the top
//! floor down; a room uses only what stands below it, and rooms of one floor do not know each
//! other:
//!
//! | floor | room | what it is for |
//! |---|---|---|
//! | 5 | `command` | one file a verb |
//! | 4 | `error`, `report` | what people are told, and the exit code |
//! | 3 | `broker` | the life of a request: cache, lock, exchange, cool-down |
//! | 2 | `profile` | configuration, and which profile a request is for |
//! | 1 | `cli`, `source`, `oauth`, `cache`, `protocol` | argv; secret sources; the exchange; the entries; wire formats |
//! | 0 | `file`, `input`, `secret`, `token`, `uri`, `clock`, … | plain values, stdin, files that hold secrets |
//!
//! Deliberately absent: async, a daemon, unsafe code, anything on stdout but the reply.

mod broker;
mod cache;
mod cli;
mod clock;
mod command;
mod duration;
mod environment;
mod error;
mod file;
mod input;
mod oauth;
mod profile;
mod protocol;
mod quote;
mod report;
mod secret;
mod source;
mod token;
mod uri;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use zeroize::Zeroizing;

use crate::cli::{Invocation, Options};
use crate::clock::SystemClock;
use crate::command::{Context, Output};
use crate::environment::Environment;
use crate::error::Error;
use crate::report::{Level, Report};

/// Runs the program: `arguments` are those behind its name. The answer goes to `stdout` in one
/// write, and everything else to the process's stderr; the process's stdin is read only by the
/// verbs whose protocol sends something.
pub fn run(arguments: Vec<OsString>, stdout: &mut dyn Write) -> ExitCode {
    let environment = Environment::Process;
    let answer = answer(arguments, &environment);
    match answer.and_then(|output| write(stdout, &output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Report::error(&error.explanation());
            ExitCode::from(error.code() as u8)
        }
    }
}

fn answer(arguments: Vec<OsString>, environment: &Environment) -> Result<Output, Error> {
    let clock = SystemClock::start();
    match cli::parse(arguments)? {
        Invocation::Help(verb) => Ok(Zeroizing::new(cli::help(verb).into_bytes())),
        Invocation::Version => {
            let line = concat!("cloudconnexa-auth ", env!("CARGO_PKG_VERSION"), "\n");
            Ok(Zeroizing::new(line.as_bytes().to_vec()))
        }
        Invocation::Run(verb, options) => {
            let report = Report::at(level(environment, &options)?);
            let context = Context {
                environment,
                clock: &clock,
                options: &options,
                report,
            };
            command::run(verb, &context)
        }
    }
}

fn level(environment: &Environment, options: &Options) -> Result<Level, Error> {
    if options.verbose {
        return Ok(Level::Debug);
    }
    match environment.text("CLOUDCONNEXA_AUTH_LOG").as_deref() {
        None | Some("warn") => Ok(Level::Warnings),
        Some("error") => Ok(Level::Errors),
        Some("debug") => Ok(Level::Debug),
        Some(_) => Err(Error::Variable {
            name: "CLOUDCONNEXA_AUTH_LOG",
            problem: "must be `error`, `warn` or `debug`".to_owned(),
        }),
    }
}

/// In one write, errors checked. A reader that went away wants no answer any more.
fn write(stdout: &mut dyn Write, output: &[u8]) -> Result<(), Error> {
    match stdout.write_all(output).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}
