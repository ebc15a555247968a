//! What all requests of one sandbox share.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::clock::Clock;
use crate::fault::Faults;
use crate::gate::Hold;
use crate::record::Records;
use crate::tenant::Tenant;

/// Each part has its own lock, held for one step at a time and never across another.
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) records: Records,
    tenant: Mutex<Tenant>,
    faults: Mutex<Faults>,
    hold: Mutex<Option<Arc<Hold>>>,
}

impl World {
    pub(crate) fn new(tenant: Tenant, faults: Faults, records: Records) -> Self {
        Self {
            clock: Clock::default(),
            records,
            tenant: Mutex::new(tenant),
            faults: Mutex::new(faults),
            hold: Mutex::default(),
        }
    }

    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        self.tenant.lock().expect("no step of the tenant panics")
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("no step of the faults panics")
    }

    /// The gate that token requests pass, if a test has put one up.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Option<Arc<Hold>>> {
        self.hold.lock().expect("no step of the gate panics")
    }
}
