//! The lifetime of an API credential, as the portal offers it, its expiry date, and the warning
//! before that date.

use time::{Date, Duration, Month};

/// The names of the portal's lifetimes: two weeks, one month, six months, one year.
pub(crate) const NAMES: [&str; 4] = ["2w", "1mo", "6mo", "1y"];

/// The number of days before the expiry date from which users are warned.
const WARNED_DAYS: i64 = 14;

/// Returns the number of days until `end`; negative after that date.
pub(crate) fn days_left(end: Date, today: Date) -> i64 {
    (end - today).whole_days()
}

/// Returns the warning for a credential with this many days left; `None` if it is too early.
pub(crate) fn warning(days_left: i64) -> Option<String> {
    let ends = match days_left {
        ..0 => "has expired; make a new one in the portal".to_owned(),
        0 => "ends today; make a new one in the portal".to_owned(),
        1 => "ends in 1 day".to_owned(),
        2..=WARNED_DAYS => format!("ends in {days_left} days"),
        _ => return None,
    };
    Some(format!("the API credential {ends}"))
}

/// Returns the expiry date of a credential created `today`. Also accepts a date such as
/// `2027-05-22`.
pub(crate) fn end(lifetime: &str, today: Date) -> Option<Date> {
    match lifetime {
        "2w" => today.checked_add(Duration::weeks(2)),
        "1mo" => after_months(today, 1),
        "6mo" => after_months(today, 6),
        "1y" => after_months(today, 12),
        _ => parse_date(lifetime),
    }
}

/// Parses a date such as `2027-05-22`.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str, digits: usize| {
        let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u16>().ok()).flatten()
    };
    let month = Month::try_from(u8::try_from(number(month, 2)?).ok()?).ok()?;
    let day = u8::try_from(number(day, 2)?).ok()?;
    Date::from_calendar_date(i32::from(number(year, 4)?), month, day).ok()
}

/// Returns the same day of a later month, or the last day of that month if it is shorter.
fn after_months(from: Date, months: u8) -> Option<Date> {
    let mut year = from.year();
    let mut month = from.month();
    for _ in 0..months {
        month = month.next();
        if month == Month::January {
            year += 1;
        }
    }
    (0..4).find_map(|less| {
        let day = from.day().checked_sub(less)?;
        Date::from_calendar_date(year, month, day).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{days_left, end, parse_date, warning};

    #[test]
    fn the_end_is_told_of_from_fourteen_days_before() {
        for (today, told) in [
            ("2027-05-07", None),
            ("2027-05-08", Some("the API credential ends in 14 days")),
            ("2027-05-21", Some("the API credential ends in 1 day")),
            (
                "2027-05-22",
                Some("the API credential ends today; make a new one in the portal"),
            ),
            (
                "2027-05-23",
                Some("the API credential has expired; make a new one in the portal"),
            ),
        ] {
            let end = parse_date("2027-05-22").unwrap();
            let found = warning(days_left(end, parse_date(today).unwrap()));
            assert_eq!(found.as_deref(), told, "{today}");
        }
    }

    #[test]
    fn a_lifetime_leads_to_the_day_that_the_portal_means() {
        for (today, lifetime, expected) in [
            ("2026-11-22", "2w", "2026-12-06"),
            ("2026-11-22", "1mo", "2026-12-22"),
            ("2026-11-22", "6mo", "2027-05-22"),
            ("2026-11-22", "1y", "2027-11-22"),
            ("2026-08-31", "6mo", "2027-02-28"),
            ("2028-02-29", "1y", "2029-02-28"),
            ("2026-11-22", "2027-01-02", "2027-01-02"),
        ] {
            let found = end(lifetime, parse_date(today).unwrap());
            assert_eq!(found, parse_date(expected), "{today} and {lifetime}");
        }
    }

    #[test]
    fn behind_the_last_year_there_is_no_day_and_no_crash() {
        for today in ["9999-12-01", "9999-12-31"] {
            assert_eq!(end("1y", parse_date(today).unwrap()), None, "{today}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "2027-2-3",
            "2027-02-30",
            "2027-13-01",
            "27-01-01",
            "2027-01-01T00",
            "3mo",
            "",
        ] {
            assert_eq!(end(text, parse_date("2026-11-22").unwrap()), None, "{text}");
        }
    }
}
