//! Asking a docker credential helper, such as the desktop's keychain, for the client secret.
//!
//! We are the client here. Protocol: docker/docker-credential-helpers, README and
//! `credentials/credentials.go`: one word in argv, the server's name on stdin, JSON on stdout;
//! errors are told on *stdout* with a non-zero exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use super::program::{self, Launcher, Output, Stderr};
use super::{Secret, SourceError, usable};
use crate::types::quote::quote;

/// The sentence by which helpers say that they have nothing
/// (`credentials/error.go`, `errCredentialsNotFoundMessage`).
const NOT_FOUND: &str = "credentials not found in native keychain";

/// One entry of one helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HelperEntry {
    /// `NAME` of `docker-credential-NAME`: letters, digits, `-` and `_`.
    pub(crate) name: String,
    /// The entry's name: the token endpoint's origin, a slash and the client ID, so that two
    /// credentials of one tenant do not meet.
    pub(crate) server: String,
    /// The user name the entry must carry; empty where any will do.
    pub(crate) client_id: String,
}

impl HelperEntry {
    /// The program's name.
    pub(crate) fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }
}

/// Asks for the secret.
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
    // golang-docker-credential-helpers 0.6.4 answers a missing entry with empty strings.
    if secret.is_empty() {
        return Err(SourceError::HelperHasNone { program, server });
    }
    let is_other = !answer.username.is_empty() && answer.username != entry.client_id;
    if is_other && !entry.client_id.is_empty() {
        return Err(SourceError::HelperHasAnother { program, server });
    }
    usable(secret, || format!("the secret from `{program}`"))
}

/// Whether the helper `docker-credential-NAME` answers by `deadline` that it can list its entries.
///
/// # Errors
/// Where it is not there, fails or does not answer; it holds nothing for us yet.
pub(crate) fn answers(name: &str, launcher: Launcher<'_>) -> Result<(), SourceError> {
    let entry = HelperEntry {
        name: name.to_owned(),
        server: String::new(),
        client_id: String::new(),
    };
    let program = entry.program();
    let output = match run(&entry, "list", None, launcher) {
        // More entries than are read here are an answer too.
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

/// Keeps the secret, in the place of what stood there, and reads it back: a helper that takes a
/// secret which it cannot give is of no use.
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
    // Room for all of it, so that it never grows and leaves copies of a part behind.
    let longest = 6 * (secret.expose().len() + entry.server.len() + entry.client_id.len());
    let mut input = Zeroizing::new(Vec::with_capacity(longest + 64));
    let written = serde_json::to_writer(&mut *input, &credentials);
    written.map_err(|_| SourceError::Unusable {
        place: "the client secret".to_owned(),
        reason: "cannot be written as JSON",
    })?;
    let output = run(entry, "store", Some(&input), launcher)?;
    if !output.status.success() {
        // It was given the secret, and may repeat it.
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

/// Removes the entry; one that is not there is no error.
pub(super) fn erase(entry: &HelperEntry, launcher: Launcher<'_>) -> Result<(), SourceError> {
    if matches!(get(entry, launcher), Err(SourceError::HelperHasNone { .. })) {
        return Ok(());
    }
    let output = ask(entry, "erase", launcher)?;
    if !output.status.success() {
        return Err(complaint(entry, &output));
    }
    // docker-credential-secretservice 0.6.4 says that all is well while the keyring is locked, and
    // erases nothing; what it lists shows that.
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

/// What a helper says, it says on stdout; what it prints on stderr is a crash's (0.6.4 of
/// secretservice where the keyring is locked), and no help to anybody.
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
    // Words are what a helper says when it fails; what looks like an answer may be the secret.
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
