//! SIGKILL, which a process cannot handle: at every system call of the process that requests a
//! token, and at random moments in a group of processes. A kill must cost at most the request that
//! the killed process had sent.

mod threads;
mod writers;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime};

use cloudconnexa_sandbox::{Fault, Sandbox};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use serde_json::Value;

use crate::fault_injection::processes::{lock_holders, ports, signal, stop, until, waits_for_lock};
use crate::fault_injection::{Claim, answer, is_wait, tries};
use crate::harness::{PROGRAM, World, lock_file_of, write_private};

const SIGKILL: i32 = 9;

/// A system call of the process.
#[derive(Debug)]
struct Moment {
    call: String,
    /// The number of calls with this name so far, including this one.
    nth: usize,
}

/// The cache entry before each kill, and the server's response.
struct Fixture {
    world: World,
    entry: Option<Value>,
    is_refused: bool,
    /// The maximum number of requests of the killed process and the next one together.
    most_requests: usize,
}

impl Fixture {
    fn new(found: Option<Duration>) -> Self {
        Self::of(World::with(Sandbox::builder().no_rate_limit()), found)
    }

    fn of(world: World, found: Option<Duration>) -> Self {
        world.token();
        let entry = found.map(|age| {
            world.advance(age);
            world.entry().1
        });
        Self {
            world,
            entry,
            is_refused: false,
            most_requests: 2,
        }
    }

    fn place(&self) -> PathBuf {
        let is_lock = |path: &PathBuf| path.extension().is_some_and(|it| it == "lock");
        let mut files = fs::read_dir(self.world.cache()).unwrap();
        let lock = files.find_map(|file| Some(file.unwrap().path()).filter(is_lock));
        lock.unwrap().with_extension("v1.json")
    }

    /// Restores the entry. Other files stay.
    fn set(&self) {
        let place = self.place();
        match &self.entry {
            Some(entry) => write_private(&place, &entry.to_string()),
            None => drop(fs::remove_file(&place)),
        }
    }

    /// Reads the entry, which must be absent or complete.
    fn read(&self) -> Option<Value> {
        let text = fs::read_to_string(self.place()).ok()?;
        let entry: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("an entry is complete at every moment: {error}: {text}");
        });
        assert_eq!(entry["version"], 1);
        Some(entry)
    }

    /// Runs `token` under strace, which records the calls and applies the options `also`.
    fn traced(&self, also: &str) -> crate::harness::Run<'_> {
        let script = format!("exec strace -f -qq -o calls {also} \"$0\" token");
        self.world.run(["-c", &script]).through_shell()
    }

    /// The system calls of the last traced process, from its main thread. The only other thread
    /// resolves the server's name and uses none of our files.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.world.path("calls")).unwrap();
        let main = text.split(' ').next().unwrap();
        let lines = text.lines().filter_map(|line| {
            let call = line.strip_prefix(main)?.trim_start();
            let (name, _) = call.split_once('(')?;
            Some(name.to_owned()).filter(|_| !call.starts_with(['<', '+', '-']))
        });
        lines.collect()
    }

    /// The system calls from the first one with the lock held to the last one, each with its name
    /// and its number. `make test` uses only some of them: the first and the last of each name, and
    /// all from the first write of the outcome.
    fn moments(&self) -> Vec<Moment> {
        self.set();
        self.traced("").outcome();
        let calls = self.calls();
        let locked = calls.iter().position(|name| name == "flock").unwrap() + 1;
        let written = calls.iter().rposition(|name| name == "rename").unwrap() - 6;
        let is_telling = |index: usize| {
            let is_same = |other: &String| *other == calls[index];
            index >= written
                || !calls[locked..index].iter().any(is_same)
                || !calls[index + 1..].iter().any(is_same)
        };
        let is_chosen = |index: &usize| tries(0, 1) == 1 || is_telling(*index);
        let moment = |index: usize| Moment {
            call: calls[index].clone(),
            nth: calls[..=index]
                .iter()
                .filter(|it| **it == calls[index])
                .count(),
        };
        (locked..calls.len())
            .filter(is_chosen)
            .map(moment)
            .collect()
    }

    /// Kills a process at this call, before the call is executed. The number of some calls depends
    /// on the network: `None` if the process never reached this one.
    fn kill_at(&self, moment: &Moment) -> Option<usize> {
        let Moment { call, nth } = moment;
        let inject = format!("-e inject={call}:signal=KILL:when={nth}");
        for _ in 0..10 {
            self.set();
            let asked_before = self.world.sandbox.token_requests();
            let (status, _) = self.traced(&inject).start().status();
            if status.signal() == Some(SIGKILL) {
                return Some(asked_before);
            }
            assert!(status.code().is_some(), "{moment:?}: {status}");
        }
        None
    }

    /// Checks that a kill at this moment harms no other process.
    fn nothing_is_lost(&self, moment: &Moment, asked_before: usize) {
        let at = format!("killed at {} number {}", moment.call, moment.nth);
        let left = self.read();
        assert!(
            left.is_some() || self.entry.is_none(),
            "{at}: the entry is replaced, never lost"
        );
        let sidecar = File::open(lock_file_of(&self.place())).unwrap();
        let locked = flock(&sidecar, FlockOperation::NonBlockingLockExclusive);
        assert!(locked.is_ok(), "{at}: the lock is free: {locked:?}");
        drop(sidecar);

        self.let_requests_arrive();
        let asked = self.world.sandbox.token_requests();
        assert!(
            asked <= asked_before + 1,
            "{at}: at most one request of the killed process"
        );
        let next = self.world.run(["token"]);
        if self.is_refused {
            next.fails(4);
        } else {
            let token = next.succeeds();
            assert_eq!(token.len(), 65, "{at}");
        }
        // A new token, a cool-down, or the mark that a process already refreshes the token.
        let is_done = left.is_some_and(|left| Some(left) != self.entry);
        let asked_by_next = self.world.sandbox.token_requests() - asked;
        assert_eq!(
            asked_by_next,
            usize::from(!is_done),
            "{at}: the next process sends a request only if no result is cached"
        );
        let cost = self.world.sandbox.token_requests() - asked_before;
        assert!(cost <= self.most_requests, "{at}: {cost} requests");
        let files = fs::read_dir(self.world.cache()).unwrap().count();
        assert!(
            files <= 3,
            "{at}: an entry, a lock, and one leftover at most"
        );
    }

    /// Waits until the server has read all data of a killed process. The server handles one
    /// connection after the other when data arrives, and closes a connection that does not use TLS.
    fn let_requests_arrive(&self) {
        let mut connection = TcpStream::connect(self.world.sandbox.address()).unwrap();
        connection.write_all(b"no TLS at all").unwrap();
        // A close and a reset are both accepted.
        let _ = connection.read_to_end(&mut Vec::new());
    }

    /// Kills one process after the other.
    fn kill_everywhere(&self, claim: &Claim) {
        let moments = self.moments();
        assert!(moments.len() > 20, "the calls were read: {moments:?}");
        for moment in &moments {
            if let Some(asked_before) = self.kill_at(moment) {
                claim.holds(|| self.nothing_is_lost(moment, asked_before));
            }
        }
    }

    /// Checks that the next writer removes the last leftover file.
    fn ends_clean(&self) {
        self.world.run(["token", "--refresh"]).outcome();
        let files = fs::read_dir(self.world.cache()).unwrap().count();
        assert_eq!(files, 2, "the entry and its lock");
    }
}

#[test]
fn a_kill_at_any_call_of_a_first_request_costs_at_most_that_request() {
    let claim = Claim::that(
        "SIGKILL at each system call of a first token request, from the lock to the output: the \
         next caller gets a token with at most one request, the entry is complete or absent, \
         the lock is free, and at most one leftover file exists",
    );
    let scene = Fixture::new(None);
    scene.kill_everywhere(&claim);
    scene.ends_clean();
}

#[test]
fn a_kill_at_any_call_of_a_request_at_expiry_leaves_the_old_entry_or_the_new_one() {
    let claim = Claim::that(
        "The same while an expired token is replaced: the entry is the old or the new one",
    );
    let scene = Fixture::new(Some(Duration::from_secs(43_200)));
    scene.kill_everywhere(&claim);
    scene.ends_clean();
}

#[test]
fn a_kill_at_any_call_of_a_refresh_ahead_costs_no_later_caller_anything() {
    let claim = Claim::that(
        "The same while a valid token is refreshed: a killed refresh costs at most one request, \
         and the valid token is still returned",
    );
    let mut scene = Fixture::new(Some(Duration::from_secs(43_199 * 9 / 10)));
    scene.most_requests = 1;
    scene.kill_everywhere(&claim);
    scene.ends_clean();
}

#[test]
fn a_kill_at_any_call_of_a_refused_request_costs_at_most_one_more() {
    let claim = Claim::that(
        "The same if the server rejects the request: the next caller gets that error, with at \
         most one request",
    );
    let mut scene = Fixture::new(None);
    scene.world.sandbox.always(Some(Fault::status(403)));
    scene.is_refused = true;
    scene.kill_everywhere(&claim);
    scene.world.sandbox.always(None);
    scene.ends_clean();
}

#[test]
fn what_killed_writers_leave_is_taken_away_where_there_are_no_locks_too() {
    let claim = Claim::that(
        "SIGKILL before the rename, with a lock, without a lock (ENOLCK) and while the expiry \
         reminder is recorded: the next writer removes the leftover files; without a lock, the \
         first writer a minute later removes them",
    );
    let no_locks = "-e inject=flock:error=ENOLCK";
    for (faults, profile, place) in [
        ("", "env", ".json"),
        (no_locks, "env", ".json"),
        // The warning that the credential expires is written first.
        ("", "ends", ".reminded"),
    ] {
        let world = World::with(Sandbox::builder().no_rate_limit());
        let soon = world.sandbox.now().date() + Duration::from_secs(3 * 24 * 3600);
        let text = world.profile_text("ends");
        world.write_config(&format!("{text}secret_expires = {soon}\n"));
        let run = |also: &str| {
            let strace = format!("exec strace -f -qq -o calls {faults} {also}");
            let script = format!("{strace} \"$0\" token --refresh --profile {profile}");
            world.run(["-c", &script]).through_shell()
        };
        let left = || -> Vec<PathBuf> {
            let files = fs::read_dir(world.cache()).unwrap();
            let paths = files.map(|file| file.unwrap().path());
            let is_left = |path: &PathBuf| path.extension().is_some_and(|it| it == "new");
            paths.filter(is_left).collect()
        };

        claim.counts(tries(3, 100), || {
            for _ in 0..tries(3, 100) {
                let (status, _) = run("-e inject=rename:signal=KILL").start().status();
                assert_eq!(status.signal(), Some(SIGKILL));
            }
            let place = format!("{place}.");
            let is_there = |path: &PathBuf| path.to_string_lossy().contains(&place);
            assert!(
                left().iter().all(is_there) && !left().is_empty(),
                "{:?}",
                left()
            );
            let long_ago = SystemTime::now() - Duration::from_secs(61);
            for path in left() {
                let file = File::options().append(true).open(path).unwrap();
                file.set_modified(long_ago).unwrap();
            }
            run("").outcome().succeeds_with_stderr();
            assert!(left().is_empty(), "{:?}", left());
        });
    }
}

#[test]
fn a_logout_takes_away_what_a_killed_writer_left_of_a_token() {
    let claim = Claim::that(
        "SIGKILL between the write and the rename of a token, then `logout`: no file of the \
         cache contains a token",
    );
    claim.holds(|| {
        let world = World::without_profile(Sandbox::builder());
        world.write_config(&world.profile_text("p"));
        let script = "exec strace -f -qq -o calls -e inject=rename:signal=KILL \"$0\" token";
        let (status, _) = world.run(["-c", script]).through_shell().start().status();
        assert_eq!(status.signal(), Some(SIGKILL));
        let names = || -> Vec<String> {
            let files = fs::read_dir(world.cache()).unwrap();
            let name = |file: std::io::Result<fs::DirEntry>| file.unwrap().file_name();
            let names = files.map(|file| name(file).into_string().unwrap());
            names.collect()
        };
        assert!(names().iter().any(|name| name.ends_with(".new")));

        let run = world.run(["logout", "--profile", "p", "--yes"]);
        run.outcome().succeeds_with_stderr();

        let names = names();
        assert!(
            names.iter().all(|name| name.ends_with(".lock")),
            "{names:?}"
        );
    });
}

#[test]
fn who_waits_for_a_process_that_is_killed_asks_once_for_all_who_wait() {
    let claim = Claim::that(
        "A killed process that other processes wait for costs one more request, and all waiting \
         processes use its token",
    );
    for _ in 0..tries(1, 50) {
        let world = World::new();
        let gate = world.sandbox.gate();
        let leader = world.run(["token"]).start();
        gate.wait_for_requests(1);
        let waiters: Vec<_> = (0..10).map(|_| world.run(["token"]).start()).collect();
        for waiter in &waiters {
            until("a waiter waits", || waits_for_lock(waiter.id()));
        }

        leader.kill();
        gate.wait_for_requests(2);
        gate.release();

        let tokens = world.outcomes(waiters).into_iter().map(answer);
        let distinct: BTreeSet<String> = claim.holds(|| tokens.collect());
        assert_eq!(
            distinct.len(),
            1,
            "the next process sends a request, the others read the cache"
        );
        let asked = world.sandbox.token_requests();
        assert_eq!(asked, 2, "the request of the killed process and one more");
    }
}

/// Eight callers, each of which calls again as soon as it has its answer.
struct Crowd {
    variables: Vec<(String, String)>,
    places: Vec<Mutex<Place>>,
    is_over: AtomicBool,
    answers: AtomicUsize,
}

/// The current process of one caller. It is waited for only under its lock, so the owner of that
/// lock cannot send a signal to an unrelated process.
#[derive(Default)]
struct Place {
    child: Option<Child>,
    is_killed: bool,
}

impl Crowd {
    fn of(world: &World) -> Self {
        Self {
            variables: world.variables(),
            places: (0..8).map(|_| Mutex::default()).collect(),
            is_over: AtomicBool::new(false),
            answers: AtomicUsize::new(0),
        }
    }

    fn place(&self, number: usize) -> MutexGuard<'_, Place> {
        self.places[number].lock().unwrap()
    }

    /// The loop of one caller. Panics if a process fails that was not killed.
    fn call(&self, number: usize) {
        while !self.is_over.load(Ordering::Relaxed) {
            let mut child = Command::new(PROGRAM)
                .args(["token", "--timeout", "5m"])
                .env_clear()
                .envs(self.variables.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut stdout, mut stderr) =
                (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            *self.place(number) = Place {
                child: Some(child),
                is_killed: false,
            };
            let (mut answer, mut said) = (String::new(), String::new());
            stdout.read_to_string(&mut answer).unwrap();
            stderr.read_to_string(&mut said).unwrap();
            let mut place = self.place(number);
            let status = place.child.take().unwrap().wait().unwrap();
            if place.is_killed && status.signal() == Some(SIGKILL) {
                continue;
            }
            assert!(status.success(), "{status}: {said}");
            assert_eq!(answer.len(), 65, "one token and a newline");
            assert!(said.is_empty() || is_wait(&said), "{said}");
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Kills a process: in half of the cases the one that has the lock, if there is one. `None` if
    /// it had already ended.
    fn kill(&self, chance: u32) -> Option<Killed> {
        let holders = lock_holders();
        let has_lock = |place: &Place| {
            let child = place.child.as_ref();
            child.is_some_and(|child| holders.contains(&child.id()))
        };
        let any = chance as usize / 2 % self.places.len();
        let holder = (0..self.places.len()).find(|number| has_lock(&self.place(*number)));
        let number = holder.filter(|_| chance.is_multiple_of(2)).unwrap_or(any);
        let mut place = self.place(number);
        let id = place.child.as_ref()?.id();
        if place.is_killed || !stop(id) {
            return None;
        }
        // The process is stopped while it is inspected.
        let killed = Killed {
            had_lock: lock_holders().contains(&id),
            ports: ports(id),
        };
        place.is_killed = true;
        signal(id, Signal::KILL);
        Some(killed)
    }
}

/// A process that was killed at random.
struct Killed {
    had_lock: bool,
    /// The ports by which the server identifies it, if they can be read.
    ports: Option<BTreeSet<u16>>,
}

#[test]
fn kills_at_random_moments_of_a_crowd_cost_a_request_each_at_most() {
    let claim = Claim::that(
        "SIGKILL at random times while 8 callers run continuously and the token is erased \
         repeatedly: every other caller succeeds; at most one request for each erase and each \
         kill; no two concurrent requests for one identity, except those of killed processes",
    );
    let kills = tries(30, 2000);
    let world = World::with(Sandbox::builder().no_rate_limit());
    // Long enough that many kills hit the process that sends the request.
    let latency = Duration::from_millis(5);
    world.sandbox.always(Some(Fault::Latency(latency)));
    let crowd = Crowd::of(&world);
    let (mut killed, mut drops) = (Vec::new(), 0);

    claim.counts(kills, || {
        thread::scope(|scope| {
            let crowd = &crowd;
            let _over = Over(&crowd.is_over);
            let callers: Vec<_> = (0..crowd.places.len())
                .map(|number| scope.spawn(move || crowd.call(number)))
                .collect();
            while killed.len() < kills {
                let is_going_on = callers.iter().all(|caller| !caller.is_finished());
                assert!(is_going_on, "a caller has failed");
                let request = "{\"profile\":\"env\"}";
                world.run(["erase"]).stdin(request).succeeds();
                drops += 1;
                thread::sleep(Duration::from_micros(u64::from(random() % 20_000)));
                killed.extend(crowd.kill(random()));
            }
        });
    });

    let asked = world.sandbox.token_requests();
    assert!(
        asked <= 1 + drops + kills,
        "{asked} requests for {drops} drops and {kills} kills"
    );
    let holders = killed.iter().filter(|killed| killed.had_lock).count();
    assert!(
        holders > 0,
        "some kills hit the process that sends the request"
    );
    let requests = world.sandbox.requests();
    let beside = requests.iter().filter(|it| !it.beside.is_empty()).count();
    assert!(
        beside <= holders,
        "{beside} requests overlapped, {holders} lock holders were killed"
    );
    let ports = killed.iter().map(|killed| killed.ports.as_ref());
    if let Some(ports) = ports.collect::<Option<Vec<_>>>() {
        let is_killed = |port: &u16| ports.iter().any(|ports| ports.contains(port));
        for request in requests {
            let allowed = is_killed(&request.port) || request.beside.iter().all(is_killed);
            assert!(
                allowed,
                "two living processes sent requests at once: {request:?}"
            );
        }
    }
    assert!(
        crowd.answers.into_inner() > kills,
        "the callers got answers"
    );
    world.token();
    let (_, entry) = world.entry();
    assert_eq!(entry["version"], 1);
    let files = fs::read_dir(world.cache()).unwrap().count();
    assert!(files <= 3, "an entry, a lock, and one leftover at most");
}

/// Ends the callers, also when the test panics.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn random() -> u32 {
    getrandom::u32().unwrap()
}
