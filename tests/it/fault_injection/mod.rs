//! Fault-injection tests with real processes. Each property is tried a few times in `make test` and
//! many times in `make soak`, which writes the table of docs/reliability.md from the counts.

pub(crate) mod clocks;
mod files;
mod hung_process;
mod kill;
pub(crate) mod networks;
mod process_group;
pub(crate) mod processes;
mod secrets;
#[cfg(feature = "shared-store")]
mod shared_store;
mod stress;
mod url_parsers;

use std::cell::Cell;
use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

use crate::harness::Outcome;

/// The number of attempts: `few` in `make test`, `many` in `make soak`.
pub(crate) fn tries(few: usize, many: usize) -> usize {
    if env::var_os("SOAK").is_some() {
        many
    } else {
        few
    }
}

/// Returns the stdout of a process that must succeed. On a loaded machine it may report that it
/// waits.
#[track_caller]
pub(crate) fn answer(mut outcome: Outcome) -> String {
    if is_wait(&outcome.stderr) {
        outcome.stderr.clear();
    }
    outcome.succeeds()
}

/// Whether this is the one line about a wait of more than two seconds.
pub(crate) fn is_wait(stderr: &str) -> bool {
    let start = "cloudconnexa-auth: waiting for another process's token request";
    stderr.starts_with(start) && stderr.lines().count() == 1
}

/// A property that a test checks, with the numbers of attempts and successes. When it is dropped,
/// its row is appended to the file that the variable `PROOFS` names: test, property, attempts,
/// successes, separated by tabs.
pub(crate) struct Claim {
    text: &'static str,
    tried: Cell<usize>,
    survived: Cell<usize>,
}

impl Claim {
    /// `text` is one sentence for docs/reliability.md.
    pub(crate) fn that(text: &'static str) -> Self {
        assert!(
            !text.contains(['\t', '\n', '|']),
            "the text fits into a cell of a table"
        );
        Self {
            text,
            tried: Cell::new(0),
            survived: Cell::new(0),
        }
    }

    /// Tries it once. The attempt succeeds if `attempt` returns, and fails by a panic.
    pub(crate) fn holds<T>(&self, attempt: impl FnOnce() -> T) -> T {
        self.counts(1, attempt)
    }

    /// Tries it with `count` processes, inputs or moments at once.
    pub(crate) fn counts<T>(&self, count: usize, attempt: impl FnOnce() -> T) -> T {
        self.tried.set(self.tried.get() + count);
        let result = attempt();
        self.survived.set(self.survived.get() + count);
        result
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let Some(path) = env::var_os("PROOFS") else {
            return;
        };
        let thread = thread::current();
        let test = thread.name().unwrap_or("?");
        let (tried, survived) = (self.tried.get(), self.survived.get());
        // If a test runs again in its own second process, that process writes the row.
        if tried == 0 {
            return;
        }
        let row = format!("{test}\t{}\t{tried}\t{survived}\n", self.text);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        file.write_all(row.as_bytes()).unwrap();
    }
}
