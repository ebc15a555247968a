//! Unpredictable text for IDs, secrets and tokens.

use std::fmt::Write;

/// `BYTES` random bytes in hexadecimal, two characters per byte.
pub(crate) fn text<const BYTES: usize>() -> String {
    let mut text = String::with_capacity(2 * BYTES);
    for byte in bytes::<BYTES>() {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> String {
    let mut number = u128::from_be_bytes(bytes::<16>());
    number = number & !(0xf << 76) | 0x4 << 76;
    number = number & !(0x3 << 62) | 0x2 << 62;
    let text = format!("{number:032x}");
    [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|range| &text[range])
        .join("-")
}

fn bytes<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_has_version_4_and_its_variant() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36, "five groups and four hyphens");
        assert_eq!(&uuid[14..15], "4", "version");
        assert!("89ab".contains(&uuid[19..20]), "variant");
    }
}
