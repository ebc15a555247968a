//! Real Redis servers. Each has its own directory, ports and password, and is removed with the
//! test.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The password of every server. It must not occur in any output.
pub(crate) const PASSWORD: &str = "store-pass-3f1b8a7c";

/// A running server.
pub(crate) struct Server {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

/// Returns a port that is currently free.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Creates a certificate for `localhost` and its key in `folder`. It is valid since two days ago,
/// so that hosts with a slow clock accept it too.
fn certify(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
        .args(["ec_paramgen_curve:P-256", "-nodes", "-days", "3650"])
        .args([
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost,DNS:store.test,IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME", "-2d")
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

impl Server {
    /// Starts a server with TLS and a password, and with a socket for the test's own queries.
    pub(crate) fn tls() -> Self {
        Self::of(Path::new("redis-server"), true, &[])
    }

    /// Starts a server without TLS, with a password.
    pub(crate) fn plain(further: &[&str]) -> Self {
        Self::of(Path::new("redis-server"), false, further)
    }

    /// Starts the given server program.
    pub(crate) fn of(program: &Path, is_tls: bool, further: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        certify(folder.path());
        let port = free_port();
        let mut server = Self {
            child: start(program, folder.path(), port, is_tls, further),
            folder,
            port,
        };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = fs::read_to_string(self.folder.path().join("log"));
                panic!("redis-server ended with {status}: {log:?}");
            }
            if self
                .try_cli(&["PING"])
                .is_ok_and(|said| said.contains("PONG"))
            {
                return;
            }
            std::thread::yield_now();
        }
        panic!("redis-server does not answer");
    }

    fn try_cli(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new("redis-cli")
            .arg("-s")
            .arg(self.folder.path().join("sock"))
            .args(words)
            .env("REDISCLI_AUTH", PASSWORD)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(said)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Runs a command and returns the reply.
    #[track_caller]
    pub(crate) fn cli(&self, words: &[&str]) -> String {
        let said = self.try_cli(words).unwrap();
        said.trim_end().to_owned()
    }

    /// Returns all keys, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self
            .cli(&["KEYS", "*"])
            .lines()
            .map(str::to_owned)
            .collect();
        keys.retain(|key| !key.is_empty());
        keys.sort();
        keys
    }

    /// Returns the key with this suffix.
    #[track_caller]
    pub(crate) fn key(&self, end: &str) -> String {
        let keys = self.keys();
        let found = keys.iter().find(|key| key.ends_with(end));
        found
            .unwrap_or_else(|| panic!("no {end} in {keys:?}"))
            .clone()
    }

    /// Returns a value in hexadecimal. A script on the server encodes it.
    pub(crate) fn hex(&self, key: &str) -> String {
        let script = "local v=redis.call('GET',KEYS[1]) or '' \
                      return (v:gsub('.',function(c) return string.format('%02x',c:byte()) end))";
        self.cli(&["EVAL", script, "1", key])
    }

    /// Sets a key to a value that is given in hexadecimal.
    pub(crate) fn set_hex(&self, key: &str, hex: &str) {
        let script = "redis.call('SET',KEYS[1],(ARGV[1]:gsub('..',function(h) return \
                      string.char(tonumber(h,16)) end)))";
        self.cli(&["EVAL", script, "1", key, hex]);
    }

    pub(crate) fn certificate(&self) -> String {
        fs::read_to_string(self.folder.path().join("cert.pem")).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the URL of the TCP port.
    pub(crate) fn url(&self, is_tls: bool) -> String {
        let scheme = if is_tls { "rediss" } else { "redis" };
        format!("{scheme}://localhost:{}/0", self.port)
    }

    /// Returns the process ID.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(program: &Path, folder: &Path, port: u16, is_tls: bool, further: &[&str]) -> Child {
    let mut command = Command::new(program);
    let ports = if is_tls {
        vec![
            "--port".to_owned(),
            "0".to_owned(),
            "--tls-port".to_owned(),
            port.to_string(),
        ]
    } else {
        vec!["--port".to_owned(), port.to_string()]
    };
    if is_tls {
        command
            .args(["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem"])
            .args(["--tls-ca-cert-file", "cert.pem", "--tls-auth-clients", "no"]);
    }
    command
        .args(ports)
        .args([
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            "sock",
            "--requirepass",
            PASSWORD,
        ])
        .args([
            "--save",
            "",
            "--appendonly",
            "no",
            "--logfile",
            "log",
            "--databases",
            "4",
        ])
        .args(["--maxclients", "5000", "--daemonize", "no"])
        .args(further)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()))
}

/// Returns the path of libfaketime, which changes the time that a dynamically linked program sees.
pub(crate) fn libfaketime() -> PathBuf {
    let folder = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    Path::new(&folder).join("libfaketime.so.1")
}
