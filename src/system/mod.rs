//! The operating system: files, terminal, standard streams, environment, clock, processes, name
//! resolution.

pub(crate) mod clock;
pub(crate) mod environment;
pub(crate) mod file;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod resolver;
pub(crate) mod stdin;
pub(crate) mod stdout;
#[cfg_attr(not(unix), expect(dead_code, reason = "elsewhere nobody is asked"))]
pub(crate) mod terminal;
pub(crate) mod tls_roots;
