//! Removes secrets from text that a server wrote. A server may repeat the data that it received.

use std::collections::HashSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::quote::is_invisible;

/// The length of the parts of a secret that are removed, in bytes. A shorter secret is removed as a
/// whole.
const WINDOW: usize = 8;

/// The same length in hexadecimal digits: two digits are one byte.
const HEX_WINDOW: usize = 2 * WINDOW;

/// The text that replaces a secret.
const REPLACEMENT: &str = "[redacted]";

/// A byte of a decoded text, and the bytes of the original text that encode it.
struct Unit {
    byte: u8,
    source: Range<usize>,
}

/// Returns `text` without any part of the secrets that has 8 bytes or more. The part may be plain,
/// percent-encoded, escaped as in JSON, in hexadecimal digits or in base64. White space and
/// invisible characters within it are ignored.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    let raw = visible_units(text);
    let percent = decode(&raw, percent_escape);
    let json = decode(&raw, json_escape);
    let views = [
        decode(&percent, percent_escape),
        decode(&json, percent_escape),
        percent,
        json,
        raw,
    ];
    let mut found: Vec<Range<usize>> = Vec::new();
    for (needle, window) in secrets.iter().flat_map(|secret| encodings(secret)) {
        let window = window.min(needle.len());
        if window == 0 {
            continue;
        }
        let parts: HashSet<&[u8]> = needle.windows(window).collect();
        for view in &views {
            let bytes = Zeroizing::new(view.iter().map(|it| it.byte).collect::<Vec<u8>>());
            let matches = bytes.windows(window).zip(view.windows(window));
            let matches = matches.filter(|(part, _)| parts.contains(part));
            found.extend(matches.filter_map(|(_, units)| {
                Some(units.first()?.source.start..units.last()?.source.end)
            }));
        }
    }
    // A secret that has only invisible characters has no visible bytes to search for.
    for secret in secrets
        .iter()
        .filter(|it| !it.is_empty() && visible(it).is_empty())
    {
        let matches = text.match_indices(secret);
        found.extend(matches.map(|(at, part)| at..at + part.len()));
    }
    replace(text, found)
}

/// Replaces each of these ranges in `text`. Adjacent ranges are merged.
fn replace(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    let mut is_first = true;
    for range in ranges {
        if is_first || range.start > end {
            shown.push_str(text.get(end..range.start).unwrap_or_default());
            shown.push_str(REPLACEMENT);
            is_first = false;
        }
        end = end.max(range.end);
    }
    shown.push_str(text.get(end..).unwrap_or_default());
    shown
}

/// The encodings of a secret to search for, each with the length of the parts that are removed.
fn encodings(secret: &str) -> Vec<(Zeroizing<Vec<u8>>, usize)> {
    // A space in the encoded secret.
    let plus = Zeroizing::new(secret.replace(' ', "+"));
    let hex = |digits: &[u8; 16]| {
        let nibbles = secret.bytes().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = nibbles.filter_map(|nibble| digits.get(usize::from(nibble)).copied());
        (Zeroizing::new(digits.collect()), HEX_WINDOW)
    };
    let mut all = vec![
        (visible(secret), WINDOW),
        (visible(&plus), WINDOW),
        hex(b"0123456789abcdef"),
        hex(b"0123456789ABCDEF"),
    ];
    // The digits of base64 depend on the number of bytes before the secret, modulo 3. A first digit
    // that also encodes bits of another byte is excluded.
    for before in 0..3 {
        let padded =
            Zeroizing::new([b"\0\0".get(..before).unwrap_or_default(), secret.as_bytes()].concat());
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let digits = Zeroizing::new(engine.encode(padded.as_slice()));
            let own = digits.as_bytes().get((before * 8).div_ceil(6)..);
            let own = own.unwrap_or_default();
            // The digits of a short secret may match an ordinary word.
            if secret.len() >= WINDOW {
                all.push((Zeroizing::new(own.to_vec()), WINDOW));
            } else if before == 0 && !secret.is_empty() {
                all.push((Zeroizing::new(digits.as_bytes().to_vec()), usize::MAX));
            }
        }
    }
    all
}

fn visible(text: &str) -> Zeroizing<Vec<u8>> {
    let units = visible_units(text);
    Zeroizing::new(units.into_iter().map(|unit| unit.byte).collect())
}

/// The bytes of `text` without white space and invisible characters.
fn visible_units(text: &str) -> Vec<Unit> {
    let mut units = Vec::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if character.is_whitespace() || is_invisible(character) {
            continue;
        }
        let source = at..at + character.len_utf8();
        let bytes = text.as_bytes().get(source.clone()).unwrap_or_default();
        units.extend(bytes.iter().map(|byte| Unit {
            byte: *byte,
            source: source.clone(),
        }));
    }
    units
}

/// Decodes escapes. If the text begins with an escape, `escape` returns its byte and its length.
fn decode(units: &[Unit], escape: fn(&[Unit]) -> Option<(u8, usize)>) -> Vec<Unit> {
    let mut decoded = Vec::with_capacity(units.len());
    let mut rest = units;
    while let Some(first) = rest.first() {
        let (byte, length) = escape(rest).unwrap_or((first.byte, 1));
        let (taken, left) = rest.split_at(length.min(rest.len()));
        let end = taken.last().map_or(first.source.end, |it| it.source.end);
        if length == 1 || !byte.is_ascii_whitespace() {
            decoded.push(Unit {
                byte,
                source: first.source.start..end,
            });
        }
        rest = left;
    }
    decoded
}

/// Decodes an escape such as `%2F`.
fn percent_escape(units: &[Unit]) -> Option<(u8, usize)> {
    match units {
        [percent, high, low, ..] if percent.byte == b'%' => {
            let byte = digit(high.byte)? << 4 | digit(low.byte)?;
            Some((byte, 3))
        }
        _ => None,
    }
}

/// Decodes `\"` and, for ASCII, escapes such as `\u0022`.
fn json_escape(units: &[Unit]) -> Option<(u8, usize)> {
    match units {
        [slash, u, zero, other_zero, high, low, ..]
            if [slash.byte, u.byte, zero.byte, other_zero.byte] == *b"\\u00" =>
        {
            let byte = digit(high.byte)? << 4 | digit(low.byte)?;
            Some((byte, 6))
        }
        [slash, escaped, ..] if slash.byte == b'\\' && b"\"\\/'".contains(&escaped.byte) => {
            Some((escaped.byte, 2))
        }
        _ => None,
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::redact;

    const SECRET: &str = "a/b\"c%Z \u{e9}~k4Lw+91xQ";

    fn every_byte(prefix: &str, format: fn(u8) -> String) -> String {
        let bytes = SECRET.bytes().map(format);
        bytes.flat_map(|byte| [prefix.to_owned(), byte]).collect()
    }

    #[test]
    fn secret_is_removed_in_every_encoding() {
        let upper = |byte| format!("{byte:02X}");
        let lower = |byte| format!("{byte:02x}");
        let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        for echo in [
            SECRET.to_owned(),
            form.clone(),
            form.to_lowercase()
                .replace("k4lw", "k4Lw")
                .replace("xq", "xQ")
                .replace("%25z", "%25Z"),
            form.replace('%', "%25"),
            every_byte("%", upper),
            every_byte("%", lower),
            every_byte("", upper),
            every_byte("", lower),
            every_byte("\\u00", lower),
            SECRET.replace('"', "\\\""),
            STANDARD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            SECRET.chars().flat_map(|c| [c, '\u{200b}']).collect(),
            SECRET.chars().flat_map(|c| [c, '\u{1}']).collect(),
            SECRET
                .chars()
                .flat_map(|c| [c, ' '])
                .collect::<String>()
                .trim_end()
                .to_owned(),
            SECRET.replace(' ', "\u{1}"),
        ] {
            let shown = redact(&format!("no <{echo}>, no"), &[SECRET]);
            let shown = shown.replace(['=', '\u{200b}', '\u{1}'], "");
            assert_eq!(shown, "no <[redacted]>, no", "{echo}");
        }
    }

    #[test]
    fn part_of_a_secret_is_removed() {
        for length in 9..SECRET.chars().count() {
            let start: String = SECRET.chars().take(length).collect();
            let shown = redact(&format!("<{start}\u{2026}"), &[SECRET]);
            assert_eq!(shown, "<[redacted]\u{2026}", "the first {length}");
            let end: String = SECRET
                .chars()
                .skip(SECRET.chars().count() - length)
                .collect();
            let shown = redact(&format!("<{end}>"), &[SECRET]).replace(' ', "");
            assert_eq!(shown, "<[redacted]>", "the last {length}");
        }
        for before in ["id", "id:", "id.acme:"] {
            let encoded = STANDARD.encode(format!("{before}{SECRET}"));
            let shown = redact(&encoded, &[SECRET]);
            let left = shown.replace("[redacted]", "").len();
            assert!(left <= before.len() * 4 / 3 + 5, "{before}: {shown}");
        }
    }

    #[test]
    fn short_secret_is_removed_as_a_whole() {
        assert_eq!(redact("no x7Q, no x7", &["x7Q"]), "no [redacted], no x7");
        assert_eq!(redact("no eDdR!", &["x7Q"]), "no [redacted]!");
        assert_eq!(redact("nothing", &["", " "]), "nothing");
        assert_eq!(
            redact("no \u{202e}, no", &["\u{202e}"]),
            "no [redacted], no"
        );
    }

    #[test]
    fn other_text_is_kept() {
        let text = "100% sure: \\u12 %4 the client \u{200b} id.acme is unknown";
        assert_eq!(redact(text, &[SECRET]), text);
    }
}
