//! The `url` crate's reading of the URL standard: a file of the tests and of `tests/fuzz`, so that
//! the library itself is never linked with that crate.

use super::Place;

/// Where that crate takes a URL to lead.
pub(crate) fn url_crate(text: &str) -> Option<Place> {
    let url = url::Url::parse(text).ok()?;
    Some(Place {
        scheme: url.scheme().to_owned(),
        host: url.host_str()?.to_owned(),
        port: url.port_or_known_default()?,
        has_user: !url.username().is_empty() || url.password().is_some(),
    })
}
