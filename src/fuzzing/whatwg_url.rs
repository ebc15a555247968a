//! The `url` crate as the reference parser. The tests and `fuzz/` compile this file, so that the
//! library itself is never linked with that crate.

use super::ParsedUrl;

/// Parses a URL with the `url` crate.
pub(crate) fn parse_url(text: &str) -> Option<ParsedUrl> {
    let url = url::Url::parse(text).ok()?;
    Some(ParsedUrl {
        scheme: url.scheme().to_owned(),
        host: url.host_str()?.to_owned(),
        port: url.port_or_known_default()?,
        has_user: !url.username().is_empty() || url.password().is_some(),
    })
}
