//! `login`: typed on a real terminal, and from flags without one.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use cloudconnexa_sandbox::{Certificate, CredentialSpec, Fault, Permission, Sandbox};

use crate::harness::{Run, World};
use crate::terminal::Terminal;

/// A proxy that connects every CONNECT to one address, whatever host it names.
fn proxy_to(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || tunnel(client, target));
        }
    });
    address
}

fn tunnel(mut client: TcpStream, target: SocketAddr) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let (mut to, mut from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let up = thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
    let _ = up.join();
}

/// A world in which `https://acme.api.openvpn.com` is the sandbox, and nothing is configured. It
/// has no keychain and no other program.
pub(crate) fn acme() -> World {
    acme_with(Sandbox::builder())
}

fn acme_with(builder: cloudconnexa_sandbox::Builder) -> World {
    let builder = builder.cloud_id("acme").certificate(Certificate::Tenant);
    let world = World::without_profile(builder);
    let proxy = proxy_to(world.sandbox.address());
    world.set("HTTPS_PROXY", &format!("http://{proxy}"));
    world.set("PATH", world.path("bin").to_str().unwrap());
    world.set("NO_COLOR", "1");
    world
}

const ID: &str = "Client ID: ";
const CLOUD: &str = "Cloud ID [acme]: ";
const SECRET: &str = "Client secret (not shown): ";
const LIFETIME: &str = "Lifetime: ";
const NAME: &str = "Profile name [acme]: ";

/// Types the credentials, up to the client secret.
fn type_credentials(terminal: &mut Terminal<'_>, world: &World) {
    let credential = world.sandbox.credential();
    terminal
        .answer(ID, &credential.client_id)
        .answer(CLOUD, "")
        .answer(SECRET, &credential.client_secret);
}

/// All files of the home with their content, except for the lock files, which stay.
pub(crate) fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_none_or(|extension| extension != "lock") {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&world.home(), &mut found);
    found.sort();
    found
}

#[track_caller]
pub(crate) fn nothing_is_saved(world: &World) {
    assert_eq!(files(world), [], "nothing is saved, not even in part");
}

/// Runs `login` without a terminal.
pub(crate) fn login<'a>(world: &'a World, flags: &[&str]) -> Run<'a> {
    let credential = world.sandbox.credential();
    let given = ["login", "--secret-stdin", "--client-id"];
    let arguments = [&given, &[credential.client_id.as_str()][..], flags].concat();
    world
        .run_all(&arguments)
        .stdin(format!("{}\n", credential.client_secret))
}

// The dialogue

#[test]
fn a_person_is_asked_for_what_is_needed_and_the_secret_never_shows() {
    let world = acme();
    let credential = world.sandbox.credential();
    let mut terminal = Terminal::run(&world, &["login"]);
    terminal.answer(ID, &credential.client_id).answer(CLOUD, "");
    terminal.expect(SECRET);
    assert!(!terminal.echoes(), "input is not echoed now");
    terminal.send(&format!("{}\n", credential.client_secret));
    terminal.expect(LIFETIME);
    assert!(terminal.echoes(), "input is echoed again");
    terminal.send("2099-05-22\n").answer(NAME, "prod");
    let ended = terminal.end();

    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    for line in [
        "Asking https://acme.api.openvpn.com for a token … good\n",
        "Calling /api/v1/networks with it … good\n",
        "cloudconnexa-auth: saved profile `prod` for https://acme.api.openvpn.com\n",
    ] {
        assert!(ended.screen.contains(line), "{}", ended.screen);
    }
    let secret = world.config_folder().join("prod.secret");
    let told = format!(
        "its client secret is in the file {} (0600)\n",
        secret.display()
    );
    assert!(ended.screen.contains(&told), "{}", ended.screen);
    let config = fs::read_to_string(world.config()).unwrap();
    assert_eq!(
        config,
        format!(
            "default_profile = \"prod\"\n\n[profiles.prod]\ncloud_id = \"acme\"\nclient_id = \"{}\"\n\
             client_secret = {{ file = \"prod.secret\" }}\nsecret_expires = 2099-05-22\n",
            credential.client_id
        )
    );
    let line = fs::read_to_string(secret).unwrap();
    assert_eq!(line, format!("{}\n", credential.client_secret));
}

#[test]
fn the_first_token_after_a_login_costs_no_request() {
    let world = acme();
    let mut terminal = Terminal::run(&world, &["login"]);
    type_credentials(&mut terminal, &world);
    terminal.answer(LIFETIME, "six months").answer(NAME, "");
    assert_eq!(terminal.end().code, 0);

    let requests = world.sandbox.requests().len();
    assert_eq!(requests, 2, "one exchange, one call of the API");
    world.token();
    assert_eq!(world.sandbox.requests().len(), requests);
    world.run(["token", "--profile", "acme"]).succeeds();
}

#[test]
fn questions_and_answers_are_on_the_terminal_and_nowhere_else() {
    let world = acme();
    let script = "/bin/stty -g > before; trap : INT; \"$@\" > stdout 2> stderr; echo $? > code; \
                  /bin/stty -g > after";
    let mut terminal = Terminal::run_script(&world, script, &["login"]);
    type_credentials(&mut terminal, &world);
    terminal.answer(LIFETIME, "").answer(NAME, "");
    let ended = terminal.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    let stderr = fs::read_to_string(world.path("stderr")).unwrap();
    let is_told = |line: &str| line.starts_with("cloudconnexa-auth: ");
    assert!(stderr.lines().all(is_told), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
}

#[test]
fn an_answer_that_will_not_do_is_asked_for_again() {
    let world = acme();
    let credential = world.sandbox.credential();
    let mut terminal = Terminal::run(&world, &["login"]);
    terminal
        .answer(ID, "")
        .expect("No: `client_id` must be")
        .answer(ID, &credential.client_id)
        .answer(CLOUD, "acme.api")
        .expect("No: a Cloud ID is")
        .answer(CLOUD, "acme")
        .answer(SECRET, "")
        .expect("No: the client secret is empty")
        .answer(SECRET, "with a tab\t")
        .expect("control character")
        // Typing errors, erased with Ctrl-U and with Backspace.
        .expect(SECRET)
        .send(&format!("wrong\x15{}x\x7f\n", credential.client_secret))
        .answer(LIFETIME, "3 weeks")
        .expect("No: it is one of 2w, 1mo, 6mo, 1y")
        .answer(LIFETIME, "2001-01-01")
        .expect("No: that day is past")
        .answer(LIFETIME, "skip")
        .answer(NAME, "../../x")
        .expect("is not a name for a profile")
        .answer(NAME, "env")
        .expect("is kept for the profile that environment variables make")
        .answer(NAME, "");
    assert_eq!(terminal.end().code, 0);
    let config = fs::read_to_string(world.config()).unwrap();
    assert!(config.contains("\n[profiles.acme]\n"), "{config}");
    assert!(!config.contains("secret_expires"), "{config}");
}

#[test]
fn what_a_flag_says_is_not_asked() {
    let world = acme();
    let credential = world.sandbox.credential();
    let arguments = [
        &["login", "--client-id", credential.client_id.as_str()][..],
        &["--cloud-id", "acme", "--lifetime", "2w", "--profile", "p"],
    ];
    let mut terminal = Terminal::run(&world, &arguments.concat());
    terminal.answer(SECRET, &credential.client_secret);
    let ended = terminal.end();
    assert_eq!(ended.code, 0);
    assert!(ended.screen.starts_with(SECRET), "{}", ended.screen);
}

#[test]
fn a_client_id_that_is_not_whole_is_noticed() {
    let world = acme();
    let credential = world.sandbox.credential();
    let part = credential.client_id.split('.').next().unwrap();
    let mut terminal = Terminal::run(&world, &["login"]);
    terminal
        .answer(ID, part)
        .expect("A client ID that is whole ends in a dot and the Cloud ID")
        .answer("Cloud ID: ", "acme")
        .answer(SECRET, &credential.client_secret)
        .answer(LIFETIME, "")
        .answer(NAME, "");
    let ended = terminal.end();
    assert_eq!(ended.code, 4);
    let hint = "hint: copy the client ID whole, with `.acme` at its end";
    assert!(ended.screen.contains(hint), "{}", ended.screen);
    nothing_is_saved(&world);
}

#[test]
fn ctrl_c_at_any_question_leaves_the_terminal_as_it_was_and_no_file() {
    let world = acme();
    let credential = world.sandbox.credential();
    let answers = [
        (ID, credential.client_id.as_str()),
        (CLOUD, ""),
        (SECRET, &credential.client_secret),
        (LIFETIME, "6mo"),
        (NAME, ""),
    ];
    for (number, (question, _)) in answers.iter().enumerate() {
        let mut terminal = Terminal::run(&world, &["login"]);
        for (question, answer) in &answers[..number] {
            terminal.answer(question, answer);
        }
        // After some input.
        terminal.expect(question).send("abc\x03");
        let ended = terminal.end();
        assert_eq!(ended.code, 130, "{question}: {}", ended.screen);
        nothing_is_saved(&world);
    }
    assert!(world.sandbox.requests().is_empty(), "no request was sent");
}

#[test]
fn a_hidden_question_that_is_broken_off_says_that_nothing_was_saved() {
    let world = acme();
    for (keys, code, says) in [
        (
            "abc\x03",
            130,
            "error: `login`: interrupted; nothing was saved\n",
        ),
        (
            "\x04",
            1,
            "error: `login`: the terminal gave no answer; nothing was saved\n",
        ),
    ] {
        let id = world.sandbox.credential().client_id;
        let arguments = ["login", "--client-id", &id, "--cloud-id", "acme"];
        let mut terminal = Terminal::run(&world, &arguments);
        terminal.expect(SECRET).send(keys);
        let ended = terminal.end();
        assert_eq!(ended.code, code);
        assert!(ended.screen.contains(says), "{}", ended.screen);
        assert!(!ended.screen.contains("abc"), "{}", ended.screen);
        nothing_is_saved(&world);
    }
}

#[test]
fn ctrl_c_between_the_two_files_waits_for_the_second() {
    let world = acme();
    fs::create_dir_all(world.config_folder()).unwrap();
    // Another holder of this lock stops the program just before it writes.
    let lock = fs::File::create(world.config_folder().join("config.toml.lock")).unwrap();
    lock.lock().unwrap();
    let mut terminal = Terminal::run(&world, &["login", "--timeout", "60s"]);
    type_credentials(&mut terminal, &world);
    terminal.answer(LIFETIME, "").answer(NAME, "");
    terminal.expect("Calling /api/v1/networks with it … good\r\n");
    terminal.wait_for_no_signals();
    terminal.send("\x03");
    drop(lock);
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    world.token();
}

#[test]
fn login_asks_before_it_changes_the_default() {
    let world = acme();
    let run = login(&world, &["--profile", "first"]);
    run.outcome().succeeds_with_stderr();
    for (name, answer, default) in [("second", "", "first"), ("third", "y", "third")] {
        let mut terminal = Terminal::run(&world, &["login"]);
        type_credentials(&mut terminal, &world);
        let question = format!("Make `{name}` the default instead of `first`? [y/N]: ");
        terminal
            .answer(LIFETIME, "")
            .answer(NAME, name)
            .answer(&question, answer);
        assert_eq!(terminal.end().code, 0);
        let config = fs::read_to_string(world.config()).unwrap();
        let line = format!("default_profile = \"{default}\"\n");
        assert!(config.starts_with(&line), "{config}");
    }
}

#[test]
fn a_profile_is_replaced_only_when_the_person_says_so() {
    let world = acme();
    login(&world, &["--profile", "acme"])
        .outcome()
        .succeeds_with_stderr();
    let before = files(&world);
    let rotated = world
        .sandbox
        .rotate_secret(&world.sandbox.credential().client_id);
    world.watch(&rotated.client_secret);

    let mut terminal = Terminal::run(&world, &["login"]);
    type_credentials(&mut terminal, &world);
    terminal
        .answer(LIFETIME, "")
        .answer(NAME, "")
        .answer("Profile `acme` is there already, with client ID ", "what?")
        .expect("No: answer `y` or `n`")
        .answer("Replace it? [y/N]: ", "")
        .expect(NAME)
        .send("\x03");
    assert_eq!(terminal.end().code, 130);
    assert_eq!(files(&world), before);

    let mut terminal = Terminal::run(&world, &["login", "--profile", "acme"]);
    type_credentials(&mut terminal, &world);
    terminal
        .answer(LIFETIME, "")
        .answer("Replace it? [y/N]: ", "no");
    let ended = terminal.end();
    assert_eq!(ended.code, 1);
    assert!(
        ended.screen.contains("nothing was saved"),
        "{}",
        ended.screen
    );
    assert_eq!(files(&world), before);

    let mut terminal = Terminal::run(&world, &["login"]);
    type_credentials(&mut terminal, &world);
    terminal
        .answer(LIFETIME, "1y")
        .answer(NAME, "")
        .answer("Replace it? [y/N]: ", "y");
    assert_eq!(terminal.end().code, 0);
    let secret = fs::read_to_string(world.config_folder().join("acme.secret")).unwrap();
    assert_eq!(secret.trim_end(), rotated.client_secret);
    let config = fs::read_to_string(world.config()).unwrap();
    assert!(config.contains("secret_expires = "), "{config}");
    world.token();
}

// Responses of the server

#[test]
fn credentials_that_are_refused_are_not_saved_and_the_portal_is_pointed_to() {
    let world = acme();
    let id = world.sandbox.credential().client_id;
    let wrong = "a secret that is wrong in every way";
    world.watch(wrong);
    let mut terminal = Terminal::run(&world, &["login"]);
    terminal
        .answer(ID, &id)
        .answer(CLOUD, "")
        .answer(SECRET, wrong)
        .answer(LIFETIME, "")
        .answer(NAME, "")
        .answer(SECRET, wrong)
        .answer(SECRET, wrong);
    let ended = terminal.end();
    assert_eq!(ended.code, 4, "{}", ended.screen);
    for says in [
        "error: the token endpoint refused the credentials of profile `acme` (401 invalid_client); \
         nothing was saved\n",
        "Enable API must be on",
        "allowed subnets",
        "lifetime",
    ] {
        assert!(ended.screen.contains(says), "{says}: {}", ended.screen);
    }
    nothing_is_saved(&world);
}

#[test]
fn a_secret_that_the_server_does_not_know_is_asked_for_again_and_nothing_else() {
    let world = acme();
    let credential = world.sandbox.credential();
    world.watch("mistyped-secret");
    let mut terminal = Terminal::run(&world, &["login", "--store", "file"]);
    terminal
        .answer(ID, &credential.client_id)
        .answer(CLOUD, "")
        .answer(SECRET, "mistyped-secret")
        .answer(LIFETIME, "")
        .answer(NAME, "")
        .expect("No: the token endpoint refused the credentials")
        .answer(SECRET, "")
        .expect("No: the client secret is empty")
        .answer(SECRET, &credential.client_secret)
        .expect("good");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "{}", ended.screen);
    world.token();
}

#[test]
fn what_the_server_says_decides_what_is_to_be_mended() {
    let spec = CredentialSpec::default;
    let subnets = vec!["192.0.2.0/24".parse().unwrap()];
    for (builder, says) in [
        (
            Sandbox::builder().api_enabled(false),
            "hint: switch it on in the Administration portal: API & Logs > API > Enable API",
        ),
        (
            Sandbox::builder().credential(CredentialSpec {
                allowed_subnets: subnets,
                ..spec()
            }),
            "the credential is for other source subnets",
        ),
        (
            Sandbox::builder().credential(CredentialSpec {
                permissions: vec![Permission::Write],
                ..spec()
            }),
            "the credential must have the permission to read",
        ),
    ] {
        let world = acme_with(builder);
        let stderr = login(&world, &[]).fails(4);
        assert!(stderr.contains(says), "{says}: {stderr}");
        let first = stderr.lines().next().unwrap();
        assert!(first.ends_with("; nothing was saved"), "{stderr}");
        nothing_is_saved(&world);
    }
    let world = acme();
    world.sandbox.expire(&world.sandbox.credential().client_id);
    let stderr = login(&world, &[]).fails(4);
    assert!(stderr.contains("nothing was saved"), "{stderr}");
    nothing_is_saved(&world);
}

#[test]
fn a_server_in_trouble_is_no_reason_to_save_or_to_remember() {
    let world = acme();
    world.sandbox.always(Some(Fault::status(503)));
    let stderr = login(&world, &["--timeout", "2s"]).fails(6);
    assert!(stderr.contains("; nothing was saved\n"), "{stderr}");
    nothing_is_saved(&world);
    world.sandbox.clear_faults();
    login(&world, &[]).outcome().succeeds_with_stderr();
}

#[test]
fn a_refusal_leaves_no_cool_down_for_the_profile_that_is_there() {
    let world = acme();
    login(&world, &[]).outcome().succeeds_with_stderr();
    let before = files(&world);
    let id = world.sandbox.credential().client_id;
    let run = world.run(["login", "--secret-stdin", "--client-id", &id]);
    run.stdin("another secret, and wrong").fails(4);
    assert_eq!(files(&world), before, "the correct one is kept");
}

/// A server that gives every client a token, and answers API requests with this status.
fn api_that_answers(status: u16) -> (String, &'static str) {
    const TOKEN: &str = "a-token-that-the-api-repeats";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let (status, body) = if head.starts_with(b"POST") {
                (
                    200,
                    format!("{{\"access_token\":\"{TOKEN}\",\"expires_in\":600}}"),
                )
            } else {
                let head = String::from_utf8(head).unwrap();
                assert!(
                    head.starts_with("GET /api/v1/networks HTTP/1.1\r\n"),
                    "{head}"
                );
                assert!(
                    head.to_lowercase()
                        .contains(&format!("authorization: bearer {TOKEN}"))
                );
                (status, format!("not with {TOKEN}"))
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} So\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = client.write_all(answer.as_bytes());
        }
    });
    (base_url, TOKEN)
}

#[test]
fn what_the_api_says_to_a_fresh_token_decides() {
    for (status, code) in [
        (200, 0),
        (404, 0),
        (401, 4),
        (403, 4),
        (429, 5),
        (503, 6),
        (302, 6),
    ] {
        let world = World::without_profile(Sandbox::builder());
        world.set("PATH", "");
        let (base_url, token) = api_that_answers(status);
        let flags = [
            "--base-url",
            &base_url,
            "--client-id",
            "reports",
            "--profile",
            "p",
        ];
        let run = login(&world, &flags);
        if code == 0 {
            run.outcome().succeeds_with_stderr();
            assert!(world.config().exists(), "{status}");
            world.run(["logout"]).outcome().succeeds_with_stderr();
        } else {
            let stderr = run.fails(code);
            assert!(!stderr.contains(token), "{stderr}");
            assert!(stderr.contains(&format!("{status}")), "{stderr}");
            assert!(
                stderr.contains("\"not with [redacted]\", from http://127.0.0.1:"),
                "{stderr}"
            );
            assert!(stderr.contains("; nothing was saved\n"), "{stderr}");
        }
        nothing_is_saved(&world);
    }
}

// Without a terminal

#[test]
fn without_a_terminal_everything_comes_from_flags_and_stdin() {
    let world = acme();
    let flags = [
        "--lifetime",
        "2099-01-01",
        "--profile",
        "ci",
        "--store",
        "file",
    ];
    let (stdout, stderr) = login(&world, &flags).outcome().succeeds_with_stderr();
    assert_eq!(stdout, "");
    assert!(stderr.contains("saved profile `ci` for https://acme.api.openvpn.com\n"));
    world.token();

    let base_url = world.sandbox.base_url();
    let flags = ["--base-url", base_url, "--profile", "lab"];
    let (_, stderr) = login(&world, &flags).outcome().succeeds_with_stderr();
    assert!(
        stderr.contains("choose it with `--profile lab`"),
        "{stderr}"
    );
    world.run(["token", "--profile", "lab"]).succeeds();
    let config = fs::read_to_string(world.config()).unwrap();
    assert!(config.contains(&format!("[profiles.lab]\nbase_url = \"{base_url}\"\n")));
    assert!(!config.contains("cloud_id = \"127"), "{config}");
}

#[test]
fn without_a_terminal_what_lacks_is_named_and_nobody_is_asked() {
    let world = acme();
    let stderr = world.run(["login"]).fails(2);
    assert!(
        stderr.contains(
            "no terminal to ask on, and `--client-id` and `--secret-stdin` are not given"
        ),
        "{stderr}"
    );
    let stderr = world
        .run(["login", "--client-id", "x.acme"])
        .stdin("s\n")
        .fails(2);
    assert!(
        stderr.contains("and `--secret-stdin` is not given"),
        "{stderr}"
    );
    let run = world.run(["login", "--client-id", "x", "--secret-stdin"]);
    let stderr = run.stdin("s\n").fails(2);
    assert!(stderr.contains("and `--cloud-id` is not given"), "{stderr}");
    nothing_is_saved(&world);
}

#[test]
fn a_flag_that_will_not_do_is_refused_before_anybody_is_asked() {
    let world = acme();
    for (flag, value, says) in [
        ("--client-id", "", "`client_id` must be"),
        ("--cloud-id", "a.b", "a Cloud ID is"),
        ("--base-url", "http://acme.test", "loopback only"),
        ("--lifetime", "3mo", "it is one of 2w"),
        ("--lifetime", "2001-01-01", "that day is past"),
        ("--profile", "env", "is kept for the profile"),
        ("--store", "../x", "must be NAME"),
        ("--store", "cloudconnexa", "is this program"),
    ] {
        let stderr = login(&world, &[flag, value]).fails(2);
        assert!(stderr.contains(says), "{flag} {value}: {stderr}");
    }
    let stderr = world.run(["login", "--client-secret", "s"]).fails(2);
    assert!(stderr.contains("no flag for a secret"), "{stderr}");
    assert!(world.sandbox.requests().is_empty());
    nothing_is_saved(&world);
}

#[test]
fn a_secret_on_stdin_is_one_line_and_bounded() {
    let world = acme();
    let id = world.sandbox.credential().client_id;
    let long = "x".repeat(5000);
    for (secret, says) in [
        ("", "the client secret is empty"),
        ("\n", "the client secret is empty"),
        ("two\nlines\n", "more than one line"),
        (long.as_str(), "longer than 4 KiB"),
    ] {
        let run = world.run(["login", "--secret-stdin", "--client-id", &id]);
        let stderr = run.stdin(secret).fails(2);
        assert!(stderr.contains(says), "{stderr}");
    }
    // A terminal would echo it.
    let arguments = ["login", "--secret-stdin", "--client-id", &id];
    let ended = Terminal::run(&world, &arguments).end();
    assert_eq!(ended.code, 2);
    assert!(
        ended.screen.contains("stdin is a terminal"),
        "{}",
        ended.screen
    );
    nothing_is_saved(&world);
}
