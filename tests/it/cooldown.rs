//! Which callers a failure affects, and for how long: profiles, secrets and forms that share an
//! entry.

use std::time::Duration;

use cloudconnexa_sandbox::{Fault, Form, Sandbox};

use crate::fault_injection::clocks::{faked, faketime, set_clock};
use crate::harness::World;

fn http_world() -> World {
    World::with(Sandbox::builder().http().no_rate_limit())
}

/// A world with profile `p` and a second profile of the same identity with this change.
fn world_with_second_profile(name: &str, change: (&str, &str)) -> World {
    let world = World::without_profile(Sandbox::builder().http().no_rate_limit());
    let first = world.profile_text("p");
    let second = world.profile_text(name).replace(change.0, change.1);
    world.write_config(&format!("{first}\n{second}"));
    world
}

fn limited(seconds: &str) -> Fault {
    Fault::Status {
        code: 429,
        headers: vec![("Retry-After".to_owned(), seconds.to_owned())],
        body: Vec::new(),
    }
}

/// A response that is not a token and is not retried.
fn unusable() -> Fault {
    Fault::Body("no token".to_owned())
}

/// The forms of the token requests after the first `count`.
fn forms_since(world: &World, count: usize) -> Vec<Form> {
    let requests = world.sandbox.requests();
    requests
        .iter()
        .filter_map(|it| it.form)
        .skip(count)
        .collect()
}

#[test]
fn untrusted_certificate_does_not_bind_other_callers() {
    let world = World::new();
    let stderr = world.run(["token"]).unset("SSL_CERT_FILE").fails(6);
    assert!(stderr.contains("cannot be trusted"), "{stderr}");

    world.token();
}

#[test]
fn refusal_of_one_auth_method_does_not_bind_another() {
    let world =
        world_with_second_profile("other", ("client_id", "auth_method = \"json\"\nclient_id"));
    world.sandbox.accept(&[Form::Basic]);
    world.run(["token", "--profile", "other"]).fails(4);
    let requests = world.sandbox.token_requests();

    world.run(["token", "--profile", "other"]).fails(4);
    assert_eq!(
        world.sandbox.token_requests(),
        requests,
        "it is in cool-down"
    );
    world.run(["token", "--profile", "p"]).succeeds();
}

#[test]
fn refusal_of_a_secret_file_does_not_bind_a_secret_program() {
    let world = world_with_second_profile("stale", ("stale.secret", "wrong.secret"));
    world.write_secret("wrong.secret", "not-the-secret");
    let config = std::fs::read_to_string(world.config()).unwrap();
    let program = format!(
        "command = [\"cat\", \"{}\"]",
        world.config_folder().join("p.secret").display()
    );
    world.write_config(&config.replace("file = \"p.secret\"", &program));
    world.run(["token", "--profile", "stale"]).fails(4);

    let token = world.run(["token", "--profile", "p"]).succeeds();

    let requests = world.sandbox.token_requests();
    world.run(["token", "--profile", "stale"]).fails(4);
    assert_eq!(world.run(["token", "--profile", "p"]).succeeds(), token);
    assert_eq!(
        world.sandbox.token_requests(),
        requests,
        "the success did not end the pause of the other secret"
    );
}

#[test]
fn refused_secret_of_a_program_is_not_sent_again() {
    let world = World::without_profile(Sandbox::builder().http().no_rate_limit());
    let text = world.profile_text("p");
    world.write_config(&text.replace(
        "file = \"p.secret\"",
        "command = [\"echo\", \"not-the-secret\"]",
    ));
    world.run(["token"]).fails(4);
    let requests = world.sandbox.token_requests();

    world.run(["token"]).fails(4);

    assert_eq!(world.sandbox.token_requests(), requests);
}

#[test]
fn timeout_does_not_bind_callers_with_more_time() {
    let world = http_world();
    world.sandbox.always(Some(Fault::Hang));
    world.run(["token", "--timeout", "5s"]).fails(6);
    world.sandbox.always(None);

    world.run(["token", "--timeout", "30s"]).succeeds();
}

#[test]
fn two_secrets_of_one_identity_keep_a_token_each() {
    let world = world_with_second_profile("old", ("p.secret", "p.secret"));
    let id = world.sandbox.credential().client_id;
    world.write_secret("old.secret", "the-old-secret");
    world.sandbox.set_secret(&id, "the-old-secret");
    let old = world.run(["token", "--profile", "old"]).succeeds();
    world.write_secret("p.secret", "the-new-secret");
    world.sandbox.set_secret(&id, "the-new-secret");
    let new = world.run(["token", "--profile", "p"]).succeeds();
    assert_ne!(old, new, "a token of another secret does not count");

    for _ in 0..3 {
        assert_eq!(world.run(["token", "--profile", "old"]).succeeds(), old);
        assert_eq!(world.run(["token", "--profile", "p"]).succeeds(), new);
    }

    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn pause_of_a_refused_secret_grows() {
    let world = world_with_second_profile("stale", ("stale.secret", "wrong.secret"));
    world.write_secret("wrong.secret", "not-the-secret");
    let mut counts = Vec::new();
    for _ in 0..6 {
        let before = world.sandbox.token_requests();
        world.run(["token", "--profile", "stale"]).fails(4);
        counts.push(world.sandbox.token_requests() - before);
        world.run(["token", "--profile", "p"]).succeeds();
        world.advance(Duration::from_secs(31));
    }
    // The pauses are 30 s, 60 s and 120 s; a failure with `auto` takes two requests.
    let has_asked: Vec<bool> = counts.iter().map(|count| *count > 0).collect();
    assert_eq!(has_asked, [true, true, false, true, false, false]);
}

#[test]
fn outage_does_not_replace_a_longer_rate_limit() {
    let world = http_world();
    world.sandbox.next(limited("120"));
    world.run(["token", "--timeout", "5s"]).fails(5);
    world.sandbox.next(unusable());
    world.run(["token", "--refresh"]).fails(6);
    world.advance(Duration::from_secs(10));

    world.run(["token", "--timeout", "5s"]).fails(5);

    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "the rate limit still applies"
    );
    world.advance(Duration::from_secs(120));
    world.token();
}

#[test]
fn refusal_of_one_secret_does_not_lift_a_rate_limit() {
    let world = world_with_second_profile("stale", ("stale.secret", "wrong.secret"));
    world.write_secret("wrong.secret", "not-the-secret");
    world.sandbox.next(limited("120"));
    world
        .run(["token", "--profile", "p", "--timeout", "5s"])
        .fails(5);
    world
        .run(["token", "--profile", "stale", "--refresh"])
        .fails(4);
    let requests = world.sandbox.token_requests();

    world
        .run(["token", "--profile", "p", "--timeout", "5s"])
        .fails(5);

    assert_eq!(world.sandbox.token_requests(), requests);
}

#[test]
fn auto_tries_the_other_form_after_a_refusal() {
    let world = http_world();
    world.sandbox.accept(&[Form::Query]);
    world.token();
    world.sandbox.accept(&[Form::Basic]);

    world.run(["token", "--refresh"]).succeeds();

    assert_eq!(
        forms_since(&world, 2),
        [Form::Query, Form::Basic],
        "the remembered form first, then the other one"
    );
}

#[test]
fn auto_tries_basic_again_after_a_day() {
    let world = http_world();
    world.sandbox.next(Fault::status(401));
    world.token();
    assert_eq!(forms_since(&world, 0), [Form::Basic, Form::Query]);
    world.run(["token", "--refresh"]).succeeds();
    assert_eq!(
        forms_since(&world, 2),
        [Form::Query],
        "the form is remembered"
    );

    world.advance(Duration::from_secs(24 * 3600));
    world.token();

    assert_eq!(
        forms_since(&world, 3),
        [Form::Basic],
        "a single 401 has no lasting effect"
    );
    world.run(["token", "--refresh"]).succeeds();
    assert_eq!(forms_since(&world, 4), [Form::Basic]);
}

#[test]
fn retry_after_date_is_relative_to_the_date_of_the_response() {
    let Some(library) = faketime() else { return };
    let world = http_world();
    let at = time::OffsetDateTime::now_utc() + Duration::from_secs(100);
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    world.sandbox.next(limited(&at.format(format).unwrap()));
    set_clock(&world, "+10m");

    let stderr = faked(&world, &library, "token --timeout 5s").fails(5);

    assert!(stderr.contains("it asks to wait 1m"), "{stderr}");
}
