//! The protocols by which other programs request a token: bytes in, bytes out.
//!
//! A protocol does not use profiles, the cache or the network. It parses the tool's input into a
//! [`Request`] and formats a [`Reply`] for the tool. [`PROTOCOLS`] is the only list of protocols:
//! the command line, the help pages, the other program names and `version` are generated from it.

mod cargo;
mod docker;
mod engflow;
mod git;
mod go;
pub(crate) mod helper;
mod input_error;
mod json;
mod kubectl;
mod pnpm;
mod terraform;
mod terraform_external;
mod tool_protocol;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::types::secret::joined;

pub(crate) use input_error::InputError;
pub(crate) use json::line as json_line;
pub(crate) use tool_protocol::{
    Call, Credential, End, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response,
    StdinMode, TokenQuery,
};

/// All protocols, in the order of the help page.
pub(crate) const PROTOCOLS: [&Protocol; 9] = [
    &engflow::ADAPTOR,
    &git::ADAPTOR,
    &kubectl::ADAPTOR,
    &terraform::ADAPTOR,
    &terraform_external::ADAPTOR,
    &cargo::ADAPTOR,
    &go::ADAPTOR,
    &pnpm::ADAPTOR,
    &docker::ADAPTOR,
];

/// The largest input from stdin, in bytes.
pub(crate) const LARGEST_INPUT: usize = 1024 * 1024;

/// Formats a time as RFC 3339 in UTC with whole seconds and `Z`, which every caller can parse.
/// Bazel fails the build on a fraction.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let whole = at
        .to_offset(time::UtcOffset::UTC)
        .replace_nanosecond(0)
        .unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_default()
}

/// The URI of a server that a tool names by scheme and `host[:port]`. An invalid name gives an
/// empty URI, which matches no profile. Without this check, a slash in one part could move
/// `evil.test` out of the host, and the URI would match a profile.
fn uri_of(scheme: &str, authority: &str) -> String {
    let is_scheme = ["https", "http"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    if is_scheme && !authority.contains(['/', '?', '#']) {
        format!("{scheme}://{authority}")
    } else {
        String::new()
    }
}

/// The value of the `Authorization` header (RFC 6750 §2.1).
fn bearer(credential: &Credential<'_>) -> Zeroizing<String> {
    joined(&["Bearer ", credential.text()])
}

/// The value of the `Authorization` header and a newline.
fn header_value(credential: &Credential<'_>) -> Response {
    Response::secret(joined(&["Bearer ", credential.text(), "\n"]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::{timestamp, uri_of};

    #[test]
    fn a_timestamp_has_whole_seconds_and_a_z() {
        let at = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(
            timestamp(at),
            "2023-11-14T22:13:20Z",
            "the time is rounded down"
        );
    }

    #[test]
    fn no_part_of_a_name_can_bring_another_host_in() {
        assert_eq!(uri_of("https", "a.test:8443"), "https://a.test:8443");
        for (scheme, authority) in [
            ("https://a.test/x?", "evil.test"),
            ("https://a.test#", "evil.test"),
            ("https", "a.test/.evil.test"),
            ("https", "a.test#.evil.test"),
            ("", "a.test"),
        ] {
            assert_eq!(uri_of(scheme, authority), "", "{scheme:?} {authority:?}");
        }
    }
}
