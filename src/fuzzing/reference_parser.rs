//! A reference URL parser for comparison, and assertions that several properties use.

#![allow(clippy::missing_panics_doc, reason = "an assertion panics if it fails")]

use std::net::Ipv6Addr;

use crate::types::uri::Origin;

/// The parts of a URL, as another parser reads them.
#[derive(Debug, PartialEq, Eq)]
pub struct ParsedUrl {
    /// The scheme, in lower case.
    pub scheme: String,
    /// The host, as the other parser formats it; an IPv6 address is in brackets.
    pub host: String,
    /// The explicit or default port.
    pub port: u16,
    /// Whether the URL has user info before the host.
    pub has_user: bool,
}

/// Another implementation of the URL standard. It returns `None` for text that is not a URL. The
/// caller passes it in, so that the library is not linked with it.
pub type ReferenceParser = fn(&str) -> Option<ParsedUrl>;

/// Asserts that the other parser reads the same origin in `text`.
///
/// The other parser may reject the text only if a label is punycode. This program does not decode
/// punycode; it compares host names byte for byte.
pub(crate) fn assert_same_origin(text: &str, ours: &Origin, reference: ReferenceParser) {
    let Some(theirs) = reference(text) else {
        assert!(
            ours.host().contains("xn--"),
            "{text:?} is {ours}, but the other parser rejects it"
        );
        return;
    };
    let scheme = ours.to_string();
    let scheme = scheme.split("://").next().unwrap_or_default();
    assert!(!theirs.has_user, "{text:?} has user info");
    assert_eq!(theirs.scheme, scheme, "{text:?}");
    assert_eq!(theirs.port, ours.port(), "{text:?}");
    let address = |host: &str| {
        let inside = host.strip_prefix('[')?.strip_suffix(']')?;
        inside.parse::<Ipv6Addr>().ok()
    };
    let is_same = theirs.host == ours.host()
        || (address(ours.host()).is_some() && address(ours.host()) == address(&theirs.host));
    assert!(is_same, "{text:?} is {} and {}", ours.host(), theirs.host);
}

/// Asserts that a text for users has no control characters.
pub(crate) fn assert_printable(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
