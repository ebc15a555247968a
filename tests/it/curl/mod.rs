//! `curl`: the real one, against the sandbox and against servers with arbitrary responses.

mod descriptors;
mod renewal;
mod server;
mod trust;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::{client, write_program};
use crate::harness::{PROGRAM, World};
use crate::hosts;

use server::{Server, reply};

/// How long a test waits for an event, so that it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

const NETWORKS: &str = "/api/v1/networks";

/// A world with the profile `prod`, for the sandbox and these additional hosts.
fn world(hosts: &[&str]) -> World {
    let world = World::without_profile(Sandbox::builder().no_rate_limit());
    let text = format!("{}hosts = {hosts:?}\n", world.profile_text("prod"));
    world.write_config(&text);
    world
}

/// Like `world`, with a server of plain HTTP.
fn world_for(server: &Server) -> World {
    world(&[&server.authority()])
}

/// The statuses of the API's responses.
fn statuses(world: &World) -> Vec<u16> {
    let requests = world.sandbox.requests().into_iter();
    let of_api = requests.filter(|request| !request.is_token_request());
    of_api.filter_map(|request| request.status).collect()
}

#[test]
fn a_path_is_put_behind_the_profiles_base_url() {
    let world = world(&[]);

    let printed = world.run(["curl", NETWORKS, "-sS"]).succeeds();

    assert!(
        printed.starts_with("{\"content\":[{") && printed.contains("office"),
        "{printed}"
    );
    assert_eq!(world.sandbox.token_requests(), 1);
    let base_url = world.sandbox.base_url().to_owned();
    let whole = world.run(["curl", &format!("{base_url}{NETWORKS}"), "-s"]);
    assert_eq!(
        whole.succeeds(),
        printed,
        "a URL on one of its hosts does too"
    );
    let path = "/api/v1/users/a@b.test?filter[a]=1&b=%7Bc%7D";
    world.run(["curl", path, "-sS"]).succeeds();
    let requests = world.sandbox.requests();
    assert_eq!(
        requests.last().map(|it| it.path.as_str()),
        Some("/api/v1/users/a@b.test"),
        "after a slash, @ does not separate a user name, and brackets are not globs"
    );
}

#[test]
fn a_path_without_its_slash_is_told_to_have_one() {
    let world = world(&[]);

    for path in ["networks", "api/v1/networks", "acme.api.openvpn.com/", ""] {
        let stderr = world.run(["curl", path]).fails(2);
        assert!(
            stderr.contains("hint: a path begins with `/`"),
            "{path}: {stderr}"
        );
    }
    assert_eq!(world.sandbox.token_requests(), 0);
}

/// All processes of this machine: their arguments, and their environment if it can be read.
fn processes() -> BTreeMap<String, (String, String)> {
    let read = |id: &str, file: &str| {
        let bytes = fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let files = fs::read_dir("/proc").unwrap();
    let ids = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|id| {
            let seen = (read(&id, "cmdline"), read(&id, "environ"));
            (id, seen)
        })
        .collect()
}

#[test]
fn the_token_is_in_nobodys_arguments_environment_or_files_while_curl_runs() {
    for body in [&[][..], &["-d", "a=b"]] {
        let (arrived, has_arrived) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<()>();
        let server = Server::start(move |_, stream| {
            arrived.send(()).unwrap();
            // If the test has failed, it releases nothing.
            let _ = is_released.recv();
            reply(stream, "200 OK", "", "answer\n");
        });
        let world = world_for(&server);
        let token = world.token();
        let url = format!("{}/held", server.url());
        let arguments = [&["curl", &url, "-sS"], body].concat();
        let secret = world.sandbox.credential().client_secret;
        let running = world
            .run_all(&arguments)
            .set("CLOUDCONNEXA_CLIENT_SECRET", &secret)
            .set("CLOUDCONNEXA_TOKEN", &token)
            .start();
        has_arrived.recv_timeout(PATIENCE).unwrap();

        let processes = processes();
        let curl = processes
            .values()
            .find(|(arguments, _)| arguments.starts_with("curl\0") && arguments.contains(&url));
        let (_, environment) = curl.expect("curl is running");
        assert!(environment.contains("HOME="), "it could be read");
        assert!(!environment.contains(&token) && !environment.contains(&secret));
        for (arguments, _) in processes.values() {
            assert!(!arguments.contains(&token), "{arguments}");
        }
        world.check_files();
        release.send(()).unwrap();

        let outcome = running.outcome();
        assert_eq!(outcome.succeeds(), "answer\n");
        let expected = format!("Authorization: Bearer {token}\r\n");
        assert!(
            server.requests()[0].contains(&expected),
            "the server got the token"
        );
    }
}

#[test]
fn no_other_host_is_ever_asked() {
    let world = hosts::acme();
    world.token();
    for uri in hosts::FOREIGN {
        for flags in [&["curl"][..], &["curl", "--profile", "acme"]] {
            // An argument cannot contain a NUL; and some begin like one of our flags.
            if uri.contains('\0') {
                continue;
            }
            let arguments = [flags, &[uri, "--max-time", "1"]].concat();
            let (code, words) = if uri.contains(':') || uri.starts_with("//") {
                (3, "own hosts only")
            } else {
                (2, "a path begins with `/`")
            };
            let stderr = world.run_all(&arguments).fails(code);
            assert!(stderr.contains(words), "{uri:?}: {stderr}");
        }
    }
    for (path, code) in [
        ("//evil.test", 3),
        ("//evil.test/api", 3),
        ("///evil.test", 3),
        ("/\\evil.test", 2),
        ("/\\/evil.test", 2),
        ("/a b", 2),
        ("/a\r\nHost: evil.test", 2),
        ("/\t", 2),
        ("/{a,b}", 2),
        ("/é", 2),
    ] {
        let stderr = world.run(["curl", path]).fails(code);
        assert!(stderr.contains("error: "), "{path:?}: {stderr}");
    }
    assert_eq!(world.sandbox.requests().len(), 1, "except for the token");
}

#[test]
fn arguments_that_would_give_the_token_away_start_nothing_and_ask_nobody() {
    let server = Server::saying("200 OK", "");
    let world = world(&[]);
    let url = server.url();
    for arguments in [
        &[url.as_str()][..],
        &["-s", &url],
        &["--url", &url],
        &["--next", &url],
        &["-:", &url],
        &["--", &url],
        &["-o", "file", &url],
        &["-K", "curl.conf"],
        &["-k"],
        &["--insecure"],
        &["-L", "--location-trusted"],
        &["--trace-ascii", "trace.txt"],
        &["--libcurl", "-"],
        &["-v", "--stderr", "err.txt"],
        &["--netrc"],
        &["-H", "authorization: Bearer x"],
        &["--proto-redir", "=all"],
        &["--request-target", "http://evil.test/"],
        &["--request-target", "//evil.test/"],
        &["-X", "GET http://evil.test/ HTTP/1.1"],
        &["-H", ":authority: evil.test"],
        &["-vv"],
        &["--location-trus"],
        &["--no-such-option"],
        &["-o"],
    ] {
        let all = [&["curl", NETWORKS], arguments].concat();
        let stderr = world.run_all(&all).fails(2);
        assert!(stderr.contains("`curl`: "), "{arguments:?}: {stderr}");
        assert!(!stderr.contains(&url), "nor shown");
    }
    assert!(world.sandbox.requests().is_empty(), "no token is requested");
    assert!(server.requests().is_empty());
}

#[test]
fn options_are_read_as_the_installed_curl_reads_them() {
    let world = world(&[]);
    let help = client(&world, "curl").args(["--help", "all"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let mut count = 0;
    for line in help.lines() {
        let Some((_, option)) = line.split_once("--") else {
            continue;
        };
        let (name, behind) = option.split_once(' ').unwrap();
        let flag = format!("--{name}");
        // The value of this option is optional.
        let takes_value = behind.starts_with(['<', '[']) && name != "help";
        let further: &[&str] = if takes_value { &[] } else { &["word"] };
        let all = [&["curl", NETWORKS, &flag], further].concat();
        let stderr = world.run_all(&all).fails(2);
        if stderr.contains("is no option") {
            // An option of a later curl; it is refused.
            continue;
        }
        let is_refused = stderr.contains(&format!("error: `curl`: `{flag}` "));
        let is_value_missed = stderr.contains("needs a value");
        assert_eq!(is_value_missed, takes_value, "{flag}: {stderr}");
        assert!(
            is_refused || stderr.contains("a further URL"),
            "{flag}: {stderr}"
        );
        count += 1;
    }
    assert!(count > 200, "the options are found: {count}");
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn a_redirect_to_another_origin_does_not_take_the_token_along() {
    let other = Server::saying("200 OK", "other\n");
    let target = other.url();
    let location = target.clone();
    let server = Server::start(move |_, stream| {
        let headers = format!("Location: {location}/elsewhere\r\n");
        reply(stream, "302 Found", &headers, "");
    });
    let world = world_for(&server);

    for arguments in [&["-sSL"][..], &["-sSL", "-d", "a=b"]] {
        let url = server.url();
        let all = [&["curl", &url], arguments].concat();
        assert_eq!(world.run_all(&all).succeeds(), "other\n");
    }

    let asked = other.requests();
    assert_eq!(asked.len(), 2);
    for request in asked {
        assert!(request.contains("/elsewhere"));
        assert!(
            !request.to_lowercase().contains("authorization"),
            "{request}"
        );
    }
    for request in server.requests() {
        assert!(request.contains("Authorization: Bearer "), "{request}");
    }
}

#[test]
fn a_redirect_never_leads_from_https_to_plain_http() {
    let other = Server::saying("200 OK", "");
    let world = world(&[]);
    let redirect = cloudconnexa_sandbox::Fault::Redirect {
        status: 307,
        location: other.url(),
    };
    world.token();
    world.sandbox.next(redirect);
    let path = "/api/v1/oauth/token";
    let outcome = world.run(["curl", path, "-sSL", "-X", "POST"]).outcome();
    assert_eq!(
        outcome.code,
        Some(1),
        "CURLE_UNSUPPORTED_PROTOCOL: {outcome:?}"
    );
    assert!(other.requests().is_empty());
}

#[test]
fn a_proxy_sees_a_tunnel_and_plain_http_never_takes_one() {
    let proxy = Server::saying("403 Forbidden", "");
    let server = Server::saying("200 OK", "direct\n");
    let world = world_for(&server);
    for name in ["https_proxy", "http_proxy", "all_proxy"] {
        world.set(name, &proxy.url());
    }
    world.set("no_proxy", "");
    let token_url = world.sandbox.base_url().to_owned();
    let authority = token_url.trim_start_matches("https://");
    let ours = world.run(["token"]).set("no_proxy", authority);
    ours.succeeds();

    let outcome = world.run(["curl", NETWORKS, "-sS"]).outcome();
    assert_eq!(outcome.code, Some(56), "the proxy refused: {outcome:?}");
    let asked = proxy.requests();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("CONNECT "), "{asked:?}");
    assert!(
        !asked[0].to_lowercase().contains("\r\nauthorization"),
        "{asked:?}"
    );

    let printed = world.run(["curl", &server.url(), "-sS"]).succeeds();
    assert_eq!(printed, "direct\n");
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn the_exit_code_is_curls() {
    let world = world(&["no-such-host.invalid"]);
    let another = world.path("another.pem");
    fs::write(&another, Sandbox::start().ca_pem()).unwrap();
    world.token();
    let untrusted = another.to_str().unwrap();
    for body in [&[][..], &["-d", "x"]] {
        for (path, arguments, code) in [
            ("/no/such/place", &["-s", "--fail"][..], 22),
            ("/no/such/place", &["-s", "--fail-with-body"], 22),
            ("/no/such/place", &["-s"], 0),
            ("https://no-such-host.invalid/", &["-s"], 6),
            (NETWORKS, &["-s", "--cacert", untrusted], 60),
            (NETWORKS, &["-s", "--no-such-", "x"], 2),
            (NETWORKS, &["-s", "-o", "no/such/folder"], 23),
        ] {
            let all = [&["curl", path], arguments, body].concat();
            let outcome = world.run_all(&all).outcome();
            assert_eq!(outcome.code, Some(code), "{outcome:?}");
        }
    }
}

#[test]
fn a_server_that_never_answers_is_left_when_curl_says_so() {
    let (_open, never) = mpsc::channel::<()>();
    let server = Server::start(move |_, _| {
        let _ = never.recv();
    });
    let world = world_for(&server);
    let outcome = world
        .run(["curl", &server.url(), "-sS", "--max-time", "0.2"])
        .outcome();
    assert_eq!(outcome.code, Some(28), "{outcome:?}");
    assert!(outcome.stderr.contains("curl: (28)"), "{outcome:?}");
}

#[test]
fn a_curl_that_a_signal_ends_is_told_as_a_shell_tells_it() {
    let world = world(&[]);
    world.token();
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    write_program(&bin.join("curl"), "#!/bin/sh\nkill -TERM $$\n");
    world.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    assert_eq!(world.run(["curl", NETWORKS]).outcome().code, Some(143));
}

#[test]
fn without_curl_it_ends_with_127_and_with_one_that_does_not_start_with_126() {
    let world = world(&[]);
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    world.set("PATH", bin.to_str().unwrap());
    for body in [&[][..], &["-d", "x"]] {
        let all = [&["curl", NETWORKS], body].concat();
        let stderr = world.run_all(&all).fails(127);
        assert!(stderr.contains("install curl"), "{stderr}");
        fs::write(bin.join("curl"), "not a program").unwrap();
        world.run_all(&all).fails(126);
        fs::remove_file(bin.join("curl")).unwrap();
    }
}

#[test]
fn without_a_token_curl_is_not_started() {
    let world = world(&[]);
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    write_program(&bin.join("curl"), "#!/bin/sh\ntouch started\n");
    world.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    world.sandbox.enable_api(false);
    for body in [&[][..], &["-d", "x"]] {
        let all = [&["curl", NETWORKS], body].concat();
        world.run_all(&all).fails(4);
    }
    assert!(!world.path("started").exists());
}

#[test]
fn the_users_curlrc_adds_nothing() {
    let other = Server::saying("200 OK", "");
    let world = world(&[]);
    let text = format!(
        "url = {}\nverbose\ninsecure\nlocation-trusted\n",
        other.url()
    );
    for folder in [world.home(), world.home().join("config")] {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(".curlrc"), &text).unwrap();
        fs::write(folder.join("curlrc"), &text).unwrap();
    }
    world.run(["curl", NETWORKS, "-sS"]).succeeds();
    world.run(["curl", NETWORKS, "-sS", "-d", "x"]).succeeds();
    assert!(other.requests().is_empty());
}

#[test]
fn a_verbose_curl_tells_everything_but_the_token() {
    let world = world(&[]);
    for arguments in [
        &["-sv"][..],
        &["-sv", "-d", "x"],
        &["-s", "--verbose", "--http1.1"],
    ] {
        let all = [&["curl", NETWORKS], arguments].concat();
        // The harness searches stderr for the token.
        let (stdout, stderr) = world.run_all(&all).outcome().succeeds_with_stderr();
        assert!(!stdout.is_empty());
        assert!(stderr.contains("uthorization: Bearer [token]"), "{stderr}");
        assert!(stderr.contains("Connected to 127.0.0.1"), "{stderr}");
    }
}

#[test]
fn a_body_may_come_from_stdin() {
    let server = Server::start(|request, stream| {
        let (_, body) = request.split_once("\r\n\r\n").unwrap();
        reply(stream, "200 OK", "", body);
    });
    let world = world_for(&server);
    for arguments in [
        &["-d", "@-"][..],
        &["--json", "@-"],
        &["--data-binary", "@-"],
    ] {
        let url = server.url();
        let all = [&["curl", &url, "-sS"], arguments].concat();
        let printed = world.run_all(&all).stdin("{\"name\": \"x\"}").succeeds();
        assert_eq!(printed, "{\"name\": \"x\"}", "{arguments:?}");
    }
}

#[test]
fn an_answer_flows_while_it_comes() {
    let (release, is_released) = mpsc::channel::<()>();
    let server = Server::start(move |_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst\n")
            .unwrap();
        let _ = is_released.recv();
        let part = vec![b'x'; 128 * 1024];
        for _ in 0..64 {
            stream.write_all(&part).unwrap();
        }
    });
    let world = world_for(&server);
    let mut command = client(&world, PROGRAM);
    command.args(["curl", &server.url(), "-sSN", "--max-time", "20"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());

    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "first\n", "before the rest has arrived");
    release.send(()).unwrap();

    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert_eq!(rest.len(), 64 * 128 * 1024);
    assert!(rest.iter().all(|byte| *byte == b'x'));
    assert!(child.wait().unwrap().success());
}

#[test]
fn on_a_terminal_there_is_the_answer_and_no_progress_meter() {
    let world = world(&[]);
    let script = format!("script -qec \"$0 curl {NETWORKS}\" /dev/null");
    let seen = world.run(["-c", &script]).through_shell().succeeds();
    assert!(
        seen.starts_with("{\"content\":[{") && seen.ends_with('}'),
        "{seen}"
    );

    let script = format!("script -qec \"$0 curl {NETWORKS} -o file\" /dev/null");
    let seen = world.run(["-c", &script]).through_shell().succeeds();
    assert!(
        seen.contains("% Total"),
        "as curl does if it writes a file: {seen}"
    );
}

#[test]
fn an_answer_that_cannot_be_written_is_no_success() {
    let world = world(&[]);
    let script = format!("\"$0\" curl {NETWORKS} -s > /dev/full; echo $?");
    let outcome = world.run(["-c", &script]).through_shell().outcome();
    assert_eq!(outcome.stdout, "1\n", "{outcome:?}");
    assert!(outcome.stderr.contains("No space left"), "{outcome:?}");
}

#[test]
fn a_reader_that_goes_away_ends_curl() {
    let server = Server::start(|_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
        let mut written = stream.write_all(head);
        let part = vec![b'\n'; 64 * 1024];
        while written.is_ok() {
            written = stream.write_all(&part);
        }
    });
    let world = world_for(&server);
    let script = format!(
        "(\"$0\" curl {} -s; echo $? > code) | head -1 > first; cat first code",
        server.url()
    );
    let printed = world.run(["-c", &script]).through_shell().succeeds();
    assert_eq!(printed, "\n23\n", "the exit code of curl alone");
}

#[test]
fn flags_of_ours_stand_before_the_path() {
    let world = world(&[]);
    let stderr = world.run(["curl", "-s", NETWORKS]).fails(2);
    assert!(
        stderr.contains("curl's own options stand behind PATH"),
        "{stderr}"
    );
    let stderr = world.run(["curl"]).fails(2);
    assert!(stderr.contains("`curl` needs a PATH"), "{stderr}");
    let stderr = world.run(["curl", "--profile", "prdo", NETWORKS]).fails(3);
    assert!(stderr.contains("profile `prdo` does not exist"), "{stderr}");
    let (_, stderr) = world
        .run(["curl", "-v", NETWORKS, "-sS"])
        .outcome()
        .succeeds_with_stderr();
    assert!(
        stderr.contains("debug: ") && !stderr.contains("Connected"),
        "{stderr}"
    );
}

#[test]
fn a_profile_without_a_base_url_has_no_paths() {
    let world = world(&[]);
    let url = world.sandbox.base_url().to_owned();
    let text = world.profile_text("prod").replace(
        &format!("base_url = \"{url}\""),
        &format!("token_url = \"{url}/api/v1/oauth/token\""),
    );
    let authority = url.trim_start_matches("https://");
    world.write_config(&format!("{text}hosts = [\"{authority}\"]\n"));
    let stderr = world.run(["curl", NETWORKS]).fails(3);
    assert!(stderr.contains("has no base URL"), "{stderr}");
    let whole = format!("{url}{NETWORKS}");
    world.run(["curl", &whole, "-sS"]).succeeds();
    assert_eq!(statuses(&world), [200]);
}
