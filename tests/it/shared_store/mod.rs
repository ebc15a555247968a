//! Hosts that share a token through a real Redis server. A host is a home and a cache of its own;
//! what only a network can show is done in network namespaces.

mod basics;
mod cluster;
mod hostile;
mod namespaces;
mod server;

use std::fs;
use std::time::Duration;

use cloudconnexa_sandbox::{Builder, Sandbox};
use tempfile::TempDir;

use crate::harness::{Run, World};

pub(crate) use server::{PASSWORD, Server, libfaketime};

/// Hosts, a server that they share, and a token endpoint.
pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) server: Server,
    hosts: TempDir,
    /// How far the time has been moved.
    moved: std::cell::Cell<i64>,
}

impl Fleet {
    /// With TLS to the store.
    pub(crate) fn new() -> Self {
        Self::with(Sandbox::builder(), Server::tls(), true)
    }

    /// With another token endpoint or server.
    pub(crate) fn with(builder: Builder, server: Server, is_tls: bool) -> Self {
        let world = World::with(builder);
        let ca = world.path("ca.pem");
        let both = world.sandbox.ca_pem().to_owned() + &server.certificate();
        fs::write(ca, both).unwrap();
        world.watch(PASSWORD);
        world.set("CLOUDCONNEXA_AUTH_SHARED_STORE", &server.url(is_tls));
        world.set("CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD", PASSWORD);
        Self {
            world,
            server,
            hosts: TempDir::new().unwrap(),
            moved: std::cell::Cell::new(0),
        }
    }

    /// A run on a host.
    #[must_use]
    pub(crate) fn on<const N: usize>(&self, host: usize, arguments: [&str; N]) -> Run<'_> {
        self.at(host, 0, arguments)
    }

    /// The same on a host whose clock is wrong by so much.
    #[must_use]
    pub(crate) fn at<const N: usize>(
        &self,
        host: usize,
        wrong_seconds: i64,
        arguments: [&str; N],
    ) -> Run<'_> {
        let home = self.hosts.path().join(host.to_string());
        fs::create_dir_all(&home).unwrap();
        let cache = home.join("cache");
        let run = self
            .world
            .run(arguments)
            .set("HOME", home.to_str().unwrap())
            .set("CLOUDCONNEXA_AUTH_CACHE_DIR", cache.to_str().unwrap());
        match self.moved.get() + wrong_seconds {
            0 => run,
            offset => run
                .set("LD_PRELOAD", libfaketime().to_str().unwrap())
                .set("FAKETIME", &format!("{offset:+}")),
        }
    }

    /// The token that a host is given, in silence.
    #[track_caller]
    pub(crate) fn token(&self, host: usize) -> String {
        self.on(host, ["token"]).succeeds().trim_end().to_owned()
    }

    /// Lets time go by for all hosts and the token endpoint. The store's clock stays (no library that
    /// fakes a time gets on with its allocator), so it is the hosts' own clocks that count.
    pub(crate) fn advance(&self, by: Duration) {
        let by_seconds = i64::try_from(by.as_secs()).unwrap();
        self.moved.set(self.moved.get() + by_seconds);
        self.world.sandbox.advance(by);
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}
