//! Faults of the token endpoint.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// One fault of the token endpoint.
///
/// As JSON (`POST /sandbox/faults`) the name is in snake case: `"reset"`, `{"latency":"2s"}`,
/// `{"status":{"code":503,"headers":[["Retry-After","7"]],"body":"try later"}}`,
/// `{"redirect":{"status":307,"location":"https://other.test/"}}`. Durations are texts like `1m30s`.
///
/// With a fault that uses the real response, the request is checked, counted against the rate limit
/// and given a token if it is valid. With any other fault it is only recorded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The real response after this delay.
    Latency(#[serde(deserialize_with = "duration")] Duration),
    /// Any response.
    Status {
        /// 200 to 999.
        code: u16,
        /// Sent unchanged, in addition to `Content-Length` and `Date`.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Any bytes; in JSON a string.
        #[serde(default, deserialize_with = "text")]
        body: Vec<u8>,
    },
    /// Status 200 and `application/json` with this body, which need not be JSON.
    Body(String),
    /// The headers and the first half of the body of the real response, then the end of the connection.
    CutOff,
    /// The real response, padded with spaces (valid JSON) to this many bytes.
    Oversized(usize),
    /// Status 200 and `application/json`, then spaces without end.
    SlowBody {
        /// Bytes after each pause.
        chunk: usize,
        /// The time before each chunk.
        #[serde(deserialize_with = "duration")]
        pause: Duration,
    },
    /// A redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The `Location` header.
        location: String,
    },
    /// The connection is reset (TCP RST) before the response.
    Reset,
    /// The connection is closed (TCP FIN, no TLS `close_notify`) before the response.
    Close,
    /// The request is read, and no response is sent.
    Hang,
    /// The real response with this `expires_in`; `None` (in JSON `null`) removes the field.
    ExpiresIn(Option<Value>),
}

impl Fault {
    /// A status without headers and body.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// Parses the short form of flags: `NAME` or `NAME=VALUE`, with JSON or plain text as the value.
///
/// `reset`, `latency=2s`, `status=503`, `oversized=2097152`, `expires_in="3600"`.
impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = match text.split_once('=') {
            None => json!(text),
            Some(("body", body)) => json!({ "body": body }),
            Some((name, value)) => {
                let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
                let value = if name == "status" && value.is_number() {
                    json!({ "code": value })
                } else {
                    value
                };
                json!({ name: value })
            }
        };
        serde_json::from_value(fault).map_err(|error| error.to_string())
    }
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    humantime::parse_duration(&String::deserialize(from)?).map_err(serde::de::Error::custom)
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(from).map(String::into_bytes)
}

/// The faults of the next token requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    queue: VecDeque<Fault>,
    standing: Option<Fault>,
    standing_latency: Duration,
}

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.queue.push_back(fault);
    }

    /// A standing latency is stored separately, because it is added to other faults.
    pub(crate) fn set_standing(&mut self, fault: Fault) {
        match fault {
            Fault::Latency(delay) => self.standing_latency = delay,
            other => self.standing = Some(other),
        }
    }

    pub(crate) fn end_standing(&mut self) {
        self.standing = None;
        self.standing_latency = Duration::ZERO;
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the delay and the fault of the next request.
    pub(crate) fn take(&mut self) -> (Duration, Option<Fault>) {
        match self.queue.pop_front().or_else(|| self.standing.clone()) {
            Some(Fault::Latency(delay)) => (self.standing_latency + delay, None),
            fault => (self.standing_latency, fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_form_is_parsed() {
        let status = |code| Ok(Fault::status(code));
        assert_eq!("reset".parse(), Ok(Fault::Reset), "a bare name");
        assert_eq!(
            "latency=2s".parse(),
            Ok(Fault::Latency(Duration::from_secs(2))),
            "plain text"
        );
        assert_eq!(
            "status=503".parse(),
            status(503),
            "a bare number is the status"
        );
        assert_eq!(r#"status={"code":429}"#.parse(), status(429), "JSON");
        assert_eq!(
            r#"body={"a":1}"#.parse(),
            Ok(Fault::Body(r#"{"a":1}"#.to_owned())),
            "a body is not parsed"
        );
        assert_eq!(
            r#"expires_in="3600""#.parse(),
            Ok(Fault::ExpiresIn(Some(json!("3600")))),
            "a JSON string stays a string"
        );
        assert_eq!(
            "expires_in=null".parse(),
            Ok(Fault::ExpiresIn(None)),
            "null removes the field"
        );
        assert!(
            "explode"
                .parse::<Fault>()
                .is_err_and(|it| it.contains("cut_off")),
            "the error lists the names"
        );
    }

    #[test]
    fn standing_latency_is_added_to_queued_faults() {
        let mut faults = Faults::default();
        faults.set_standing(Fault::Latency(Duration::from_secs(1)));
        faults.push(Fault::Reset);
        faults.push(Fault::Latency(Duration::from_secs(2)));
        assert_eq!(
            faults.take(),
            (Duration::from_secs(1), Some(Fault::Reset)),
            "delayed, then reset"
        );
        assert_eq!(
            faults.take(),
            (Duration::from_secs(3), None),
            "two latencies add up"
        );
        assert_eq!(
            faults.take(),
            (Duration::from_secs(1), None),
            "the queue is empty; the standing latency remains"
        );
    }
}
