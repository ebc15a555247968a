//! Faults against real processes, each claim tried as often as there is time for: a few times in
//! `make test`, many times in `make soak`, which writes the table of docs/reliability.md from what
//! it counted.

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

/// How often something is tried: `few` times in `make test`, `many` times in `make soak`.
pub(crate) fn tries(few: usize, many: usize) -> usize {
    if env::var_os("SOAK").is_some() {
        many
    } else {
        few
    }
}

/// stdout of a run that succeeds. On a loaded machine it may have had to say that it waits.
#[track_caller]
pub(crate) fn answer(mut outcome: Outcome) -> String {
    if is_wait(&outcome.stderr) {
        outcome.stderr.clear();
    }
    outcome.succeeds()
}

/// Whether this is the one line on a wait of more than two seconds.
pub(crate) fn is_wait(stderr: &str) -> bool {
    let start = "cloudconnexa-auth: waiting for another process's token request";
    stderr.starts_with(start) && stderr.lines().count() == 1
}

/// What a test claims, and how often that was tried and held. When it is dropped, its row is
/// appended to the file that the variable `PROOFS` names: test, claim, tried, survived, with tabs
/// between them.
pub(crate) struct Claim {
    text: &'static str,
    tried: Cell<usize>,
    survived: Cell<usize>,
}

impl Claim {
    /// `text` is one sentence for docs/reliability.md.
    pub(crate) fn that(text: &'static str) -> Self {
        assert!(!text.contains(['\t', '\n', '|']), "a cell of a table");
        Self {
            text,
            tried: Cell::new(0),
            survived: Cell::new(0),
        }
    }

    /// Tries it once. It has survived when `attempt` returns; it fails by a panic.
    pub(crate) fn holds<T>(&self, attempt: impl FnOnce() -> T) -> T {
        self.counts(1, attempt)
    }

    /// Tries it with so many processes, inputs or moments at once.
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
        // What a test left to its own second run is told by that.
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
