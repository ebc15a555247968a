//! The environment of a test: a home directory, a cache, a server, and processes of the program.
//! By default, a process must succeed and print nothing on stderr. After every process, the files
//! and stderr are searched for canaries: client secrets and tokens may only be in the two kinds of
//! files that store them.

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

/// Copies the program in another process. If this process had the copy open for writing, a child of
/// another thread could inherit the descriptor, and the copy could not be started ("text file
/// busy").
#[cfg(unix)]
pub(crate) fn copy_program(to: &Path) {
    let status = Command::new("cp").arg(PROGRAM).arg(to).status().unwrap();
    assert!(status.success(), "cp {PROGRAM}");
}

/// A home directory, and an optional server.
pub(crate) struct World {
    folder: TempDir,
    variables: RefCell<Vec<(String, String)>>,
    secrets: RefCell<Vec<String>>,
    pub(crate) sandbox: Sandbox,
    _time_limit: TimeLimit,
}

impl World {
    /// Creates a world with an HTTPS server and the variables of its first credential.
    pub(crate) fn new() -> Self {
        Self::with(Sandbox::builder())
    }

    /// Like `new`, with the server of this builder.
    pub(crate) fn with(builder: Builder) -> Self {
        let world = Self::without_profile(builder);
        let credential = world.sandbox.credential();
        world.set("CLOUDCONNEXA_BASE_URL", world.sandbox.base_url());
        world.use_credential(&credential);
        world
    }

    /// Creates a world with a server, but without a profile.
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

    /// Sets a variable for all later processes.
    pub(crate) fn set(&self, name: &str, value: &str) {
        self.unset(name);
        self.variables
            .borrow_mut()
            .push((name.to_owned(), value.to_owned()));
    }

    /// The variables of all processes.
    #[cfg(unix)]
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.variables.borrow().clone()
    }

    /// Removes a variable.
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

    /// Adds a secret that must not appear in any output or file.
    pub(crate) fn watch(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    /// Returns a path in this world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The directory of the configuration.
    pub(crate) fn config_folder(&self) -> PathBuf {
        self.home().join("config/cloudconnexa-auth")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.config_folder().join("config.toml")
    }

    /// The directory of the cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.home().join("cache/cloudconnexa-auth")
    }

    /// Writes the configuration file.
    pub(crate) fn write_config(&self, text: &str) {
        fs::create_dir_all(self.config_folder()).unwrap();
        fs::write(self.config(), text).unwrap();
    }

    /// Writes a secret file beside the configuration, with mode 0600.
    pub(crate) fn write_secret(&self, name: &str, secret: &str) {
        self.watch(secret);
        fs::create_dir_all(self.config_folder()).unwrap();
        write_private(&self.config_folder().join(name), &format!("{secret}\n"));
    }

    /// A profile with the sandbox's first credential and its secret in a file, as TOML.
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

    /// Prepares a process of the program without starting it.
    #[must_use]
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Run<'_> {
        self.run_all(&arguments)
    }

    /// Like `run`, for a list of arguments.
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

    /// Runs `token`, which must succeed with an empty stderr; returns the token.
    pub(crate) fn token(&self) -> String {
        self.run(["token"]).succeeds().trim_end().to_owned()
    }

    /// Waits for several processes; searches the files only once.
    pub(crate) fn outcomes(&self, running: Vec<Running<'_>>) -> Vec<Outcome> {
        let outcomes = running.into_iter().map(Running::unchecked).collect();
        self.check_files();
        outcomes
    }

    /// Every entry of the cache and its path.
    pub(crate) fn entries(&self) -> Vec<(PathBuf, Value)> {
        let files = fs::read_dir(self.cache()).map(|files| files.map(|file| file.unwrap().path()));
        let mut paths: Vec<PathBuf> = files.map(Iterator::collect).unwrap_or_default();
        // A test may have replaced an entry by a pipe; reading it would block forever.
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
        assert_eq!(entries.len(), 1, "the cache contains one complete entry");
        entries.remove(0)
    }

    /// Advances the time of the cache and of the server: moves all times in the cache into the
    /// past.
    pub(crate) fn advance(&self, by: Duration) {
        self.sandbox.advance(by);
        let by = i64::try_from(by.as_millis()).unwrap();
        for (path, mut entry) in self.entries() {
            move_moments(&mut entry, by);
            write_private(&path, &entry.to_string());
        }
    }

    /// All secrets and tokens of this world, for searches.
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

    /// Searches all files of this world.
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

/// The lock file of a cache entry.
pub(crate) fn lock_file_of(entry: &Path) -> PathBuf {
    let name = entry.file_name().unwrap().to_str().unwrap();
    let key = name.split('.').next().unwrap();
    entry.with_file_name(format!("{key}.lock"))
}

/// Writes a file that no other user can read.
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

/// A process that is not started yet.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    world: &'a World,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    stdin: Vec<u8>,
    program: PathBuf,
}

impl<'a> Run<'a> {
    /// Sets the content of stdin.
    #[must_use]
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Sets a variable for this process only.
    #[must_use]
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self = self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes that variable for this process.
    #[must_use]
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// Starts the program under another name, through a link.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn called(mut self, name: &str) -> Self {
        let folder = self.world.path("links");
        fs::create_dir_all(&folder).unwrap();
        self.program = folder.join(name);
        // An earlier process may have created it.
        let _ = std::os::unix::fs::symlink(PROGRAM, &self.program);
        self
    }

    /// Uses a copy in a directory of its own, so that `setup` creates its links there.
    #[must_use]
    pub(crate) fn copied(mut self) -> Self {
        let directory = self.world.path("copied");
        fs::create_dir_all(&directory).unwrap();
        self.program = directory.join("cloudconnexa-auth");
        copy_program(&self.program);
        self
    }

    /// Starts it with the default handling of SIGINT, SIGQUIT and SIGHUP. A caller of the tests may
    /// ignore them (`nohup`, or `&` in a script), and ignored signals are inherited.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub(crate) fn with_default_signals(mut self) -> Self {
        let program = std::mem::replace(&mut self.program, PathBuf::from("/usr/bin/env"));
        let program = program.to_str().unwrap().to_owned();
        let first = ["--default-signal=INT,QUIT,HUP".to_owned(), program];
        self.arguments.splice(0..0, first);
        self
    }

    /// Starts it in a shell: the arguments are the shell's, and `$0` is the program under test.
    #[cfg(unix)]
    #[must_use]
    pub(crate) fn through_shell(mut self) -> Self {
        self.program = PathBuf::from("/bin/sh");
        self.arguments.push(PROGRAM.to_owned());
        self
    }

    pub(crate) fn start(self) -> Running<'a> {
        let mut running = self.start_with_open_stdin();
        running.stdin = None;
        running
    }

    /// Starts it and keeps its stdin open after the content is sent.
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
        // A process that does not read its stdin may end before all is written.
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(&self.stdin);
        Running {
            world: self.world,
            arguments: self.arguments,
            child,
            stdin: Some(stdin),
        }
    }

    /// Starts it and waits for it to end.
    pub(crate) fn outcome(self) -> Outcome {
        self.start().outcome()
    }

    /// Starts it `count` times in parallel.
    pub(crate) fn in_parallel(self, count: usize) -> Vec<Outcome> {
        let running = (0..count).map(|_| self.clone().start()).collect();
        self.world.outcomes(running)
    }

    /// Returns stdout of a process that must succeed with an empty stderr.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        self.outcome().succeeds()
    }

    /// Returns stderr of a process that must fail with `code` and an empty stdout.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        self.outcome().fails(code)
    }
}

/// A running process.
pub(crate) struct Running<'a> {
    world: &'a World,
    arguments: Vec<String>,
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Running<'_> {
    /// Its process ID.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for a line on its stderr that contains `text`.
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

    /// Waits for it to end and searches the world.
    #[track_caller]
    pub(crate) fn outcome(self) -> Outcome {
        let world = self.world;
        let outcome = self.unchecked();
        world.check_files();
        outcome
    }

    /// Waits for it to end, possibly by a signal; returns its status and stdout.
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

/// The result of a process.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) arguments: Vec<String>,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Returns stdout; requires exit code 0 and an empty stderr.
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

    /// Returns stdout and stderr; requires exit code 0.
    #[track_caller]
    pub(crate) fn succeeds_with_stderr(self) -> (String, String) {
        assert_eq!(self.code, Some(0), "{}", self.story());
        (self.stdout, self.stderr)
    }

    /// Returns stderr; requires exit code `code`, an empty stdout and an error in the standard
    /// form.
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
        let error = error.unwrap_or_else(|| panic!("no error is reported: {}", self.story()));
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
