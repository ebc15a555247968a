//! A gate that delays token responses until a test releases it, so that race tests need no sleeps.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex};

use tokio::sync::watch;

use crate::record::WAIT_TIMEOUT;

const NOT_POISONED: &str = "no thread panics with this lock";

/// Delays every token request until `release` or drop.
///
/// A request takes its fault on arrival and its real response after the release.
pub struct Gate {
    state: Arc<GateState>,
}

impl Gate {
    pub(crate) fn new(state: Arc<GateState>) -> Self {
        Self { state }
    }

    /// Blocks until `count` requests in total have arrived at the gate.
    ///
    /// # Panics
    ///
    /// After 30 s.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        let arrived = self.state.arrived.lock().expect(NOT_POISONED);
        let wait = self
            .state
            .changed
            .wait_timeout_while(arrived, WAIT_TIMEOUT, |arrived| *arrived < count);
        let (arrived, timeout) = wait.expect(NOT_POISONED);
        assert!(
            !timeout.timed_out(),
            "{} requests arrived at the gate within {WAIT_TIMEOUT:?}; expected {count}",
            *arrived
        );
    }

    /// The number of requests that have arrived at the gate.
    pub fn requests(&self) -> usize {
        *self.state.arrived.lock().expect(NOT_POISONED)
    }

    /// Lets all waiting and all later requests pass.
    pub fn release(&self) {
        self.state.open.send_replace(true);
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

/// The part of a gate that requests use.
#[derive(Default)]
pub(crate) struct GateState {
    arrived: Mutex<usize>,
    changed: Condvar,
    open: watch::Sender<bool>,
}

impl GateState {
    pub(crate) async fn pass(&self) {
        *self.arrived.lock().expect(NOT_POISONED) += 1;
        self.changed.notify_all();
        let opened = self.open.subscribe().wait_for(|open| *open).await.is_ok();
        debug_assert!(opened, "`self` owns the sender");
    }
}
