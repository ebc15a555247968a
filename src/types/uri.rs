//! A strict parser for `http` and `https` URIs. The rule "a token is only sent to its own hosts"
//! depends on it.
//!
//! The parser rejects any text that two parsers could read in two ways, and does not repair it.
//! Examples are user info, backslashes, control characters, white space, percent-encoded or
//! non-ASCII hosts, empty ports, ports with leading zeros, and IPv4 addresses that are not in the
//! usual form. It also rejects a text for which RFC 3986 and the WHATWG URL standard differ. Hosts
//! are compared byte for byte after ASCII lower-casing. A trailing dot, punycode or another
//! notation of an address makes a different host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// Why a URI is rejected.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(crate) enum UriError {
    /// The text does not start with `https://` or `http://`.
    #[error("it does not start with `https://` (or, on loopback, `http://`)")]
    Scheme,
    /// A character that some parsers remove, decode or use as a separator.
    #[error("it holds white space, a backslash or another character that no URI may hold")]
    Character,
    /// The text has the form `user@host`, which is often used to disguise a host.
    #[error("it holds user info (`…@`); credentials do not belong in a URL")]
    UserInfo,
    /// The host is empty, too long, or parsers read it in different ways.
    #[error("its host is not a plain name or address")]
    Host,
    /// The port is not a number from 1 to 65535 without leading zeros.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// The scheme is `http://` and the host is not the local machine.
    #[error("plain `http://` is for loopback only; use `https://`")]
    PlainHttp,
    /// The base URL includes the path of the API or of the token endpoint.
    #[error("it includes a path of the API; remove `{0}`")]
    ApiPath(&'static str),
    /// A URL that allows only a path has a query or a fragment.
    #[error("it holds a query or a fragment")]
    QueryOrFragment,
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Without TLS; loopback only.
    Http,
    /// With TLS.
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port: the unit of trust (RFC 6454).
///
/// The host is in lower case and not empty. It has only letters, digits, `.`, `-` and `_`, or is an
/// IPv6 address in brackets. `http` occurs only with a loopback host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// The scheme.
    pub(crate) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host without the port, in lower case.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The port; if the URI has none, the default of the scheme.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Parses `host` or `host:port` of the configuration key `hosts`. The result is `https` with
    /// that port, and for a loopback host also `http`.
    pub(crate) fn of_host(text: &str) -> Result<Vec<Self>, UriError> {
        check_characters(text)?;
        if text.contains(['/', '?', '#']) {
            return Err(UriError::Host);
        }
        let https = Self::of_authority(Scheme::Https, text)?;
        let mut origins = vec![https];
        if let Ok(http) = Self::of_authority(Scheme::Http, text) {
            origins.push(http);
        }
        Ok(origins)
    }

    fn of_authority(scheme: Scheme, authority: &str) -> Result<Self, UriError> {
        if authority.contains('@') {
            return Err(UriError::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(digits) => parse_port(digits)?,
            None => scheme.default_port(),
        };
        let host = host.to_ascii_lowercase();
        if !is_plain_host(&host) {
            return Err(UriError::Host);
        }
        if scheme == Scheme::Http && !is_loopback(&host) {
            return Err(UriError::PlainHttp);
        }
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.name(), self.host)?;
        if self.port == self.scheme.default_port() {
            Ok(())
        } else {
            write!(formatter, ":{}", self.port)
        }
    }
}

/// Splits a URI into its scheme and the text after `://`.
fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    [Scheme::Https, Scheme::Http]
        .into_iter()
        .find_map(|scheme| {
            let (name, behind) = text.split_at_checked(scheme.name().len())?;
            let after = behind.strip_prefix("://")?;
            name.eq_ignore_ascii_case(scheme.name())
                .then_some((scheme, after))
        })
}

/// Paths that users copy into a base URL. The program adds them itself. Longest first.
const API_PATHS: [&str; 5] = [
    "/api/beta/oauth/token",
    "/api/v1/oauth/token",
    "/oauth/token",
    "/api/beta",
    "/api/v1",
];

/// An absolute URI: its origin, and the unchanged text from the path on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uri {
    origin: Origin,
    rest: String,
}

impl Uri {
    /// Parses an absolute URI. A fragment is removed, because it is never sent.
    pub(crate) fn parse(text: &str) -> Result<Self, UriError> {
        check_characters(text)?;
        let (scheme, after) = split_scheme(text).ok_or(UriError::Scheme)?;
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let origin = Origin::of_authority(scheme, authority)?;
        let rest = rest.split('#').next().unwrap_or_default().to_owned();
        Ok(Self { origin, rest })
    }

    /// Parses a base URL. It has no query, no fragment and no API path. A slash at the end is
    /// removed.
    pub(crate) fn parse_base(text: &str) -> Result<Self, UriError> {
        if text.contains(['?', '#']) {
            return Err(UriError::QueryOrFragment);
        }
        let mut uri = Self::parse(text)?;
        uri.rest.truncate(uri.rest.trim_end_matches('/').len());
        let path = uri.rest.to_ascii_lowercase();
        match API_PATHS.iter().find(|api| path.ends_with(**api)) {
            Some(api) => Err(UriError::ApiPath(api)),
            None => Ok(uri),
        }
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// This base URL with `path` appended. `path` begins with a slash.
    pub(crate) fn join(&self, path: &str) -> Self {
        Self {
            origin: self.origin.clone(),
            rest: format!("{}{path}", self.rest),
        }
    }

    /// Resolves a `Location` header from a response of this URI (RFC 9110 §10.2.2).
    pub(crate) fn resolve(&self, location: &str) -> Result<Self, UriError> {
        if location.starts_with("//") {
            return Self::parse(&format!("{}:{location}", self.origin.scheme.name()));
        }
        if location.contains("://") && !location.starts_with(['/', '?', '.']) {
            return Self::parse(location);
        }
        check_characters(location)?;
        let path = self.rest.split('?').next().unwrap_or_default();
        let folder = path
            .rfind('/')
            .map_or("", |slash| path.get(..slash).unwrap_or_default());
        let rest = match location.as_bytes().first() {
            Some(b'/') => location.to_owned(),
            Some(b'?') => format!("{path}{location}"),
            _ => format!("{folder}/{location}"),
        };
        let rest = rest.split('#').next().unwrap_or_default().to_owned();
        Ok(Self {
            origin: self.origin.clone(),
            rest,
        })
    }

    /// The text before a query parameter (already encoded) that is appended: the URI and the
    /// separator.
    pub(crate) fn before_query(&self) -> (String, &'static str) {
        let separator = if self.rest.contains('?') { "&" } else { "?" };
        (self.to_string(), separator)
    }

    /// The URI without its query, for messages: a query can hold secrets.
    pub(crate) fn without_query(&self) -> String {
        format!(
            "{}{}",
            self.origin,
            self.rest.split('?').next().unwrap_or_default()
        )
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.rest)
    }
}

/// Parses `host` or `host:port` as strictly as in a URI. Returns the host in lower case, the port,
/// and whether the host is the local machine.
#[cfg(feature = "shared-store")]
pub(crate) fn host_and_port(text: &str, default: u16) -> Result<(String, u16, bool), UriError> {
    if text.contains('@') {
        return Err(UriError::UserInfo);
    }
    let (host, port) = split_port(text)?;
    let port = port.map_or(Ok(default), parse_port)?;
    let host = host.to_ascii_lowercase();
    if !is_plain_host(&host) || port == 0 {
        return Err(UriError::Host);
    }
    let is_loopback = is_loopback(&host);
    Ok((host, port, is_loopback))
}

fn check_characters(text: &str) -> Result<(), UriError> {
    let foreign = |byte: u8| {
        matches!(
            byte,
            b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
    };
    let allowed = |byte: u8| (0x21..0x7f).contains(&byte) && !foreign(byte);
    if text.bytes().all(allowed) {
        Ok(())
    } else {
        Err(UriError::Character)
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), UriError> {
    if authority.starts_with('[') {
        let (host, after) =
            authority.split_at(authority.find(']').ok_or(UriError::Host)?.saturating_add(1));
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(UriError::Host),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_port(digits: &str) -> Result<u16, UriError> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain {
        digits.parse().map_err(|_| UriError::Port)
    } else {
        Err(UriError::Port)
    }
}

fn is_plain_host(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_name = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name_byte);
    is_name && (!ends_in_a_number(host) || host.parse::<Ipv4Addr>().is_ok())
}

/// Whether a parser of the WHATWG URL standard reads the host as an IPv4 address ("ends in a number
/// checker"). There, `127.1`, `0x7f000001` and `10.0.0.1.` are addresses; for other parsers they
/// are names.
fn ends_in_a_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next();
    let last = last.unwrap_or_default();
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal || last.strip_prefix("0x").is_some_and(is_hex)
}

fn is_loopback(host: &str) -> bool {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return address
            .parse::<Ipv6Addr>()
            .is_ok_and(|address| IpAddr::V6(address).is_loopback());
    }
    host == "localhost"
        || host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Origin, Uri, UriError};

    fn origin(text: &str) -> Result<String, UriError> {
        Uri::parse(text).map(|uri| uri.origin().to_string())
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_in_one_spelling() {
        for (text, expected) in [
            (
                "https://acme.api.openvpn.com/api/v1/networks?a=b#c",
                "https://acme.api.openvpn.com",
            ),
            (
                "HTTPS://ACME.api.openvpn.com:443",
                "https://acme.api.openvpn.com",
            ),
            (
                "https://acme.api.openvpn.com:8443/",
                "https://acme.api.openvpn.com:8443",
            ),
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
            ("http://localhost", "http://localhost"),
            ("http://[::1]:9/", "http://[::1]:9"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn whatever_two_parsers_could_read_in_two_ways_is_refused() {
        for text in [
            "https://acme.api.openvpn.com@evil.test/",
            "https://user:pw@acme.api.openvpn.com/",
            "https://acme.api.openvpn.com\\@evil.test/",
            "https:\\\\acme.api.openvpn.com/",
            "https://acme.api.openvpn.com%2eevil.test/",
            "https://acme.api.openvpn.com\n.evil.test/",
            "https://acme.api.openvpn.com\t/",
            " https://acme.api.openvpn.com/",
            "https://acme.api.openvpn.com:/",
            "https://acme.api.openvpn.com:0443/",
            "https://acme.api.openvpn.com:+443/",
            "https://acme.api.openvpn.com:443:443/",
            "https://аcme.api.openvpn.com/",
            "https:///acme.api.openvpn.com/",
            "https:acme.api.openvpn.com",
            "//acme.api.openvpn.com/",
            "acme.api.openvpn.com",
            "https://[::1",
            "https://[::1]x/",
            "https://[::1%25eth0]/",
            "ftp://acme.api.openvpn.com/",
            "http://acme.api.openvpn.com/",
            "http://127.0.0.1.evil.test/",
            "",
        ] {
            assert!(
                Uri::parse(text).is_err(),
                "{text:?} gave {:?}",
                Uri::parse(text)
            );
        }
    }

    #[test]
    fn a_host_of_the_configuration_covers_http_on_loopback_only() {
        let shown = |text| {
            Origin::of_host(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            shown("proxy.acme.internal"),
            Ok(vec!["https://proxy.acme.internal".to_owned()])
        );
        assert_eq!(
            shown("localhost:8080"),
            Ok(vec![
                "https://localhost:8080".to_owned(),
                "http://localhost:8080".to_owned()
            ])
        );
        assert_eq!(shown("https://acme.test"), Err(UriError::Host));
    }

    #[test]
    fn a_location_is_read_against_the_uri_it_was_found_at() {
        let at = Uri::parse("https://acme.test/api/token?x=1").unwrap();
        for (location, expected) in [
            ("/other", "https://acme.test/other"),
            ("other", "https://acme.test/api/other"),
            ("?y=2", "https://acme.test/api/token?y=2"),
            ("//evil.test/x", "https://evil.test/x"),
            ("https://evil.test/x#f", "https://evil.test/x"),
            (
                "/x?to=http://evil.test",
                "https://acme.test/x?to=http://evil.test",
            ),
        ] {
            assert_eq!(
                at.resolve(location).unwrap().to_string(),
                expected,
                "{location}"
            );
        }
    }

    #[test]
    fn a_path_holds_only_what_every_reader_takes_as_it_is() {
        for text in [
            "/a b",
            "/a\\b",
            "/a\"b",
            "/a<b",
            "/a{b",
            "/a|b",
            "/a\u{7f}b",
            "/é",
            "?a\nb",
        ] {
            let read = Uri::parse(&format!("https://acme.test{text}"));
            assert_eq!(read, Err(UriError::Character), "{text:?}");
        }
        let at = Uri::parse("https://acme.test/token").unwrap();
        assert_eq!(
            at.resolve("/a\r\nb"),
            Err(UriError::Character),
            "a header gets the same checks as a configured URL"
        );
    }

    #[test]
    fn a_host_is_letters_digits_and_three_signs_within_the_length_of_dns() {
        let of_length = |length: usize| Uri::parse(&format!("https://{}/", "a".repeat(length)));
        assert!(of_length(253).is_ok());
        assert_eq!(of_length(254), Err(UriError::Host));
        for host in [
            "acme~", "a!b", "a&b", "a(b)", "a,b", "a;b", "%61cme", "[acme]",
        ] {
            let read = Uri::parse(&format!("https://{host}/"));
            assert_eq!(read, Err(UriError::Host), "{host}");
        }
    }

    #[test]
    fn an_address_in_an_unusual_form_is_not_taken_for_a_name() {
        for host in [
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "1.2.3.4.5",
            "1.2.3.256",
            "10.0.0.1.",
            "acme.1",
            "acme.0x",
            "acme.0xff.",
        ] {
            let read = Uri::parse(&format!("https://{host}/"));
            assert_eq!(
                read,
                Err(UriError::Host),
                "{host}: other parsers read an address or fail"
            );
            assert_eq!(Origin::of_host(host), Err(UriError::Host), "{host}");
        }
        for host in ["10.0.0.1", "1.2.3.4.test", "acme.1a", "0x7g", "1-1", "3com"] {
            assert!(Uri::parse(&format!("https://{host}/")).is_ok(), "{host}");
        }
    }

    #[test]
    fn what_is_shown_of_a_uri_leaves_its_query_out() {
        let uri = Uri::parse("https://acme.test/token?client_secret=s3cret").unwrap();
        assert_eq!(uri.without_query(), "https://acme.test/token");
    }

    #[test]
    fn an_origin_tells_its_parts_and_the_port_that_is_implied() {
        for (text, host, port) in [
            ("https://ACME.test", "acme.test", 443),
            ("http://127.0.0.1/", "127.0.0.1", 80),
            ("https://[::1]:8443/", "[::1]", 8443),
        ] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!((uri.origin().host(), uri.origin().port()), (host, port));
        }
    }

    #[test]
    fn a_base_url_has_neither_query_nor_fragment_nor_a_slash_at_its_end() {
        for text in ["https://acme.test/?a=b", "https://acme.test/#a"] {
            assert_eq!(Uri::parse_base(text), Err(UriError::QueryOrFragment));
        }
        let base = Uri::parse_base("https://acme.test/gateway//").unwrap();
        assert_eq!(
            base.join("/api").to_string(),
            "https://acme.test/gateway/api"
        );
    }
}
