//! The current time and sleeping. Only this module calls the system for them.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// A clock. Tests use one that they advance manually.
pub(crate) trait Clock {
    /// Returns the wall-clock time in UTC. It may jump, also backwards.
    fn now(&self) -> OffsetDateTime;

    /// Returns the time since a fixed moment of this process; never decreases.
    fn elapsed(&self) -> Duration;

    /// Sleeps for `pause`.
    fn sleep(&self, pause: Duration);
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    start: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "only this module may use the clock of the system"
)]
impl SystemClock {
    /// Starts counting [`Clock::elapsed`] now.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only this module may use the clock of the system"
)]
impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

/// The time at which this process must end, measured by [`Clock::elapsed`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Duration,
    limit: Duration,
}

impl Deadline {
    /// Returns a deadline `limit` after the start of the process, even if that has passed.
    pub(crate) fn after_start(limit: Duration) -> Self {
        Self { at: limit, limit }
    }

    /// Returns a deadline `limit` from now, for work after a prompt.
    pub(crate) fn from_now(clock: &dyn Clock, limit: Duration) -> Self {
        let at = clock.elapsed().saturating_add(limit);
        Self { at, limit }
    }

    /// Returns this deadline or `limit` from now, whichever is sooner.
    pub(crate) fn at_most(self, clock: &dyn Clock, limit: Duration) -> Self {
        let sooner = clock.elapsed().saturating_add(limit);
        Self {
            at: self.at.min(sooner),
            limit: self.limit.min(limit),
        }
    }

    /// Returns the remaining time; zero after the deadline.
    pub(crate) fn remaining(self, clock: &dyn Clock) -> Duration {
        self.at.saturating_sub(clock.elapsed())
    }

    /// Returns the whole time limit, for messages.
    pub(crate) fn limit(self) -> Duration {
        self.limit
    }
}
