//! Small texts: durations, timestamps, templates, terminal input, output of other programs.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::reference_parser::assert_printable;
use crate::curl::{Redactor, Statuses};
use crate::protocol::timestamp;
use crate::system::terminal::{self, Line, Typed};
use crate::types::duration::{LONGEST, parse, show};
use crate::types::secret::Secret;
use crate::types::template::{Placeholder, Template};

/// A duration is the sum of its parts. Its displayed form can be parsed again and is never shorter
/// than the duration.
pub(super) fn duration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let duration = match parse(text) {
        Ok(duration) => duration,
        Err(error) => return assert_printable(&error.to_string()),
    };
    assert!(duration <= LONGEST, "{text:?}");
    let mut sum = 0_u64;
    let mut number = 0_u64;
    for byte in text.bytes() {
        let worth = match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                continue;
            }
            b'd' => 86_400,
            b'h' => 3_600,
            b'm' => 60,
            b's' => 1,
            _ => panic!("{text:?} was read"),
        };
        sum += number * worth;
        number = 0;
    }
    assert_eq!(duration, Duration::from_secs(sum), "{text:?}");
    let shown = show(duration);
    let again = match parse(&shown) {
        Ok(again) => again,
        // The displayed form is rounded up to whole hours, so it may exceed the limit.
        Err(error) => panic!("{text:?} is shown as {shown}: {error}"),
    };
    assert!(
        again >= duration && again < duration + Duration::from_secs(3_600),
        "{shown}"
    );
    assert_eq!(show(again), shown);
}

/// A timestamp is printed in the one format that every caller parses, and is never later than the
/// real time. The eight bytes are milliseconds since 1970.
pub(super) fn moment(bytes: &[u8]) {
    let Some(ms) = bytes.first_chunk().map(|bytes| i64::from_be_bytes(*bytes)) else {
        return;
    };
    let Ok(at) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000) else {
        return;
    };
    if !(0..=9999).contains(&at.year()) {
        return;
    }
    let told = timestamp(at);
    assert!(told.ends_with('Z') && told.len() == 20, "{told}");
    let read = OffsetDateTime::parse(&told, &Rfc3339);
    let read = read.unwrap_or_else(|error| panic!("{told}: {error}"));
    assert_eq!(read.unix_timestamp(), ms.div_euclid(1000), "{told}");
}

/// Only the placeholders of a template are replaced, and any text can be written as a template.
pub(super) fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let marked =
        |placeholder: Placeholder| Some(Zeroizing::new(format!("{{{}}}", placeholder.name())));
    match Template::parse(text) {
        Ok(template) => {
            let (name, wanted) = text.split_once('=').unwrap_or_default();
            assert_eq!(template.name, name);
            assert!(!name.is_empty() && !text.contains('\0'));
            // If each placeholder is replaced with itself, only the doubled braces differ.
            let filled = template.fill(marked).unwrap_or_default();
            let lost = wanted.len() - filled.len();
            let doubled = wanted.matches("{{").count() + wanted.matches("}}").count();
            assert!(lost <= doubled, "{text:?} is {:?}", *filled);
            let nothing = template
                .fill(|_| Some(Zeroizing::default()))
                .unwrap_or_default();
            assert!(nothing.len() <= filled.len());
        }
        Err(error) => assert_printable(&error.to_string()),
    }
    if !text.contains('\0') {
        let written = format!("A={}", text.replace('{', "{{").replace('}', "}}"));
        let template = Template::parse(&written);
        let template = template.unwrap_or_else(|error| panic!("{written:?}: {error}"));
        let filled = template.fill(|_| None).unwrap_or_default();
        assert_eq!(*filled, text);
    }
}

/// Terminal input gives the same line that a terminal would return for the same keys.
pub(super) fn typed(bytes: &[u8]) {
    let mut line = Line::default();
    let mut kept: Vec<u8> = Vec::new();
    for byte in bytes {
        let typed = line.take(*byte);
        let expected = match *byte {
            0x03 | 0x1c => Typed::Interrupt,
            0x04 if kept.is_empty() => Typed::End,
            b'\n' | b'\r' | 0x04 => Typed::Whole,
            _ => Typed::More,
        };
        assert_eq!(typed, expected, "{byte:#x} after {kept:?}");
        if typed != Typed::More {
            break;
        }
        match *byte {
            0x15 => kept.clear(),
            0x08 | 0x7f => {
                let first = kept.iter().rposition(|byte| byte & 0xc0 != 0x80);
                kept.truncate(first.unwrap_or(0));
            }
            byte if kept.len() <= terminal::LONGEST => kept.push(byte),
            _ => {}
        }
        assert_eq!(line.bytes(), kept);
    }
}

/// The parsed statuses do not depend on how curl's headers are split into chunks, and only complete
/// status lines are parsed. The first byte is the size of a chunk.
pub(super) fn statuses(bytes: &[u8]) {
    let Some((size, text)) = bytes.split_first() else {
        return;
    };
    let mut at_once = Statuses::default();
    at_once.read(text);
    let mut piecewise = Statuses::default();
    for piece in text.chunks(usize::from(*size).max(1)) {
        piecewise.read(piece);
    }
    assert_eq!(at_once.is_refusal(), piecewise.is_refusal());
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let whole = lines.len().saturating_sub(1);
    let says_401 =
        |line: &&[u8]| line.starts_with(b"HTTP/") && line.windows(3).any(|window| window == b"401");
    let is_told = lines.iter().take(whole).any(says_401);
    assert!(
        is_told || !at_once.is_refusal(),
        "a rejection without a status 401"
    );
}

/// The token is hidden no matter how the stream is split. A stream without the token is not
/// changed. The first byte is the size of a chunk; `{token}` is replaced with the token.
pub(super) fn redactor(bytes: &[u8]) {
    const TOKEN: &str = "aabaac.aabaacaabaacaabaacaabaacXYZ-aabaac";
    let Some((size, text)) = bytes.split_first() else {
        return;
    };
    let stream = replaced(text, b"{token}", TOKEN.as_bytes());
    let veiled = |size: usize| {
        let mut redactor = Redactor::new(Secret::new(TOKEN.to_owned()));
        let mut shown = Vec::new();
        for piece in stream.chunks(size) {
            shown.extend(redactor.pass(piece));
        }
        shown.extend(redactor.end());
        shown
    };
    let shown = veiled(usize::from(*size).max(1));
    let head = TOKEN.as_bytes().get(..32).unwrap_or_default();
    let holds = |text: &[u8]| text.windows(head.len()).any(|window| window == head);
    assert!(!holds(&shown), "{}", String::from_utf8_lossy(&shown));
    assert_eq!(shown, veiled(stream.len().max(1)), "{size} at once");
    if !holds(&stream) {
        assert_eq!(shown, stream);
    }
}

fn replaced(text: &[u8], word: &[u8], by: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(word) {
            whole.extend_from_slice(by);
            rest = behind;
        } else {
            whole.push(*first);
            rest = behind;
        }
    }
    whole
}
