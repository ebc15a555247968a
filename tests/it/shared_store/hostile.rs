//! Servers that are none, or answer what no command was ever answered: one warning, and the token all
//! the same.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use super::Fleet;

/// A server that answers whatever it is sent with these bytes, so many at a time.
fn answering(bytes: &'static [u8], at_once: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the test's process; nothing waits for it.
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
            "unknown command",
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
