//! A world of its own for every test: a home, a cache, a server, and runs of the program in it.
//!
//! A run is expected to succeed and to be silent on stderr unless the test says otherwise. After
//! every run the world is searched for its canaries: no client secret and no token may stand in
//! stderr or in any file but those two that are made for them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use cloudconnexa_sandbox::{Builder, Credential, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

use crate::leaks;
use crate::time_limit::TimeLimit;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cloudconnexa-auth");

/// Copies the program, by another process: while this one has the copy open for writing, a thread may
/// start a child that holds it open a moment longer, and then nobody can run it ("text file busy").
#[cfg(unix)]
pub(crate) fn copy_program(to: &Path) {
    let status = Command::new("cp").arg(PROGRAM).arg(to).status().unwrap();
    assert!(status.success(), "cp {PROGRAM}");
}

/// A home, and perhaps a server.
pub(crate) struct World {
    folder: TempDir,
    variables: RefCell<Vec<(String, String)>>,
    secrets: RefCell<Vec<String>>,
    pub(crate) sandbox: Sandbox,
    _time_limit: TimeLimit,
}

impl World {
    /// With an HTTPS server and the variables of its first credential.
    pub(crate) fn new() -> Self {
        Self::with(Sandbox::builder())
    }

    /// The same with a server of another make.
    pub(crate) fn with(builder: Builder) -> Self {
        let world = Self::without_profile(builder);
        let credential = world.sandbox.credential();
        world.set("CLOUDCONNEXA_BASE_URL", world.sandbox.base_url());
        world.use_credential(&credential);
        world
    }

    /// With a server, but set up for nothing.
    pub(crate) fn without_profile(builder: Builder) -> Self {
        let time_limit = TimeLimit::start();
        let sandbox = builder.start();
        let folder = TempDir::new().unwrap();
        let world = Self {
            folder,
            variables: RefCell::default(),
            secrets: RefCell::default(),
            sandbox,
            _time_limit: time_limit,
        };
        let ca = world.path("ca.pem");
        fs::write(&ca, world.sandbox.ca_pem()).unwrap();
        fs::create_dir(world.home()).unwrap();
        world.set("HOME", world.home().to_str().unwrap());
        world.set(
            "XDG_CONFIG_HOME",
            world.home().join("config").to_str().unwrap(),
        );
        world.set(
            "XDG_CACHE_HOME",
            world.home().join("cache").to_str().unwrap(),
        );
        world.set("SSL_CERT_FILE", ca.to_str().unwrap());
        world.watch(&world.sandbox.credential().client_secret);
        world
    }

    /// Sets a variable for every later run.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.unset(name);
        self.variables
            .borrow_mut()
            .push((name.to_owned(), value.to_owned()));
    }

    /// The variables of every run.
    #[cfg(unix)]
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.variables.borrow().clone()
    }

    /// Takes a variable away.
    pub(crate) fn unset(&self, name: &str) {
        self.variables
            .borrow_mut()
            .retain(|(known, _)| known != name);
    }

    /// Sets the variables of a credential.
    pub(crate) fn use_credential(&self, credential: &Credential) {
        self.watch(&credential.client_secret);
        self.set("CLOUDCONNEXA_CLIENT_ID", &credential.client_id);
        self.set("CLOUDCONNEXA_CLIENT_SECRET", &credential.client_secret);
    }

    /// A secret that must be seen nowhere.
    pub(crate) fn watch(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    /// A path in this world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The home.
    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The folder of the configuration.
    pub(crate) fn config_folder(&self) -> PathBuf {
        self.home().join("config/cloudconnexa-auth")
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.config_folder().join("config.toml")
    }

    /// The folder of the cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.home().join("cache/cloudconnexa-auth")
    }

    /// Writes the configuration file.
    pub(crate) fn write_config(&self, text: &str) {
        fs::create_dir_all(self.config_folder()).unwrap();
        fs::write(self.config(), text).unwrap();
    }

    /// Writes a secret file beside the configuration, 0600.
    pub(crate) fn write_secret(&self, name: &str, secret: &str) {
        self.watch(secret);
        fs::create_dir_all(self.config_folder()).unwrap();
        write_private(&self.config_folder().join(name), &format!("{secret}\n"));
    }

    /// A profile of the sandbox's first credential with its secret in a file, as TOML.
    pub(crate) fn profile_text(&self, name: &str) -> String {
        let credential = self.sandbox.credential();
        self.write_secret(&format!("{name}.secret"), &credential.client_secret);
        format!(
            "[profiles.{name}]\nbase_url = \"{}\"\nclient_id = \"{}\"\n\
             client_secret = {{ file = \"{name}.secret\" }}\n",
            self.sandbox.base_url(),
            credential.client_id
        )
    }

    /// A run of the program, not yet started.
    #[must_use]
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Run<'_> {
        self.run_all(&arguments)
    }

    /// The same for a list.
    #[must_use]
    pub(crate) fn run_all(&self, arguments: &[&str]) -> Run<'_> {
        Run {
            world: self,
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            variables: self.variables.borrow().clone(),
            stdin: Vec::new(),
            program: PathBuf::from(PROGRAM),
        }
    }

    /// The token of a run of `token`, which has to succeed in silence.
    pub(crate) fn token(&self) -> String {
        self.run(["token"]).succeeds().trim_end().to_owned()
    }

    /// The ends of several runs; the files are searched once.
    pub(crate) fn outcomes(&self, running: Vec<Running<'_>>) -> Vec<Outcome> {
        let outcomes = running.into_iter().map(Running::unchecked).collect();
        self.check_files();
        outcomes
    }

    /// Every entry of the cache and its path.
    pub(crate) fn entries(&self) -> Vec<(PathBuf, Value)> {
        let files = fs::read_dir(self.cache()).map(|files| files.map(|file| file.unwrap().path()));
        let mut paths: Vec<PathBuf> = files.map(Iterator::collect).unwrap_or_default();
        // A test may have put a pipe in an entry's place, and reading that would never end.
        paths.retain(|path| {
            let is_json = path
                .extension()
                .is_some_and(|extension| extension == "json");
            is_json
                && path
                    .symlink_metadata()
                    .is_ok_and(|metadata| metadata.is_file())
        });
        paths.sort();
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            serde_json::from_str(&text).ok().map(|entry| (path, entry))
        };
        paths.into_iter().filter_map(read).collect()
    }

    /// The lock file of the only entry.
    #[track_caller]
    pub(crate) fn lock_file(&self) -> PathBuf {
        lock_file_of(&self.entry().0)
    }

    /// The only entry of the cache.
    #[track_caller]
    pub(crate) fn entry(&self) -> (PathBuf, Value) {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1, "the cache holds one whole entry");
        entries.remove(0)
    }

    /// Lets time go by, for the cache and for the server: whatever the cache says of moments is
    /// moved into the past.
    pub(crate) fn advance(&self, by: Duration) {
        self.sandbox.advance(by);
        let by = i64::try_from(by.as_millis()).unwrap();
        for (path, mut entry) in self.entries() {
            move_moments(&mut entry, by);
            write_private(&path, &entry.to_string());
        }
    }

    /// Every secret and token of this world, for searches.
    pub(crate) fn canaries(&self) -> leaks::Canaries {
        let tokens = self
            .entries()
            .into_iter()
            .flat_map(|(_, mut entry)| match entry["other_tokens"].take() {
                Value::Array(others) => [vec![entry["token"].take()], others].concat(),
                _ => vec![entry["token"].take()],
            })
            .filter_map(|token| token["access_token"].as_str().map(str::to_owned));
        leaks::Canaries {
            secrets: self.secrets.borrow().clone(),
            tokens: tokens.collect(),
        }
    }

    /// Searches every file of this world.
    #[track_caller]
    pub(crate) fn check_files(&self) {
        leaks::check_files(self.folder.path(), &self.cache(), &self.canaries());
    }
}

fn move_moments(value: &mut Value, by_ms: i64) {
    let members = match value {
        Value::Object(members) => members,
        Value::Array(items) => return items.iter_mut().for_each(|it| move_moments(it, by_ms)),
        _ => return,
    };
    for (name, member) in members {
        match member.as_i64() {
            Some(moment) if name.ends_with("_ms") => *member = Value::from(moment - by_ms),
            _ => move_moments(member, by_ms),
        }
    }
}

/// The lock file that belongs to an entry of the cache.
pub(crate) fn lock_file_of(entry: &Path) -> PathBuf {
    let name = entry.file_name().unwrap().to_str().unwrap();
    let key = name.split('.').next().unwrap();
    entry.with_file_name(format!("{key}.lock"))
}

/// Writes a file that nobody else can read.
pub(crate) fn write_private(path: &Path, text: &str) {
    let _ = fs::remove_file(path);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

/// A run to be.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    world: &'a World,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    stdin: Vec<u8>,
    program: PathBuf,
}

impl<'a> Run<'a> {
    /// What is sent on stdin.
    #[must_use]
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// A variable for this run alone.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self = self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without that variable.
    #[must_use]
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// Called by another name, through a link.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn called(mut self, name: &str) -> Self {
        let folder = self.world.path("links");
        fs::create_dir_all(&folder).unwrap();
        self.program = folder.join(name);
        // It may be there from a run before.
        let _ = std::os::unix::fs::symlink(PROGRAM, &self.program);
        self
    }

    /// A copy in a directory of its own, so that `setup` makes its links there.
    #[must_use]
    pub(crate) fn copied(mut self) -> Self {
        let directory = self.world.path("copied");
        fs::create_dir_all(&directory).unwrap();
        self.program = directory.join("cloudconnexa-auth");
        copy_program(&self.program);
        self
    }

    /// Started with the default handling of SIGINT, SIGQUIT and SIGHUP, which a caller of the tests
    /// may ignore (`nohup`, or `&` in a script). Ignored signals are inherited.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub(crate) fn with_default_signals(mut self) -> Self {
        let program = std::mem::replace(&mut self.program, PathBuf::from("/usr/bin/env"));
        let program = program.to_str().unwrap().to_owned();
        let first = ["--default-signal=INT,QUIT,HUP".to_owned(), program];
        self.arguments.splice(0..0, first);
        self
    }

    /// Started by a shell: the arguments are the shell's, and `$0` is the program under test.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn through_shell(mut self) -> Self {
        self.program = PathBuf::from("/bin/sh");
        self.arguments.push(PROGRAM.to_owned());
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running<'a> {
        let mut running = self.start_with_open_stdin();
        running.stdin = None;
        running
    }

    /// Starts it and leaves its stdin open behind what is sent.
    pub(crate) fn start_with_open_stdin(self) -> Running<'a> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.world.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.program.display()));
        // A run that does not read its stdin may end before it is written.
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(&self.stdin);
        Running {
            world: self.world,
            arguments: self.arguments,
            child,
            stdin: Some(stdin),
        }
    }

    /// Starts it and waits for its end.
    pub(crate) fn outcome(self) -> Outcome {
        self.start().outcome()
    }

    /// Runs it that many times at once.
    pub(crate) fn in_parallel(self, count: usize) -> Vec<Outcome> {
        let running = (0..count).map(|_| self.clone().start()).collect();
        self.world.outcomes(running)
    }

    /// stdout of a run that succeeds in silence.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        self.outcome().succeeds()
    }

    /// stderr of a run that fails with `code` and says nothing on stdout.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        self.outcome().fails(code)
    }
}

/// A run under way.
pub(crate) struct Running<'a> {
    world: &'a World,
    arguments: Vec<String>,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running<'_> {
    /// Its process.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as nobody can prevent.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for a line on its stderr that holds `text`.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, text: &str) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        let mut read = String::new();
        let mut byte = [0];
        while !read.contains(text) || !read.ends_with('\n') {
            assert_eq!(
                stderr.read(&mut byte).unwrap(),
                1,
                "stderr ended with {read:?}"
            );
            read.push(char::from(byte[0]));
        }
        read
    }

    /// Waits for its end and searches the world.
    #[track_caller]
    pub(crate) fn outcome(self) -> Outcome {
        let world = self.world;
        let outcome = self.unchecked();
        world.check_files();
        outcome
    }

    /// Waits for its end, which may be a signal; its status and stdout.
    #[cfg(unix)]
    pub(crate) fn status(self) -> (std::process::ExitStatus, String) {
        let output = self.child.wait_with_output().unwrap();
        (output.status, String::from_utf8(output.stdout).unwrap())
    }

    fn unchecked(self) -> Outcome {
        let canaries = self.world.canaries();
        let output = self.child.wait_with_output().unwrap();
        drop(self.stdin);
        let outcome = Outcome {
            arguments: self.arguments,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        canaries.check("stderr", outcome.stderr.as_bytes(), leaks::Allowed::Nothing);
        let after = self.world.canaries();
        after.check("stderr", outcome.stderr.as_bytes(), leaks::Allowed::Nothing);
        after.check("stdout", outcome.stdout.as_bytes(), leaks::Allowed::Tokens);
        outcome
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) arguments: Vec<String>,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// stdout, after exit 0 and silence on stderr.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(0), ""),
            "{}",
            self.story()
        );
        self.stdout
    }

    /// stdout and stderr, after exit 0.
    #[track_caller]
    pub(crate) fn succeeds_with_stderr(self) -> (String, String) {
        assert_eq!(self.code, Some(0), "{}", self.story());
        (self.stdout, self.stderr)
    }

    /// stderr, after `code`, an empty stdout and an error in its form.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(
            (self.code, self.stdout.as_str()),
            (Some(code), ""),
            "{}",
            self.story()
        );
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert!(
            lines
                .iter()
                .all(|line| line.starts_with("cloudconnexa-auth: ")),
            "{}",
            self.story()
        );
        let error = lines
            .iter()
            .position(|line| line.starts_with("cloudconnexa-auth: error: "));
        let error = error.unwrap_or_else(|| panic!("no error is told: {}", self.story()));
        let rest = &lines[error + 1..];
        let is_form = match rest {
            [] => true,
            [one] => one.contains(": cause: ") || one.contains(": hint: "),
            [one, two] => one.contains(": cause: ") && two.contains(": hint: "),
            _ => false,
        };
        assert!(
            is_form,
            "an error is one line, a cause and a hint at most: {}",
            self.story()
        );
        self.stderr
    }

    fn story(&self) -> String {
        let mut story = String::new();
        let _ = writeln!(story, "{} gave {:?}", self.arguments.join(" "), self.code);
        let _ = writeln!(
            story,
            "--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        );
        story
    }
}
