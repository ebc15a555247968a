//! Rules for curl's options: which options are rejected with a token, and which must not be
//! combined.

use crate::types::uri::Scheme;

/// Options that select the server to connect to.
pub(super) const ROUTING: [&str; 17] = [
    "abstract-unix-socket",
    "alt-svc",
    "connect-to",
    "dns-interface",
    "dns-ipv4-addr",
    "dns-ipv6-addr",
    "dns-servers",
    "doh-url",
    "preproxy",
    "proxy",
    "proxy1.0",
    "resolve",
    "socks4",
    "socks4a",
    "socks5",
    "socks5-hostname",
    "unix-socket",
];

/// Options that select the servers that curl trusts. TLS-SRP authenticates a server by a password.
pub(super) const TRUST: [&str; 5] = ["cacert", "capath", "tlsauthtype", "tlspassword", "tlsuser"];

/// Environment variables that select the servers that curl trusts.
pub(super) const TRUST_VARIABLES: [&str; 3] = ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Options whose values are not part of the request line or the headers.
const MANY_LINED: [&str; 8] = [
    "data",
    "data-ascii",
    "data-binary",
    "data-raw",
    "data-urlencode",
    "form-string",
    "json",
    "write-out",
];

/// Why an option with this value is rejected; `None` if it is accepted.
pub(super) fn refusal(flag: &str, value: &str, scheme: Scheme) -> Option<&'static str> {
    // curl copies the value, so the text after a line feed would be a separate header.
    if value.contains(['\r', '\n']) && !MANY_LINED.contains(&flag) {
        return Some("has a line feed in its value, which could add a header");
    }
    match flag {
        "config" => Some("could name further URLs"),
        "location-trusted" => Some("would send the token on to other hosts"),
        "insecure" => Some("would send the token to a server that is not verified"),
        "trace" | "trace-ascii" | "libcurl" => {
            Some("would write the token into its output; `--verbose` does not show it")
        }
        "proto" | "proto-redir" => Some("is set by this program"),
        "user" | "oauth2-bearer" | "aws-sigv4" | "netrc" | "netrc-file" | "netrc-optional"
        | "anyauth" | "basic" | "digest" | "negotiate" | "ntlm" | "ntlm-wb" => {
            Some("brings other credentials than the token")
        }
        "header" => header_refusal(value),
        // RFC 9112, section 3.2.2: a server ignores `Host` if the target is a URL.
        "request-target" if !is_local_target(value) => {
            Some("must be `*` or begin with exactly one `/`; another target can name another host")
        }
        // Text after a space would be parsed as the target.
        "request" if !is_token(value) => Some("is not a method"),
        _ if scheme == Scheme::Http && ROUTING.contains(&flag) => {
            Some("would take plain `http://` off this machine")
        }
        _ => None,
    }
}

fn header_refusal(value: &str) -> Option<&'static str> {
    if value.starts_with('@') {
        return Some("could give an Authorization of its own, or name another host");
    }
    // With a semicolon, it is a header without a value.
    let name = value.split([':', ';']).next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("authorization") {
        return Some("would give an Authorization of its own");
    }
    // The server selects a site by `Host` if several sites share a certificate. HTTP/2 names it
    // `:authority`.
    if name.eq_ignore_ascii_case("host") || name.is_empty() {
        return Some("would name another host");
    }
    None
}

fn is_local_target(target: &str) -> bool {
    target == "*" || (target.starts_with('/') && !target.starts_with("//"))
}

/// Whether the text is an HTTP token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_in_token)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use crate::curl::{ArgumentError, Arguments};
    use crate::types::uri::Scheme;

    fn read(line: &str, scheme: Scheme) -> Result<Arguments, ArgumentError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::read(&words, scheme, &[])
    }

    fn https(line: &str) -> Result<Arguments, ArgumentError> {
        read(line, Scheme::Https)
    }

    #[test]
    fn options_that_give_the_token_away_are_refused() {
        for line in [
            "--location-trusted",
            "-k",
            "-sSk",
            "--insecure",
            "-K file",
            "-Kfile",
            "--config file",
            "--trace file",
            "--trace-ascii -",
            "--libcurl -",
            "--proto =all",
            "--proto-redir all",
            "--no-globoff",
            "--no-disable",
            "-u a:b",
            "-n",
            "--netrc-file x",
            "--oauth2-bearer x",
            "-Hauthorization:x",
            "--header AUTHORIZATION;",
            "-H host:evil.test",
            "-H @file",
            "--header @-",
            "-v --stderr file",
            "--stderr file -sv",
            "-vv",
            "-v --verbose",
            "--request-target http://evil.test/",
            "--request-target //evil.test/",
            "--request-target x",
            "-H :authority:evil.test",
            "-H :",
        ] {
            let read = https(line);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{line} gave {read:?}");
        }
        for line in ["-x proxy:1", "--resolve a:80:10.0.0.1", "--unix-socket /s"] {
            let read = read(line, Scheme::Http);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{line} gave {read:?}");
            assert!(https(line).is_ok(), "{line}: https verifies the server");
        }
    }

    #[test]
    fn a_method_is_one_token_of_http() {
        for value in ["GET http://evil.test/ HTTP/1.1", "GET\t/", "", "G:"] {
            let words = [OsString::from("-X"), OsString::from(value)];
            let read = Arguments::read(&words, Scheme::Https, &[]);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{value:?} gave {read:?}");
        }
        assert!(https("-X PROPFIND").is_ok());
    }

    #[test]
    fn root_and_server_are_not_chosen_together() {
        for line in [
            "--cacert f --connect-to a:1:b:2",
            "--unix-socket s --capath d",
            "-x p --cacert f",
            "--resolve a:1:b --tlsauthtype SRP",
            "--doh-url u --cacert f",
            "--alt-svc f --cacert f",
        ] {
            let read = https(line);
            let is_refused = matches!(read, Err(ArgumentError::TrustWithRouting { .. }));
            assert!(is_refused, "{line} gave {read:?}");
        }
        for line in ["--cacert f", "--capath d -s", "-x p --proxy-cacert f"] {
            assert!(https(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_value_cannot_become_a_further_header() {
        let read = |option: &str, value: &str| {
            let words = [OsString::from(option), OsString::from(value)];
            Arguments::read(&words, Scheme::Https, &[])
        };
        for option in ["-A", "-e", "-X", "-b", "-H", "-r", "--request-target"] {
            for value in ["x\r\nHost: evil.test", "x\nHost: evil.test"] {
                let read = read(option, value);
                let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
                assert!(is_refused, "{option} {value:?} gave {read:?}");
            }
        }
        for option in ["-d", "--json", "--data-raw", "-w"] {
            assert!(read(option, "{\n}\r\n").is_ok(), "{option}: it is a body");
        }
    }
}
