//! Faults between the program and the server: names, connections, TLS, proxies, slow and broken
//! responses. A [`Relay`] between the two works first and then fails. Tests that loopback cannot
//! support run in their own network namespace ([`in_own_network`]).

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

/// How a [`Relay`] handles an accepted connection.
pub(super) type Serve = Arc<dyn Fn(TcpStream) + Send + Sync>;

/// A server on a free loopback port. A test can change its behaviour while it listens.
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

    /// Changes the behaviour, from the next connection on.
    pub(super) fn now(&self, serve: Serve) {
        *self.serve.lock().unwrap() = serve;
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of accepted connections.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
    }
}

/// Forwards all data to that server and back.
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

/// Reads all data and never responds.
pub(super) fn silence() -> Serve {
    Arc::new(|stream| drop(drained(stream)))
}

/// Reads the head of a request (and its body, if the length is known), then sends `bytes` and
/// closes the connection.
pub(super) fn says(bytes: impl Into<Vec<u8>>) -> Serve {
    let bytes = bytes.into();
    Arc::new(move |mut stream| {
        read_head(&mut stream);
        drop(stream.write_all(&bytes));
        drop(stream.shutdown(Shutdown::Write));
        drop(drained(stream));
    })
}

/// Reads the head of a request, and its body if it has a `Content-Length`.
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

/// Reads until the connection ends and returns the data.
pub(super) fn drained(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    drop(stream.read_to_end(&mut rest));
    rest
}

/// Ends a connection with RST.
pub(super) fn reset(stream: &TcpStream) {
    // The other side may have ended it already.
    let _ = rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO));
}

/// A fault and the expected messages.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) serve: Serve,
    /// Expected in the first line, which must make sense alone.
    pub(super) first: Vec<String>,
    /// Expected anywhere in stderr.
    pub(super) says: Vec<String>,
    /// Whether only `--timeout` ends the request. This sets no cool-down, because the caller's own
    /// limit was short.
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

/// Tries every fault, a few in parallel, each in a world from `make` with a relay before its
/// server. `url` is the URL that the profile then uses. Returns the number of faults.
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

/// Causes a fault in a world that already has a token through this relay. Checks that the fault is
/// reported, ends in time, applies to the next callers, and leaves the valid token cached.
pub(super) fn survives(world: &World, relay: &Relay, fault: &Fault) {
    let well = Arc::clone(&relay.serve.lock().unwrap());
    let token = world.token();
    relay.now(Arc::clone(&fault.serve));

    // With a fresh token the program opens no connection.
    let connections = relay.taken();
    assert_eq!(world.token(), token, "{}", fault.name);
    assert_eq!(
        relay.taken(),
        connections,
        "{}: no process sends a request",
        fault.name
    );

    // In the last fifth of the token's life the program tries to refresh it. The failure has no
    // visible effect.
    world.advance(Duration::from_secs(43_199 * 9 / 10));
    // With little time there are fewer attempts and shorter pauses between them.
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
        "{}: the cached token is returned",
        fault.name
    );
    assert!(
        relay.taken() > connections,
        "{}: the program sent a request",
        fault.name
    );

    let stderr = limited(&["token", "--refresh"]).fails(6);
    told(fault, &stderr);
    assert_eq!(
        world.token(),
        token,
        "{}: the token is still cached",
        fault.name
    );

    // The cool-down applies to a caller that needs a longer token life. The exceptions: the caller
    // had no time, or the cause belongs to this process (its proxy, its trust store, its name
    // resolution).
    if !fault.is_endless {
        let connections = relay.taken();
        let next = limited(&["token", "--min-ttl", "2h"]).fails(6);
        if next.contains("no request is made for") {
            let (first, again) = (stderr.lines().next(), next.lines().next());
            assert_eq!(first, again, "{}: the recorded message", fault.name);
            assert_eq!(relay.taken(), connections, "{}: no request", fault.name);
        } else {
            let local = ["proxy", "TLS", "certificate", "the name of"];
            assert!(local.iter().any(|word| next.contains(word)), "{next}");
            assert!(relay.taken() > connections, "{}: a request", fault.name);
        }
    }

    // Without a valid token the program fails. After the fault is gone it gets one.
    world.advance(Duration::from_secs(43_199));
    let stderr = limited(&["token"]).fails(6);
    told(fault, &stderr);
    relay.now(well);
    let next = world.run(["token", "--refresh"]).succeeds();
    assert_ne!(next.trim_end(), token);
}

/// Checks stderr against the expected messages. The harness has counted its lines.
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
    assert!(
        first.contains("profile `env`"),
        "{name}: the profile is named: {first}"
    );
    assert!(first.len() <= 400, "{name}: the line is short: {first}");
}

/// Runs the calling test again, alone, as root of a new network namespace and a new mount
/// namespace, and runs `test` there. Both end with the process. An unprivileged user also gets a
/// user namespace.
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

/// Runs system commands, which must succeed.
pub(crate) fn shell(commands: &str) {
    let commands = format!("PATH=$PATH:/usr/sbin:/sbin\n{commands}");
    let output = Command::new("sh")
        .args(["-ec", &commands])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}: {said}");
}
