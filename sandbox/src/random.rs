//! Unguessable text for ids, secrets and tokens.

use std::fmt::Write;

/// `BYTES` random bytes in hexadecimal: two characters a byte, nothing a shell or a URL would trip over.
pub(crate) fn text<const BYTES: usize>() -> String {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    let mut text = String::with_capacity(2 * BYTES);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes all that is written to it");
    }
    text
}
