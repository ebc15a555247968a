//! `cloudconnexa-auth`: the entry point; see the library.

use std::env;
use std::io;
use std::process::ExitCode;

/// Cargo.toml explains why.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let arguments = env::args_os().collect();
    cloudconnexa_auth::run(arguments, &mut io::stdout())
}
