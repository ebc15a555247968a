//! Durations in the form that people write: `90s`, `10m`, `1h30m`.

use std::time::Duration;

use thiserror::Error;

/// The longest duration that is accepted: 366 days.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A text that is not a duration.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum DurationError {
    /// The text is not of the form `1h30m`.
    #[error("`{0}` is not a duration; write it as `90s`, `10m` or `1h30m`")]
    Malformed(String),
    /// The unit is missing.
    #[error("`{0}` is not a duration; did you mean `{0}s`?")]
    NoUnit(String),
    /// The duration is longer than [`LONGEST`].
    #[error("`{0}` is too long a duration; at most 366 days are taken")]
    TooLong(String),
}

/// Parses whole numbers with the units `d`, `h`, `m`, `s`: largest first, each at most once.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    let malformed = || DurationError::Malformed(crate::types::quote::quote(text));
    let too_long = || DurationError::TooLong(crate::types::quote::quote(text));
    let mut units: &[(char, u64)] = &[('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let mut seconds: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(malformed());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let mut tail_chars = tail.chars();
        let unit = tail_chars.next().ok_or_else(|| {
            if digits == text.len() {
                DurationError::NoUnit(crate::types::quote::quote(text))
            } else {
                malformed()
            }
        })?;
        let place = units
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(malformed)?;
        if number.is_empty() {
            return Err(malformed());
        }
        let (found, smaller) = units.split_at(place + 1);
        let worth = found.last().map_or(1, |(_, worth)| *worth);
        seconds = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(worth))
            .and_then(|more| seconds.checked_add(more))
            .ok_or_else(too_long)?;
        units = smaller;
        rest = tail_chars.as_str();
    }
    let duration = Duration::from_secs(seconds);
    if duration > LONGEST {
        return Err(too_long());
    }
    Ok(duration)
}

/// Formats a duration for people: the two largest units, rounded up.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let finest = if seconds >= 86_400 {
        3_600
    } else if seconds >= 3_600 {
        60
    } else {
        1
    };
    let seconds = seconds.next_multiple_of(finest);
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    let parts = [(days, 'd'), (hours, 'h'), (minutes, 'm'), (rest, 's')];
    let shown: Vec<String> = parts
        .iter()
        .skip_while(|(number, _)| *number == 0)
        .take(2)
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number}{unit}"))
        .collect();
    if shown.is_empty() {
        "0s".to_owned()
    } else {
        shown.concat()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{DurationError, parse, show};

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("1h30m", 5400),
            ("2d", 172_800),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in [
            "", "1h90", "s", "1m1h", "1m1m", "-1s", "1.5h", " 1s", "1s ", "1H", "1é",
        ] {
            let read = parse(text);
            assert!(
                matches!(read, Err(DurationError::Malformed(_))),
                "{text:?} gave {read:?}"
            );
        }
    }

    #[test]
    fn number_without_a_unit_is_seconds_probably() {
        for text in ["1", "90"] {
            assert_eq!(parse(text), Err(DurationError::NoUnit(text.to_owned())));
        }
    }

    #[test]
    fn refuses_what_overflows() {
        for text in ["367d", "99999999999999999999s", "18446744073709551615d"] {
            let read = parse(text);
            assert!(
                matches!(read, Err(DurationError::TooLong(_))),
                "{text:?} gave {read:?}"
            );
        }
    }

    #[test]
    fn shows_the_two_largest_units_rounded_up() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (3600, "1h"),
            (5400, "1h30m"),
            (43_199, "12h"),
            (93_600, "1d2h"),
            (93_784, "1d3h"),
        ] {
            assert_eq!(show(Duration::from_secs(seconds)), text);
        }
        assert_eq!(
            show(Duration::from_millis(1001)),
            "2s",
            "a wait is rounded up"
        );
    }
}
