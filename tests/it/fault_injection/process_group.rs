//! Groups of processes that all exist before the first one starts its work, and that start at once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::harness::{Outcome, PROGRAM, World};
use crate::leaks::Allowed;

use super::is_wait;
use super::processes::{has_ended, until};

/// The command line of one process.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) arguments: Vec<String>,
    pub(crate) stdin: String,
    /// Whether its answer contains a token.
    pub(crate) wants_token: bool,
}

impl Call {
    /// Calls for all subcommands that return a token of a profile, and the two that report on it.
    /// Every deadline is long enough for a thousand processes on two processors.
    pub(crate) fn all_verbs(world: &World, profile: &str) -> Vec<Self> {
        let base_url = world.sandbox.base_url();
        let host = base_url.split_once("://").unwrap().1;
        let uri = format!("{{\"uri\":\"{base_url}/api/v1/networks\"}}");
        let git = format!("protocol=https\nhost={host}\n\n");
        let script = [
            "exec",
            "--",
            "/bin/sh",
            "-c",
            "echo \"$CLOUDCONNEXA_TOKEN\"",
        ];
        let calls: [(&[&str], &str, bool); 8] = [
            (&["token"], "", true),
            (&["get"], &uri, true),
            (&["header"], "", true),
            (&["git", "get"], &git, true),
            (&["kubectl"], "", true),
            (&script, "", true),
            (&["status"], "", false),
            (&["list"], "", false),
        ];
        let call = |(verb, stdin, wants_token): (&[&str], &str, bool)| {
            let (first, rest) = verb.split_first().unwrap();
            let flags = ["--profile", profile, "--timeout", "10m"];
            let words = std::iter::once(first).chain(&flags).chain(rest);
            Self {
                arguments: words.map(|&word| word.to_owned()).collect(),
                stdin: stdin.to_owned(),
                wants_token,
            }
        };
        calls.map(call).into()
    }

    /// An `erase` of the cached token of a profile, or only of this token.
    pub(crate) fn erase(profile: &str, token: Option<&str>) -> Self {
        let arguments = ["erase", "--timeout", "10m"];
        let mut request = json!({ "profile": profile });
        if let Some(token) = token {
            request["token"] = json!(token);
        }
        Self {
            arguments: arguments.map(str::to_owned).into(),
            stdin: request.to_string(),
            wants_token: false,
        }
    }
}

/// Processes that wait at a gate. Each is a shell that opens a named pipe and then becomes the
/// program. The open blocks until the pipe is opened for writing. The output goes into files, so
/// the number of open pipes does not limit the number of processes.
pub(crate) struct Crowd<'a> {
    world: &'a World,
    folder: PathBuf,
    members: Vec<Member>,
    gate: Option<File>,
}

struct Member {
    call: Call,
    child: Child,
}

/// The result of one call of the group.
pub(crate) struct Answer {
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
}

thread_local! {
    static CROWDS: Cell<usize> = const { Cell::new(0) };
}

impl<'a> Crowd<'a> {
    /// Starts a process for each call.
    pub(crate) fn gather(world: &'a World, calls: impl IntoIterator<Item = Call>) -> Self {
        let number = CROWDS.replace(CROWDS.get() + 1);
        let folder = world.path(&format!("crowd{number}"));
        fs::create_dir(&folder).unwrap();
        let made = Command::new("mkfifo").arg(folder.join("gate")).status();
        assert!(made.unwrap().success());
        let mut crowd = Self {
            world,
            folder,
            members: Vec::new(),
            gate: None,
        };
        for call in calls {
            let number = crowd.members.len();
            let stdin = crowd.path(number, "in.token");
            fs::write(&stdin, &call.stdin).unwrap();
            let create = |name| File::create(crowd.path(number, name)).unwrap();
            let child = Command::new("/bin/sh")
                .args(["-c", ": <\"$GATE\"; exec \"$0\" \"$@\"", PROGRAM])
                .args(&call.arguments)
                .env_clear()
                .env("GATE", crowd.folder.join("gate"))
                .envs(world.variables())
                .current_dir(&crowd.folder)
                .stdin(File::open(&stdin).unwrap())
                .stdout(Stdio::from(create("out.token")))
                .stderr(Stdio::from(create("err")))
                .spawn()
                .unwrap();
            crowd.members.push(Member { call, child });
        }
        crowd
    }

    fn path(&self, number: usize, name: &str) -> PathBuf {
        self.folder.join(format!("{number}.{name}"))
    }

    /// Lets all processes begin. All of them are alive at this moment.
    pub(crate) fn begin(&mut self) {
        for member in &self.members {
            assert!(
                !has_ended(member.child.id()),
                "no process has passed the gate"
            );
        }
        // The pipe stays open for the processes that have not reached it yet.
        let mut options = OpenOptions::new();
        let gate = options
            .read(true)
            .write(true)
            .open(self.folder.join("gate"));
        self.gate = Some(gate.unwrap());
    }

    /// The processes that have not ended.
    pub(crate) fn alive(&self) -> impl Iterator<Item = u32> + '_ {
        let ids = self.members.iter().map(|member| member.child.id());
        ids.filter(|&id| !has_ended(id))
    }

    /// Waits until at most `count` processes are left.
    pub(crate) fn wait_until_left(&self, count: usize) {
        until(&format!("only {count} processes are left"), || {
            self.alive().count() <= count
        });
    }

    /// Waits for the end of all processes, and searches the world for secrets.
    pub(crate) fn end(mut self) -> Vec<Answer> {
        let members = std::mem::take(&mut self.members);
        let canaries = self.world.canaries();
        let answers = members.into_iter().enumerate().map(|(number, mut member)| {
            let status = member.child.wait().unwrap();
            let read = |name| fs::read_to_string(self.path(number, name)).unwrap();
            let outcome = Outcome {
                arguments: member.call.arguments.clone(),
                code: status.code(),
                stdout: read("out.token"),
                stderr: read("err"),
            };
            canaries.check("stderr", outcome.stderr.as_bytes(), Allowed::Nothing);
            let call = member.call;
            Answer { call, outcome }
        });
        let answers = answers.collect();
        self.world.check_files();
        fs::remove_dir_all(&self.folder).unwrap();
        answers
    }

    /// Lets all processes begin and waits for their end.
    pub(crate) fn run(mut self) -> Vec<Answer> {
        self.begin();
        self.end()
    }
}

/// Ends all processes if a test fails.
impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}

impl Answer {
    /// Returns the token of a call that requests one. The call must succeed. It prints nothing to
    /// stderr except one line about the wait if the wait was long.
    #[track_caller]
    pub(crate) fn token(mut self) -> Option<String> {
        if is_wait(&self.outcome.stderr) {
            self.outcome.stderr.clear();
        }
        self.token_in_silence()
    }

    /// Like `token`, with an empty stderr.
    #[track_caller]
    pub(crate) fn token_in_silence(self) -> Option<String> {
        let stdout = self.outcome.succeeds();
        if !self.call.wants_token {
            return None;
        }
        let token = token_in(&stdout);
        Some(token.unwrap_or_else(|| panic!("no token: {stdout:?}")))
    }

    /// Checks that a call that requests a token failed with this code. It may have reported a wait.
    #[track_caller]
    pub(crate) fn fails_after_waiting(mut self, code: i32) {
        let said = std::mem::take(&mut self.outcome.stderr);
        let (first, rest) = said.split_once('\n').unwrap_or_default();
        let is_first = is_wait(&format!("{first}\n"));
        self.outcome.stderr = if is_first { rest.to_owned() } else { said };
        self.fails(code);
    }

    /// Checks that a call that requests a token failed with this code and a message, and that other
    /// calls succeeded.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) {
        if self.call.wants_token {
            self.outcome.fails(code);
        } else {
            self.token();
        }
    }
}

/// Finds a token in a text. The sandbox's tokens are 64 hexadecimal digits.
fn token_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    words
        .filter(|word| word.len() == 64)
        .map(str::to_owned)
        .next()
}

/// Counts the occurrences of each value.
pub(crate) fn counted<T: Ord>(all: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}
