//! The sandbox's clock: real time plus an offset that only grows.

use std::sync::Mutex;
use std::time::Duration;

use time::OffsetDateTime;

/// Everything that expires or replenishes is measured with this clock, so nothing needs to be slept for.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.ahead.lock().expect("no reader of the clock panics")
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().expect("no reader of the clock panics");
        *ahead = ahead.saturating_add(by).min(FURTHEST);
    }
}

/// About a thousand years: far enough for any test, near enough to stay within the calendar.
const FURTHEST: Duration = Duration::from_secs(1000 * 366 * 24 * 60 * 60);
