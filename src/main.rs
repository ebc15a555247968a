//! `cloudconnexa-auth`: arguments in, an answer and an exit code out.

use std::env;
use std::io;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = env::args_os().collect();
    cloudconnexa_auth::run(arguments, &mut io::stdout())
}
