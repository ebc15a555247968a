//! The sandbox as a program: it prints how to use it and serves until a signal.

mod args;
mod output;
mod signals;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::output::{OutputDirectory, ReadyFile, exports};
use crate::signals::Signals;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloudconnexa-sandbox: error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let signals = Signals::catch().map_err(|error| format!("cannot catch signals: {error}"))?;
    let sandbox = args
        .builder()
        .log(|request| eprintln!("cloudconnexa-sandbox: {request}"))
        .try_start()
        .map_err(|error| format!("cannot listen on {}: {error}", args.address()))?;

    let directory = OutputDirectory::open(args.directory.as_deref())
        .map_err(|error| format!("cannot create the directory: {error}"))?;
    let ca = directory
        .write_ca(&sandbox)
        .map_err(|error| format!("cannot write ca.pem: {error}"))?;
    let text = exports(&sandbox, ca.as_deref());
    let ready = args.ready_file.as_deref().map(|path| {
        ReadyFile::write(path, &text)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    });
    let _ready = ready.transpose()?;
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| format!("cannot write to stdout: {error}"))?;

    signals.wait();
    Ok(())
}
