//! Hosts that share a token through a real Redis server. Each host is a separate home and cache
//! directory. Tests that need a real network use network namespaces.

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

/// Several hosts, their shared server, and a token endpoint.
pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) server: Server,
    hosts: TempDir,
    /// The number of seconds by which the time was advanced.
    moved: std::cell::Cell<i64>,
}

impl Fleet {
    /// Creates hosts that use TLS to the store.
    pub(crate) fn new() -> Self {
        Self::with(Sandbox::builder(), Server::tls(), true)
    }

    /// Creates hosts with the given token endpoint and server.
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

    /// Prepares an invocation on a host.
    #[must_use]
    pub(crate) fn on<const N: usize>(&self, host: usize, arguments: [&str; N]) -> Run<'_> {
        self.at(host, 0, arguments)
    }

    /// The same, on a host whose clock is wrong by `wrong_seconds`.
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

    /// Returns the token of a host, and asserts that stderr is empty.
    #[track_caller]
    pub(crate) fn token(&self, host: usize) -> String {
        self.on(host, ["token"]).succeeds().trim_end().to_owned()
    }

    /// Advances the time of all hosts and of the token endpoint. The store's clock does not change,
    /// because libraries that fake the time do not work with its allocator. Only the hosts' clocks
    /// matter.
    pub(crate) fn advance(&self, by: Duration) {
        let by_seconds = i64::try_from(by.as_secs()).unwrap();
        self.moved.set(self.moved.get() + by_seconds);
        self.world.sandbox.advance(by);
    }
}

/// Returns the bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}
