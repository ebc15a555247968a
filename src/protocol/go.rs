//! Go's `GOAUTH` command (`go help goauth`, Go 1.24 and newer). Go calls it before the first
//! request. After a 4xx response it calls again, with the URL and the response.

use zeroize::Zeroizing;

use super::tool_protocol::{
    Call, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};
use crate::types::uri::{Origin, Scheme};

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "go",
    protocol: "goauth",
    program: None,
    summary: "Be a GOAUTH command of Go",
    details: "Prints the header for every host of the profile. Go calls it again with a URL where \
              a server refused: after a 401 the token is replaced, at most once a minute, and the \
              answer is a new one.",
    examples: "  go env -w GOAUTH='cloudconnexa-auth go --profile prod'\n  cloudconnexa-auth go",
    operands: &["[URL]"],
    variable: None,
    intake: |operands| {
        if operands.is_empty() {
            StdinMode::Nothing
        } else {
            StdinMode::All
        }
    },
    read: |call| Ok(ask(call)),
    complain: |_| ErrorFormat::ExitCode,
};

fn ask(call: &Call<'_>) -> ParsedRequest {
    let Some(url) = call.operands.first() else {
        let request = Request::Token(TokenQuery::for_any());
        return ParsedRequest::new(request, |reply| match reply {
            Reply::Credential(credential) => say(&https(credential.origins), reply),
            Reply::NotMine | Reply::Done => Response::nothing(),
        });
    };
    // Go calls again after every 4xx. A missing module gives 404, which is not a rejected token.
    if status(call.input) != Some("401") {
        return ParsedRequest::answered("");
    }
    let Some(server) = server_of(url).map(str::to_owned) else {
        return ParsedRequest::answered("");
    };
    let wanted = TokenQuery::for_uri(url.clone());
    ParsedRequest::new(Request::Renewal(wanted), move |reply| say(&[server], reply))
}

/// The scheme, host and port of an HTTPS URL, exactly as written. Go compares the text: for
/// `https://a.test:443/x` it ignores a response for `https://a.test`.
fn server_of(url: &str) -> Option<&str> {
    let host = url.strip_prefix("https://")?;
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    url.get(..url.len() - host.len() + end)
}

fn status(response: &[u8]) -> Option<&str> {
    let line = response.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    words
        .next()
        .filter(|version| version.starts_with("HTTP/"))?;
    words.next()
}

/// Go accepts no header for plain HTTP.
fn https(origins: &[Origin]) -> Vec<String> {
    let origins = origins.iter();
    let origins = origins.filter(|origin| origin.scheme() == Scheme::Https);
    origins.map(ToString::to_string).collect()
}

/// Writes the URLs, an empty line, the headers and an empty line.
fn say(servers: &[String], reply: &Reply<'_>) -> Response {
    let Reply::Credential(credential) = reply else {
        return Response::nothing();
    };
    if servers.is_empty() {
        return Response::nothing();
    }
    let mut text = Zeroizing::new(String::with_capacity(1024 + credential.text().len()));
    for server in servers {
        text.push_str(server);
        text.push('\n');
    }
    text.push_str("\nAuthorization: Bearer ");
    text.push_str(credential.text());
    text.push_str("\n\n");
    Response::secret(text)
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_is_read_from_the_first_line_and_nowhere_else() {
        assert_eq!(
            status(b"HTTP/1.1 401 Unauthorized\r\nX: 1\r\n"),
            Some("401")
        );
        assert_eq!(status(b"HTTP/2.0 404 Not Found\r\n"), Some("404"));
        for response in [
            &b""[..],
            b"401",
            b"X HTTP/1.1 401\n",
            b"\nHTTP/1.1 401\n",
            b"\xff 401",
        ] {
            assert_eq!(
                status(response),
                None,
                "{:?}",
                String::from_utf8_lossy(response)
            );
        }
    }
}
