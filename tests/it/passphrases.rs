//! A secret protected by a passphrase: pass(1) with a gpg key that has one, through `command` and
//! through `docker_helper`. gpg's agent asks for the passphrase, on the terminal that `GPG_TTY`
//! names.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::docker_helpers::Keyring;
use crate::harness::{World, write_private};
use crate::sources::{command, world_with};
use crate::terminal::Terminal;

const PASSPHRASE: &str = "open sesame, said Ali Baba";

/// Both sources for a secret in pass.
fn sources() -> [String; 2] {
    let show = command(&["pass", "show", "cloudconnexa"]);
    [show, "docker_helper = \"pass\"".to_owned()]
}

/// A world whose secret is in a pass store with a passphrase, under both names.
fn locked(source: &str) -> (World, Keyring) {
    let world = world_with(source);
    world.watch(PASSPHRASE);
    let option = format!("--passphrase={PASSPHRASE}");
    let keyring = Keyring::new(&world, &[&option]);
    let credential = world.sandbox.credential();
    let (id, secret) = (&credential.client_id, &credential.client_secret);
    keyring.store(&format!("{}/{id}", world.sandbox.base_url()), id, secret);
    let mut insert = Command::new("pass")
        .args(["insert", "--echo", "cloudconnexa"])
        .envs(keyring.variables())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let line = format!("{secret}\n");
    insert
        .stdin
        .take()
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
    assert!(insert.wait().unwrap().success());
    world.set("PATH", &std::env::var("PATH").unwrap());
    world.set("TERM", "xterm");
    (world, keyring)
}

/// The error of gpg for a key that it cannot use, whatever the reason.
const NO_KEY: &str = "gpg: decryption failed: No secret key";

/// The keys that select the Cancel button.
const CANCEL: &str = "\t\t\r";

/// `exec` as started by a user who has followed the manual page of gpg-agent. The shell continues
/// when the state of the terminal is restored, or after a long time without that.
const SCRIPT: &str = "/bin/stty -g > before; export GPG_TTY=$(tty); \"$@\" > stdout; \
    echo $? > code; until [ \"$(/bin/stty -g)\" = \"$(cat before)\" ] || [ $((n=n+1)) -gt 20000 ]; \
    do :; done; /bin/stty -g > after";

fn at_a_terminal<'a>(world: &'a World, flags: &[&str]) -> Terminal<'a> {
    let arguments = [&["exec"], flags, &["--", "true"]].concat();
    let mut terminal = Terminal::run_script(world, SCRIPT, &arguments);
    terminal.expect("Passphrase:").expect("<Cancel>");
    terminal
}

#[test]
fn a_passphrase_is_asked_for_at_the_terminal_and_remembered_by_the_agent_alone() {
    for source in sources() {
        let (world, _keyring) = locked(&source);
        let mut terminal = at_a_terminal(&world, &[]);
        terminal.send(&format!("{PASSPHRASE}\r"));
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);

        // Without a terminal; the agent has cached the passphrase.
        world.run(["token", "--refresh"]).succeeds();
        assert_eq!(world.sandbox.token_requests(), 2);
    }
}

#[test]
fn a_passphrase_that_is_wrong_or_refused_is_an_error_in_gpgs_words() {
    for source in sources() {
        for keys in [&[CANCEL][..], &["wrong\r", "worse\r", "worst\r"]] {
            let (world, _keyring) = locked(&source);
            let mut terminal = at_a_terminal(&world, &[]);
            for (number, keys) in keys.iter().enumerate() {
                if number > 0 {
                    terminal.expect("Bad Passphrase (try").expect("<Cancel>");
                }
                terminal.send(keys);
            }
            let ended = terminal.end();
            assert_eq!(
                (ended.code, ended.stdout.as_str()),
                (3, ""),
                "{}",
                ended.screen
            );
            let told = "cloudconnexa-auth: error: no client secret for profile `p`";
            assert!(ended.screen.contains(told), "{}", ended.screen);
            assert!(ended.screen.contains(NO_KEY), "{}", ended.screen);
            assert_eq!(world.sandbox.token_requests(), 0, "no secret for a request");
        }
    }
}

#[test]
fn a_passphrase_that_nobody_types_ends_with_the_run() {
    for source in sources() {
        let (world, _keyring) = locked(&source);
        let mut terminal = at_a_terminal(&world, &["--timeout", "3s"]);
        terminal.expect("gave no answer within 3s");
        // The dialog is a child of the agent and stays until it is answered; Cancel ends it.
        terminal.send(CANCEL);
        let ended = terminal.end();
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (6, ""),
            "{}",
            ended.screen
        );
    }
}

#[test]
fn without_a_terminal_a_passphrase_is_an_error_at_once() {
    for source in sources() {
        let (world, _keyring) = locked(&source);
        let outcome = world.run(["token"]).outcome();
        // stderr of a `command` is passed through; stderr of a helper is not shown.
        let stderr = outcome.stderr;
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(3), ""),
            "{stderr}"
        );
        let told = "cloudconnexa-auth: error: no client secret for profile `p`";
        assert!(stderr.contains(told), "{stderr}");
        assert!(stderr.contains(NO_KEY), "{stderr}");
        assert_eq!(world.sandbox.token_requests(), 0, "no secret for a request");
    }
}

#[test]
fn without_a_terminal_a_passphrase_may_come_from_a_file() {
    for source in sources() {
        let (world, _keyring) = locked(&source);
        let file = world.path("passphrase.secret");
        write_private(&file, PASSPHRASE);
        let options = format!(
            "--pinentry-mode loopback --passphrase-file {}",
            file.display()
        );
        world.set("PASSWORD_STORE_GPG_OPTS", &options);
        world.token();
        fs::remove_file(file).unwrap();
    }
}
