//! Responses of the token endpoint, and their effect on this caller and on later ones.

use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Fault, Form, Sandbox, TokenPath};
use serde_json::{Value, json};

use crate::harness::World;

struct Case {
    name: &'static str,
    fault: Fault,
    /// How often it happens in a row: retries and the second form of `auto` get it again.
    times: usize,
    code: i32,
    says: &'static [&'static str],
    /// The reason and the seconds of the cool-down that is recorded.
    cooldown: (&'static str, i64),
}

fn status(code: u16, headers: &[(&str, &str)], body: &str) -> Fault {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Fault::Status {
        code,
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    }
}

fn refused(name: &'static str, fault: Fault, times: usize, says: &'static [&'static str]) -> Case {
    Case {
        name,
        fault,
        times,
        code: 4,
        says,
        cooldown: ("refused", 30),
    }
}

fn no_token(name: &'static str, fault: Fault, says: &'static [&'static str]) -> Case {
    Case {
        name,
        fault,
        times: 1,
        code: 6,
        says,
        cooldown: ("unavailable", 5),
    }
}

fn unavailable(name: &'static str, fault: Fault, says: &'static [&'static str]) -> Case {
    Case {
        name,
        fault,
        times: 4,
        code: 6,
        says,
        cooldown: ("unavailable", 5),
    }
}

fn limited(name: &'static str, headers: &[(&str, &str)], seconds: i64) -> Case {
    Case {
        name,
        fault: status(429, headers, ""),
        times: 1,
        code: 5,
        says: &["rate limiting", "(429)"],
        cooldown: ("rate_limited", seconds),
    }
}

fn cases() -> Vec<Case> {
    let redirect = |status, location: &str| Fault::Redirect {
        status,
        location: location.into(),
    };
    let body = |text: &str| Fault::Body(text.to_owned());
    vec![
        refused(
            "400 without a body",
            status(400, &[], ""),
            2,
            &["(400)", "no reason given"],
        ),
        refused(
            "400 invalid_client",
            status(400, &[], r#"{"error":"invalid_client"}"#),
            2,
            &["(400 invalid_client)", "check the client ID and the secret"],
        ),
        refused(
            "400 invalid_scope",
            status(400, &[], r#"{"error":"invalid_scope"}"#),
            2,
            &["refused the request", "(400 invalid_scope)", "`scope`"],
        ),
        refused(
            "401 without a body",
            status(401, &[], ""),
            2,
            &["(401)", "Enable API"],
        ),
        refused(
            "401 with a reason",
            status(
                401,
                &[("WWW-Authenticate", "Basic")],
                r#"{"error":"invalid_client","error_description":"Bad \u001b[31mclient"}"#,
            ),
            2,
            &["(401 invalid_client)", "\"Bad [31mclient\"", "Enable API"],
        ),
        refused(
            "403 without a body",
            status(403, &[], ""),
            1,
            &["(403)", "subnets", "Enable API"],
        ),
        refused(
            "403 API off",
            status(
                403,
                &[],
                r#"{"error":"access_denied","error_description":"API access is disabled"}"#,
            ),
            1,
            &["(403 access_denied)", "switch it on"],
        ),
        refused(
            "403 source address",
            status(
                403,
                &[],
                r#"{"message":"Source address 192.0.2.1 is not allowed"}"#,
            ),
            1,
            &["(403)", "192.0.2.1", "source subnets"],
        ),
        refused(
            "401 expired",
            status(
                401,
                &[],
                r#"{"error":"invalid_client","error_description":"Credentials have expired"}"#,
            ),
            2,
            &["expired", "make new API credentials"],
        ),
        no_token(
            "404 with HTML",
            status(404, &[], "<html>no</html>"),
            &["404", "an HTML page", "/api/beta/"],
        ),
        limited("429 Retry-After", &[("Retry-After", "40")], 40),
        limited("429 replenish", &[("X-RateLimit-Replenish-Time", "50")], 50),
        limited(
            "429 with a replenish rate",
            &[
                ("X-RateLimit-Replenish-Time", "60"),
                ("X-RateLimit-Replenish-Rate", "3"),
            ],
            20,
        ),
        limited(
            "429 Retry-After before replenish",
            &[("Retry-After", "40"), ("X-RateLimit-Replenish-Time", "15")],
            40,
        ),
        limited("429 untold", &[], 15),
        limited("429 far too long", &[("Retry-After", "86400")], 300),
        unavailable(
            "500 without a body",
            status(500, &[], ""),
            &["it answered 500"],
        ),
        unavailable(
            "502 with HTML",
            status(502, &[], "<html>bad</html>"),
            &["502", "an HTML page"],
        ),
        unavailable(
            "503 with text",
            status(503, &[], "down\r\nfor repair"),
            &["503", "\"down for repair\""],
        ),
        unavailable("reset", Fault::Reset, &["reset the connection"]),
        unavailable("closed", Fault::Close, &["closed the connection"]),
        unavailable("cut off", Fault::CutOff, &["before the answer was whole"]),
        refused(
            "200 with an OAuth error",
            body(r#"{"error":"invalid_client","error_description":"Bad client"}"#),
            1,
            &["(200 invalid_client)", "\"Bad client\""],
        ),
        refused(
            "201 with the vendor's error",
            status(
                201,
                &[],
                r#"{"errorMessage":"Http message not readable","statusError":"Bad Request"}"#,
            ),
            1,
            &["(201)", "\"Http message not readable\""],
        ),
        refused(
            "200 with an error object",
            body(r#"{"error":{"code":7,"message":"no such client"}}"#),
            1,
            &["(200)", "\"no such client\""],
        ),
        refused(
            "401 with a byte order mark",
            status(401, &[], "\u{feff}{\"error\":\"invalid_client\"}"),
            2,
            &["(401 invalid_client)"],
        ),
        refused(
            "401 compressed",
            status(401, &[("Content-Encoding", "gzip")], "\u{1f}\u{8b}bytes"),
            2,
            &["(401)", "a body compressed with gzip"],
        ),
        no_token(
            "200 compressed",
            status(200, &[("Content-Encoding", "br")], "\u{b}bytes"),
            &["compressed (`br`)", "`Accept-Encoding: identity`"],
        ),
        no_token(
            "2 MiB",
            Fault::Oversized(2 * 1024 * 1024),
            &["larger than 1 MiB"],
        ),
        no_token(
            "200 with HTML",
            body("<html>log in</html>"),
            &["not JSON", "login portal"],
        ),
        no_token(
            "200 without a body",
            body(""),
            &["not JSON", "an empty body"],
        ),
        no_token(
            "token with newline",
            body(r#"{"access_token":"a\nX-Evil: b"}"#),
            &["access token cannot be used"],
        ),
        no_token(
            "empty token",
            body(r#"{"access_token":""}"#),
            &["it is empty"],
        ),
        no_token(
            "other type",
            body(r#"{"access_token":"a","token_type":"mac"}"#),
            &["`mac`", "bearer"],
        ),
        no_token(
            "expires_in 0",
            Fault::ExpiresIn(Some(json!(0))),
            &["expired already"],
        ),
        no_token(
            "expires_in negative",
            Fault::ExpiresIn(Some(json!(-7))),
            &["expired already"],
        ),
        no_token(
            "redirect to another origin",
            redirect(307, "https://evil.test/token"),
            &["https://evil.test", "another origin", "never sent on"],
        ),
        no_token(
            "redirect to http",
            redirect(302, "http://evil.test/token"),
            &["redirected to", "https://"],
        ),
        no_token(
            "redirect that ends as GET",
            redirect(303, "/elsewhere"),
            &["303"],
        ),
        no_token("300 without a location", status(300, &[], ""), &["300"]),
        no_token(
            "redirect to user info",
            redirect(307, "https://a:b@evil.test/"),
            &["redirected to"],
        ),
    ]
}

#[test]
fn every_answer_has_its_exit_code_its_words_and_its_cool_down() {
    for case in cases() {
        let world = World::with(Sandbox::builder().no_rate_limit());
        for _ in 0..case.times {
            world.sandbox.next(case.fault.clone());
        }

        // Within 10 s there is no time for a pause of these limits, so the program does not wait.
        let stderr = world.run(["token", "--timeout", "10s"]).fails(case.code);

        for words in case.says {
            assert!(
                stderr.contains(words),
                "{}: {words:?} is not in\n{stderr}",
                case.name
            );
        }
        assert!(
            stderr.contains("profile `env`"),
            "{}: the owner: {stderr}",
            case.name
        );
        let requests = world.sandbox.token_requests();
        assert_eq!(requests, case.times, "{}: requests", case.name);
        let (_, entry) = world.entry();
        let cooldown = &entry["cooldown"];
        let ms = |name: &str| cooldown[name].as_i64().unwrap();
        let seconds = (ms("until_ms") - ms("since_ms")) / 1000;
        let left = (cooldown["reason"].as_str().unwrap(), seconds);
        assert_eq!(left, case.cooldown, "{}", case.name);

        // The next caller gets the same error at once, without a request to the server.
        let again = world.run(["token"]).fails(case.code);
        assert_eq!(again.lines().next(), stderr.lines().next(), "{}", case.name);
        assert!(
            again.contains("no request is made for another"),
            "{}: {again}",
            case.name
        );
        assert_eq!(
            world.sandbox.token_requests(),
            requests,
            "{}: a request during the cool-down",
            case.name
        );

        // `--refresh` sends a request at once; no fault is left, so it succeeds.
        let token = world.run(["token", "--refresh"]).succeeds();
        assert_eq!(
            world.token(),
            token.trim_end(),
            "{}: and the cool-down has ended",
            case.name
        );
    }
}

#[test]
fn every_expiry_that_a_server_may_tell_is_understood_and_bounded() {
    for (expires_in, life_seconds) in [
        (Some(json!(3600)), 3600),
        (Some(json!("3600")), 3600),
        (Some(json!(3599.5)), 3599),
        (Some(json!(1_000_000_000_000_i64)), 366 * 86_400),
        (Some(Value::Null), 300),
        (Some(json!([1])), 300),
        (None, 300),
    ] {
        let world = World::new();
        world.sandbox.next(Fault::ExpiresIn(expires_in.clone()));
        world.token();
        let (_, entry) = world.entry();
        let token = &entry["token"];
        let ms = |name: &str| token[name].as_i64().unwrap();
        let life = (ms("expires_at_ms") - ms("obtained_at_ms") + 999) / 1000;
        assert!(
            (life - life_seconds).abs() <= 2,
            "{expires_in:?} gave {life}"
        );
    }
}

#[test]
fn token_is_read_from_any_2xx_with_bom_and_padded_type() {
    for (code, token) in [
        (201, r#"{"access_token":"t-1"}"#),
        (203, "\u{feff}{\"access_token\":\"t-1\"}"),
        (200, r#"{"access_token":"t-1","token_type":" Bearer\t"}"#),
        (200, r#"{"access_token":"t-1","error":null}"#),
    ] {
        let world = World::new();
        world.sandbox.next(status(code, &[], token));
        assert_eq!(world.token(), "t-1", "{code} {token}");
    }
}

#[test]
fn auto_tries_body_after_basic_for_another_server() {
    let world = World::without_profile(Sandbox::builder().accept(&[Form::Body]));
    let text = world.profile_text("p");
    let base = world.sandbox.base_url();
    let is_server = |line: &str| line.starts_with("base_url") || line.starts_with("cloud_id");
    let rest: Vec<&str> = text.lines().filter(|line| !is_server(line)).collect();
    let without_base = rest.join("\n") + "\n";
    world.write_config(&format!(
        "{without_base}token_url = \"{base}/api/v1/oauth/token\"\n"
    ));
    world.token();
    let forms: Vec<_> = world
        .sandbox
        .requests()
        .into_iter()
        .map(|request| request.form)
        .collect();
    assert_eq!(forms, [Some(Form::Basic), Some(Form::Body)]);
}

#[test]
fn base_url_with_the_api_path_is_refused_by_name() {
    let world = World::new();
    for path in ["/api/v1", "/api/v1/", "/api/v1/oauth/token", "/api/beta"] {
        let url = format!("{}{path}", world.sandbox.base_url());
        world.set("CLOUDCONNEXA_BASE_URL", &url);
        let stderr = world.run(["token"]).fails(3);
        let says = format!("remove `{}`", path.trim_end_matches('/'));
        assert!(stderr.contains(&says), "{says:?} is not in\n{stderr}");
    }
    assert_eq!(world.sandbox.token_requests(), 0);
}

#[test]
fn a_passing_failure_is_tried_again_within_the_run() {
    let world = World::new();
    world.sandbox.next(Fault::Reset);
    world.sandbox.next(Fault::status(503));
    world.token();
    assert_eq!(world.sandbox.token_requests(), 3);
}

#[test]
fn each_form_of_request_is_understood_by_a_server_that_takes_only_that_one() {
    let secret = "sec:ret/+%&= ~ab%41";
    for (method, form) in [
        ("basic", Form::Basic),
        ("basic-raw", Form::BasicRaw),
        ("body", Form::Body),
        ("query", Form::Query),
        ("json", Form::Json),
    ] {
        let world = World::without_profile(Sandbox::builder().accept(&[form]));
        let client_id = world.sandbox.credential().client_id;
        world.sandbox.set_secret(&client_id, secret);
        let text = world.profile_text("p");
        world.write_config(&format!("{text}auth_method = \"{method}\"\n"));

        world.token();

        let requests = world.sandbox.requests();
        assert_eq!(requests.len(), 1, "{method}: only this form is sent");
        assert_eq!(requests[0].form, Some(form), "{method}");
        let agent = requests[0].user_agent.as_deref().unwrap_or_default();
        assert!(agent.starts_with("cloudconnexa-auth/"), "{agent}");
    }
}

#[test]
fn auto_tries_the_documented_form_once_and_remembers_what_worked() {
    let world = World::with(Sandbox::builder().accept(&[Form::Query]));
    world.token();
    world.advance(Duration::from_secs(50_000));
    world.token();

    let forms: Vec<_> = world
        .sandbox
        .requests()
        .into_iter()
        .map(|request| request.form)
        .collect();
    assert_eq!(
        forms,
        [Some(Form::Basic), Some(Form::Query), Some(Form::Query)]
    );
    assert_eq!(world.entry().1["auth_method"], "query");
}

#[test]
fn auto_keeps_the_secret_out_of_urls_where_basic_works() {
    let world = World::new();
    world.token();
    world
        .sandbox
        .rotate_secret(&world.sandbox.credential().client_id);
    world.run(["token", "--refresh"]).fails(4);
    let forms: Vec<_> = world
        .sandbox
        .requests()
        .into_iter()
        .map(|request| request.form)
        .collect();
    assert_eq!(
        forms,
        [Some(Form::Basic), Some(Form::Basic)],
        "remembered, also after a refusal"
    );
}

#[test]
fn a_redirect_within_the_origin_is_followed_three_times_and_no_more() {
    let world = World::new();
    let same = || Fault::Redirect {
        status: 307,
        location: "/api/beta/oauth/token".to_owned(),
    };
    for _ in 0..3 {
        world.sandbox.next(same());
    }
    world.token();
    assert_eq!(world.sandbox.token_requests(), 4);

    world.sandbox.always(Some(same()));
    let stderr = world.run(["token", "--refresh"]).fails(6);
    assert!(stderr.contains("more than 3 times"), "{stderr}");
    assert_eq!(world.sandbox.token_requests(), 8);
}

#[test]
fn an_older_tenant_works_by_its_token_url() {
    let world = World::without_profile(Sandbox::builder().token_paths(&[TokenPath::Beta]));
    let text = world.profile_text("old");
    world.write_config(&text);
    world.run(["token"]).fails(6);

    let url = format!("{}/api/beta/oauth/token", world.sandbox.base_url());
    world.write_config(&format!("{text}token_url = \"{url}\"\n"));
    world.token();
}

#[test]
fn the_servers_own_refusals_are_told_apart() {
    let world = World::new();
    let client_id = world.sandbox.credential().client_id;
    let refuse = |says: &str| {
        let stderr = world.run(["token", "--refresh"]).fails(4);
        assert!(stderr.contains(says), "{says:?} is not in\n{stderr}");
    };
    world.sandbox.enable_api(false);
    refuse("switch it on in the Administration portal");
    world.sandbox.enable_api(true);
    world.sandbox.expire(&client_id);
    refuse("make new API credentials");

    let elsewhere = CredentialSpec {
        allowed_subnets: vec!["192.0.2.0/24".parse().unwrap()],
        ..CredentialSpec::default()
    };
    world.use_credential(&world.sandbox.add_credential(elsewhere));
    refuse("source subnets");
}

#[test]
fn a_token_is_what_the_protected_api_takes() {
    let world = World::new();
    let token = world.token();
    let agent = agent(&world);
    let url = format!("{}/api/v1/networks", world.sandbox.base_url());
    let answer = agent
        .get(&url)
        .header("Authorization", format!("Bearer {token}"))
        .call()
        .unwrap();
    assert_eq!(answer.status(), 200);
}

fn agent(world: &World) -> ureq::Agent {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let ca = Certificate::from_pem(world.sandbox.ca_pem().as_bytes()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[ca]))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    ureq::Agent::config_builder().tls_config(tls).build().into()
}

#[test]
fn a_form_that_was_fixed_is_no_rule_for_auto() {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("p");
    world.write_config(&format!("{text}auth_method = \"query\"\n"));
    world.token();
    world.write_config(&text);
    world.run(["token", "--refresh"]).succeeds();
    let forms: Vec<_> = world
        .sandbox
        .requests()
        .into_iter()
        .map(|request| request.form)
        .collect();
    assert_eq!(
        forms,
        [Some(Form::Query), Some(Form::Basic)],
        "no URL contains the secret"
    );
}
