//! All kinds of invalid TLS and certificates. The program never sends a request to such a server.
//!
//! A revoked certificate is not detected, as in curl and Go: the program does not fetch revocation
//! lists.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use cloudconnexa_sandbox::{Certificate, Sandbox};
use tempfile::TempDir;

use super::{Fault, Relay, Serve, silence, survives, through, tries_all};
use crate::fault_injection::Claim;
use crate::harness::World;
use crate::network::trust_another_ca;

fn over_https(address: SocketAddr) -> String {
    format!("https://{address}")
}

/// Makes the world also trust the CA of that server.
fn trust(world: &World, ca_pem: &str) {
    let both = world.path("both.pem");
    fs::write(&both, format!("{}\n{ca_pem}", world.sandbox.ca_pem())).unwrap();
    world.set("SSL_CERT_FILE", both.to_str().unwrap());
}

#[test]
fn a_server_whose_certificate_is_wrong_is_sent_nothing_and_the_fault_is_named() {
    let claim = Claim::that(
        "a server with an invalid certificate is sent nothing, and the first line names the \
         problem of the certificate; a token that is still valid is returned",
    );
    let untrusted = "cannot be trusted: ";
    let cases: [(Certificate, bool, &[&str], &str); 8] = [
        (
            Certificate::Expired,
            true,
            &[untrusted, "expired on 20"],
            "this machine's clock",
        ),
        (
            Certificate::NotYetValid,
            true,
            &[untrusted, "not valid before 20"],
            "this machine's clock",
        ),
        (
            Certificate::WrongHost,
            true,
            &[untrusted, "is for `wrong-host.test`, not `127.0.0.1`"],
            "check `cloud_id` or `base_url`",
        ),
        (
            Certificate::NameOnly,
            true,
            &[untrusted, "is for `localhost`, not `127.0.0.1`"],
            "check `cloud_id` or `base_url`",
        ),
        (
            Certificate::Valid,
            false,
            &[untrusted, "no CA that is known here has signed"],
            "set `ca_file` or `SSL_CERT_FILE`",
        ),
        (
            Certificate::SelfSigned,
            false,
            &[untrusted, "no CA that is known here has signed"],
            "set `ca_file` or `SSL_CERT_FILE`",
        ),
        (
            Certificate::SelfSigned,
            true,
            &[untrusted, "no CA that is known here has signed"],
            "set `ca_file` or `SSL_CERT_FILE`",
        ),
        (
            Certificate::ForClients,
            true,
            &[untrusted, "is not one for servers"],
            "needs another certificate",
        ),
    ];
    for (certificate, is_known, first, hint) in cases {
        claim.holds(|| {
            let world = World::new();
            let wrong = Sandbox::builder().certificate(certificate).start();
            if is_known {
                trust(&world, wrong.ca_pem());
            }
            let relay = Relay::new(through(world.sandbox.address()));
            world.set("CLOUDCONNEXA_BASE_URL", &over_https(relay.address()));
            let fault = Fault::new("certificate", through(wrong.address()), first).says(&[hint]);
            survives(&world, &relay, &fault);
            assert!(
                wrong.requests().is_empty(),
                "{certificate:?}: the server received a request"
            );
        });
    }
}

/// `openssl s_server` with its own certificate. It ends with the test.
struct Legacy {
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Legacy {
    /// `openssl genpkey` creates the key with the arguments `key`. The certificate is signed with
    /// `digest`, and the server is started with `flags`.
    fn start(key: &str, digest: &str, flags: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let script = format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca \
               -days 2 -keyout ca.key -out ca.pem \
             && openssl genpkey {key} -out key.pem \
             && printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > ext \
             && openssl req -new -key key.pem -subj /CN=server -out csr \
             && openssl x509 -req -in csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
               -{digest} -extfile ext -out cert.pem"
        );
        let made = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{said}");
        let mut child = Command::new("setpriv")
            .args("--pdeathsig KILL openssl s_server -accept 127.0.0.1:0 -cert cert.pem".split(' '))
            .args(["-key", "key.pem"])
            .args(flags.split_whitespace())
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let address = loop {
            let mut line = String::new();
            assert!(
                stdout.read_line(&mut line).unwrap() > 0,
                "openssl does not start"
            );
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                break address.trim().parse().unwrap();
            }
        };
        child.stdout = Some(stdout.into_inner());
        Self {
            folder,
            child,
            address,
        }
    }

    fn ca_pem(&self) -> String {
        fs::read_to_string(self.folder.path().join("ca.pem")).unwrap()
    }

    /// Stops the server and returns everything that it received and printed.
    fn ended(mut self) -> String {
        self.child.kill().unwrap();
        let mut shown = Vec::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut shown)
            .unwrap();
        String::from_utf8_lossy(&shown).into_owned()
    }
}

impl Drop for Legacy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_server_of_yesterday_is_sent_nothing() {
    let claim = Claim::that(
        "a server that supports only TLS 1.0 or 1.1, has a weak key, offers only weak ciphers \
         or requires a client certificate is sent nothing, and the first line names the missing \
         feature",
    );
    let p256 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    let rsa = |bits: u32| format!("-algorithm RSA -pkeyopt rsa_keygen_bits:{bits}");
    let old = "-cipher ALL:@SECLEVEL=0";
    let version = "it speaks neither TLS 1.2 nor 1.3";
    let refused = "it refused the handshake";
    let weak = "its key, or its CA's, is too weak or did not make the signature";
    for (name, key, digest, flags, first) in [
        ("TLS 1.0", p256, "sha256", "-tls1", version),
        ("TLS 1.1", p256, "sha256", "-tls1_1", version),
        (
            "CBC and no forward secrecy",
            &rsa(2048),
            "sha256",
            "-tls1_2 -cipher AES128-SHA",
            refused,
        ),
        ("RSA of 1024 bits", &rsa(1024), "sha256", "-tls1_3", weak),
        (
            "RSA of 1024 bits, TLS 1.2",
            &rsa(1024),
            "sha256",
            "-tls1_2",
            weak,
        ),
        ("SHA-1", p256, "sha1", "", "too old or too weak"),
        (
            "a client certificate, TLS 1.2",
            p256,
            "sha256",
            "-Verify 1 -tls1_2",
            refused,
        ),
    ] {
        claim.holds(|| {
            let legacy = Legacy::start(key, digest, &format!("{old} {flags}"));
            let world = World::new();
            trust(&world, &legacy.ca_pem());
            let relay = Relay::new(through(world.sandbox.address()));
            world.set("CLOUDCONNEXA_BASE_URL", &over_https(relay.address()));
            let fault = Fault::new(name, through(legacy.address), &[first]);
            survives(&world, &relay, &fault);
            sent_nothing(name, legacy);
        });
    }
    claim.holds(|| {
        let name = "a client certificate, TLS 1.3";
        let legacy = Legacy::start(p256, "sha256", &format!("{old} -Verify 1 -tls1_3"));
        let world = World::new();
        trust(&world, &legacy.ca_pem());
        world.set("CLOUDCONNEXA_BASE_URL", &over_https(legacy.address));
        // By then the program has sent its request. If the server closes the connection before it
        // reads the request, the system may discard the server's alert and send a reset.
        let is_told = |_| {
            let stderr = world.run(["token", "--no-cache"]).fails(6);
            stderr.contains("it wants a client certificate")
        };
        assert!(
            (0..50).any(is_told),
            "{name}: the alert of the server is reported"
        );
        sent_nothing(name, legacy);
    });
}

fn sent_nothing(name: &str, legacy: Legacy) {
    let shown = legacy.ended();
    assert!(
        !shown.contains("POST") && !shown.contains("HTTP/1.1"),
        "{name}: {shown}"
    );
}

#[test]
fn what_is_no_tls_is_told_from_what_is() {
    let claim = Claim::that(
        "plain HTTP, another protocol or invalid data on a TLS port, and TLS on a plain HTTP \
         port, are named in the first line",
    );
    let at_once = |bytes: &'static [u8]| -> Serve {
        Arc::new(move |mut stream| {
            use std::io::Write as _;
            drop(stream.write_all(bytes));
            drop(super::drained(stream));
        })
    };
    let no_tls = "what answers there does not speak TLS";
    let faults = [
        Fault::new(
            "HTTP/1.1 400",
            at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            &[no_tls],
        ),
        Fault::new(
            "an SSH server",
            at_once(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
            &[no_tls],
        ),
        Fault::new("zeros", at_once(&[0; 512]), &[no_tls]),
        Fault::new("0xff", at_once(&[0xff; 512]), &[no_tls]),
        Fault::new(
            "an invalid handshake record",
            at_once(b"\x16\x03\x03\x00\x04\x02\xff\xff\xff"),
            &["no TLS connection to"],
        ),
        Fault::new(
            "a fatal alert",
            at_once(b"\x15\x03\x03\x00\x02\x02\x28"),
            &["it refused the handshake"],
        ),
        Fault::new(
            "no such host",
            at_once(b"\x15\x03\x03\x00\x02\x02\x70"),
            &["it knows no host of that name"],
        ),
        Fault::new(
            "silence",
            silence(),
            &["no TLS handshake with", "within 2s"],
        )
        .endless(),
    ];
    claim.counts(faults.len(), || tries_all(&faults, over_https, World::new));

    claim.holds(|| {
        let server = Sandbox::start();
        let plain = |address: SocketAddr| format!("http://{address}");
        let make = || World::with(Sandbox::builder().http());
        let fault = Fault::new(
            "TLS",
            through(server.address()),
            &["the answer is not HTTP/1.1"],
        )
        .says(&["if the server speaks TLS, write `https://`"]);
        tries_all(&[fault], plain, make);
        assert!(server.requests().is_empty());
    });
    claim.holds(|| {
        let server = Sandbox::builder().http().start();
        let fault = Fault::new("no TLS", through(server.address()), &[no_tls])
            .says(&["hint: the server must speak TLS 1.2 or 1.3"]);
        tries_all(&[fault], over_https, World::new);
        assert!(server.requests().is_empty());
    });
}

#[test]
fn roots_that_cannot_be_read_are_told_where_a_server_is_not_trusted() {
    let world = World::new();
    let missing = world.path("missing.pem");
    world.set("SSL_CERT_FILE", missing.to_str().unwrap());
    let stderr = world.run(["token"]).fails(6);
    assert!(stderr.contains("UnknownIssuer"), "{stderr}");
    assert!(stderr.contains(missing.to_str().unwrap()), "{stderr}");
    trust_another_ca(&world);
    let stderr = world.run(["token", "--refresh"]).fails(6);
    assert!(!stderr.contains("missing.pem"), "{stderr}");
    assert_eq!(world.sandbox.token_requests(), 0, "nothing was sent");
}
