//! The answer of the token endpoint, read with tolerance for form and none for content. No I/O.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::refusal::{read_refusal, told};
use super::request::Composed;
use crate::quote::quote;
use crate::token::{AccessToken, Token};

/// The longest life that is believed, in seconds: 366 days.
const LONGEST_LIFE_SECONDS: f64 = 31_622_400.0;

/// The life that is assumed where the server tells none.
const UNTOLD_LIFE: Duration = Duration::from_secs(5 * 60);

/// The longest pause after a 429 that is believed.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What came back, in so far as it matters here.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) replenish_time: Option<String>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// The two moments that give a token its life: the request leaving, the answer arriving.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    pub(super) sent_at: OffsetDateTime,
    pub(super) arrived_at: OffsetDateTime,
}

/// Reads an answer that is no redirect.
pub(super) fn read(answer: &Answer, moments: Moments, asked: &Composed) -> Result<Token, Failure> {
    match answer.status {
        200..=299 => read_token(&answer.body, moments),
        400 | 401 | 403 | 415 | 422 => Err(read_refusal(answer, asked)),
        429 => Err(Failure::RateLimited {
            pause: read_pause(answer, moments.arrived_at),
        }),
        408 | 425 | 500..=599 => Err(Failure::Unavailable {
            reason: format!("it answered {}", answer.status),
            detail: told(&answer.body, asked).map(|text| format!("\"{text}\"")),
        }),
        404 | 405 | 410 => Err(Failure::Unusable {
            reason: format!("it answered {}", answer.status),
            detail: told(&answer.body, asked).map(|text| format!("\"{text}\"")),
            hint: Some(
                "check `cloud_id` or `base_url`; an older tenant has its token endpoint at \
                 /api/beta/oauth/token (set `token_url`)"
                    .to_owned(),
            ),
        }),
        status => Err(Failure::Unusable {
            reason: format!("it answered {status}"),
            detail: told(&answer.body, asked).map(|text| format!("\"{text}\"")),
            hint: None,
        }),
    }
}

fn read_token(body: &[u8], moments: Moments) -> Result<Token, Failure> {
    let unusable = |reason: String, detail: Option<String>| Failure::Unusable {
        reason,
        detail,
        hint: None,
    };
    let mut wire: WireToken = serde_json::from_slice(body).map_err(|_| {
        let detail = if body.trim_ascii_start().starts_with(b"<") {
            "an HTML page, perhaps a proxy's or a login portal's"
        } else if body.is_empty() {
            "an empty body"
        } else {
            "something that is not the JSON of RFC 6749 section 5.1"
        };
        unusable(
            "the answer is not JSON with an access token".into(),
            Some(detail.into()),
        )
    })?;
    let mut access_token = Zeroizing::new(std::mem::take(&mut wire.access_token));
    let kind = match &wire.token_type {
        None | Some(Value::Null) => "bearer",
        Some(Value::String(kind)) => kind,
        Some(_) => "not a text",
    };
    if !kind.eq_ignore_ascii_case("bearer") {
        let reason = format!("its type is `{}` where `bearer` is needed", quote(kind));
        return Err(unusable(reason, None));
    }
    let access_token = AccessToken::parse(std::mem::take(&mut *access_token)).map_err(|error| {
        unusable(
            "the access token cannot be used".into(),
            Some(error.to_string()),
        )
    })?;
    let life = told_life(wire.expires_in.as_ref())
        .or_else(|| jwt_life(access_token.expose(), moments.sent_at))
        .unwrap_or(Life::Lasts(UNTOLD_LIFE));
    let Life::Lasts(life) = life else {
        let reason = "the access token it gave has expired already".to_owned();
        return Err(unusable(
            reason,
            Some("its `expires_in`, or its own `exp`, is over".to_owned()),
        ));
    };
    // A clock that was set back in between must not lengthen the life.
    let expires_at = moments.sent_at.min(moments.arrived_at) + life;
    if expires_at <= moments.arrived_at {
        return Err(unusable(
            "the access token it gave has expired on the way".to_owned(),
            None,
        ));
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
        obtained_at: moments.arrived_at,
        expires_at,
    })
}

enum Life {
    Lasts(Duration),
    Over,
}

/// `expires_in` as a number, a float or a text that holds one; anything else counts as not told.
fn told_life(expires_in: Option<&Value>) -> Option<Life> {
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

/// The `exp` of a token that is a JWT (RFC 7519 §4.1.4). Its signature is the API's business.
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
    told_life(Some(&Value::from(left)))
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), else the vendor's
/// `X-RateLimit-Replenish-Time` in seconds; at most 5 minutes are believed.
fn read_pause(answer: &Answer, now: OffsetDateTime) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse::<f64>().ok().filter(|s| s.is_finite());
    let until = |text: &str| {
        let date = text.trim().strip_suffix("GMT")?.to_owned() + "+0000";
        let at = OffsetDateTime::parse(&date, &time::format_description::well_known::Rfc2822);
        at.ok().map(|at| (at - now).as_seconds_f64())
    };
    let retry_after = answer
        .retry_after
        .as_deref()
        .and_then(|text| seconds(text).or(until(text)));
    let replenish = answer.replenish_time.as_deref().and_then(seconds);
    let pause = retry_after.or(replenish)?;
    Some(Duration::from_secs_f64(
        pause.clamp(0.0, LONGEST_PAUSE.as_secs_f64()),
    ))
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
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;
    use zeroize::Zeroizing;

    use super::super::Refusal;
    use super::super::request::{Form, compose};
    use super::super::{AuthMethod, Client};
    use super::{Answer, Failure, Moments, read};
    use crate::secret::Secret;
    use crate::token::Token;
    use crate::uri::Uri;

    fn answer(status: u16, body: &str) -> Answer {
        let body = Zeroizing::new(body.as_bytes().to_vec());
        Answer {
            status,
            retry_after: None,
            replenish_time: None,
            body,
        }
    }

    fn read_answer(answer: &Answer) -> Result<Token, Failure> {
        read_answer_to("s3cret+", answer)
    }

    fn read_answer_to(secret: &str, answer: &Answer) -> Result<Token, Failure> {
        let at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let moments = Moments {
            sent_at: at,
            arrived_at: at,
        };
        let client = Client {
            token_url: Uri::parse("https://acme.test/token").unwrap(),
            client_id: "id".to_owned(),
            scope: None,
            audience: None,
            auth_method: AuthMethod::Auto,
        };
        let secret = Secret::new(secret.to_owned());
        let asked = compose(&client.token_url, &client, &secret, Form::BasicRaw);
        read(answer, moments, &asked)
    }

    fn life_seconds(fields: &str) -> Option<u64> {
        let body = format!(r#"{{"access_token":"t-1"{fields}}}"#);
        read_answer(&answer(200, &body))
            .ok()
            .map(|token| token.life().as_secs())
    }

    #[test]
    fn a_life_is_read_from_whatever_servers_write() {
        assert_eq!(life_seconds(r#","expires_in":43199"#), Some(43_199));
        assert_eq!(life_seconds(r#","expires_in":"3600""#), Some(3600));
        assert_eq!(life_seconds(r#","expires_in":3599.9"#), Some(3599));
        assert_eq!(
            life_seconds(r#","expires_in":1e12"#),
            Some(366 * 86_400),
            "bounded"
        );
        assert_eq!(life_seconds(""), Some(300), "not told");
        assert_eq!(life_seconds(r#","expires_in":null"#), Some(300));
        assert_eq!(life_seconds(r#","expires_in":"soon""#), Some(300));
        assert_eq!(
            life_seconds(r#","expires_in":0"#),
            None,
            "an expired token is no token"
        );
        assert_eq!(life_seconds(r#","expires_in":-5"#), None);
    }

    #[test]
    fn a_jwt_tells_its_own_end_where_the_server_does_not() {
        // {"alg":"none"} . {"exp":1700000120} . x
        let body = r#"{"access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAxMjB9.x"}"#;
        let token = read_answer(&answer(200, body)).unwrap();
        assert_eq!(token.life(), Duration::from_secs(120));
    }

    #[test]
    fn only_a_bearer_token_is_a_token() {
        for body in [
            r#"{"access_token":"t","token_type":"mac"}"#,
            r#"{"access_token":"t","token_type":7}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"a\nb"}"#,
            r#"{"access_token":7}"#,
            r#"{"access_token":"a","access_token":"b"}"#,
            r#"{"token":"t"}"#,
            "<html></html>",
            "",
            "null",
        ] {
            let read = read_answer(&answer(200, body));
            assert!(
                matches!(read, Err(Failure::Unusable { .. })),
                "{body} gave {read:?}"
            );
        }
        let read = read_answer(&answer(
            200,
            r#"{"access_token":"t","token_type":"BEARER"}"#,
        ));
        assert!(read.is_ok(), "in any case");
    }

    #[test]
    fn refusals_are_told_apart_by_what_to_do() {
        let refusal = |status, error: &str, description: &str| {
            let body = format!(r#"{{"error":"{error}","error_description":"{description}"}}"#);
            match read_answer(&answer(status, &body)) {
                Err(Failure::Refused { refusal, .. }) => refusal,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            refusal(401, "invalid_client", "Bad client credentials"),
            Refusal::Credentials
        );
        assert_eq!(
            refusal(401, "invalid_client", "Client secret expired"),
            Refusal::Expired
        );
        assert_eq!(
            refusal(403, "access_denied", "API access is disabled"),
            Refusal::ApiDisabled
        );
        assert_eq!(
            refusal(
                403,
                "access_denied",
                "Source address 192.0.2.1 is not allowed"
            ),
            Refusal::SourceAddress
        );
        assert_eq!(refusal(400, "invalid_scope", ""), Refusal::Request);
        assert_eq!(refusal(403, "", ""), Refusal::Forbidden);
    }

    #[test]
    fn a_server_that_echoes_the_secret_does_not_make_us_print_it() {
        let body = r#"{"error":"invalid_client","error_description":"no s3cret+ or s3cret%2B or Basic aWQ6czNjcmV0Kw=="}"#;
        let shown = format!("{:?}", read_answer(&answer(401, body)));
        assert!(
            !shown.contains("s3cret") && !shown.contains("aWQ6"),
            "{shown}"
        );
    }

    /// What stands between the words of a text is shown as a space, whatever it was.
    #[test]
    fn a_secret_with_a_space_is_found_whatever_a_server_puts_in_its_place() {
        for between in [" ", "\u{1}", "\u{0} \t", "\u{200b}", "\n\n"] {
            let echo = format!("no s3cret{between}and{between}canary");
            for body in [
                echo.clone(),
                serde_json::json!({ "error": echo }).to_string(),
                serde_json::json!({ "error_description": echo }).to_string(),
            ] {
                let read = read_answer_to("s3cret and canary", &answer(401, &body));
                let shown = format!("{read:?}");
                assert!(!shown.contains("canary"), "{body}: {shown}");
            }
        }
    }

    #[test]
    fn a_429_tells_how_long_to_wait_and_is_not_believed_beyond_five_minutes() {
        let pause = |retry_after: Option<&str>, replenish: Option<&str>| {
            let mut answer = answer(429, "");
            answer.retry_after = retry_after.map(str::to_owned);
            answer.replenish_time = replenish.map(str::to_owned);
            match read_answer(&answer) {
                Err(Failure::RateLimited { pause }) => pause.map(|pause| pause.as_secs()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            pause(Some("7"), Some("15")),
            Some(7),
            "the standard header first"
        );
        assert_eq!(pause(None, Some("15")), Some(15));
        assert_eq!(pause(Some("86400"), None), Some(300));
        assert_eq!(pause(Some("-1"), None), Some(0));
        assert_eq!(
            pause(Some("Tue, 14 Nov 2023 22:13:50 GMT"), None),
            Some(30),
            "a date"
        );
        assert_eq!(pause(Some("soon"), None), None);
    }

    #[test]
    fn a_life_is_counted_from_the_moment_the_request_left() {
        let sent_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let arrived_at = sent_at + Duration::from_secs(4);
        let body = br#"{"access_token":"t-1","expires_in":60}"#;
        let token = super::read_token(
            body,
            Moments {
                sent_at,
                arrived_at,
            },
        )
        .unwrap();
        assert_eq!(token.obtained_at, arrived_at);
        assert_eq!(
            token.expires_at,
            sent_at + Duration::from_secs(60),
            "the server may have counted from there"
        );
    }

    #[test]
    fn a_life_of_less_than_a_second_is_none() {
        assert_eq!(life_seconds(r#","expires_in":1"#), Some(1));
        assert_eq!(life_seconds(r#","expires_in":0.9"#), None);
        assert_eq!(life_seconds(r#","expires_in":" 60 ""#), Some(60));
        for text in ["NaN", "inf", "-inf", "1e999"] {
            let told = format!(r#","expires_in":"{text}""#);
            assert_eq!(life_seconds(&told), Some(300), "{text} tells nothing");
        }
        assert_eq!(life_seconds(r#","expires_in":[60]"#), Some(300));
    }

    #[test]
    fn a_jwt_that_is_over_or_no_jwt_is_not_believed() {
        // {"alg":"none"} . {"exp":1699999999} . x
        let over = r#"{"access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjE2OTk5OTk5OTl9.x"}"#;
        let read = read_answer(&answer(200, over));
        assert!(matches!(read, Err(Failure::Unusable { .. })), "{read:?}");
        for token in [
            "a.b.c",
            "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAxMjB9",
            "eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAxMjB9.x.y.z",
        ] {
            let body = format!(r#"{{"access_token":"{token}"}}"#);
            let read = read_answer(&answer(200, &body)).unwrap();
            assert_eq!(read.life(), Duration::from_secs(300), "{token}");
        }
    }

    #[test]
    fn what_the_server_tells_of_a_jwt_counts_before_the_jwt() {
        let body =
            r#"{"access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAxMjB9.x","expires_in":60}"#;
        let token = read_answer(&answer(200, body)).unwrap();
        assert_eq!(token.life(), Duration::from_secs(60));
    }

    #[test]
    fn a_scope_is_kept_only_where_it_can_be_shown() {
        let scope = |scope: &str| {
            let body = format!(r#"{{"access_token":"t-1","scope":{scope}}}"#);
            read_answer(&answer(200, &body)).unwrap().scope
        };
        assert_eq!(scope(r#""read write""#).as_deref(), Some("read write"));
        let longest = format!("\"{}\"", "a".repeat(4096));
        assert!(scope(&longest).is_some());
        let too_long = format!("\"{}\"", "a".repeat(4097));
        for text in [
            r#""""#,
            r#""a\u001b[31m""#,
            r#""é""#,
            "7",
            "null",
            &too_long,
        ] {
            assert_eq!(scope(text), None, "the token is good without it: {text}");
        }
    }

    #[test]
    fn a_status_without_a_text_is_told_by_what_it_means() {
        let refusal = |status, body: &str| match read_answer(&answer(status, body)) {
            Err(Failure::Refused { refusal, .. }) => refusal,
            other => panic!("{other:?}"),
        };
        for (status, expected) in [
            (400, Refusal::Credentials),
            (401, Refusal::Credentials),
            (403, Refusal::Forbidden),
            (415, Refusal::Request),
            (422, Refusal::Request),
        ] {
            assert_eq!(refusal(status, ""), expected, "{status}");
        }
        assert_eq!(
            refusal(401, "Account disabled"),
            Refusal::Credentials,
            "`disabled` alone says nothing of the API"
        );
        assert_eq!(refusal(401, "The API says no"), Refusal::Credentials);
        for status in [408, 425, 500, 502, 599] {
            let read = read_answer(&answer(status, ""));
            assert!(matches!(read, Err(Failure::Unavailable { .. })), "{status}");
        }
        for status in [204, 402, 404, 405, 410, 418, 600] {
            let read = read_answer(&answer(status, ""));
            assert!(matches!(read, Err(Failure::Unusable { .. })), "{status}");
        }
    }

    #[test]
    fn what_is_shown_of_a_refusal_is_short_and_says_where_it_is_a_page() {
        let shown = |body: &str| match read_answer(&answer(401, body)) {
            Err(Failure::Refused {
                error, description, ..
            }) => (error, description),
            other => panic!("{other:?}"),
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(shown(" <html>no</html>"), (None, text("an HTML page")));
        assert_eq!(shown("no\r\nway"), (None, text("no way")));
        assert_eq!(shown(""), (None, None));
        assert_eq!(
            shown(r#"{"error":"e","errorMessage":"m"}"#),
            (text("e"), text("m"))
        );
        assert_eq!(
            shown(r#"{"error":"e","error_description":"d","message":"m"}"#),
            (text("e"), text("d"))
        );
        let longest = "e".repeat(60);
        assert_eq!(
            shown(&format!(r#"{{"error":"{longest}"}}"#)).0,
            Some(longest),
            "a code is one word"
        );
        let (error, description) = shown(&format!(r#"{{"error":"{}"}}"#, "e".repeat(61)));
        assert_eq!(error, None, "a text is no code");
        assert!(description.is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_meanwhile_lengthens_no_life() {
        let arrived_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let sent_at = arrived_at + Duration::from_secs(3600);
        let body = br#"{"access_token":"t-1","expires_in":60}"#;
        let moments = Moments {
            sent_at,
            arrived_at,
        };
        let token = super::read_token(body, moments).unwrap();
        assert_eq!(token.life(), Duration::from_secs(60));
    }

    #[test]
    fn a_token_that_ends_before_it_arrives_is_none() {
        let sent_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let arrived_at = sent_at + Duration::from_secs(3);
        let body = br#"{"access_token":"t-1","expires_in":2}"#;
        let read = super::read_token(
            body,
            Moments {
                sent_at,
                arrived_at,
            },
        );
        let Err(Failure::Unusable { reason, .. }) = read else {
            panic!("{read:?}")
        };
        assert!(reason.contains("expired on the way"), "{reason}");
    }

    #[test]
    fn no_part_of_a_secret_is_shown_where_a_long_text_is_cut() {
        for space in 1980..2000 {
            let body = format!("no{}s3cret+", " ".repeat(space));
            let shown = format!("{:?}", read_answer(&answer(401, &body)));
            assert!(!shown.contains("s3"), "{shown}");
        }
    }
}
