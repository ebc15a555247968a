//! A chain in which only the helper is ours: oidc-provider issues the token, git sends it, and
//! Apache with `mod_auth_openidc` verifies it at oidc-provider.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::clients::git::{git, make_repository, new_git, use_published_config};
use crate::clients::{client, links, run, run_with_stdin, tool, trust, world};
use crate::harness::World;
use crate::servers::{CLIENT_ID, Make, ORDINARY, Server};

/// The user `nobody` on every Linux; Apache does not serve as root.
const NOBODY: &str = "65534";

/// `tests/servers/apache` on a free port; it ends with the test.
struct Apache {
    folder: TempDir,
    port: u16,
    child: Child,
}

impl Apache {
    /// Starts it in a directory with a certificate and a repository.
    fn start(folder: TempDir, git: &Path, provider: &str) -> Self {
        let template = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/servers/apache/httpd.conf.in"
        );
        let exec_path = Command::new(git).arg("--exec-path").output().unwrap();
        let exec_path = String::from_utf8(exec_path.stdout).unwrap();
        let text = fs::read_to_string(template)
            .unwrap()
            .replace("@DIR@", folder.path().to_str().unwrap())
            .replace("@PROVIDER@", provider)
            .replace("@CLIENT_ID@", CLIENT_ID)
            .replace("@CLIENT_SECRET@", ORDINARY)
            .replace("@GIT_EXEC_PATH@", exec_path.trim_end());
        let is_root = folder.path().metadata().unwrap().uid() == 0;
        let mut folder = folder;
        // Another process may take the port before Apache does.
        for _ in 0..10 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let conf = folder.path().join("httpd.conf");
            fs::write(&conf, text.replace("@PORT@", &port.to_string())).unwrap();
            let mut command = Command::new("setpriv");
            if is_root {
                let owner = format!("{NOBODY}:{NOBODY}");
                let chown = Command::new("chown")
                    .args(["-R", &owner])
                    .arg(folder.path())
                    .status();
                assert!(chown.unwrap().success());
                command
                    .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
                    .arg("setpriv");
            }
            let child = command
                .args(["--pdeathsig", "TERM"])
                .arg(tool("apache2"))
                .args(["-X", "-f"])
                .arg(&conf)
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .spawn()
                .unwrap();
            let mut apache = Self {
                folder,
                port,
                child,
            };
            if apache.is_ready() {
                return apache;
            }
            folder = std::mem::replace(&mut apache.folder, TempDir::new().unwrap());
        }
        panic!("Apache does not start, see above");
    }

    /// Waits for its process ID, which it writes when it listens. Returns `false` if it has exited
    /// because the port was taken.
    fn is_ready(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        let pid_file = self.folder.path().join("httpd.pid");
        let own = format!("{}\n", self.child.id());
        while Instant::now() < deadline {
            if fs::read_to_string(&pid_file).is_ok_and(|text| text == own) {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        panic!("Apache does not start: {}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    fn authority(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Revokes a token at the server that issued it (RFC 7009).
fn revoke(world: &World, token_url: &str, token: &str) {
    let url = format!("{token_url}/revocation");
    let mut curl = client(world, "curl");
    curl.args(["--silent", "--show-error", "--fail", "--config", "-", &url]);
    let config = format!("user = \"{CLIENT_ID}:{ORDINARY}\"\ndata = \"token={token}\"\n");
    run_with_stdin(world, &mut curl, &config).succeeds();
}

#[test]
fn git_clones_from_apache_with_a_token_of_another_server_until_it_is_revoked_there() {
    let Some(new_git) = new_git() else { return };
    let world = world();
    let folder = TempDir::new().unwrap();
    let make = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/certificate.sh");
    run(&world, client(&world, make).arg(folder.path())).succeeds();
    trust(&world, &[folder.path().join("ca.pem")]);
    make_repository(&world, &folder.path().join("git/r.git"));
    let tls = folder.path().to_str().unwrap().to_owned();
    let provider = Server::with(Make::OidcProvider, ORDINARY, &[("TLS", &tls)]);
    let base = provider.url.strip_suffix("/token").unwrap();
    let apache = Apache::start(folder, &new_git, base);
    world.write_secret("prod.secret", ORDINARY);
    world.write_config(&format!(
        "[profiles.prod]\ntoken_url = \"{}\"\nclient_id = \"{CLIENT_ID}\"\n\
         client_secret = {{ file = \"prod.secret\" }}\nhosts = [\"{}\"]\n",
        provider.url,
        apache.authority(),
    ));
    links(&world);
    use_published_config(&world, &apache.authority());
    let repository = format!("https://{}/git/r.git", apache.authority());
    let clone = |into: &str| {
        let mut command = git(&world, &new_git);
        run(
            &world,
            command.args(["clone", "--quiet", &repository, into]),
        )
    };

    clone("first").succeeds();
    let token = world.token();
    revoke(&world, &provider.url, &token);
    let stderr = clone("second").fails();
    assert!(stderr.contains("Authentication failed"), "{stderr}");
    clone("third").succeeds();

    assert_ne!(world.token(), token, "git's `erase` has dropped it");
    let log = fs::read_to_string(apache.folder.path().join("access.log")).unwrap();
    assert!(
        log.contains("GET /git/r.git/info/refs 401\n")
            && log.contains("POST /git/r.git/git-upload-pack 200\n"),
        "it was Apache that refused and served: {log}"
    );
}
