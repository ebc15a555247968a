//! A second reading of what is read here, to hold ours against; for `claims` only.

#![allow(
    clippy::missing_panics_doc,
    reason = "an assertion panics where it does not hold"
)]

use std::net::Ipv6Addr;

use crate::uri::Origin;

/// Where a URL leads, as a reader that knows nothing of ours has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    /// Lower case.
    pub scheme: String,
    /// As that reader writes it; an IPv6 address in brackets.
    pub host: String,
    /// Given or implied.
    pub port: u16,
    /// Whether there is user info in front of the host.
    pub has_user: bool,
}

/// A second reading of the URL standard: where a URL leads, and nothing for what is no URL. It is
/// the caller's, so that this program is not linked with it.
pub type Second = fn(&str) -> Option<Place>;

/// That another reader of `text` gets to the same place, or to none at all.
///
/// None is right only for a name with a label in punycode: whether that stands for anything is
/// no matter of ours, for here it is compared byte for byte.
pub(crate) fn assert_same_place(text: &str, ours: &Origin, second: Second) {
    let Some(theirs) = second(text) else {
        assert!(
            ours.host().contains("xn--"),
            "{text:?} is {ours}, and to the other reader nothing"
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

/// That a text for people holds nothing that a terminal would act on.
pub(crate) fn assert_calm(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}
