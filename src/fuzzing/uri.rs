//! The URIs to which a token may be sent.

use super::reference_parser::{ReferenceParser, assert_same_origin};
use crate::types::uri::{Origin, Uri};

/// Every parser reads the same origin in an accepted URI, and the URI round-trips. The second line
/// is the `Location` header of a response from that URI.
pub(super) fn uri(bytes: &[u8], reference: ReferenceParser) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (text, location) = text.split_once('\n').unwrap_or((text, ""));
    let covered = Origin::of_host(text).unwrap_or_default();
    if let Some(first) = covered.first() {
        assert_same_origin(&format!("https://{text}"), first, reference);
    }
    for origin in &covered {
        assert_same_origin(&origin.to_string(), origin, reference);
    }
    if let Ok(base) = Uri::parse_base(text) {
        let printed = base.to_string();
        assert_same_origin(&printed, base.origin(), reference);
        assert!(
            !printed.ends_with('/') && !printed.contains(['?', '#']),
            "{printed}"
        );
        assert_eq!(Uri::parse_base(&printed), Ok(base));
    }
    let Ok(uri) = Uri::parse(text) else {
        return;
    };
    assert_same_origin(text, uri.origin(), reference);
    check_printed(&uri, reference);
    assert!(!uri.without_query().contains(['?', '#']), "{text:?}");
    let (before, separator) = uri.before_query();
    let query = Uri::parse(&format!("{before}{separator}a=b"));
    assert_eq!(
        query.as_ref().map(Uri::origin),
        Ok(uri.origin()),
        "{text:?}"
    );
    if let Ok(led) = uri.resolve(location) {
        check_printed(&led, reference);
    }
}

fn check_printed(uri: &Uri, reference: ReferenceParser) {
    let printed = uri.to_string();
    assert_eq!(Uri::parse(&printed).as_ref(), Ok(uri), "{printed}");
    assert_same_origin(&printed, uri.origin(), reference);
}
