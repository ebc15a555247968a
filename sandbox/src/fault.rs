//! What the token endpoint does instead of, or on the way to, its true answer.

use std::collections::VecDeque;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

/// One misbehaviour of the token endpoint.
///
/// As JSON (`POST /sandbox/faults`) the name is in snake case: `"reset"`, `{"latency":"2s"}`,
/// `{"status":{"code":503,"headers":[["Retry-After","7"]],"body":"try later"}}`,
/// `{"redirect":{"status":307,"location":"https://other.test/"}}`. Durations are texts like `1m30s`.
///
/// Where it says "the true answer", the request is judged, counted against the rate limit and, if it
/// is right, given a token; otherwise the request is only recorded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The true answer, this much later.
    Latency(#[serde(deserialize_with = "duration")] Duration),
    /// Any answer at all.
    Status {
        /// 200 to 999.
        code: u16,
        /// Sent as they are, besides `Content-Length` and `Date`.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Any bytes; in JSON a text.
        #[serde(default, deserialize_with = "text")]
        body: Vec<u8>,
    },
    /// Status 200 and `application/json` with this body, whether it is JSON or not.
    Body(String),
    /// The true answer's headers and the first half of its body, then the end of the connection.
    CutOff,
    /// The true answer, filled up with spaces (JSON allows them) to this many bytes.
    Oversized(usize),
    /// Status 200 and `application/json`, then this many spaces after each pause, without end.
    SlowBody {
        /// Bytes at a time.
        chunk: usize,
        /// Time before each of them.
        #[serde(deserialize_with = "duration")]
        pause: Duration,
    },
    /// A redirect to somewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The `Location` header.
        location: String,
    },
    /// The connection is reset (TCP RST) before any answer.
    Reset,
    /// The connection is closed (TCP FIN, no TLS `close_notify`) before any answer.
    Close,
    /// The request is read and never answered.
    Hang,
    /// The true answer with this `expires_in`; `None` (in JSON `null`) leaves the field out.
    ExpiresIn(Option<Value>),
}

impl Fault {
    /// A status with neither headers nor body.
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

/// The short form that flags take: `NAME` or `NAME=VALUE`, the value JSON or plain text.
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

/// The faults in wait for the next token requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    scripted: VecDeque<Fault>,
    standing: Option<Fault>,
    standing_latency: Duration,
}

impl Faults {
    pub(crate) fn push(&mut self, fault: Fault) {
        self.scripted.push_back(fault);
    }

    /// A standing latency is kept apart, so that it adds to whatever else happens.
    pub(crate) fn stand(&mut self, fault: Fault) {
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

    /// What happens to the next request: how long it waits, and what it gets instead of the truth.
    pub(crate) fn take(&mut self) -> (Duration, Option<Fault>) {
        match self.scripted.pop_front().or_else(|| self.standing.clone()) {
            Some(Fault::Latency(delay)) => (self.standing_latency + delay, None),
            fault => (self.standing_latency, fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_reads_names_numbers_texts_and_json() {
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
            "a status needs no braces"
        );
        assert_eq!(r#"status={"code":429}"#.parse(), status(429), "JSON");
        assert_eq!(
            r#"body={"a":1}"#.parse(),
            Ok(Fault::Body(r#"{"a":1}"#.to_owned())),
            "a body is always text"
        );
        assert_eq!(
            r#"expires_in="3600""#.parse(),
            Ok(Fault::ExpiresIn(Some(json!("3600")))),
            "a JSON text stays one"
        );
        assert_eq!(
            "expires_in=null".parse(),
            Ok(Fault::ExpiresIn(None)),
            "null leaves the field out"
        );
        assert!(
            "explode"
                .parse::<Fault>()
                .is_err_and(|it| it.contains("cut_off")),
            "the refusal lists the names"
        );
    }

    #[test]
    fn a_standing_latency_adds_to_scripted_faults() {
        let mut faults = Faults::default();
        faults.stand(Fault::Latency(Duration::from_secs(1)));
        faults.push(Fault::Reset);
        faults.push(Fault::Latency(Duration::from_secs(2)));
        assert_eq!(
            faults.take(),
            (Duration::from_secs(1), Some(Fault::Reset)),
            "late, and then reset"
        );
        assert_eq!(
            faults.take(),
            (Duration::from_secs(3), None),
            "two latencies add up"
        );
        assert_eq!(
            faults.take(),
            (Duration::from_secs(1), None),
            "the queue is empty, the standing one stays"
        );
    }
}
