//! Reads and stores the client secret with a docker credential helper, such as the one of the
//! desktop's keychain.
//!
//! This program is the client. Protocol: docker/docker-credential-helpers, README and
//! `credentials/credentials.go`. The helper gets one argument, reads the server's name from stdin
//! and writes JSON to stdout. It reports errors on *stdout* with a non-zero exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use super::program::{self, Launcher, Output, Stderr};
use super::{Secret, SourceError, usable};
use crate::types::quote::quote;

/// The message of a helper that has no such entry (`credentials/error.go`,
/// `errCredentialsNotFoundMessage`).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// An entry of a credential helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HelperEntry {
    /// `NAME` of `docker-credential-NAME`: letters, digits, `-` and `_`.
    pub(crate) name: String,
    /// The entry's name: the token endpoint's origin, a slash and the client ID. So two credentials
    /// of one tenant have different entries.
    pub(crate) server: String,
    /// The user name that the entry must have; empty if any user name is accepted.
    pub(crate) client_id: String,
}

impl HelperEntry {
    /// Returns the name of the program.
    pub(crate) fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }
}

/// Gets the secret from the helper.
pub(super) fn get(entry: &HelperEntry, launcher: Launcher<'_>) -> Result<Secret, SourceError> {
    let program = entry.program();
    let output = ask(entry, "get", launcher)?;
    if !output.status.success() {
        return Err(complaint(entry, &output));
    }
    let answer: WireCredentials =
        serde_json::from_slice(&output.stdout).map_err(|_| SourceError::Unusable {
            place: format!("the answer of `{program}`"),
            reason: "is not the JSON of a docker credential helper",
        })?;
    let secret = Zeroizing::new(answer.secret.into_bytes());
    let server = entry.server.clone();
    // golang-docker-credential-helpers 0.6.4 returns empty strings for a missing entry.
    if secret.is_empty() {
        return Err(SourceError::HelperHasNone { program, server });
    }
    let is_other = !answer.username.is_empty() && answer.username != entry.client_id;
    if is_other && !entry.client_id.is_empty() {
        return Err(SourceError::HelperHasAnother { program, server });
    }
    usable(secret, || format!("the secret from `{program}`"))
}

/// Checks that the helper `docker-credential-NAME` lists its entries before the deadline.
///
/// # Errors
/// If the helper is missing, fails or does not answer. It does not have to hold an entry yet.
pub(crate) fn answers(name: &str, launcher: Launcher<'_>) -> Result<(), SourceError> {
    let entry = HelperEntry {
        name: name.to_owned(),
        server: String::new(),
        client_id: String::new(),
    };
    let program = entry.program();
    let output = match run(&entry, "list", None, launcher) {
        // A list that exceeds the size limit is also an answer.
        Err(SourceError::Unusable { .. }) => return Ok(()),
        other => other?,
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let status = format!("{}, \"{}\"", output.status, quote(&said));
    Err(SourceError::ProgramFailed { program, status })
}

/// Stores the secret, replaces an existing entry, and reads it back: some helpers accept a secret
/// that they cannot return.
pub(super) fn put(
    entry: &HelperEntry,
    secret: &Secret,
    launcher: Launcher<'_>,
) -> Result<(), SourceError> {
    let program = entry.program();
    let credentials = WireStored {
        server: &entry.server,
        username: &entry.client_id,
        secret: secret.expose(),
    };
    // Reserve the maximum size, so that the buffer never grows and leaves a partial copy in memory.
    let longest = 6 * (secret.expose().len() + entry.server.len() + entry.client_id.len());
    let mut input = Zeroizing::new(Vec::with_capacity(longest + 64));
    let written = serde_json::to_writer(&mut *input, &credentials);
    written.map_err(|_| SourceError::Unusable {
        place: "the client secret".to_owned(),
        reason: "cannot be written as JSON",
    })?;
    let output = run(entry, "store", Some(&input), launcher)?;
    if !output.status.success() {
        // The helper received the secret and may repeat it in its message.
        let said = String::from_utf8_lossy(&output.stdout);
        let repeats = said.contains(secret.expose());
        return Err(if repeats {
            output.failure(&program)
        } else {
            complaint(entry, &output)
        });
    }
    if get(entry, launcher)? == *secret {
        return Ok(());
    }
    Err(SourceError::Unusable {
        place: format!("the secret that `{program}` gives back"),
        reason: "is another one than it was given",
    })
}

/// Removes the entry. A missing entry is not an error.
pub(super) fn erase(entry: &HelperEntry, launcher: Launcher<'_>) -> Result<(), SourceError> {
    if matches!(get(entry, launcher), Err(SourceError::HelperHasNone { .. })) {
        return Ok(());
    }
    let output = ask(entry, "erase", launcher)?;
    if !output.status.success() {
        return Err(complaint(entry, &output));
    }
    // docker-credential-secretservice 0.6.4 reports success while the keyring is locked, but erases
    // nothing. Its list shows whether the entry still exists.
    let list = run(entry, "list", None, launcher)?;
    let held: Option<BTreeMap<String, String>> = serde_json::from_slice(&list.stdout).ok();
    if held.is_some_and(|held| held.contains_key(&entry.server)) {
        return Err(SourceError::NotErased {
            program: entry.program(),
            server: entry.server.clone(),
        });
    }
    Ok(())
}

fn ask(entry: &HelperEntry, verb: &str, launcher: Launcher<'_>) -> Result<Output, SourceError> {
    run(entry, verb, Some(entry.server.as_bytes()), launcher)
}

/// Runs the helper. Its messages are on stdout. Its stderr is hidden, because it shows only crashes
/// that do not help the user, as in secretservice 0.6.4 with a locked keyring.
fn run(
    entry: &HelperEntry,
    verb: &str,
    input: Option<&[u8]>,
    launcher: Launcher<'_>,
) -> Result<Output, SourceError> {
    let verb = [OsString::from(verb)];
    let program = entry.program();
    program::run(&program, &verb, input, Stderr::Hidden, launcher)
}

fn complaint(entry: &HelperEntry, output: &Output) -> SourceError {
    let program = entry.program();
    let said = String::from_utf8_lossy(&output.stdout);
    if said.trim() == NOT_FOUND {
        return SourceError::HelperHasNone {
            program,
            server: entry.server.clone(),
        };
    }
    // A failed helper prints a message. Output that looks like a credential may hold the secret.
    let is_answer = said.contains('{') || said.contains(&entry.client_id);
    let status = if is_answer || said.trim().is_empty() {
        output.status.to_string()
    } else {
        format!("{}, \"{}\"", output.status, quote(&said))
    };
    SourceError::ProgramFailed { program, status }
}

#[derive(Serialize)]
struct WireStored<'a> {
    #[serde(rename = "ServerURL")]
    server: &'a str,
    #[serde(rename = "Username")]
    username: &'a str,
    #[serde(rename = "Secret")]
    secret: &'a str,
}

#[derive(Deserialize)]
struct WireCredentials {
    #[serde(rename = "Username", default)]
    username: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}
