//! The sandbox's clock: real time plus an offset that only grows.

use std::sync::Mutex;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

/// RFC 9110 §5.6.7.
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// Everything that expires or replenishes is measured with this clock, so nothing needs to be slept for.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.ahead.lock().expect("no reader of the clock panics")
    }

    /// The `Date` of an answer.
    pub(crate) fn http_date(&self) -> String {
        let text = self.now().format(HTTP_DATE);
        text.expect("every year of the calendar has four digits or more")
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().expect("no reader of the clock panics");
        *ahead = ahead.saturating_add(by).min(FURTHEST);
    }
}

/// About a thousand years: far enough for any test, near enough to stay within the calendar.
const FURTHEST: Duration = Duration::from_secs(1000 * 366 * 24 * 60 * 60);
