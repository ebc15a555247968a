//! The search for secrets and tokens in places where they must not be, in all common encodings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::harness::World;

/// The values to search for.
pub(crate) struct Canaries {
    pub(crate) secrets: Vec<String>,
    pub(crate) tokens: Vec<String>,
}

/// The kinds of values that a file or stream may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    Nothing,
    Tokens,
    Secrets,
}

impl Canaries {
    /// Fails if `bytes` contains a value that is not allowed there.
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
    // A value that a test has made very short would match anywhere.
    for canary in canaries.iter().filter(|canary| canary.len() >= 10) {
        for form in forms(canary) {
            assert!(!text.contains(&form), "{what} is in {place}");
        }
    }
}

/// The value itself, percent-encoded, form-encoded and JSON-encoded, in hexadecimal, and the inner
/// part of its base64 text at each of the three possible offsets.
pub(crate) fn forms(canary: &str) -> BTreeSet<String> {
    let percent = |upper: bool| {
        let bytes = canary.bytes().map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        });
        bytes.collect::<String>()
    };
    let pairs = canary.bytes().map(|byte| format!("{byte:02x}"));
    let hexadecimal = pairs.collect::<Vec<_>>().concat();
    let json = serde_json::Value::from(canary).to_string();
    let json = json.trim_matches('"');
    let mut forms = BTreeSet::from([
        canary.to_owned(),
        percent(true),
        percent(false),
        form_of(canary),
        json.to_owned(),
        json.replace('/', "\\/"),
        hexadecimal.to_ascii_uppercase(),
        hexadecimal,
    ]);
    for offset in 0..3 {
        let shifted = [&vec![b'x'; offset], canary.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            forms.insert(text[4..text.len() - 3].to_owned());
        }
    }
    forms
}

/// Form-encoded as HTML forms are: only characters that require it are encoded.
fn form_of(canary: &str) -> String {
    let bytes = canary.bytes().map(|byte| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._*~".contains(&byte) => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    bytes.collect()
}

/// Searches every file below `folder`: `*.secret` may contain a secret, and a cache entry a token.
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
        "client_secret=s3cret%2f%2b%25%26%3d%20%7eab",
        "client_secret=s3cret%2F%2B%25%26%3D+~ab",
        r#"{"client_secret":"s3cret\/+%&= ~ab"}"#,
        "7333637265742f2b25263d207e6162",
        "7333637265742F2B25263D207E6162",
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
    // The harness searches stderr and every file after each process; this test gives it the most
    // data.
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

/// Every subcommand, with its stdin, and whether it may print a token.
const VERBS: &[(&[&str], &str, bool)] = &[
    (&["token"], "", true),
    (&["token", "--json"], "", true),
    (&["header"], "", true),
    (&["header", "--curl"], "", true),
    (&["header", "--json"], "", true),
    (&["header", "--value"], "", true),
    (&["exec", "--", "true"], "", false),
    (&["curl", "/api/v1/networks", "--silent"], "", false),
    (
        &["curl", "/api/v1/networks", "--silent", "--verbose"],
        "",
        false,
    ),
    (&["get"], r#"{"uri":"BASE/x"}"#, true),
    (&["git", "get"], "protocol=https\nhost=HOST\n\n", true),
    (
        &["git", "store"],
        "protocol=https\nhost=HOST\npassword=SECRET\n\n",
        false,
    ),
    (
        &["git", "erase"],
        "protocol=https\nhost=HOST\npassword=SECRET\n\n",
        false,
    ),
    (&["docker", "get"], "HOST", true),
    (
        &["docker", "store"],
        r#"{"ServerURL":"HOST","Username":"x","Secret":"SECRET"}"#,
        false,
    ),
    (&["docker", "erase"], "HOST", false),
    (&["docker", "list"], "", false),
    (&["terraform", "get", "HOST"], "", true),
    (
        &["terraform", "store", "HOST"],
        r#"{"token":"SECRET"}"#,
        false,
    ),
    (&["terraform-external"], "{}", true),
    (&["kubectl"], "", true),
    (&["cargo"], "", false),
    (&["go"], "", true),
    (&["pnpm"], "", true),
    (&["erase"], r#"{"profile":"prod","token":"SECRET"}"#, false),
    (&["list"], "", false),
    (&["version"], "", false),
    (&["status"], "", false),
    (&["status", "--json"], "", false),
    (&["doctor"], "", false),
    (&["doctor", "--json"], "", false),
    (&["setup", "--list"], "", false),
    (&["setup", "git", "--print"], "", false),
    (&["man"], "", false),
    (&["completions", "bash"], "", false),
    (&["--help"], "", false),
    (&["--version"], "", false),
    (
        &["store"],
        r#"{"profile":"new","base_url":"BASE","client_id":"x.acme","client_secret":"SECRET"}"#,
        false,
    ),
    (
        &["store"],
        r#"{"profile":"new","client_secret":"SECRET","client_secret":"SECRET"}"#,
        false,
    ),
    (
        &["store"],
        r#"{"profile":"new","client_secret":{"x":"SECRET"}}"#,
        false,
    ),
    (&["erase"], r#"{"SECRET":1}"#, false),
    (
        &[
            "login",
            "--profile",
            "new",
            "--store",
            "file",
            "--secret-stdin",
            "--client-id",
            "x.acme",
        ],
        "SECRET\n",
        false,
    ),
    (&["logout", "--profile", "prod", "--yes"], "", false),
];

#[test]
fn no_verb_tells_a_secret_and_only_those_made_for_it_a_token_however_much_is_told() {
    // The harness searches stderr and the files; here stdout is searched too.
    for (arguments, stdin, prints_token) in VERBS {
        let world = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
        world.write_config(&world.profile_text("prod"));
        world.token();
        let base = world.sandbox.base_url();
        let host = base.strip_prefix("https://").unwrap();
        let secret = world.sandbox.credential().client_secret;
        let fill = |text: &str| {
            text.replace("BASE", base)
                .replace("HOST", host)
                .replace("SECRET", &secret)
        };
        let arguments: Vec<String> = arguments.iter().map(|word| fill(word)).collect();
        let before = world.canaries();
        for refresh in [false, true] {
            let mut all: Vec<&str> = arguments.iter().map(String::as_str).collect();
            if refresh {
                world.advance(std::time::Duration::from_secs(24 * 60 * 60));
            }
            let run = world.run_all(&all).set("CLOUDCONNEXA_AUTH_LOG", "debug");
            let quiet = run.stdin(fill(stdin)).outcome();
            all.insert(1, "-v");
            let told = world.run_all(&all).stdin(fill(stdin)).outcome();
            for outcome in [quiet, told] {
                for canaries in [&before, &world.canaries()] {
                    let stdout = outcome.stdout.as_bytes();
                    let allowed = if *prints_token {
                        Allowed::Tokens
                    } else {
                        Allowed::Nothing
                    };
                    canaries.check(&format!("stdout of {all:?}"), stdout, allowed);
                    let stderr = outcome.stderr.as_bytes();
                    canaries.check(&format!("stderr of {all:?}"), stderr, Allowed::Nothing);
                }
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_program_that_a_verb_starts_has_a_secret_in_its_arguments_or_its_environment() {
    let world = World::new();
    let secret = world.sandbox.credential().client_secret;
    let token = world.token();
    world.set("CLOUDCONNEXA_TOKEN", &token);
    let look = "for file in environ cmdline; do tr '\\0' '\\n' < /proc/$$/$file >> seen; done; ";
    let keep = "case $1 in store) cat > answer.secret;; list) echo '{}';; erase) rm answer.secret;; \
                get) cat answer.secret || { echo credentials not found in native keychain; exit 1; };; \
                esac 2> /dev/null";
    crate::docker_helpers::install_helper(&world, "lab", &format!("{look}{keep}"));
    let path = crate::docker_helpers::install_helper(&world, "curl", look);
    let bin = world.path("bin");
    fs::rename(bin.join("docker-credential-curl"), bin.join("curl")).unwrap();
    world.set("PATH", &path);

    let id = world.sandbox.credential().client_id;
    let base = world.sandbox.base_url().to_owned();
    let uri = format!("{{\"uri\":\"{base}/\"}}");
    let login = [
        "--secret-stdin",
        "--store",
        "lab",
        "--client-id",
        &id,
        "--base-url",
        &base,
    ];
    for (verb, arguments, stdin) in [
        ("login", &login[..], format!("{secret}\n")),
        ("token", &["--refresh"], String::new()),
        ("header", &["--refresh"], String::new()),
        ("get", &["--refresh"], uri),
        ("exec", &["--refresh", "--", "true"], String::new()),
        ("curl", &["/api/v1/networks"], String::new()),
        ("curl", &["/api/v1/networks", "-d", "x"], String::new()),
        ("doctor", &["--refresh"], String::new()),
        ("logout", &["--yes"], String::new()),
    ] {
        let all = [&[verb, "--profile", "lab"], arguments].concat();
        let outcome = world.run_all(&all).stdin(stdin).outcome();
        let seen = fs::read_to_string(world.path("seen")).unwrap_or_default();
        assert!(
            seen.contains("HOME="),
            "{verb} started a program, which recorded its environment: {outcome:?}"
        );
        let place = format!("what {verb} starts");
        world
            .canaries()
            .check(&place, seen.as_bytes(), Allowed::Nothing);
        assert!(!seen.contains(&token), "{place}");
        fs::remove_file(world.path("seen")).unwrap();
    }
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
        "the script recorded its environment: {seen}"
    );
    world
        .canaries()
        .check("a child's environment", seen.as_bytes(), Allowed::Nothing);
    assert!(!seen.contains(&token), "nor the earlier token");
}
