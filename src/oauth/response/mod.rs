//! Responses of the token endpoint. No I/O.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use zeroize::Zeroizing;

use super::error::{BodyKind, ExchangeError, InvalidResponse};
use super::http::{Answer, Reply};
use super::oauth_error::{
    ErrorBody, error_text, has_error, json_text, oauth_error, redacted_error_text,
};
use super::request::HttpRequest;
use crate::types::quote::quote;
use crate::types::redact::redact;
use crate::types::token::{AccessToken, Token};

/// The longest lifetime that is accepted, in seconds: 366 days.
const LONGEST_LIFE_SECONDS: f64 = 31_622_400.0;

/// The lifetime of a token if the server does not send one.
const DEFAULT_LIFE: Duration = Duration::from_secs(5 * 60);

/// The longest pause after a 429.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// A response of the API. Its content is not trusted and not yet quoted.
pub(crate) struct ApiResponse {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Date`.
    pub(crate) date: Option<String>,
    /// `X-RateLimit-Remaining`.
    pub(crate) requests_left: Option<String>,
    /// The time after which the rate limit allows one more request.
    pub(crate) next_request_in: Option<Duration>,
    /// The waiting time that a 429 requests.
    pub(crate) pause: Option<Duration>,
    /// The `Content-Encoding` of a compressed body.
    pub(crate) encoding: Option<String>,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// The body, at most 1 MiB.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

impl ApiResponse {
    /// Converts a response that arrived at `now`.
    pub(super) fn of(reply: Reply, now: OffsetDateTime) -> Self {
        Self {
            status: reply.answer.status,
            requests_left: reply.requests_left,
            next_request_in: replenish_interval(&reply.answer),
            pause: read_pause(&reply.answer, now),
            date: reply.answer.date,
            encoding: reply.answer.encoding,
            location: reply.location,
            body: reply.answer.body,
        }
    }

    /// The text of an error response, quoted; the token is removed if the server repeats it.
    pub(crate) fn error_text(&self, token: &AccessToken) -> Option<String> {
        let body = ErrorBody {
            bytes: &self.body,
            encoding: self.encoding.as_deref(),
        };
        redacted_error_text(&body, |text| redact(text, &[token.expose()]))
    }
}

fn error_body(answer: &Answer) -> ErrorBody<'_> {
    ErrorBody {
        bytes: &answer.body,
        encoding: answer.encoding.as_deref(),
    }
}

/// The times when the request was sent and the response arrived. Both limit the lifetime of a
/// token.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResponseTiming {
    pub(super) sent_at: OffsetDateTime,
    pub(super) arrived_at: OffsetDateTime,
}

/// Parses a response that is not a redirect.
pub(super) fn read(
    answer: &Answer,
    timing: ResponseTiming,
    request: &HttpRequest,
) -> Result<Token, ExchangeError> {
    match answer.status {
        200..=299 => read_success(answer, timing, request),
        400 | 401 | 403 | 415 | 422 => {
            Err(oauth_error(answer.status, &error_body(answer), request))
        }
        429 => Err(ExchangeError::RateLimited {
            pause: read_pause(answer, timing.arrived_at),
        }),
        408 | 425 | 500..=599 => Err(ExchangeError::ServerError {
            status: answer.status,
            server_text: error_text(&error_body(answer), request),
        }),
        status => Err(ExchangeError::InvalidResponse(InvalidResponse::Status {
            status,
            server_text: error_text(&error_body(answer), request),
        })),
    }
}

/// Parses a response with a 2xx status: a token, or an error object, which some servers send with
/// 200.
fn read_success(
    answer: &Answer,
    timing: ResponseTiming,
    request: &HttpRequest,
) -> Result<Token, ExchangeError> {
    if let Some(encoding) = &answer.encoding {
        let invalid = InvalidResponse::Compressed(quote(encoding));
        return Err(ExchangeError::InvalidResponse(invalid));
    }
    let token = read_token(&answer.body, timing);
    if token.is_err() && has_error(&answer.body) {
        return Err(oauth_error(answer.status, &error_body(answer), request));
    }
    token
}

fn read_token(body: &[u8], timing: ResponseTiming) -> Result<Token, ExchangeError> {
    let invalid = ExchangeError::InvalidResponse;
    let body = json_text(body);
    let mut wire: WireToken = serde_json::from_slice(body)
        .map_err(|_| invalid(InvalidResponse::NotJson(BodyKind::of(body))))?;
    let mut access_token = Zeroizing::new(std::mem::take(&mut wire.access_token));
    let kind = match &wire.token_type {
        None | Some(Value::Null) => "bearer",
        Some(Value::String(kind)) => kind.trim(),
        Some(_) => "not a text",
    };
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(invalid(InvalidResponse::TokenType(quote(kind))));
    }
    let access_token = AccessToken::parse(std::mem::take(&mut *access_token))
        .map_err(|error| invalid(InvalidResponse::AccessToken(error)))?;
    let life = read_life(wire.expires_in.as_ref())
        .or_else(|| jwt_life(access_token.expose(), timing.sent_at))
        .unwrap_or(Life::Lasts(DEFAULT_LIFE));
    let Life::Lasts(life) = life else {
        return Err(invalid(InvalidResponse::Expired));
    };
    // If the clock was set back in between, the lifetime must not become longer.
    let expires_at = timing.sent_at.min(timing.arrived_at) + life;
    if expires_at <= timing.arrived_at {
        return Err(invalid(InvalidResponse::ExpiredInTransit));
    }
    let scope = match wire.scope {
        Some(Value::String(scope)) if scope.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
            Some(scope).filter(|scope| !scope.is_empty() && scope.len() <= 4096)
        }
        _ => None,
    };
    Ok(Token {
        access_token,
        scope,
        requested_at: timing.sent_at.min(timing.arrived_at),
        obtained_at: timing.arrived_at,
        expires_at,
    })
}

enum Life {
    Lasts(Duration),
    Over,
}

/// Parses `expires_in`: an integer, a float, or a string that contains one. Any other value counts
/// as absent.
fn read_life(expires_in: Option<&Value>) -> Option<Life> {
    let seconds = match expires_in? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        _ => return None,
    };
    if !seconds.is_finite() {
        return None;
    }
    if seconds < 1.0 {
        return Some(Life::Over);
    }
    Some(Life::Lasts(Duration::from_secs_f64(
        seconds.min(LONGEST_LIFE_SECONDS).floor(),
    )))
}

/// The lifetime from the `exp` of a token that is a JWT (RFC 7519 §4.1.4). The signature is not
/// checked; the API does that.
fn jwt_life(token: &str, now: OffsetDateTime) -> Option<Life> {
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(claims).ok()?);
    let claims: WireClaims = serde_json::from_slice(&claims).ok()?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds since 1970 are far below 2^53"
    )]
    let left = claims.exp - now.unix_timestamp() as f64;
    read_life(Some(&Value::from(left)))
}

/// The waiting time that a 429 requests: `Retry-After` in seconds or as a date (RFC 9110 §10.2.3),
/// otherwise the vendor's `X-RateLimit-Replenish-Time` ÷ `X-RateLimit-Replenish-Rate`. At most 5
/// minutes. A date is compared with the `Date` of the response, because the clocks of the server
/// and of this machine may differ. `now` is used only if there is no `Date`.
fn read_pause(answer: &Answer, now: OffsetDateTime) -> Option<Duration> {
    let now = answer.date.as_deref().and_then(date_of).unwrap_or(now);
    let until = |text: &str| date_of(text).map(|at| (at - now).as_seconds_f64());
    let retry_after = answer
        .retry_after
        .as_deref()
        .and_then(|text| number(text).or(until(text)));
    let retry_after = retry_after.map(seconds);
    let pause = retry_after.or_else(|| replenish_interval(answer))?;
    Some(pause.min(LONGEST_PAUSE))
}

/// Parses the time of a `Date` or `Retry-After` header (RFC 9110 §5.6.7).
pub(crate) fn date_of(header: &str) -> Option<OffsetDateTime> {
    // RFC 9110 writes `GMT`; RFC 2822 writes an offset.
    let text = header.trim().strip_suffix("GMT")?;
    OffsetDateTime::parse(&format!("{text}+0000"), &Rfc2822).ok()
}

/// The time after which the vendor's rate limit allows one more request: the period divided by the
/// number of requests that it adds. A missing rate counts as 1.
fn replenish_interval(answer: &Answer) -> Option<Duration> {
    let period = answer.replenish_time.as_deref().and_then(number)?;
    let rate = answer.replenish_rate.as_deref().and_then(number);
    let rate = rate.filter(|rate| *rate > 0.0).unwrap_or(1.0);
    Some(seconds(period / rate))
}

fn number(text: &str) -> Option<f64> {
    let number = text.trim().parse::<f64>().ok();
    number.filter(|number| number.is_finite())
}

/// Converts seconds to a duration, limited to the range from 0 to the longest lifetime.
fn seconds(number: f64) -> Duration {
    Duration::from_secs_f64(number.clamp(0.0, LONGEST_LIFE_SECONDS))
}

#[derive(Deserialize)]
struct WireToken {
    access_token: String,
    token_type: Option<Value>,
    expires_in: Option<Value>,
    scope: Option<Value>,
}

#[derive(Deserialize)]
struct WireClaims {
    exp: f64,
}

#[cfg(test)]
mod tests;
