//! A simulation of many hosts over many days. It runs the real token provider with a simulated
//! clock, store and endpoint. Each active call has a thread, and only one thread runs at a time.
//! `make fleet` runs it with 100,000 hosts over a week for docs/fleet.md; the test uses a few hosts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use time::OffsetDateTime;

use super::memory::{Connection, Memory};
use crate::cache::{Cache, Identity, Key};
use crate::oauth::{ExchangeError, Form, TokenGrant};
use crate::secret_source::SourceError;
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::token_provider::{Endpoint, Event, ObtainError, Shared, TokenProvider, TokenRequest};
use crate::types::diagnostic::Diagnostic;
use crate::types::secret::Secret;
use crate::types::token::{AccessToken, MinTtl, RefreshAhead, Token};

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// An event of the simulation, with its host or worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum SimulatedEvent {
    /// A job on a host requests a token.
    Job(u32),
    /// A call continues.
    Wake(u32),
    /// The store stops responding, or responds again.
    Store(bool),
    /// The store loses its data.
    Flush,
    /// The endpoint stops responding, or responds again.
    Endpoint(bool),
}

/// The current time and the scheduled events, in nanoseconds from the start.
#[derive(Default)]
struct Agenda {
    now: AtomicU64,
    due: Mutex<BinaryHeap<Reverse<(u64, u64, SimulatedEvent)>>>,
    count: AtomicU64,
}

impl Agenda {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn add(&self, at: u64, event: SimulatedEvent) {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        self.due.lock().unwrap().push(Reverse((at, number, event)));
    }

    fn next(&self) -> Option<SimulatedEvent> {
        let Reverse((at, _, event)) = self.due.lock().unwrap().pop()?;
        self.now.store(at, Ordering::SeqCst);
        Some(event)
    }
}

/// The clock of a call; it is fast or slow like the clock of its host.
struct SimClock<'a> {
    agenda: &'a Agenda,
    wrong_seconds: i64,
    /// The number of the sleeping worker, the channel that reports its pauses, and the channel that
    /// wakes it.
    worker: Option<(u32, &'a Sender<Pause>, &'a Receiver<Work>)>,
}

impl Clock for SimClock<'_> {
    fn now(&self) -> OffsetDateTime {
        let start = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        start + self.elapsed() + time::Duration::seconds(self.wrong_seconds)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.agenda.now())
    }

    fn sleep(&self, pause: Duration) {
        let (id, paused, work) = self.worker.expect("a warm call waits for nothing");
        let at = self.agenda.now() + u64::try_from(pause.as_nanos()).unwrap();
        self.agenda.add(at, SimulatedEvent::Wake(id));
        paused.send(Pause::Asleep).unwrap();
        assert!(matches!(work.recv().unwrap(), Work::GoOn));
    }
}

enum Work {
    Call(u32),
    GoOn,
}

enum Pause {
    Asleep,
    Done(u32, u32, Outcome),
}

struct Outcome {
    took: u64,
    failure: Option<&'static str>,
    /// The time at which the host refreshes the token.
    fresh_until: u64,
}

/// The token endpoint of one credential, with the vendor's rate limit: 20 requests, then one every
/// 15 s.
struct Vendor {
    left: Mutex<(f64, u64)>,
    is_down: std::sync::atomic::AtomicBool,
    granted: AtomicU64,
    limited: AtomicU64,
    failed: AtomicU64,
}

struct SimEndpoint<'a> {
    vendor: &'a Vendor,
    agenda: &'a Agenda,
}

impl Endpoint for SimEndpoint<'_> {
    fn cheap_secret(&self) -> Option<Secret> {
        Some(Secret::new("s3cret".to_owned()))
    }

    fn secret(&self, _: &dyn Clock, _: Deadline) -> Result<Secret, SourceError> {
        Ok(Secret::new("s3cret".to_owned()))
    }

    fn exchange(
        &self,
        _: &Secret,
        _: Option<Form>,
        clock: &dyn Clock,
        _: Deadline,
    ) -> Result<TokenGrant, ObtainError> {
        let vendor = self.vendor;
        clock.sleep(Duration::from_millis(300));
        if vendor.is_down.load(Ordering::SeqCst) {
            vendor.failed.fetch_add(1, Ordering::SeqCst);
            return Err(ObtainError::Exchange(ExchangeError::ServerError {
                status: 503,
                server_text: None,
            }));
        }
        let mut left = vendor.left.lock().unwrap();
        let now = self.agenda.now();
        #[expect(clippy::cast_precision_loss, reason = "a share of 15 s")]
        let gained = (now - left.1) as f64 / (15 * SECOND) as f64;
        *left = ((left.0 + gained).min(20.0), now);
        if left.0 < 1.0 {
            vendor.limited.fetch_add(1, Ordering::SeqCst);
            let pause = Some(Duration::from_secs(15));
            return Err(ObtainError::Exchange(ExchangeError::RateLimited { pause }));
        }
        left.0 -= 1.0;
        let number = vendor.granted.fetch_add(1, Ordering::SeqCst);
        let token = Token {
            access_token: AccessToken::parse(format!("token-{number}")).unwrap(),
            scope: None,
            requested_at: clock.now(),
            obtained_at: clock.now(),
            expires_at: clock.now() + Duration::from_secs(43_199),
        };
        Ok(TokenGrant {
            token,
            form: Some(Form::Basic),
        })
    }

    fn is_secret_costly(&self) -> bool {
        false
    }

    fn tell(&self, _: &ExchangeError) -> Diagnostic {
        told()
    }

    fn tell_missing(&self, _: &SourceError) -> Diagnostic {
        told()
    }
}

fn told() -> Diagnostic {
    Diagnostic {
        what: "failed".to_owned(),
        cause: None,
        hint: None,
    }
}

/// A random number generator with a fixed seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % most
    }
}

struct Host {
    wrong_seconds: i64,
    /// Whether the host is a runner that is deleted after each job.
    is_fresh: bool,
    is_busy: bool,
    fresh_until: u64,
}

/// The state that all calls share.
struct World {
    agenda: Agenda,
    memory: Memory,
    vendor: Vendor,
    folder: PathBuf,
    wrong_seconds: Vec<i64>,
}

impl World {
    fn call(&self, host: u32, worker: Option<(u32, &Sender<Pause>, &Receiver<Work>)>) -> Outcome {
        let agenda = &self.agenda;
        let wrong_seconds = self.wrong_seconds[host as usize];
        let clock = SimClock {
            agenda,
            wrong_seconds,
            worker,
        };
        let store_clock = SimClock {
            agenda,
            wrong_seconds: 0,
            worker,
        };
        let connection = Connection {
            memory: &self.memory,
            clock: &store_clock,
            latency: Duration::from_millis(1),
        };
        let endpoint = SimEndpoint {
            vendor: &self.vendor,
            agenda,
        };
        let broker = TokenProvider {
            clock: &clock,
            slot: Some(Cache::in_folder(folder_of(&self.folder, host), None).slot(key())),
            endpoint: &endpoint,
            shared: Some(&Shared::new(&connection, "p:", &key)),
            notify: &|_: Event<'_>| {},
        };
        let start = agenda.now();
        let answer = broker.obtain(&TokenRequest {
            min_ttl: MinTtl::Default,
            not_before: None,
            refresh_ahead: RefreshAhead::LastFifth,
            is_single: false,
            began: clock.now(),
            deadline: Deadline::from_now(&clock, Duration::from_secs(30)),
        });
        let fresh_until = answer.as_ref().map_or(0, |token| {
            let left = token.refresh_at(RefreshAhead::LastFifth) - clock.now();
            let left: Duration = left.try_into().unwrap_or_default();
            agenda.now() + u64::try_from(left.as_nanos()).unwrap()
        });
        let failure = answer.err().map(|error| match error {
            ObtainError::CoolingDown(_) => "in a cool-down",
            ObtainError::Exchange(ExchangeError::RateLimited { .. }) => "rate limited",
            ObtainError::Exchange(_) => "endpoint down",
            _ => "other",
        });
        Outcome {
            took: agenda.now() - start,
            failure,
            fresh_until,
        }
    }
}

fn key() -> Key {
    Key::of(&Identity {
        token_url: "https://a",
        client_id: "i",
        scope: None,
        audience: None,
    })
}

fn folder_of(base: &Path, host: u32) -> PathBuf {
    base.join((host / 1000).to_string()).join(host.to_string())
}

/// The results of a simulation.
#[derive(Default)]
struct Figures {
    calls: u64,
    warm: u64,
    failures: BTreeMap<(&'static str, &'static str), u64>,
    waits: Vec<u64>,
    requests: BTreeMap<&'static str, (u64, u64)>,
    store_calls: BTreeMap<u64, u64>,
}

struct Plan {
    hosts: u32,
    end: u64,
    has_trouble: bool,
}

/// The name of the phase of the plan at a time.
fn phase(now: u64, plan: &Plan) -> &'static str {
    match now {
        _ if !plan.has_trouble => "ordinary days",
        now if (60 * HOUR..60 * HOUR + HOUR / 6).contains(&now) => "store down, 10 min",
        now if (84 * HOUR..84 * HOUR + HOUR / 2).contains(&now) => "endpoint down, 30 min",
        now if (130 * HOUR..130 * HOUR + HOUR / 6).contains(&now) => "10 min after FLUSHALL",
        _ => "ordinary days",
    }
}

/// Creates the hosts, their shared state and the scheduled events.
fn prepare(plan: &Plan) -> (Vec<Host>, Arc<World>, tempfile::TempDir) {
    let base = if Path::new("/dev/shm").is_dir() {
        "/dev/shm"
    } else {
        "/tmp"
    };
    let folder = tempfile::tempdir_in(base).unwrap();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let hosts: Vec<Host> = (0..plan.hosts)
        .map(|number| Host {
            wrong_seconds: i64::try_from(chance.below(1200)).unwrap() - 600,
            is_fresh: number % 5 == 0,
            is_busy: false,
            fresh_until: 0,
        })
        .collect();
    let world = Arc::new(World {
        agenda: Agenda::default(),
        memory: Memory::default(),
        vendor: Vendor {
            left: Mutex::new((20.0, 0)),
            is_down: false.into(),
            granted: 0.into(),
            limited: 0.into(),
            failed: 0.into(),
        },
        folder: folder.path().to_owned(),
        wrong_seconds: hosts.iter().map(|host| host.wrong_seconds).collect(),
    });
    let agenda = &world.agenda;
    for group in 0..plan.hosts.div_ceil(1000) {
        std::fs::create_dir_all(folder.path().join(group.to_string())).unwrap();
    }
    for host in 0..plan.hosts {
        for day in 0..=(plan.end / DAY) {
            // A nightly job, on all hosts within 5 s, and a job at the start of the working day.
            agenda.add(
                day * DAY + chance.below(5 * SECOND),
                SimulatedEvent::Job(host),
            );
            agenda.add(
                day * DAY + 6 * HOUR + chance.below(HOUR / 6),
                SimulatedEvent::Job(host),
            );
            for _ in 0..6 {
                agenda.add(day * DAY + chance.below(DAY), SimulatedEvent::Job(host));
            }
        }
    }
    if plan.has_trouble {
        for (at, event) in [
            (60 * HOUR, SimulatedEvent::Store(false)),
            (60 * HOUR + HOUR / 6, SimulatedEvent::Store(true)),
            (84 * HOUR, SimulatedEvent::Endpoint(false)),
            (84 * HOUR + HOUR / 2, SimulatedEvent::Endpoint(true)),
            (130 * HOUR, SimulatedEvent::Flush),
        ] {
            agenda.add(at, event);
        }
    }
    (hosts, world, folder)
}

fn simulate(plan: &Plan) -> Figures {
    let (mut hosts, world, folder) = prepare(plan);
    let agenda = &world.agenda;
    let mut figures = Figures::default();
    let (telling, told) = channel();
    let mut workers: Vec<Sender<Work>> = Vec::new();
    let mut idle: Vec<u32> = Vec::new();
    while let Some(event) = agenda.next() {
        let now = agenda.now();
        if now > plan.end {
            break;
        }
        let requests = || {
            let vendor = &world.vendor;
            let limited = vendor.limited.load(Ordering::SeqCst);
            let failed = vendor.failed.load(Ordering::SeqCst);
            (
                vendor.granted.load(Ordering::SeqCst) + limited + failed,
                limited,
            )
        };
        let before = (world.memory.calls.load(Ordering::Relaxed), requests());
        let woken = match event {
            SimulatedEvent::Store(is_up) => {
                world.memory.is_down.store(!is_up, Ordering::SeqCst);
                continue;
            }
            SimulatedEvent::Flush => {
                world.memory.flush();
                continue;
            }
            SimulatedEvent::Endpoint(is_up) => {
                world.vendor.is_down.store(!is_up, Ordering::SeqCst);
                continue;
            }
            SimulatedEvent::Wake(worker) => {
                workers[worker as usize].send(Work::GoOn).unwrap();
                true
            }
            SimulatedEvent::Job(number) => {
                let host = &mut hosts[number as usize];
                if host.is_busy {
                    continue;
                }
                if host.is_fresh {
                    // The host may have no cache directory yet.
                    drop(std::fs::remove_dir_all(folder_of(folder.path(), number)));
                    host.fresh_until = 0;
                }
                figures.calls += 1;
                if now < host.fresh_until {
                    let outcome = world.call(number, None);
                    assert!(outcome.failure.is_none() && outcome.took == 0);
                    figures.warm += 1;
                    false
                } else {
                    host.is_busy = true;
                    let worker = idle.pop().unwrap_or_else(|| {
                        workers.push(worker(&world, workers.len(), &telling));
                        u32::try_from(workers.len() - 1).unwrap()
                    });
                    workers[worker as usize].send(Work::Call(number)).unwrap();
                    true
                }
            }
        };
        if woken && let Pause::Done(worker, number, outcome) = told.recv().unwrap() {
            idle.push(worker);
            let host = &mut hosts[number as usize];
            host.is_busy = false;
            host.fresh_until = outcome.fresh_until;
            figures.waits.push(outcome.took);
            if let Some(failure) = outcome.failure {
                let count = figures.failures.entry((phase(now, plan), failure));
                *count.or_default() += 1;
            }
        }
        let after = requests();
        let asked = figures.requests.entry(phase(now, plan)).or_default();
        asked.0 += after.0 - before.1.0;
        asked.1 += after.1 - before.1.1;
        let calls = world.memory.calls.load(Ordering::Relaxed) - before.0;
        *figures.store_calls.entry(now / SECOND).or_default() += calls;
    }
    figures
}

fn worker(world: &Arc<World>, id: usize, paused: &Sender<Pause>) -> Sender<Work> {
    let (sender, work) = channel();
    let (world, paused) = (Arc::clone(world), paused.clone());
    let id = u32::try_from(id).unwrap();
    let run = move || {
        while let Ok(Work::Call(host)) = work.recv() {
            let outcome = world.call(host, Some((id, &paused, &work)));
            // The receiver is closed when the simulation ends.
            if paused.send(Pause::Done(id, host, outcome)).is_err() {
                break;
            }
        }
    };
    thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(run)
        .unwrap();
    sender
}

impl Figures {
    fn total_requests(&self) -> u64 {
        self.requests.values().map(|(all, _)| all).sum()
    }

    /// Returns the busiest second and the number of round trips to the store in it.
    fn peak(&self) -> (u64, u64) {
        let calls = self.store_calls.iter();
        let peak = calls.max_by_key(|(_, calls)| **calls);
        peak.map_or((0, 0), |(second, calls)| (*second, *calls))
    }

    fn worst(&self) -> Duration {
        Duration::from_nanos(self.waits.iter().max().copied().unwrap_or(0))
    }

    fn table(&mut self, plan: &Plan) -> String {
        self.waits.sort_unstable();
        let waits = &self.waits;
        let at = |share: usize| {
            let index = waits.len().saturating_sub(1) * share / 10_000;
            Duration::from_nanos(waits.get(index).copied().unwrap_or(0))
        };
        let mut text = String::new();
        let store: u64 = self.store_calls.values().sum();
        for (what, value) in [
            ("hosts", u64::from(plan.hosts)),
            ("hours", plan.end / HOUR),
            ("calls", self.calls),
            ("calls answered by the local cache alone", self.warm),
            ("token requests", self.total_requests()),
            ("store round trips", store),
            ("store round trips in the busiest second", self.peak().1),
            ("the busiest second", self.peak().0),
            (
                "store round trips a second, on average",
                store * SECOND / plan.end,
            ),
        ] {
            writeln!(text, "| {what} | {value} |").unwrap();
        }
        writeln!(
            text,
            "| wait of a call that is not warm, median | {:?} |",
            at(5000)
        )
        .unwrap();
        writeln!(text, "| … 99th of 100 | {:?} |", at(9900)).unwrap();
        writeln!(text, "| … worst | {:?} |", self.worst()).unwrap();
        for (phase, (all, limited)) in &self.requests {
            writeln!(
                text,
                "| token requests, {phase} | {all}, {limited} of them 429 |"
            )
            .unwrap();
        }
        for ((phase, failure), count) in &self.failures {
            writeln!(
                text,
                "| calls without a token, {phase}: {failure} | {count} |"
            )
            .unwrap();
        }
        text
    }
}

#[test]
fn a_fleet_of_any_size_costs_one_request_a_tokens_life() {
    let plan = Plan {
        hosts: 150,
        end: 2 * DAY,
        has_trouble: false,
    };
    let mut figures = simulate(&plan);
    let table = figures.table(&plan);
    assert!(figures.failures.is_empty(), "{table}");
    // Tokens are replaced after 9.6 h or a little later: 5 or 6 requests in 48 h.
    assert!((4..=6).contains(&figures.total_requests()), "{table}");
    assert!(figures.worst() < Duration::from_secs(2), "{table}");
}

#[test]
fn the_figures_of_the_document() {
    let Some(hosts) = Environment::process().text("FLEET_HOSTS") else {
        return;
    };
    for has_trouble in [false, true] {
        let plan = Plan {
            hosts: hosts.parse().unwrap(),
            end: 7 * DAY,
            has_trouble,
        };
        println!("{}", simulate(&plan).table(&plan));
    }
}
