//! The configuration of connections to the server: root certificates and proxies. The proxy is
//! tinyproxy. Network faults are tested in `fault_injection/networks`.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::Sandbox;
use tempfile::TempDir;

use crate::harness::World;

/// An address on which no process listens: port 1 of loopback.
const NOBODY: &str = "127.0.0.1:1";

#[track_caller]
fn says_all(stderr: &str, says: &[&str]) {
    for words in says {
        assert!(stderr.contains(words), "{words:?} is not in\n{stderr}");
    }
}

/// Makes all later processes trust another CA than the server's.
pub(crate) fn trust_another_ca(world: &World) {
    let another = world.path("another.pem");
    fs::write(&another, Sandbox::start().ca_pem()).unwrap();
    world.set("SSL_CERT_FILE", another.to_str().unwrap());
}

// Certificates

#[test]
fn the_profiles_ca_file_is_trusted_beside_the_systems_roots() {
    let world = World::without_profile(Sandbox::builder());
    trust_another_ca(&world);
    let text = world.profile_text("p");
    for path in ["corp.pem", world.path("ca.pem").to_str().unwrap()] {
        world.write_config(&format!("{text}ca_file = \"{path}\"\n"));
        fs::write(
            world.config_folder().join("corp.pem"),
            world.sandbox.ca_pem(),
        )
        .unwrap();
        world.run(["token", "--refresh"]).succeeds();
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_a_setting_to_mend() {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("p");
    world.write_config(&format!("{text}ca_file = \"corp.pem\"\n"));
    let path = world.config_folder().join("corp.pem");
    let refused = |says: &str| {
        let stderr = world.run(["token"]).fails(3);
        says_all(&stderr, &["profile `p`", path.to_str().unwrap(), says]);
        assert_eq!(world.sandbox.token_requests(), 0);
    };
    refused("it does not exist");
    for text in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA"] {
        fs::write(&path, text).unwrap();
        refused("holds no PEM certificate");
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("cannot be used");
}

#[test]
fn plain_http_works_on_loopback() {
    let world = World::with(Sandbox::builder().http());
    world.token();
    let port = world.sandbox.address().port();
    world.set(
        "CLOUDCONNEXA_BASE_URL",
        &format!("http://localhost:{port}/"),
    );
    world.token();
    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "another name is another identity"
    );
}

// Proxies

/// A tinyproxy on a free port; it ends when this is dropped.
pub(crate) struct Tinyproxy {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Tinyproxy {
    pub(crate) fn start() -> Self {
        Self::with("")
    }

    /// Starts it with additional lines of configuration.
    pub(crate) fn with(lines: &str) -> Self {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/tinyproxy.conf.in");
        let template = fs::read_to_string(template).unwrap();
        // Another process may take the port first; the proxy then exits with 71.
        for _ in 0..10 {
            let folder = TempDir::new().unwrap();
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let text = template
                .replace("@PORT@", &port.to_string())
                .replace("@DIR@", folder.path().to_str().unwrap());
            let conf = folder.path().join("tinyproxy.conf");
            fs::write(&conf, format!("{text}{lines}\n")).unwrap();
            let child = Command::new("setpriv")
                .args(["--pdeathsig", "TERM", "tinyproxy", "-d", "-c"])
                .arg(&conf)
                .spawn()
                .expect("setpriv is there, or run the tests with `make test`");
            let mut proxy = Self {
                folder,
                port,
                child,
            };
            if proxy.is_ready() {
                return proxy;
            }
        }
        panic!("tinyproxy finds no port");
    }

    /// Waits until it accepts connections; returns `false` if the port was taken.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if self.log().contains("Accepting connections") {
                return true;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                let wanted = "tinyproxy is there, or run the tests with `make test`";
                assert_eq!(status.code(), Some(71), "{wanted}");
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("tinyproxy does not start: {}", self.log());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("tinyproxy.log")).unwrap_or_default()
    }

    /// Whether it has forwarded a connection to that address.
    pub(crate) fn let_through(&self, address: SocketAddr) -> bool {
        let log = self.log();
        let host = address.ip();
        log.contains(&format!("CONNECT {address} HTTP/1.1"))
            && log.contains(&format!("Established connection to host \"{host}\""))
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_token_request_goes_through_the_proxy_that_a_variable_names() {
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let (world, proxy) = (World::new(), Tinyproxy::start());
        world.set(name, &proxy.url());
        world.token();
        assert!(
            proxy.let_through(world.sandbox.address()),
            "{name}: {}",
            proxy.log()
        );
    }
}

#[test]
fn a_proxy_is_named_without_a_scheme_too() {
    let (world, proxy) = (World::new(), Tinyproxy::start());
    world.set("HTTPS_PROXY", &format!("127.0.0.1:{}", proxy.port));
    world.token();
    assert!(proxy.let_through(world.sandbox.address()));
}

#[test]
fn the_lower_case_variable_wins() {
    let (world, proxy) = (World::new(), Tinyproxy::start());
    world.set("https_proxy", &proxy.url());
    world.set("HTTPS_PROXY", &format!("http://{NOBODY}"));
    world.token();
    assert!(proxy.let_through(world.sandbox.address()));
}

#[test]
fn the_profiles_ca_file_holds_behind_a_proxy() {
    let (world, proxy) = (
        World::without_profile(Sandbox::builder()),
        Tinyproxy::start(),
    );
    trust_another_ca(&world);
    let text = world.profile_text("p");
    world.set("HTTPS_PROXY", &proxy.url());
    world.write_config(&text);
    let stderr = world.run(["token"]).fails(6);
    says_all(&stderr, &["UnknownIssuer", "a proxy uses a private CA"]);

    world.write_config(&format!(
        "{text}ca_file = {:?}\n",
        world.path("ca.pem").to_str().unwrap()
    ));
    world.run(["token", "--refresh"]).succeeds();
    assert!(proxy.let_through(world.sandbox.address()));
}

#[test]
fn a_proxy_that_is_no_url_is_a_setting_to_mend_and_is_not_shown() {
    let world = World::new();
    world.watch("proxy-pass-word");
    for url in [
        "http://",
        "::::",
        "ftp://somebody:proxy-pass-word@127.0.0.1",
        "http://somebody:proxy-pass-word@",
        "http://some body:proxy-pass-word@127.0.0.1:3128",
        "http://somebody:proxy-pass-word@127.0.0.1:port",
        "http://somebody:proxy-pass-word@127.0.0.1:99999",
    ] {
        let outcome = world.run(["token", "-v"]).set("HTTPS_PROXY", url).outcome();
        assert_eq!(outcome.code, Some(3), "{url}: {}", outcome.stderr);
        says_all(&outcome.stderr, &["holds no URL of a proxy"]);
        let is_shown = ["::::", "ftp", "somebody"]
            .iter()
            .any(|part| outcome.stderr.contains(part));
        assert!(!is_shown, "{url}: {}", outcome.stderr);
    }
}

#[test]
fn plain_http_to_loopback_never_takes_a_proxy() {
    let world = World::with(Sandbox::builder().http());
    let nobody = format!("http://{NOBODY}");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"] {
        world.set(name, &nobody);
    }
    world.token();
}
