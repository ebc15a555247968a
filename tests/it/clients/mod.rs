//! Real clients that run the program, and a server that asks the sandbox about every token that it
//! receives.

mod ansible;
mod bazel_peer;
mod cargo;
mod chain;
mod ci;
mod curl;
mod docker;
mod git;
mod go;
mod host_tools;
mod httpie;
pub(crate) mod integration_files;
mod kubectl;
mod make;
mod pnpm;
mod rclone;
mod setup;
mod snippets;
mod terraform;
mod vendor_api;

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use cloudconnexa_sandbox::Sandbox;
use serde::Deserialize;

use crate::harness::{PROGRAM, World};
use crate::leaks::{Allowed, Canaries};

/// The program's other names.
const NAMES: [&str; 6] = [
    "cloudconnexa-auth",
    "git-credential-cloudconnexa",
    "docker-credential-cloudconnexa",
    "cargo-credential-cloudconnexa",
    "pnpm-credential-cloudconnexa",
    "terraform-credentials-cloudconnexa",
];

/// A world without a rate limit. The resource server calls the API, and that would count towards
/// the rate limit of token requests.
pub(crate) fn world() -> World {
    World::without_profile(Sandbox::builder().no_rate_limit())
}

/// A world, and a server that requires bearer tokens and is one of the profile's hosts.
pub(crate) fn guarded() -> (World, Resource) {
    let world = world();
    let resource = Resource::start(&world, Challenge::Bearer);
    resource.configure(&world);
    (world, resource)
}

/// The authentication that the resource server requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    Bearer,
    Basic,
    Both,
}

/// A request to the resource server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// The path without the query.
    pub(crate) path: String,
    /// The scheme of the Authorization header, if there is one.
    pub(crate) scheme: Option<String>,
    /// Whether the sandbox accepted the token, if there is one.
    pub(crate) accepted: Option<bool>,
}

/// The server of `tests/servers/resource`. It ends with the test, because its stdin is closed then.
pub(crate) struct Resource {
    child: Child,
    stdout: BufReader<ChildStdout>,
    url: String,
    directory: PathBuf,
}

impl Resource {
    /// Starts a server that accepts the tokens of this world. From now on, the world's processes
    /// and clients trust its certificate and the sandbox's.
    pub(crate) fn start(world: &World, challenge: Challenge) -> Self {
        Self::verified_by(world, &world.sandbox, challenge)
    }

    /// Like `start`, but it accepts only tokens of `sandbox`.
    pub(crate) fn verified_by(world: &World, sandbox: &Sandbox, challenge: Challenge) -> Self {
        let directory = world.path("resource");
        fs::create_dir_all(&directory).unwrap();
        let verifier_ca = directory.join("verifier.pem");
        fs::write(&verifier_ca, sandbox.ca_pem()).unwrap();
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/resource/server.py");
        let challenge = match challenge {
            Challenge::Bearer => "bearer",
            Challenge::Basic => "basic",
            Challenge::Both => "both",
        };
        let mut child = Command::new(tool("python3"))
            .args([OsStr::new("-B"), server.as_os_str()])
            .args(["--sandbox", sandbox.base_url(), "--challenge", challenge])
            .args([OsStr::new("--ca"), verifier_ca.as_os_str()])
            .args([OsStr::new("--directory"), directory.as_os_str()])
            .env_clear()
            .env("PATH", machine_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let line = read_line(&mut stdout);
        let url = line
            .strip_prefix("listening ")
            .expect("the resource server starts");
        let resource = Self {
            child,
            stdout,
            url: url.to_owned(),
            directory,
        };
        trust(world, &[resource.directory.join("ca.pem")]);
        resource
    }

    /// `https://localhost:PORT`
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `localhost:PORT`
    pub(crate) fn authority(&self) -> &str {
        self.url.strip_prefix("https://").unwrap()
    }

    /// The directory with the files of its modules.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Adds it to the hosts of the world's only profile, `prod`.
    pub(crate) fn configure(&self, world: &World) {
        configure(world, &[self.authority()]);
    }

    /// All requests so far.
    pub(crate) fn record(&mut self) -> Vec<Asked> {
        writeln!(self.child.stdin.as_mut().unwrap(), "record").unwrap();
        serde_json::from_str(&read_line(&mut self.stdout)).unwrap()
    }

    /// For each request with a token, `Bearer accepted`, `Basic refused` and so on.
    pub(crate) fn tokens_shown(&mut self) -> Vec<String> {
        let shown = |asked: Asked| {
            let verdict = if asked.accepted? {
                "accepted"
            } else {
                "refused"
            };
            Some(format!("{} {verdict}", asked.scheme?))
        };
        self.record().into_iter().filter_map(shown).collect()
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        // A panic here would hide the first one.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read_line(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "the server has ended: {line:?}");
    line.trim_end().to_owned()
}

/// Writes the configuration: one profile, `prod`, for the sandbox and these additional hosts.
pub(crate) fn configure(world: &World, hosts: &[&str]) {
    world.write_config(&format!(
        "{}hosts = {hosts:?}\n",
        world.profile_text("prod")
    ));
}

/// Makes the world's processes and clients trust only the sandbox and these certificates.
pub(crate) fn trust(world: &World, certificates: &[PathBuf]) {
    let mut bundle = world.sandbox.ca_pem().to_owned();
    for certificate in certificates {
        bundle.push_str(&fs::read_to_string(certificate).unwrap());
    }
    let path = world.path("bundle.pem");
    fs::write(&path, bundle).unwrap();
    for name in [
        "SSL_CERT_FILE",
        "GIT_SSL_CAINFO",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "CARGO_HTTP_CAINFO",
    ] {
        world.set(name, path.to_str().unwrap());
    }
}

/// A file of `integrations/` as a user installs it, with these hosts, paths and names replaced.
#[track_caller]
pub(crate) fn published(name: &str, replaced: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("integrations");
    let mut text = fs::read_to_string(path.join(name)).unwrap();
    for (from, to) in replaced {
        assert!(text.contains(from), "integrations/{name} has no `{from}`");
        text = text.replace(from, to);
    }
    text
}

/// Writes a program. Another process writes it: if this process had the file open while another
/// thread starts a program, it could not be started ("text file busy").
pub(crate) fn write_program(path: &Path, text: &str) {
    let from = path.with_extension("text");
    fs::write(&from, text).unwrap();
    let mut install = Command::new("install");
    let status = install
        .args(["-m", "755"])
        .args([&from, &path.to_owned()])
        .status();
    assert!(status.unwrap().success());
    fs::remove_file(from).unwrap();
}

/// Revokes all tokens of the world's credential; they stay in the program's cache.
pub(crate) fn revoke_tokens(world: &World) {
    let credential = world.sandbox.credential();
    world.sandbox.revoke_tokens(&credential.client_id);
}

/// Replaces the world's client secret by a wrong one.
pub(crate) fn spoil_secret(world: &World) {
    let credential = world.sandbox.credential();
    world.sandbox.rotate_secret(&credential.client_id);
}

/// Puts the program and its other names first on the world's PATH; returns their directory.
pub(crate) fn links(world: &World) -> PathBuf {
    let folder = world.path("bin");
    if !folder.exists() {
        fs::create_dir(&folder).unwrap();
        for name in NAMES {
            std::os::unix::fs::symlink(PROGRAM, folder.join(name)).unwrap();
        }
        world.set("PATH", &format!("{}:{}", folder.display(), machine_path()));
    }
    folder
}

pub(crate) fn machine_path() -> String {
    std::env::var("PATH").unwrap()
}

/// A program in the world's home, with only the world's variables.
pub(crate) fn client(world: &World, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", machine_path())
        .envs(world.variables())
        .current_dir(world.home());
    command
}

/// Runs a client with an empty stdin until it ends. stderr and files must contain no secret and no
/// token; stdout may contain a token.
#[track_caller]
pub(crate) fn run(world: &World, command: &mut Command) -> Ended {
    run_with_stdin(world, command, "")
}

/// Like `run`, with this stdin.
#[track_caller]
pub(crate) fn run_with_stdin(world: &World, command: &mut Command, stdin: &str) -> Ended {
    let before = world.canaries();
    let running = start(command, stdin);
    ended(world, command, &before, running.wait_with_output().unwrap())
}

/// Runs several clients in parallel; returns their results.
#[track_caller]
pub(crate) fn run_in_parallel(world: &World, commands: &mut [Command]) -> Vec<Ended> {
    let before = world.canaries();
    let running: Vec<Child> = commands.iter_mut().map(|it| start(it, "")).collect();
    let outputs = running.into_iter().map(|it| it.wait_with_output().unwrap());
    let ends = commands.iter().zip(outputs);
    ends.map(|(command, output)| ended(world, command, &before, output))
        .collect()
}

#[track_caller]
fn start(command: &mut Command, stdin: &str) -> Child {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    // A process that does not read its stdin may end before all is written.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child
}

#[track_caller]
fn ended(world: &World, command: &Command, before: &Canaries, output: Output) -> Ended {
    let ended = Ended {
        command: format!(
            "{} {:?}",
            command.get_program().display(),
            command.get_args()
        ),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    // The cache may contain another token after the process than before; search for both.
    for canaries in [before, &world.canaries()] {
        canaries.check("stderr", &output.stderr, Allowed::Nothing);
        canaries.check("stdout", &output.stdout, Allowed::Tokens);
    }
    world.check_files();
    ended
}

/// The result of a client.
#[derive(Debug)]
pub(crate) struct Ended {
    command: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Returns stdout; requires exit code 0.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.story());
        self.stdout
    }

    /// Returns stderr; requires another exit code than 0.
    #[track_caller]
    pub(crate) fn fails(self) -> String {
        assert_ne!(self.code, Some(0), "{}", self.story());
        self.stderr
    }

    /// The complete result, for a message.
    pub(crate) fn story(&self) -> String {
        format!(
            "{} gave {:?}\n--- stdout\n{}--- stderr\n{}",
            self.command, self.code, self.stdout, self.stderr
        )
    }
}

/// A program that `tests/setup.sh` installs. If it is missing, the script has not run; the test suite
/// then exits with one message instead of a failure in each test.
#[expect(clippy::exit, reason = "one message instead of hundreds")]
pub(crate) fn tool(name: &str) -> PathBuf {
    find(name, |_| true).unwrap_or_else(|| {
        let message = format!("error: `{name}` is not installed; run the tests with `make test`\n");
        std::io::stderr().write_all(message.as_bytes()).unwrap();
        std::process::exit(101);
    })
}

/// A program that `tests/setup.sh` does not install. If it is missing, the test is skipped.
pub(crate) fn preinstalled(name: &str) -> Option<PathBuf> {
    found_or_skipped(name, find(name, |_| true))
}

/// Records a skip if `found` is `None`. With `REQUIRE_CLIENTS` set, a skip is a failure.
#[track_caller]
pub(crate) fn found_or_skipped(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    let is_required = std::env::var_os("REQUIRE_CLIENTS").is_some();
    assert!(
        found.is_some() || !is_required,
        "{name} is not available, and REQUIRE_CLIENTS is set"
    );
    found_or_passed_over(name, found)
}

/// Like `found_or_skipped`, for programs that not every CI machine has.
pub(crate) fn found_or_passed_over(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_some() {
        return found;
    }
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    let line = format!("skipped: {name} is not available\n");
    // A macro would show the line for failing tests only.
    std::io::stderr()
        .write_all(format!("{test}: {line}").as_bytes())
        .unwrap();
    fs::create_dir_all(test_tools()).unwrap();
    let mut options = OpenOptions::new();
    let list = test_tools().join("skipped");
    let mut list = options.create(true).append(true).open(list).unwrap();
    list.write_all(line.as_bytes()).unwrap();
    None
}

/// The first program of that name that meets the condition. Searches the programs installed for the
/// tests, PATH, and the directories of system programs.
pub(crate) fn find(name: &str, is_wanted: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let tools = test_tools();
    let own = [
        tools.join("python/bin"),
        tools.join("pnpm/node_modules/.bin"),
    ];
    let path = machine_path();
    let path = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    own.into_iter()
        .chain(path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file() && is_wanted(program))
}

/// The directory into which `tests/setup.sh` installs.
pub(crate) fn test_tools() -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools");
    std::env::var_os("TEST_TOOLS").map_or_else(usual, PathBuf::from)
}
