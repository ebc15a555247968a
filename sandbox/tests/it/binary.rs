//! The program: its output and its files.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running program; killed when the test fails before it ends.
struct Running {
    child: Child,
    lines: Vec<String>,
}

impl Running {
    /// Starts the program and reads its output up to the export of `last`.
    fn start(args: &[&str], last: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cloudconnexa-sandbox"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.as_mut().expect("a pipe")).lines() {
            lines.push(line.expect("text"));
            if lines
                .last()
                .is_some_and(|line| line.starts_with(&format!("export {last}=")))
            {
                break;
            }
        }
        Self { child, lines }
    }

    fn value(&self, name: &str) -> &str {
        let prefix = format!("export {name}='");
        let found = self
            .lines
            .iter()
            .find_map(|line| line.strip_prefix(&prefix)?.strip_suffix('\''));
        found.unwrap_or_else(|| panic!("no {name} in {:?}", self.lines))
    }

    /// Stops the program with a signal; returns its stderr.
    fn stop(mut self, signal: &str) -> String {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(
            killed.expect("kill runs").success(),
            "the program was running"
        );
        assert!(
            self.child.wait().expect("it ends").success(),
            "{signal} stops it with success"
        );
        let mut text = String::new();
        self.child
            .stderr
            .take()
            .expect("a pipe")
            .read_to_string(&mut text)
            .expect("text");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails if the program has already ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn directory_is_private_and_removed_at_the_end() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let running = Running::start(&["--cloud-id", "acme"], "SSL_CERT_FILE");
        let ca = Path::new(running.value("SSL_CERT_FILE")).to_owned();
        let directory = ca.parent().expect("a directory").to_owned();
        let mode = directory
            .metadata()
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700, "not accessible to other users");
        assert!(
            std::fs::read_to_string(&ca)
                .expect("it is there")
                .starts_with("-----BEGIN CERT"),
            "PEM"
        );
        assert!(
            running.lines[0].starts_with("# cloudconnexa-sandbox: "),
            "a comment explains the lines"
        );
        assert!(
            running
                .value("CLOUDCONNEXA_BASE_URL")
                .starts_with("https://127.0.0.1:"),
            "HTTPS by default"
        );
        assert!(
            running
                .value("CLOUDCONNEXA_CLIENT_ID")
                .split('.')
                .next_back()
                == Some("acme"),
            "the suffix of the vendor's IDs"
        );
        running.stop(signal);
        assert!(!directory.exists(), "{signal} removes the directory");
    }
}

#[test]
fn ready_file_has_the_printed_lines_and_is_private() {
    let directory = tempfile::tempdir().expect("a directory");
    let ready = directory.path().join("env");
    let kept = directory.path().join("deep/er");
    let running = Running::start(
        &[
            "--ready-file",
            ready.to_str().expect("text"),
            "--directory",
            kept.to_str().expect("text"),
        ],
        "SSL_CERT_FILE",
    );
    let text =
        std::fs::read_to_string(&ready).expect("the file exists before the lines are printed");
    assert_eq!(
        text.lines().collect::<Vec<_>>(),
        running.lines,
        "the lines that were printed"
    );
    assert_eq!(
        ready.metadata().expect("there").permissions().mode() & 0o777,
        0o600,
        "it contains a secret"
    );
    running.stop("-TERM");
    assert!(!ready.exists(), "removed at the end");
    assert!(kept.join("ca.pem").exists(), "the given directory stays");
}

#[test]
fn flags_take_effect_and_the_log_has_no_secret() {
    let args = [
        "--http",
        "--accept",
        "query",
        "--next-fault",
        "status=503",
        "--burst",
        "5",
        "--token-lifetime",
        "12h",
    ];
    let running = Running::start(&args, "CLOUDCONNEXA_CLIENT_SECRET");
    let secret = running.value("CLOUDCONNEXA_CLIENT_SECRET").to_owned();
    let id = running.value("CLOUDCONNEXA_CLIENT_ID");
    let url = format!(
        "{}/api/v1/oauth/token?client_id={id}&client_secret={secret}&grant_type=client_credentials",
        running.value("CLOUDCONNEXA_BASE_URL"),
    );
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build(),
    );
    let first = agent.post(&url).send_empty().expect("an answer");
    assert_eq!(first.status(), 503, "--next-fault");
    let mut second = agent.post(&url).send_empty().expect("an answer");
    assert_eq!(second.headers()["X-RateLimit-Remaining"], "4", "--burst");
    let body = second.body_mut().read_to_string().expect("text");
    assert!(
        body.contains(r#""expires_in":43200"#),
        "--token-lifetime: {body}"
    );
    let log = running.stop("-INT");
    assert_eq!(log.lines().count(), 2, "one line per request: {log}");
    assert!(
        log.contains("POST /api/v1/oauth/token 503 form=query") && !log.contains(&secret),
        "{log}"
    );
}

#[test]
fn usage_error_names_the_valid_values() {
    let cases = [
        (["--accept", "carrier-pigeon"], "basic-raw"),
        (["--fault", "explode"], "cut_off"),
        (["--cloud-id", "a.b"], "letters, digits and hyphens"),
        (["--permissions", "admin"], "`read` nor `write`"),
        (["--resources", "devices"], "user-groups"),
    ];
    for (args, text) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_cloudconnexa-sandbox"))
            .args(args)
            .output()
            .expect("it runs");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{args:?} is a usage error");
        assert!(stderr.contains(text), "{args:?} says {text}: {stderr}");
    }
}

#[test]
fn help_lists_all_control_requests() {
    let output = Command::new(env!("CARGO_BIN_EXE_cloudconnexa-sandbox"))
        .arg("--help")
        .output()
        .expect("it runs");
    let help = String::from_utf8(output.stdout).expect("text");
    for path in ["requests", "reset", "faults", "api", "clock", "credentials"] {
        assert!(
            help.contains(&format!("/sandbox/{path}")),
            "{path} is missing from {help}"
        );
    }
}
