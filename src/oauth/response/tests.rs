//! Tests of reading token responses.

use std::time::Duration;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::super::Refusal;
use super::super::request::{Form, compose};
use super::super::{AuthMethod, Client};
use super::{Answer, ExchangeError, ResponseTiming, read};
use crate::types::secret::Secret;
use crate::types::token::Token;
use crate::types::uri::Uri;

fn answer(status: u16, body: &str) -> Answer {
    let body = Zeroizing::new(body.as_bytes().to_vec());
    Answer {
        status,
        retry_after: None,
        replenish_time: None,
        replenish_rate: None,
        date: None,
        encoding: None,
        body,
    }
}

fn read_answer(answer: &Answer) -> Result<Token, ExchangeError> {
    read_answer_to("s3cret+", answer)
}

fn read_answer_to(secret: &str, answer: &Answer) -> Result<Token, ExchangeError> {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let timing = ResponseTiming {
        sent_at: at,
        arrived_at: at,
    };
    let client = Client {
        token_url: Uri::parse("https://acme.test/token").unwrap(),
        client_id: "id".to_owned(),
        scope: None,
        audience: None,
        auth_method: AuthMethod::Auto,
        fallback: Form::Query,
    };
    let secret = Secret::new(secret.to_owned());
    let asked = compose(&client.token_url, &client, &secret, Form::BasicRaw);
    read(answer, timing, &asked)
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
        "at most 366 days"
    );
    assert_eq!(life_seconds(""), Some(300), "default");
    assert_eq!(life_seconds(r#","expires_in":null"#), Some(300));
    assert_eq!(life_seconds(r#","expires_in":"soon""#), Some(300));
    assert_eq!(
        life_seconds(r#","expires_in":0"#),
        None,
        "an expired token is rejected"
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
            matches!(read, Err(ExchangeError::InvalidResponse(_))),
            "{body} gave {read:?}"
        );
    }
    let read = read_answer(&answer(
        200,
        r#"{"access_token":"t","token_type":"BEARER"}"#,
    ));
    assert!(read.is_ok(), "`token_type` is case-insensitive");
}

#[test]
fn refusals_are_told_apart_by_what_to_do() {
    let refusal = |status, error: &str, description: &str| {
        let body = format!(r#"{{"error":"{error}","error_description":"{description}"}}"#);
        match read_answer(&answer(status, &body)) {
            Err(ExchangeError::Refused { refusal, .. }) => refusal,
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

/// Any separator between the words of a text is shown as a space.
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
fn rate_limit_pause_is_period_divided_by_rate() {
    let pause = |time: &str, rate: Option<&str>| {
        let mut answer = answer(429, "");
        answer.replenish_time = Some(time.to_owned());
        answer.replenish_rate = rate.map(str::to_owned);
        match read_answer(&answer) {
            Err(ExchangeError::RateLimited { pause }) => pause.map(|pause| pause.as_millis()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pause("60", Some("20")), Some(3000));
    assert_eq!(pause("15", Some("1")), Some(15_000));
    assert_eq!(pause("1", Some("4")), Some(250));
    for useless in ["0", "-1", "many", "NaN", ""] {
        assert_eq!(pause("15", Some(useless)), Some(15_000), "{useless}");
    }
    assert_eq!(
        pause("1e9", Some("1e-9")),
        Some(300_000),
        "at most 5 minutes"
    );
}

#[test]
fn a_429_tells_how_long_to_wait_and_is_not_believed_beyond_five_minutes() {
    let pause = |retry_after: Option<&str>, replenish: Option<&str>| {
        let mut answer = answer(429, "");
        answer.retry_after = retry_after.map(str::to_owned);
        answer.replenish_time = replenish.map(str::to_owned);
        match read_answer(&answer) {
            Err(ExchangeError::RateLimited { pause }) => pause.map(|pause| pause.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        pause(Some("7"), Some("15")),
        Some(7),
        "`Retry-After` has priority"
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
    let mut answer = answer(429, "");
    answer.retry_after = Some("Mon, 01 Jan 2001 00:00:40 GMT".to_owned());
    answer.date = Some("Mon, 01 Jan 2001 00:00:00 GMT".to_owned());
    assert!(
        matches!(
            read_answer(&answer),
            Err(ExchangeError::RateLimited { pause: Some(pause) }) if pause.as_secs() == 40
        ),
        "compared with `Date`"
    );
}

#[test]
fn a_life_is_counted_from_the_moment_the_request_left() {
    let sent_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let arrived_at = sent_at + Duration::from_secs(4);
    let body = br#"{"access_token":"t-1","expires_in":60}"#;
    let token = super::read_token(
        body,
        ResponseTiming {
            sent_at,
            arrived_at,
        },
    )
    .unwrap();
    assert_eq!(token.obtained_at, arrived_at);
    assert_eq!(
        token.expires_at,
        sent_at + Duration::from_secs(60),
        "counted from the time of the request"
    );
}

#[test]
fn a_life_of_less_than_a_second_is_none() {
    assert_eq!(life_seconds(r#","expires_in":1"#), Some(1));
    assert_eq!(life_seconds(r#","expires_in":0.9"#), None);
    assert_eq!(life_seconds(r#","expires_in":" 60 ""#), Some(60));
    for text in ["NaN", "inf", "-inf", "1e999"] {
        let told = format!(r#","expires_in":"{text}""#);
        assert_eq!(life_seconds(&told), Some(300), "{text} is ignored");
    }
    assert_eq!(life_seconds(r#","expires_in":[60]"#), Some(300));
}

#[test]
fn a_jwt_that_is_over_or_no_jwt_is_not_believed() {
    // {"alg":"none"} . {"exp":1699999999} . x
    let over = r#"{"access_token":"eyJhbGciOiJub25lIn0.eyJleHAiOjE2OTk5OTk5OTl9.x"}"#;
    let read = read_answer(&answer(200, over));
    assert!(
        matches!(read, Err(ExchangeError::InvalidResponse(_))),
        "{read:?}"
    );
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
        assert_eq!(scope(text), None, "an invalid scope is ignored: {text}");
    }
}

#[test]
fn a_status_without_a_text_is_told_by_what_it_means() {
    let refusal = |status, body: &str| match read_answer(&answer(status, body)) {
        Err(ExchangeError::Refused { refusal, .. }) => refusal,
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
        "`disabled` alone does not refer to the API"
    );
    assert_eq!(refusal(401, "The API says no"), Refusal::Credentials);
    for status in [408, 425, 500, 502, 599] {
        let read = read_answer(&answer(status, ""));
        assert!(
            matches!(read, Err(ExchangeError::ServerError { .. })),
            "{status}"
        );
    }
    for status in [204, 402, 404, 405, 410, 418, 600] {
        let read = read_answer(&answer(status, ""));
        assert!(
            matches!(read, Err(ExchangeError::InvalidResponse(_))),
            "{status}"
        );
    }
}

#[test]
fn what_is_shown_of_a_refusal_is_short_and_says_where_it_is_a_page() {
    let shown = |body: &str| match read_answer(&answer(401, body)) {
        Err(ExchangeError::Refused {
            error_code,
            server_text,
            ..
        }) => (error_code, server_text),
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
        "an error code has at most 60 characters"
    );
    let (error, description) = shown(&format!(r#"{{"error":"{}"}}"#, "e".repeat(61)));
    assert_eq!(error, None, "too long for a code");
    assert!(description.is_some());
}

#[test]
fn a_clock_that_is_set_back_meanwhile_lengthens_no_life() {
    let arrived_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let sent_at = arrived_at + Duration::from_secs(3600);
    let body = br#"{"access_token":"t-1","expires_in":60}"#;
    let timing = ResponseTiming {
        sent_at,
        arrived_at,
    };
    let token = super::read_token(body, timing).unwrap();
    assert_eq!(token.life(), Duration::from_secs(60));
}

#[test]
fn a_token_that_ends_before_it_arrives_is_none() {
    let sent_at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let arrived_at = sent_at + Duration::from_secs(3);
    let body = br#"{"access_token":"t-1","expires_in":2}"#;
    let read = super::read_token(
        body,
        ResponseTiming {
            sent_at,
            arrived_at,
        },
    );
    let reason = read.unwrap_err().message().reason;
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

#[test]
fn date_header_is_parsed() {
    let read = super::date_of("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    assert_eq!(read.unix_timestamp(), 784_111_777);
    for other in ["", "yesterday", "1994-11-06T08:49:37Z", "GMT"] {
        assert_eq!(super::date_of(other), None, "{other}");
    }
}
