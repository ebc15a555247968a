//! Reads the status codes from the headers that curl writes with `--dump-header`.

/// The length of the part of a line that is parsed, in bytes.
const LONGEST: usize = 64;

/// The status codes seen so far: of a proxy, of interim responses, of redirects and of the final
/// response.
#[derive(Debug, Default)]
pub(crate) struct Statuses {
    line: Vec<u8>,
    last: Option<u16>,
    is_redirected: bool,
}

impl Statuses {
    /// Reads more bytes.
    pub(crate) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                self.end_line();
            } else if self.line.len() < LONGEST {
                self.line.push(*byte);
            }
        }
    }

    /// Whether the server of the URL rejected the token: the last status is 401, and no redirect
    /// came before it.
    pub(crate) fn is_refusal(&self) -> bool {
        self.last == Some(401) && !self.is_redirected
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let status = text.strip_prefix("HTTP/").and_then(|rest| {
            let status = rest.split_ascii_whitespace().nth(1)?;
            status.parse().ok()
        });
        if let Some(status) = status {
            self.last = Some(status);
            self.is_redirected |= (300..400).contains(&status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Statuses;

    fn is_refusal(text: &str) -> bool {
        let mut at_once = Statuses::default();
        at_once.read(text.as_bytes());
        let mut bytewise = Statuses::default();
        text.bytes().for_each(|byte| bytewise.read(&[byte]));
        assert_eq!(at_once.is_refusal(), bytewise.is_refusal(), "{text:?}");
        at_once.is_refusal()
    }

    #[test]
    fn a_refusal_is_a_401_of_the_server_that_was_asked() {
        for text in [
            "HTTP/1.1 401 Unauthorized\r\n",
            "HTTP/2 401 \r\nserver: x\r\n\r\n",
            "HTTP/1.1 200 Connection established\r\n\r\nHTTP/2 401\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 401 x\r\n",
            "HTTP/1.1 503 x\r\n\r\nHTTP/1.1 401 x\r\n",
        ] {
            assert!(is_refusal(text), "{text:?}");
        }
        for text in [
            "",
            "HTTP/1.1 401",
            "HTTP/1.1 200 401\r\n",
            "X-Status: HTTP/1.1 401\r\n",
            "HTTP/1.1 302 Found\r\n\r\nHTTP/1.1 401 x\r\n",
            "HTTP/1.1 401 x\r\n\r\nHTTP/1.1 200 OK\r\n",
            "HTTP/1.1 407 Proxy\r\n",
        ] {
            assert!(!is_refusal(text), "{text:?}");
        }
    }
}
