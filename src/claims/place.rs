//! Where a token may go.

use crate::reading::{Second, assert_same_place};
use crate::uri::{Origin, Uri};

/// A URI that is read is read by every reader alike, and prints back as what was read. The second
/// line is a `Location` header found there.
pub(super) fn uri(bytes: &[u8], second: Second) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (text, location) = text.split_once('\n').unwrap_or((text, ""));
    let covered = Origin::of_host(text).unwrap_or_default();
    if let Some(first) = covered.first() {
        assert_same_place(&format!("https://{text}"), first, second);
    }
    for origin in &covered {
        assert_same_place(&origin.to_string(), origin, second);
    }
    if let Ok(base) = Uri::parse_base(text) {
        let printed = base.to_string();
        assert_same_place(&printed, base.origin(), second);
        assert!(
            !printed.ends_with('/') && !printed.contains(['?', '#']),
            "{printed}"
        );
        assert_eq!(Uri::parse_base(&printed), Ok(base));
    }
    let Ok(uri) = Uri::parse(text) else {
        return;
    };
    assert_same_place(text, uri.origin(), second);
    check_printed(&uri, second);
    assert!(!uri.without_query().contains(['?', '#']), "{text:?}");
    let (before, separator) = uri.before_query();
    let query = Uri::parse(&format!("{before}{separator}a=b"));
    assert_eq!(
        query.as_ref().map(Uri::origin),
        Ok(uri.origin()),
        "{text:?}"
    );
    if let Ok(led) = uri.resolve(location) {
        check_printed(&led, second);
    }
}

fn check_printed(uri: &Uri, second: Second) {
    let printed = uri.to_string();
    assert_eq!(Uri::parse(&printed).as_ref(), Ok(uri), "{printed}");
    assert_same_place(&printed, uri.origin(), second);
}
