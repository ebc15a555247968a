//! The signals that stop the program.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Catches the signals from its creation, so that files created later are always removed.
pub(crate) struct Signals {
    runtime: Runtime,
    #[cfg(unix)]
    caught: [tokio::signal::unix::Signal; 3],
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn catch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let caught = {
            let _inside = runtime.enter();
            [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ]
        };
        Ok(Self { runtime, caught })
    }

    #[cfg(not(unix))]
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// Blocks until one of them arrives.
    #[cfg(unix)]
    pub(crate) fn wait(self) {
        let [mut interrupt, mut terminate, mut hangup] = self.caught;
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
    }

    /// Blocks until Ctrl-C.
    #[cfg(not(unix))]
    pub(crate) fn wait(self) {
        self.runtime
            .block_on(async { tokio::signal::ctrl_c().await.ok() });
    }
}
