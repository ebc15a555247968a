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

/// The clock of all expiry and replenishment, so that tests need no sleeps.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    offset: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.offset.lock().expect("no thread panics with this lock")
    }

    /// The `Date` header.
    pub(crate) fn http_date(&self) -> String {
        let text = self.now().format(HTTP_DATE);
        text.expect("the format has no component that can fail")
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut offset = self.offset.lock().expect("no thread panics with this lock");
        *offset = offset.saturating_add(by).min(MAX_OFFSET);
    }
}

/// About a thousand years, which keeps every date within the calendar.
const MAX_OFFSET: Duration = Duration::from_secs(1000 * 366 * 24 * 60 * 60);
