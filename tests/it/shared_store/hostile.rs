//! Servers that are not Redis, or that send invalid replies. The program prints one warning and
//! still returns a token.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::{Fleet, PASSWORD};
use crate::harness::World;

/// A server that answers any input with these bytes, in chunks of the given size.
fn answering(bytes: &'static [u8], at_once: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The thread ends with the test process and is not joined.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer) {
                    for part in bytes.chunks(at_once) {
                        if at_once < bytes.len() {
                            thread::sleep(Duration::from_millis(300));
                        }
                        if stream.write_all(part).is_err() {
                            return;
                        }
                    }
                }
            });
        }
    });
    format!("redis://{address}")
}

#[test]
fn whatever_a_server_says_is_one_warning_and_no_harm() {
    let fleet = Fleet::new();
    for (host, (bytes, told)) in [
        (&b"-ASK 1234 127.0.0.1:1\r\n"[..], "ASK"),
        (b"-CLUSTERDOWN Hash slot not served\r\n", "CLUSTERDOWN"),
        (
            b"-LOADING Redis is loading the dataset in memory\r\n",
            "LOADING",
        ),
        (b"-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN"),
        (b"-NOSCRIPT No matching script\r\n", "NOSCRIPT"),
        (
            b"-TRYAGAIN Multiple keys request during rehashing\r\n",
            "TRYAGAIN",
        ),
        (b"-MOVED 1234 store.example.com:6379\r\n", "MOVED"),
        (b"-MOVED\r\n", "MOVED"),
        (b"-MOVED 1 127.0.0.1:notaport\r\n", "MOVED"),
        (
            b"-ERR unknown command 'AUTH', with args beginning with: 'store-pass-3f1b8a7c'\r\n",
            "it answered \"ERR\"",
        ),
        (b"-ERR AUTH store-pass-3f1b8a7c\r\n", "it answered \"ERR\""),
        (
            b"-store-pass-3f1b8a7c\r\n",
            "it answered \"an unknown error\"",
        ),
        (
            b"-MOVED 1 store-pass-3f1b8a7c:1\r\n",
            "it answered \"MOVED\"",
        ),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not that of a Redis"),
        (b"$104857600\r\nxxxxxxxxxxxxxxxxxxxxxxxxx", "cannot be used"),
        (b"*99999999\r\n", "cannot be used"),
        (b"\x16\x03\x01\x00\x05hello\r\n", "not that of a Redis"),
        (b"+OK\r\n", "cannot be used"),
    ]
    .into_iter()
    .enumerate()
    {
        let run = fleet.on(host, ["token", "--timeout", "9s"]);
        let run = run.set(
            "CLOUDCONNEXA_AUTH_SHARED_STORE",
            &answering(bytes, bytes.len()),
        );
        let (token, stderr) = run.outcome().succeeds_with_stderr();
        let shown = String::from_utf8_lossy(bytes);
        assert!(!token.is_empty(), "{shown}");
        assert_eq!(stderr.lines().count(), 1, "{shown}: {stderr}");
        assert!(stderr.contains(told), "{shown}: {stderr}");
        assert!(!stderr.contains("store-pass"), "{shown}: {stderr}");
    }
}

#[test]
fn a_server_that_drips_is_left_in_time() {
    let fleet = Fleet::new();
    let url = answering(b"-ERR this takes longer than anybody waits\r\n", 1);
    let run = fleet.on(1, ["token", "--timeout", "9s"]);
    let run = run.set("CLOUDCONNEXA_AUTH_SHARED_STORE", &url);
    let (token, stderr) = run.outcome().succeeds_with_stderr();
    assert!(
        !token.is_empty() && stderr.contains("no answer within 2000 ms"),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn a_socket_whose_server_takes_nobody_in_is_left_in_time() {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
    };
    let fleet = Fleet::new();
    let path = fleet.world.path("full");
    let address = SocketAddrUnix::new(&path).unwrap();
    let open = || {
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        socket_with(family, kind, SocketFlags::NONBLOCK, None).unwrap()
    };
    let listener = open();
    bind(&listener, &address).unwrap();
    listen(&listener, 0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let stream = open();
        if connect(&stream, &address).is_err() {
            break;
        }
        waiting.push(stream);
    }

    let run = fleet.on(1, ["token", "--timeout", "9s"]);
    let url = format!("unix:{}", path.display());
    let run = run.set("CLOUDCONNEXA_AUTH_SHARED_STORE", &url);
    let (token, stderr) = run.outcome().succeeds_with_stderr();

    assert!(
        !token.is_empty() && stderr.contains("no answer within 2000 ms"),
        "{stderr}"
    );
}

#[test]
fn a_program_that_does_not_give_the_stores_password_leaves_the_time_to_ask() {
    let world = World::new();
    world.write_config(&format!(
        "{}\n[profiles.prod.shared_store]\nurl = \"rediss://localhost:1\"\n\
         password = {{ command = [\"sleep\", \"600\"] }}\n",
        world.profile_text("prod")
    ));

    let run = world.run(["token", "--profile", "prod", "--timeout", "4s"]);
    let (token, stderr) = run.outcome().succeeds_with_stderr();

    assert!(!token.is_empty());
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.contains("its password: `sleep` gave no answer"),
        "{stderr}"
    );
}

#[test]
fn a_warm_call_does_not_ask_for_the_stores_password() {
    let world = World::new();
    let script = "echo asked >> asked; echo pass";
    world.write_config(&format!(
        "{}\n[profiles.prod.shared_store]\nurl = \"redis://127.0.0.1:1\"\n\
         password = {{ command = [\"sh\", \"-c\", \"{script}\"] }}\n",
        world.profile_text("prod")
    ));
    let ask = || world.run(["token", "--profile", "prod"]).outcome();
    let asked = || std::fs::read_to_string(world.path("asked")).unwrap();

    let (first, _) = ask().succeeds_with_stderr();
    assert_eq!(asked(), "asked\n", "a cold call uses the store");
    let (second, stderr) = ask().succeeds_with_stderr();

    assert_eq!((second, stderr.as_str()), (first, ""));
    assert_eq!(asked(), "asked\n", "a warm call does not use the store");
}

#[test]
fn no_program_that_is_started_sees_the_stores_password() {
    let world = World::new();
    world.watch(PASSWORD);
    let path = crate::docker_helpers::install_helper(&world, "curl", "env; echo it ran");
    let bin = world.path("bin");
    std::fs::rename(bin.join("docker-credential-curl"), bin.join("curl")).unwrap();
    world.set("PATH", &path);
    let profile = world.profile_text("prod");
    for name in ["STORE_PASS", "CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD"] {
        world.write_config(&format!(
            "{profile}\n[profiles.prod.shared_store]\nurl = \"redis://127.0.0.1:1\"\n\
             password = {{ env = \"{name}\" }}\n"
        ));
        for arguments in [
            &["curl", "--profile", "prod", "/api/v1/networks"][..],
            &["curl", "--profile", "prod", "/api/v1/networks", "-d", "x"],
            &["exec", "--profile", "prod", "--", "env"],
        ] {
            let run = world.run_all(arguments).set(name, PASSWORD);
            // Only the first invocation prints a warning. The harness checks that no output
            // contains the password.
            let (stdout, _) = run.outcome().succeeds_with_stderr();
            assert!(stdout.contains("HOME="), "{arguments:?}: {stdout}");
            assert!(!stdout.contains(name), "{arguments:?}: {stdout}");
        }
    }
}
