//! Protects the data of this process from other processes: no readable memory, no core file, and
//! only the source position of a panic.

use std::panic::{self, Location};
use std::process;

use crate::types::diagnostic::Diagnostic;

/// The exit code of an unexpected failure.
const UNEXPECTED: i32 = 1;

/// Disables core dumps, and debuggers of the same user.
///
/// This takes one system call. execve(2) resets the setting, so a child program is not affected. A
/// limit on core files would be inherited, and it does not stop the kernel from piping the memory
/// to a crash collector.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn disable_core_dumps() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // An error is ignored: an old kernel has no such setting, and a sandbox may forbid the call.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
}

/// Sets a limit on core files, as the best available protection. A child program inherits it but
/// may raise it again.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
pub(crate) fn disable_core_dumps() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Core).maximum;
    let limit = Rlimit {
        current: Some(0),
        maximum,
    };
    setrlimit(Resource::Core, limit).ok();
}

/// Other systems write no core file unless an administrator enables it.
#[cfg(not(unix))]
pub(crate) fn disable_core_dumps() {}

/// Reports a panic on any thread as a normal error, with the same exit code. The panic's message is
/// not shown, because it may contain secret data.
pub(crate) fn on_panic(tell: fn(&Diagnostic)) {
    panic::set_hook(Box::new(move |panic| {
        tell(&explain(panic.location()));
        #[expect(
            clippy::exit,
            clippy::disallowed_methods,
            reason = "after this hook comes only an abort, or a thread that is not joined"
        )]
        process::exit(UNEXPECTED);
    }));
}

fn explain(location: Option<&Location<'_>>) -> Diagnostic {
    let place = |at: &Location<'_>| format!("a panic at {}:{}", at.file(), at.line());
    Diagnostic {
        what: "this program has met a state that it should never be in".to_owned(),
        cause: Some(location.map_or("a panic".to_owned(), place)),
        hint: Some("this is a bug of cloudconnexa-auth; report it with the line above".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{self, Location};

    use super::explain;

    #[test]
    fn a_panic_is_told_by_its_place_and_not_by_its_words() {
        let caught = panic::catch_unwind(|| {
            let secret = "s3cret".to_owned();
            assert_ne!(secret, "s3cret", "{secret}");
        });
        assert!(caught.is_err(), "the message of this panic contains data");
        let told = explain(Some(Location::caller()));
        let here = file!();
        let cause = told.cause.unwrap();
        assert!(cause.starts_with(&format!("a panic at {here}:")), "{cause}");
        let told = explain(None);
        assert_eq!(told.cause.as_deref(), Some("a panic"));
    }
}
