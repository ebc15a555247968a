//! What time it is, and waiting: the one place that asks the system for either.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// The time as the program sees it; tests give one that they move by hand.
pub(crate) trait Clock {
    /// The wall clock, UTC. It may jump, also backwards.
    fn now(&self) -> OffsetDateTime;

    /// Time since some fixed moment of this process; never goes back.
    fn elapsed(&self) -> Duration;

    /// Lets `pause` go by.
    fn sleep(&self, pause: Duration);
}

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock {
    start: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the place they are kept to"
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
    reason = "this is the place they are kept to"
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

/// The moment by which this run must have ended, measured by [`Clock::elapsed`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Duration,
    limit: Duration,
}

impl Deadline {
    /// `limit` from the start of the process, whatever has gone by already.
    pub(crate) fn after_start(limit: Duration) -> Self {
        Self { at: limit, limit }
    }

    /// `limit` from now: for what comes after a person has been asked.
    pub(crate) fn from_now(clock: &dyn Clock, limit: Duration) -> Self {
        let at = clock.elapsed().saturating_add(limit);
        Self { at, limit }
    }

    /// This deadline, or `limit` from now where that is sooner.
    pub(crate) fn at_most(self, clock: &dyn Clock, limit: Duration) -> Self {
        let sooner = clock.elapsed().saturating_add(limit);
        Self {
            at: self.at.min(sooner),
            limit: self.limit.min(limit),
        }
    }

    /// What is left; zero once it has passed.
    pub(crate) fn remaining(self, clock: &dyn Clock) -> Duration {
        self.at.saturating_sub(clock.elapsed())
    }

    /// The whole time that was allowed, for messages.
    pub(crate) fn limit(self) -> Duration {
        self.limit
    }
}
