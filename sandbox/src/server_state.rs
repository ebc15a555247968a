//! The state that all requests of one sandbox share.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::api;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::gate::GateState;
use crate::record::Records;
use crate::tenant::Tenant;

/// Each part has its own lock. No two of them are held at once.
pub(crate) struct ServerState {
    pub(crate) clock: Clock,
    pub(crate) records: Records,
    tenant: Mutex<Tenant>,
    faults: Mutex<Faults>,
    gate: Mutex<Option<Arc<GateState>>>,
}

const NOT_POISONED: &str = "no thread panics with this lock";

impl ServerState {
    pub(crate) fn new(tenant: Tenant, faults: Faults, records: Records) -> Self {
        Self {
            clock: Clock::default(),
            records,
            tenant: Mutex::new(tenant),
            faults: Mutex::new(faults),
            gate: Mutex::default(),
        }
    }

    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.tenant.lock().expect(NOT_POISONED)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect(NOT_POISONED)
    }

    /// Restores the sample objects of the API and removes all faults. Credentials, tokens, clock and
    /// record stay.
    pub(crate) fn reset(&self) {
        let now = self.clock.now();
        self.tenant().api = api::State::with_sample_data(now);
        self.faults().clear();
    }

    /// The gate that token requests pass, if a test created one.
    pub(crate) fn gate(&self) -> MutexGuard<'_, Option<Arc<GateState>>> {
        self.gate.lock().expect(NOT_POISONED)
    }
}
