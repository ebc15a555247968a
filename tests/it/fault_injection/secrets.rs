//! The data that other processes can read from a process that holds a secret, and the data that it
//! still holds when it no longer needs the secret.

use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::Fault;
use rustix::fs::OFlags;
use serde_json::json;

use crate::docker_helpers::{install_helper, write_answer};
use crate::fault_injection::{Claim, tries};
use crate::harness::{PROGRAM, World, copy_program};
use crate::leaks;
use crate::sources::world_with;

/// The limit of a wait in a test. It is longer than any operation takes, so a test that reaches it
/// has failed.
const HANGING: Duration = Duration::from_secs(120);

/// A user without rights: `nobody`, on every Linux.
const NOBODY: u32 = 65534;

/// A process whose stdout is full when it starts. It blocks when it writes its answer, and can be
/// inspected.
struct Held {
    child: Child,
    reader: PipeReader,
    filled: usize,
}

impl Held {
    fn start(world: &World, arguments: &[&str], stdin: &str) -> Self {
        Self::command(world, Command::new(PROGRAM).args(arguments), stdin)
    }

    fn command(world: &World, command: &mut Command, stdin: &str) -> Self {
        let (reader, writer) = io::pipe().unwrap();
        let filled = fill(&writer);
        let mut child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(world.variables())
            .current_dir(world.path(""))
            .stdin(Stdio::piped())
            .stdout(writer)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let sent = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        sent.unwrap();
        Self {
            child,
            reader,
            filled,
        }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process blocks in a write to stdout.
    fn wait_until_it_answers(&self) {
        let began = Instant::now();
        let call = format!("/proc/{}/syscall", self.id());
        let write = if cfg!(target_arch = "x86_64") { 1 } else { 64 };
        let start = format!("{write} 0x1 ");
        while !fs::read_to_string(&call).unwrap().starts_with(&start) {
            let state = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
            assert!(
                !state.contains(") Z "),
                "it has ended, and not with an answer"
            );
            assert!(began.elapsed() < HANGING, "it does not answer");
            thread::yield_now();
        }
    }

    /// Lets the process end and returns its output.
    fn end(self) -> String {
        let Self {
            mut child,
            mut reader,
            filled,
        } = self;
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        assert!(child.wait().unwrap().success());
        String::from_utf8(all.split_off(filled)).unwrap()
    }
}

fn fill(writer: &PipeWriter) -> usize {
    let flags = rustix::fs::fcntl_getfl(writer).unwrap();
    rustix::fs::fcntl_setfl(writer, flags | OFlags::NONBLOCK).unwrap();
    let mut filled = 0;
    for size in [4096, 1] {
        while let Ok(count) = (&*writer).write(&vec![b'x'; size]) {
            filled += count;
        }
    }
    rustix::fs::fcntl_setfl(writer, flags).unwrap();
    filled
}

/// The places of a text, in any of its encodings, in the writable memory of a process. Each
/// includes the bytes around it.
fn places(process: u32, text: &str) -> Vec<String> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let forms = leaks::forms(text);
    let mut places = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, modes) = (words.next().unwrap(), words.next().unwrap());
        let name = words.nth(3).unwrap_or("anonymous");
        // The kernel has put the environment above the stack.
        if !modes.starts_with("rw") || name == "[stack]" {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        memory.read_exact_at(&mut bytes, start).unwrap();
        let shown = String::from_utf8_lossy(&bytes);
        places.extend(forms.iter().flat_map(|form| {
            shown.match_indices(form.as_str()).map(|(at, _)| {
                let mut from = at.saturating_sub(40);
                while !shown.is_char_boundary(from) {
                    from -= 1;
                }
                format!("{name}: {}", shown[from..at].escape_debug())
            })
        }));
    }
    places
}

/// The methods that put the credentials into the request, as an additional line of the profile.
const METHODS: [&str; 5] = ["basic", "basic-raw", "body", "query", "json"];

/// Runs a test again in a user namespace in which it can inspect its own processes. Returns `true`
/// if it did so. Root needs no namespace.
fn is_done_as_root(test: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return false;
    }
    let status = Command::new("unshare")
        .arg("-Ur")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .status();
    assert!(status.unwrap().success(), "as root of a namespace");
    true
}

#[test]
fn no_copy_of_the_secret_outlives_the_request_it_was_for() {
    let name = "fault_injection::secrets::no_copy_of_the_secret_outlives_the_request_it_was_for";
    if is_done_as_root(name) {
        return;
    }
    let claim = Claim::that(
        "after a token is received, the memory of the process contains no copy of the client \
         secret, in any form",
    );
    let sources = [
        "file = \"good.secret\"",
        "command = [\"cat\", \"good.secret\"]",
        "env = \"LAB_SECRET\"",
        "docker_helper = \"lab\"",
    ];
    // A short test also uses every method and every source, but not every combination.
    let some = METHODS.iter().zip(sources.into_iter().cycle());
    let each = METHODS
        .iter()
        .flat_map(|method| sources.map(|source| (method, source)));
    let all = [some.collect::<Vec<_>>(), each.collect()].concat();
    for (method, source) in &all[..tries(METHODS.len(), all.len())] {
        let world = world_with(source);
        let credential = world.sandbox.credential();
        let secret = credential.client_secret.as_str();
        write_answer(&world, &credential.client_id, secret);
        world.set("PATH", &install_helper(&world, "lab", "cat answer.secret"));
        world.set("LAB_SECRET", secret);
        let config = fs::read_to_string(world.config()).unwrap();
        world.write_config(&format!("{config}auth_method = \"{method}\"\n"));
        claim.holds(|| {
            let gate = world.sandbox.gate();
            let held = Held::start(&world, &["token"], "");
            gate.wait_for_requests(1);
            let asking = places(held.id(), secret);
            assert!(
                !asking.is_empty(),
                "the search finds the secret while it is in use"
            );

            gate.release();
            held.wait_until_it_answers();

            let left = places(held.id(), secret);
            assert_eq!(left, [""; 0], "{method}, {source}");
            held.end();
        });
    }
}

#[test]
fn what_saves_a_secret_or_never_needs_it_holds_no_copy_when_it_answers() {
    let name = "fault_injection::secrets::what_saves_a_secret_or_never_needs_it_holds_no_copy_when_it_answers";
    if is_done_as_root(name) {
        return;
    }
    let claim = Claim::that(
        "a process that has saved the client secret, or returns a cached token, holds no copy \
         of the secret when it writes its output",
    );
    let world = world_with("file = \"good.secret\"");
    let credential = world.sandbox.credential();
    let secret = credential.client_secret.as_str();
    let request = json!({"profile": "q", "base_url": world.sandbox.base_url(),
        "client_id": credential.client_id, "client_secret": secret});
    let uri = json!({"uri": world.sandbox.base_url()}).to_string();
    world.run(["token", "--profile", "p"]).succeeds();
    for (arguments, stdin) in [
        (&["store"][..], request.to_string()),
        (&["token", "--profile", "p"], String::new()),
        (&["get", "--profile", "p"], uri),
        (&["status", "--profile", "p"], String::new()),
        (&["erase"], json!({"profile": "p"}).to_string()),
        (&["list"], String::new()),
    ] {
        claim.holds(|| {
            let held = Held::start(&world, arguments, &stdin);
            held.wait_until_it_answers();
            let left = places(held.id(), secret);
            assert_eq!(left, [""; 0], "{arguments:?}");
            held.end();
        });
    }
    world.check_files();
}

/// A world that an ordinary user can use, and the program in it. If the tests run as root, commands
/// run as the user `nobody`.
struct Ordinary {
    world: World,
    user: Option<u32>,
}

impl Ordinary {
    fn new() -> Self {
        let world = world_with("file = \"good.secret\"");
        copy_program(&world.path("program"));
        let user = rustix::process::geteuid().is_root().then_some(NOBODY);
        if let Some(user) = user {
            let owner = format!("{user}:{user}");
            let status = Command::new("chown")
                .args(["-R", &owner])
                .arg(world.path(""))
                .status();
            assert!(status.unwrap().success());
        }
        Self { world, user }
    }

    /// Creates a command that runs as that user in the directory of the world.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .envs(self.world.variables())
            .current_dir(self.world.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Whether that user can run this command successfully.
    fn can(&self, words: &[&str]) -> bool {
        let output = self.command(words[0]).args(&words[1..]).output().unwrap();
        output.status.success()
    }

    /// Starts a shell script, in a shell that removes the limit on core dumps.
    fn start(&self, script: &str) -> Child {
        let script = format!("ulimit -c unlimited; {script}");
        self.command("sh").args(["-c", &script]).spawn().unwrap()
    }
}

/// Whether one process of a user may trace another that did not start it (Yama).
fn may_be_traced() -> bool {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    scope.is_err() || scope.is_ok_and(|scope| scope.trim() == "0")
}

#[test]
fn the_same_user_reads_nothing_of_a_process_that_holds_the_secret() {
    let claim = Claim::that(
        "another process of the same unprivileged user cannot read the memory, environment or \
         descriptors of the program, cannot trace it, and cannot force a core dump (gcore)",
    );
    let ordinary = Ordinary::new();
    let gate = ordinary.world.sandbox.gate();
    for count in 1..=tries(1, 20) {
        let mut held = ordinary.start("exec ./program token --refresh");
        gate.wait_for_requests(count);
        let mut other = ordinary.start("exec sleep 1000");
        let began = Instant::now();
        let name = format!("/proc/{}/comm", other.id());
        while fs::read_to_string(&name).unwrap() != "sleep\n" {
            assert!(began.elapsed() < HANGING, "sleep does not start");
            thread::yield_now();
        }
        claim.holds(|| {
            let (held, other) = (held.id(), other.id());
            for file in ["environ", "maps", "auxv", "stack"] {
                let reads = |id: u32| ordinary.can(&["cat", &format!("/proc/{id}/{file}")]);
                assert!(reads(other) || file == "stack", "{file} of another process");
                assert!(!reads(held), "{file}");
            }
            let lists = |id: u32| ordinary.can(&["ls", &format!("/proc/{id}/fd")]);
            assert!(lists(other) && !lists(held), "descriptors");
            let memory = format!("/proc/{held}/mem");
            assert!(!ordinary.can(&["head", "-c", "0", &memory]), "memory");
            let trace = ["strace", "-o", "/dev/null", "-p", &held.to_string()];
            assert!(!ordinary.can(&trace), "a debugger");
            let has_core = |id: u32| {
                let told = ordinary.can(&["gcore", "-o", "core", &id.to_string()]);
                let core = ordinary.world.path(&format!("core.{id}"));
                assert_eq!(
                    core.exists(),
                    told,
                    "the exit code of gcore matches its result"
                );
                fs::remove_file(core).is_ok()
            };
            assert_eq!(
                has_core(other),
                may_be_traced(),
                "a core of another process"
            );
            assert!(!has_core(held), "a core");
            let owner = fs::metadata(format!("/proc/{held}/mem")).unwrap().uid();
            assert!(
                ordinary.user.is_none() || owner == 0,
                "root owns the files of the process in /proc"
            );
        });
        held.kill().unwrap();
        held.wait().unwrap();
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

#[test]
fn a_crash_leaves_no_memory_behind() {
    use rustix::process::{Pid, Signal, kill_process};

    let claim = Claim::that("a crash writes no core file and sends no data to a crash collector");
    let ordinary = Ordinary::new();
    let world = &ordinary.world;
    let gate = world.sandbox.gate();
    let crash = |mut child: Child, signal: Signal| {
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()));
        status.core_dumped()
    };
    // First check the kernel's behaviour with another process, so that the test can detect a core
    // dump.
    let other = ordinary.start("kill -SEGV $$");
    let dumps = other.wait_with_output().unwrap().status.core_dumped();
    assert!(dumps, "this system writes no core files at all");
    let signals = [Signal::ABORT, Signal::QUIT, Signal::TRAP, Signal::SYS];
    let left_by_other = fs::read_dir(world.path("")).unwrap().count();
    for (count, signal) in signals.iter().cycle().take(tries(4, 100)).enumerate() {
        let child = ordinary.start("exec env --default-signal=QUIT ./program token --refresh");
        gate.wait_for_requests(count + 1);
        claim.holds(|| {
            assert!(!crash(child, *signal), "{signal:?}");
            let left = fs::read_dir(world.path("")).unwrap().count();
            assert_eq!(left, left_by_other, "no additional file");
        });
    }
}

#[test]
fn a_panic_tells_where_it_was_and_nothing_of_what_it_says() {
    let claim = Claim::that(
        "a panic ends with exit code 1 and three lines, none of which contains the panic \
         message",
    );
    let world = World::new();
    // The standard library panics if the system has no random bytes, which does not happen on a
    // real system.
    let inject = ["-f", "-qq", "-e", "trace=getrandom", "-e"];
    for arguments in [&["token"][..], &["header", "--no-cache", "-v"], &["doctor"]] {
        claim.holds(|| {
            let mut command = Command::new("strace");
            command
                .args(inject)
                .args(["inject=getrandom:error=EIO", "-o", "/dev/null", PROGRAM])
                .args(arguments)
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap())
                .envs(world.variables())
                .env("RUST_BACKTRACE", "full")
                .current_dir(world.path(""));
            let output = command.output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let told = stderr.split_once("cloudconnexa-auth: error: ").unwrap().1;
            let lines: Vec<&str> = told.lines().collect();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
            let [what, cause, hint] = lines[..] else {
                panic!("three lines: {stderr}");
            };
            assert_eq!(
                what,
                "this program has met a state that it should never be in"
            );
            assert!(
                cause.starts_with("cloudconnexa-auth: cause: a panic at "),
                "{cause}"
            );
            assert!(hint.contains("report it"), "{hint}");
            assert!(
                !stderr.contains("random data"),
                "the message of the panic is not shown: {stderr}"
            );
            world
                .canaries()
                .check("stderr", stderr.as_bytes(), leaks::Allowed::Nothing);
        });
    }
}

#[test]
fn curl_gets_a_long_token_where_pipes_are_small() {
    let claim = Claim::that(
        "`curl` receives a token of 15 KiB even if the system gives the user no pipe that can \
         hold it",
    );
    let ordinary = Ordinary::new();
    let world = &ordinary.world;
    let token = "t".repeat(15 * 1024);
    let body = json!({"access_token": token, "expires_in": 3600}).to_string();
    world.sandbox.always(Some(Fault::Body(body)));
    // More than the limit of most systems, 16384 pages, in pipes of 16 pages each.
    let script = "import os, sys\nkept = [os.pipe() for _ in range(400)]\nprint(flush=True)\n\
                  sys.stdin.read()";
    let holders: Vec<Child> = (0..3)
        .map(|_| {
            let mut command = ordinary.command("python3");
            let command = command.args(["-c", script]).stdin(Stdio::piped());
            let mut holder = command.spawn().unwrap();
            let mut line = [0];
            holder
                .stdout
                .as_mut()
                .unwrap()
                .read_exact(&mut line)
                .unwrap();
            holder
        })
        .collect();
    for method in ["POST", "GET"].into_iter().cycle().take(tries(2, 20)) {
        claim.holds(|| {
            let mut command = ordinary.command("timeout");
            command.args(["--kill-after=1", "60", "./program", "curl"]);
            command.args(["/api/v1/networks", "-X", method, "--silent"]);
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{method}: {output:?}");
        });
    }
    for mut holder in holders {
        drop(holder.stdin.take());
        holder.wait().unwrap();
    }
}
