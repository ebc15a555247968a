//! Selects the proxy of a request from the environment variables, like curl. No I/O.

use std::net::IpAddr;

use crate::system::environment::Environment;
use crate::types::uri::{Origin, Scheme};

/// The proxy settings of this process.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxies {
    /// The name of the variable and its value.
    proxy: Option<(&'static str, String)>,
    exceptions: Vec<String>,
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL of the proxy can contain a password.
        formatter
            .debug_struct("Proxies")
            .field("exceptions", &self.exceptions)
            .finish_non_exhaustive()
    }
}

impl Proxies {
    /// Reads the first variable that is set of `https_proxy`, `HTTPS_PROXY`, `all_proxy` and
    /// `ALL_PROXY`. Also reads `no_proxy` and `NO_PROXY`.
    pub(crate) fn of(environment: &Environment) -> Self {
        let first = |names: &[&'static str]| {
            names
                .iter()
                .find_map(|name| Some((*name, environment.text(name)?)))
        };
        let exceptions = first(&["no_proxy", "NO_PROXY"])
            .map(|(_, text)| text)
            .unwrap_or_default();
        Self {
            proxy: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            exceptions: exceptions
                .split([',', ' ', '\t'])
                .filter(|entry| !entry.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        }
    }

    /// The variable that sets the proxy.
    pub(crate) fn variable(&self) -> Option<&'static str> {
        self.proxy.as_ref().map(|(name, _)| *name)
    }

    /// The proxy for this origin: the variable that sets it, and its URL. Plain HTTP, which is
    /// allowed for loopback only, never uses a proxy, because the proxy would receive the secret in
    /// clear text.
    pub(crate) fn for_origin(&self, origin: &Origin) -> Option<(&'static str, &str)> {
        let is_excepted = || self.exceptions.iter().any(|entry| covers(entry, origin));
        if origin.scheme() == Scheme::Http || is_excepted() {
            return None;
        }
        self.proxy.as_ref().map(|(name, url)| (*name, url.as_str()))
    }
}

/// Returns whether a proxy URL has a valid port or no port. Some libraries silently use the default
/// port if the port is invalid.
pub(in crate::oauth) fn has_valid_port(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let after_host = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match after_host.split_once(':') {
        Some((_, port)) => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            is_number && port.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => true,
    }
}

/// Returns whether an entry of `no_proxy` matches this origin. An entry is `*`, a host (which
/// includes its subdomains), an address, or a network in CIDR notation. Each can have a port.
fn covers(entry: &str, origin: &Origin) -> bool {
    if entry == "*" {
        return true;
    }
    let host = origin.host().trim_start_matches('[').trim_end_matches(']');
    if let Some((network, bits)) = entry.split_once('/') {
        return is_in_network(host, network, bits);
    }
    let (name, port) = match entry.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        _ => (entry, None),
    };
    if port.is_some_and(|port| port.parse() != Ok(origin.port())) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.trim_start_matches('*').trim_start_matches('.');
    let under = |rest: &str| rest.is_empty() || (rest.ends_with('.') && !is_address(host));
    !name.is_empty() && host.strip_suffix(name).is_some_and(under)
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

fn is_in_network(host: &str, network: &str, bits: &str) -> bool {
    let (Ok(host), Ok(network)) = (host.parse(), network.parse()) else {
        return false;
    };
    let Ok(bits) = bits.parse::<u32>() else {
        return false;
    };
    match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            (host.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(host), IpAddr::V6(network)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            (host.to_bits() ^ network.to_bits()) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::Proxies;
    use crate::system::environment::Environment;
    use crate::types::uri::Uri;

    fn proxied(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let proxies = Proxies::of(&Environment::Given(owned.collect()));
        proxies
            .for_origin(Uri::parse(url).unwrap().origin())
            .map(|(_, proxy)| proxy.to_owned())
    }

    #[test]
    fn lower_case_wins_and_http_proxy_is_not_for_https() {
        let both = [("HTTPS_PROXY", "http://b:1"), ("https_proxy", "http://a:1")];
        assert_eq!(
            proxied(&both, "https://acme.test").as_deref(),
            Some("http://a:1")
        );
        assert_eq!(
            proxied(&[("HTTP_PROXY", "http://c:1")], "https://acme.test"),
            None
        );
        let all = [("ALL_PROXY", "socks5h://d:1")];
        assert_eq!(
            proxied(&all, "https://acme.test").as_deref(),
            Some("socks5h://d:1")
        );
    }

    #[test]
    fn a_port_that_is_none_is_seen() {
        for (url, valid) in [
            ("http://proxy:3128", true),
            ("http://proxy", true),
            ("proxy:3128/", true),
            ("http://user:pass-word@proxy:3128", true),
            ("http://user:pass-word@proxy", true),
            ("http://[::1]:3128", true),
            ("http://[::1]", true),
            ("http://proxy:port", false),
            ("http://proxy:99999", false),
            ("http://proxy:+80", false),
            ("http://proxy:0", false),
            ("http://proxy:", false),
        ] {
            assert_eq!(super::has_valid_port(url), valid, "{url}");
        }
    }

    #[test]
    fn the_variable_that_counts_is_named() {
        let named = |name: &str| {
            let given = [(name.to_owned(), "http://a:1".to_owned())];
            Proxies::of(&Environment::Given(given.into())).variable()
        };
        assert_eq!(named("ALL_PROXY"), Some("ALL_PROXY"));
        assert_eq!(named("HTTP_PROXY"), None);
    }

    #[test]
    fn the_secret_never_goes_to_a_proxy_in_clear() {
        let all = [("https_proxy", "http://a:1"), ("http_proxy", "http://a:1")];
        assert_eq!(proxied(&all, "http://127.0.0.1:80"), None);
    }

    #[test]
    fn no_proxy_is_read_as_curl_and_go_read_it() {
        for (exceptions, host, direct) in [
            ("*", "acme.test", true),
            ("acme.test", "acme.test", true),
            ("acme.test", "api.acme.test", true),
            (".acme.test", "api.acme.test", true),
            ("*.acme.test", "api.acme.test", true),
            ("acme.test", "notacme.test", false),
            ("other.test, acme.test", "acme.test", true),
            ("ACME.test", "acme.test", true),
            ("acme.test:443", "acme.test", true),
            ("acme.test:8443", "acme.test", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.9.8.7", false),
            ("10.9.8.7", "10.9.8.7", true),
            ("9.8.7", "10.9.8.7", false),
            ("::1", "[::1]", true),
            ("fd00::/8", "[fd00::1]", true),
            ("fd00::/8", "[fd12:3456::1]", true),
            ("fd00::/8", "[fe80::1]", false),
            ("::/0", "[fe80::1]", true),
            ("fd00::/129", "[fd00::]", false),
            ("0.0.0.0/0", "10.9.8.7", true),
            ("10.9.8.7/33", "10.9.8.7", false),
            ("", "acme.test", false),
        ] {
            let variables = [("https_proxy", "http://a:1"), ("no_proxy", exceptions)];
            let taken = proxied(&variables, &format!("https://{host}"));
            assert_eq!(taken.is_none(), direct, "{exceptions:?} and {host}");
        }
    }
}
