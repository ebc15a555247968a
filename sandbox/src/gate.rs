//! Holding token answers back until a test lets them go, so that races need no sleeps.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::watch;

use crate::record::PATIENCE;

/// While it is closed, every token request waits at it. Dropping it opens it.
///
/// A request takes its fault when it arrives and its true answer when it is let go.
pub struct Gate {
    hold: Arc<Hold>,
}

impl Gate {
    pub(crate) fn new(hold: Arc<Hold>) -> Self {
        Self { hold }
    }

    /// Blocks until `count` requests in all have come to the gate.
    ///
    /// # Panics
    ///
    /// After 30 s.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        let arrived = self
            .hold
            .arrived
            .lock()
            .expect("no holder of the count panics");
        let wait = self
            .hold
            .changed
            .wait_timeout_while(arrived, PATIENCE, |arrived| *arrived < count);
        let (arrived, timeout) = wait.expect("no holder of the count panics");
        assert!(
            !timeout.timed_out(),
            "{} requests came to the gate in {PATIENCE:?}, not {count}",
            *arrived
        );
    }

    /// How many requests have come to the gate so far.
    pub fn requests(&self) -> usize {
        *self
            .hold
            .arrived
            .lock()
            .expect("no holder of the count panics")
    }

    /// Lets every waiting and every further request through.
    pub fn release(&self) {
        self.hold.open.send_replace(true);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.release();
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

/// The server's side of a gate.
#[derive(Default)]
pub(crate) struct Hold {
    arrived: Mutex<usize>,
    changed: Condvar,
    open: watch::Sender<bool>,
}

impl Hold {
    pub(crate) async fn pass(&self) {
        *self.arrived.lock().expect("no holder of the count panics") += 1;
        self.changed.notify_all();
        let opened = self.open.subscribe().wait_for(|open| *open).await.is_ok();
        debug_assert!(opened, "the sender lives in `self`");
    }
}
