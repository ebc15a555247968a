//! Faults between the program and the server: names, connections, TLS, proxies, slow and broken
//! answers. Between the two stands a [`Relay`], which is well first and then is not; what loopback
//! cannot do happens in a network namespace of the test's own ([`in_own_network`]).

mod connect;
pub(crate) mod dns;
mod proxies;
mod resets;
mod slow;
mod tls;

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::clients;
use crate::fault_injection::tries;
use crate::harness::World;

/// What becomes of a connection that a [`Relay`] takes.
pub(super) type Serve = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// A server on a free port of loopback whose behaviour a test changes while it listens.
pub(super) struct Relay {
    address: SocketAddr,
    serve: Arc<Mutex<Serve>>,
    taken: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Relay {
    pub(super) fn new(serve: Serve) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            serve: Arc::new(Mutex::new(serve)),
            taken: Arc::default(),
            is_over: Arc::default(),
        };
        let (serve, taken, is_over) = (
            Arc::clone(&relay.serve),
            Arc::clone(&relay.taken),
            Arc::clone(&relay.is_over),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                taken.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve.lock().unwrap());
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                thread::spawn(move || serve(stream));
            }
        });
        relay
    }

    /// From the next connection on.
    pub(super) fn now(&self, serve: Serve) {
        *self.serve.lock().unwrap() = serve;
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
    }
}

/// Everything to that server, and everything back.
pub(super) fn through(server: SocketAddr) -> Serve {
    Arc::new(move |client| {
        let Ok(server) = TcpStream::connect(server) else {
            return;
        };
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = thread::spawn(move || {
            drop(io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Write));
        });
        let (mut from, mut to) = (server, client);
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Both));
        up.join().unwrap();
    })
}

/// Takes what comes, and never says a word.
pub(super) fn silence() -> Serve {
    Arc::new(|stream| drop(drained(stream)))
}

/// Reads the head of a request (and what is known to follow it), then says `bytes` and hangs up.
pub(super) fn says(bytes: impl Into<Vec<u8>>) -> Serve {
    let bytes = bytes.into();
    Arc::new(move |mut stream| {
        read_head(&mut stream);
        drop(stream.write_all(&bytes));
        drop(stream.shutdown(Shutdown::Write));
        drop(drained(stream));
    })
}

/// The head of a request, and its body as far as `Content-Length` tells of one.
pub(super) fn read_head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut byte = [0; 1];
    while !read.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        read.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&read).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    drop(stream.read_exact(&mut body));
    head
}

/// Everything that still comes.
pub(super) fn drained(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest));
    rest
}

/// Ends a connection with RST.
pub(super) fn reset(stream: &TcpStream) {
    // It may have ended already, from the other side.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// A fault, and what is to be said of it.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) serve: Serve,
    /// In the first line, which stands alone.
    pub(super) first: Vec<String>,
    /// Anywhere.
    pub(super) says: Vec<String>,
    /// Where it ends by `--timeout` alone, and leaves no cool-down: the caller was in a hurry.
    pub(super) is_endless: bool,
}

impl Fault {
    pub(super) fn new(name: &'static str, serve: Serve, first: &[&str]) -> Self {
        Self {
            name,
            serve,
            first: first.iter().map(|&words| words.to_owned()).collect(),
            says: Vec::new(),
            is_endless: false,
        }
    }

    pub(super) fn endless(self) -> Self {
        Self {
            is_endless: true,
            ..self
        }
    }

    pub(super) fn says(mut self, words: &[&str]) -> Self {
        self.says
            .extend(words.iter().map(|&words| words.to_owned()));
        self
    }
}

/// Tries every fault, a few at once, each in a world of `make`'s with a relay before its server; `url`
/// is where the profile then points. Returns how many there were.
pub(super) fn tries_all(
    faults: &[Fault],
    url: impl Fn(SocketAddr) -> String + Sync,
    make: impl Fn() -> World + Sync,
) -> usize {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(fault) = faults.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let world = make();
                    let relay = Relay::new(through(world.sandbox.address()));
                    world.set("CLOUDCONNEXA_BASE_URL", &url(relay.address()));
                    survives(&world, &relay, fault);
                }
            });
        }
    });
    faults.len()
}

/// Lets a fault happen to a world that has had a token by this relay, and sees that it is told, ends in
/// time, binds the next callers and takes the good token from nobody.
pub(super) fn survives(world: &World, relay: &Relay, fault: &Fault) {
    let well = Arc::clone(&relay.serve.lock().unwrap());
    let token = world.token();
    relay.now(Arc::clone(&fault.serve));

    // With a fresh token there is no connection at all.
    let connections = relay.taken();
    assert_eq!(world.token(), token, "{}", fault.name);
    assert_eq!(relay.taken(), connections, "{}: nobody asks", fault.name);

    // In the last fifth of its life the next one is looked for, in vain, and nobody notices.
    world.advance(Duration::from_secs(43_199 * 9 / 10));
    // With little time there are fewer tries and shorter pauses between them.
    let limit = match (fault.is_endless, tries(0, 1)) {
        (true, _) => "2s",
        (false, 0) => "3s",
        (false, _) => "30s",
    };
    let limited = |arguments: &[&str]| {
        let began = Instant::now();
        let all = [arguments, &["--timeout", limit]].concat();
        let outcome = world.run_all(&all).outcome();
        let name = fault.name;
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "{name} takes long"
        );
        outcome
    };
    assert_eq!(
        limited(&["token"]).succeeds().trim_end(),
        token,
        "{}: the token at hand is the answer",
        fault.name
    );
    assert!(
        relay.taken() > connections,
        "{}: it was asked for",
        fault.name
    );

    let stderr = limited(&["token", "--refresh"]).fails(6);
    told(fault, &stderr);
    assert_eq!(world.token(), token, "{}: and still is", fault.name);

    // A caller that needs a longer life is bound by the cool-down, unless the caller had no time or the
    // cause is this process's own: its proxy, its trust, its name resolution.
    if !fault.is_endless {
        let connections = relay.taken();
        let next = limited(&["token", "--min-ttl", "2h"]).fails(6);
        if next.contains("no request is made for") {
            let (first, again) = (stderr.lines().next(), next.lines().next());
            assert_eq!(first, again, "{}: the recorded words", fault.name);
            assert_eq!(relay.taken(), connections, "{}: no request", fault.name);
        } else {
            let local = ["proxy", "TLS", "certificate", "the name of"];
            assert!(local.iter().any(|word| next.contains(word)), "{next}");
            assert!(relay.taken() > connections, "{}: a request", fault.name);
        }
    }

    // Without a good token there is none, and when all is well again there is.
    world.advance(Duration::from_secs(43_199));
    let stderr = limited(&["token"]).fails(6);
    told(fault, &stderr);
    relay.now(well);
    let next = world.run(["token", "--refresh"]).succeeds();
    assert_ne!(next.trim_end(), token);
}

/// Holds stderr to what was promised of it: the harness has counted its lines.
fn told(fault: &Fault, stderr: &str) {
    let name = fault.name;
    let first = stderr.lines().next().unwrap();
    for words in &fault.first {
        assert!(
            first.contains(words),
            "{name}: {words:?} is not in\n{first}"
        );
    }
    for words in &fault.says {
        assert!(
            stderr.contains(words),
            "{name}: {words:?} is not in\n{stderr}"
        );
    }
    assert!(first.contains("profile `env`"), "{name}: whose: {first}");
    assert!(first.len() <= 400, "{name}: it can be read: {first}");
}

/// Runs the test that calls it once more, by itself, as root of a network and a mount namespace that
/// end with it, and `test` in there. Without any privilege that is a user namespace as well.
pub(crate) fn in_own_network(test: impl FnOnce()) {
    const INSIDE: &str = "TEST_IS_IN_OWN_NETWORK";
    if std::env::var_os(INSIDE).is_some() {
        shell("mount -t tmpfs none /run && ip link set lo up");
        return test();
    }
    let flags = [
        vec!["--net", "--mount"],
        vec!["--net", "--mount", "--user", "--map-root-user"],
    ];
    let works = |flags: &&Vec<&str>| {
        let tried = Command::new("unshare").args(*flags).arg("true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let flags = flags.iter().find(works);
    let name = "a network namespace (unshare --net)";
    let found = flags.map(|_| "/usr/bin/unshare".into());
    if clients::found_or_skipped(name, found).is_none() {
        return;
    }
    let test = thread::current();
    let output = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--fork", "--kill-child"])
        .args(flags.unwrap())
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            test.name().unwrap(),
            "--nocapture",
            "--test-threads=2",
        ])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

/// Commands of the system's, which have to succeed.
pub(crate) fn shell(commands: &str) {
    let commands = format!("PATH=$PATH:/usr/sbin:/sbin\n{commands}");
    let output = Command::new("sh")
        .args(["-ec", &commands])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}: {said}");
}
