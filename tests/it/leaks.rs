//! The search for what must not be seen, in every form in which it could be.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::harness::World;

/// What is searched for.
pub(crate) struct Canaries {
    pub(crate) secrets: Vec<String>,
    pub(crate) tokens: Vec<String>,
}

/// What may stand in a place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    Nothing,
    Tokens,
    Secrets,
}

impl Canaries {
    /// Fails if something that is not allowed stands in `bytes`.
    #[track_caller]
    pub(crate) fn check(&self, place: &str, bytes: &[u8], allowed: Allowed) {
        if allowed != Allowed::Secrets {
            search(place, bytes, "a client secret", &self.secrets);
        }
        if allowed != Allowed::Tokens {
            search(place, bytes, "a token", &self.tokens);
        }
    }
}

#[track_caller]
fn search(place: &str, bytes: &[u8], what: &str, canaries: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    // What a test made shorter than any real one would be found everywhere.
    for canary in canaries.iter().filter(|canary| canary.len() >= 10) {
        for form in forms(canary) {
            assert!(!text.contains(&form), "{what} stands in {place}");
        }
    }
}

/// As it is, percent-encoded, and the inner part of its base64 at each of the three offsets that
/// what stands in front can give it.
fn forms(canary: &str) -> Vec<String> {
    let encoded = canary.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    let mut forms = vec![canary.to_owned(), encoded.collect()];
    for offset in 0..3 {
        let shifted = [&vec![b'x'; offset], canary.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            forms.push(text[4..text.len() - 3].to_owned());
        }
    }
    forms
}

/// Searches every file below `folder`: a secret may stand in `*.secret`, a token in an entry.
#[track_caller]
pub(crate) fn check_files(folder: &Path, cache: &Path, canaries: &Canaries) {
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = file.path();
        let name = file.file_name().to_string_lossy().into_owned();
        canaries.check("the name of a file", name.as_bytes(), Allowed::Nothing);
        let kind = file.file_type().unwrap();
        if kind.is_dir() {
            check_files(&path, cache, canaries);
        } else if kind.is_file() {
            let is_entry = path.parent() == Some(cache) && name.ends_with(".json");
            let allowed = if name.ends_with(".secret") {
                Allowed::Secrets
            } else if is_entry || name.ends_with(".token") {
                Allowed::Tokens
            } else {
                Allowed::Nothing
            };
            let Ok(bytes) = fs::read(&path) else { continue };
            canaries.check(&path.display().to_string(), &bytes, allowed);
        }
    }
}

#[test]
fn the_search_finds_each_form() {
    let canaries = Canaries {
        secrets: vec!["s3cret/+%&= ~ab".to_owned()],
        tokens: Vec::new(),
    };
    for text in [
        "x s3cret/+%&= ~ab x",
        "client_secret=s3cret%2F%2B%25%26%3D%20%7Eab",
        &URL_SAFE_NO_PAD.encode("id.acme:s3cret/+%&= ~ab"),
        &STANDARD_NO_PAD.encode("s3cret/+%&= ~ab"),
    ] {
        let check = || canaries.check("a text", text.as_bytes(), Allowed::Tokens);
        assert!(
            std::panic::catch_unwind(check).is_err(),
            "{text} was not found"
        );
    }
}

#[test]
fn neither_secret_nor_token_shows_at_the_highest_verbosity() {
    // The harness searches stderr and every file after each run; this gives it the most to search.
    let world = World::new();
    for _ in 0..2 {
        let (stdout, stderr) = world.run(["token", "-v"]).outcome().succeeds_with_stderr();
        assert!(!stdout.is_empty());
        assert!(stderr.contains("debug: "), "{stderr}");
    }
    let credential = world.sandbox.credential();
    world.sandbox.rotate_secret(&credential.client_id);
    world.run(["token", "-v", "--refresh"]).fails(4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_is_given_neither_secret_nor_token() {
    let world = World::new();
    let token = world.token();
    let seen = world.path("seen");
    let script = format!(
        "tr '\\0' '\\n' < /proc/self/environ > '{0}'; tr '\\0' '\\n' < /proc/self/cmdline >> '{0}'; \
         tr '\\0' '\\n' < /proc/$PPID/cmdline >> '{0}'; cat \"$SECRET_FILE\"",
        seen.display()
    );
    let credential = world.sandbox.credential();
    world.write_secret("prod.secret", &credential.client_secret);
    world.write_config(&format!(
        "[profiles.prod]\nbase_url = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = {{ command = [\"sh\", \"-c\", {script:?}] }}\n",
        world.sandbox.base_url(),
        credential.client_id
    ));

    let secret_file = world.config_folder().join("prod.secret");
    let run = world.run(["token", "--profile", "prod", "--refresh"]);
    run.set("SECRET_FILE", secret_file.to_str().unwrap())
        .succeeds();

    let seen = fs::read_to_string(seen).unwrap();
    assert!(
        seen.contains("HOME="),
        "the script ran and saw its environment: {seen}"
    );
    world
        .canaries()
        .check("a child's environment", seen.as_bytes(), Allowed::Nothing);
    assert!(!seen.contains(&token), "the earlier token neither");
}
