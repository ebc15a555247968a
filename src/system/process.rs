//! What this process shows of itself to others: neither its memory nor a core file, and of a panic
//! nothing but where it was.

use std::panic::{self, Location};
use std::process;

use crate::types::diagnostic::Diagnostic;

/// The exit code of an unexpected failure.
const UNEXPECTED: i32 = 1;

/// Keeps the memory of this process to itself: no core file, and no debugger of the same user.
///
/// One system call, and what it sets ends with execve(2), so that a program which is started from
/// here has what it would have without us. A limit on core files would be inherited, and does not
/// keep the kernel from piping the memory to a collector of crashes.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn disable_core_dumps() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // A kernel that does not know it has no memory to show, or a sandbox has its reasons; the
    // answer is as good.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
}

/// The same as far as a limit can do it. A program that is started from here inherits it, but may
/// raise it again.
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

/// Elsewhere nothing is written unless an administrator asked for it.
#[cfg(not(unix))]
pub(crate) fn disable_core_dumps() {}

/// Has a panic told in the form of every other failure, and ended with the same exit code,
/// whichever thread it is on. What it says is not told: it may be made of data.
pub(crate) fn on_panic(tell: fn(&Diagnostic)) {
    panic::set_hook(Box::new(move |panic| {
        tell(&explain(panic.location()));
        #[expect(
            clippy::exit,
            clippy::disallowed_methods,
            reason = "behind this hook is only an abort, or a thread that nobody waits for"
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
        assert!(caught.is_err(), "its words are data, as an assertion's are");
        let told = explain(Some(Location::caller()));
        let here = file!();
        let cause = told.cause.unwrap();
        assert!(cause.starts_with(&format!("a panic at {here}:")), "{cause}");
        let told = explain(None);
        assert_eq!(told.cause.as_deref(), Some("a panic"));
    }
}
