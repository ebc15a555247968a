//! The helper protocol: `get` exactly as in its schemas, and the related subcommands.

use std::fs;

use serde_json::{Value, json};

use crate::harness::World;

fn schema(name: &str) -> Value {
    let path = format!(
        "{}/integrations/schemas/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
pub(crate) fn validate(name: &str, text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema(name))
        .unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}");
    assert!(
        text.ends_with('\n') && text.lines().count() == 1,
        "one line"
    );
    value
}

fn request(world: &World) -> String {
    json!({ "uri": format!("{}/api/v1/networks", world.sandbox.base_url()) }).to_string()
}

#[test]
fn get_answers_as_the_schema_says() {
    let world = World::new();
    let answer = validate(
        "get-response",
        &world.run(["get"]).stdin(request(&world)).succeeds(),
    );
    let header = format!("Bearer {}", world.token());
    assert_eq!(answer["headers"], json!({ "Authorization": [header] }));
    let expires = answer["expires"].as_str().unwrap();
    assert!(
        expires.len() == 20 && expires.ends_with('Z'),
        "a fraction breaks Bazel: {expires}"
    );
}

#[test]
fn the_expiry_that_is_told_is_when_we_would_stop_handing_it_out() {
    let world = World::new();
    let token = world.run(["token", "--json"]).succeeds();
    let token = validate("token", &token);
    let get = |margin: &str| {
        let run = world
            .run(["get", "--min-ttl", margin])
            .stdin(request(&world));
        let answer: Value = serde_json::from_str(&run.succeeds()).unwrap();
        answer["expires"].as_str().unwrap().to_owned()
    };
    assert_eq!(get("0s"), token["expires_at"].as_str().unwrap());
    assert_eq!(get("1m"), token["usable_until"].as_str().unwrap());
}

#[test]
fn a_foreign_uri_is_answered_with_no_headers_and_success() {
    let world = World::new();
    let foreign = json!({ "uri": "https://example.com/x" }).to_string();
    let answer = world.run(["get"]).stdin(foreign.clone()).succeeds();
    assert_eq!(answer, "{\"headers\":{}}\n");
    validate("get-response", &answer);
    assert!(
        world.sandbox.requests().is_empty(),
        "no request is sent for it"
    );

    let empty = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
    assert_eq!(
        empty.run(["get"]).stdin(foreign).succeeds(),
        "{\"headers\":{}}\n",
        "nor without a profile"
    );
}

#[test]
fn mine_but_failed_is_a_failure() {
    let world = World::new();
    world.sandbox.enable_api(false);
    world.run(["get"]).stdin(request(&world)).fails(4);
}

#[test]
fn input_that_is_not_the_protocol_is_refused_without_being_shown() {
    let world = World::new();
    for input in [
        "",
        "null",
        "[]",
        "{}",
        "{\"uri\":1}",
        "{\"uri\":\"https://a\"}x",
        "uri=canary-x",
    ] {
        let stderr = world.run(["get"]).stdin(input).fails(2);
        assert!(!stderr.contains("canary-x"), "{stderr}");
    }
    let large = format!("{{\"uri\":\"https://a/{}\"}}", "x".repeat(1024 * 1024));
    let stderr = world.run(["get"]).stdin(large).fails(2);
    assert!(stderr.contains("larger than 1 MiB"), "{stderr}");
}

#[test]
fn get_keeps_within_what_bazel_waits_for() {
    let world = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
    let text = world.profile_text("p");
    world.write_config(&format!("{text}timeout = \"25s\"\n"));
    let gate = world.sandbox.gate();
    let leader = world.run(["token"]).start();
    gate.wait_for_requests(1);

    let stderr = world.run(["get"]).stdin(request(&world)).fails(7);

    assert!(
        stderr.contains("within 9s"),
        "Bazel kills a helper after 10 s: {stderr}"
    );
    gate.release();
    leader.outcome().succeeds();
}

#[test]
fn a_caller_that_never_closes_stdin_is_told_so_in_time() {
    let world = World::new();
    world.token();
    let mut running = world
        .run(["get", "--timeout", "1s"])
        .start_with_open_stdin();
    let told = running.wait_for_stderr("hint: ");
    assert!(
        told.contains("`get`: stdin was not closed within 1s"),
        "{told}"
    );
    assert_eq!(running.outcome().code, Some(2));
}

#[test]
fn erase_without_a_token_starts_anew_with_the_form_of_request() {
    use cloudconnexa_sandbox::Form;
    let world = World::new();
    world.token();
    world.sandbox.accept(&[Form::Query]);
    let stderr = world.run(["token", "--refresh"]).fails(4);
    assert!(
        stderr.contains("(401"),
        "only the remembered form is sent: {stderr}"
    );
    world
        .run(["erase"])
        .stdin("{\"profile\":\"env\"}")
        .succeeds();
    world.run(["token", "--refresh"]).succeeds();
    assert_eq!(world.entry().1["auth_method"], "query");
}

#[test]
fn erase_drops_only_the_token_that_was_refused() {
    let world = World::new();
    let old = world.token();
    let new = world
        .run(["token", "--refresh"])
        .succeeds()
        .trim_end()
        .to_owned();
    let uri = world.sandbox.base_url();
    let erase = |input: Value| {
        assert_eq!(
            world.run(["erase"]).stdin(input.to_string()).succeeds(),
            "{}\n"
        );
    };

    erase(json!({ "uri": uri, "token": old }));
    assert_eq!(
        world.token(),
        new,
        "a slow caller must not drop the new token"
    );
    erase(json!({ "uri": uri, "token": new }));
    let third = world.token();
    assert_ne!(third, new);
    erase(json!({ "profile": "env" }));
    assert_ne!(
        world.token(),
        third,
        "without a token, whatever else is cached"
    );
    erase(json!({ "uri": "https://example.com/" }));
    erase(json!({ "profile": "env", "token": "never-seen" }));
    erase(json!({ "profile": "env", "token": "never-seen" }));
    assert_eq!(
        world.entry().1["auth_method"],
        "basic",
        "the data about the server is kept"
    );
}

#[test]
fn erase_refuses_what_could_erase_more_than_was_meant() {
    let world = World::new();
    for (input, says) in [
        (
            json!({ "profile": "env", "tokn": "x" }),
            "did you mean `token`?",
        ),
        (json!({ "token": "x" }), "no `uri`"),
        (json!({ "profile": "env", "uri": "https://a" }), "both"),
        (
            json!({ "profile": "env", "credentials": "yes" }),
            "`credentials`",
        ),
        (
            json!({ "profile": "env", "credentials": true, "token": "x" }),
            "no meaning",
        ),
    ] {
        let stderr = world.run(["erase"]).stdin(input.to_string()).fails(2);
        assert!(stderr.contains(says), "{input}: {stderr}");
    }
    world
        .run(["erase"])
        .stdin(json!({ "profile": "prod" }).to_string())
        .fails(3);
}

#[test]
fn erase_with_credentials_removes_the_stored_secret_and_no_other() {
    let world = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
    world.write_config(&world.profile_text("prod"));
    world.token();
    let erase = json!({ "profile": "prod", "credentials": true }).to_string();
    world.run(["erase"]).stdin(erase.clone()).succeeds();
    assert!(!world.config_folder().join("prod.secret").exists());
    assert!(world.config().exists());
    world.run(["erase"]).stdin(erase.clone()).succeeds();
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.contains("no client secret for profile `prod`"),
        "{stderr}"
    );

    let world = World::new();
    let erase = erase.replace("prod", "env");
    let stderr = world.run(["erase"]).stdin(erase).fails(3);
    assert!(
        stderr.contains("CLOUDCONNEXA_CLIENT_SECRET"),
        "the position is reported: {stderr}"
    );
}

#[test]
fn list_and_version_answer_as_their_schemas_say() {
    let world = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
    world.write_config(&format!(
        "default_profile = \"a\"\n{}",
        world.profile_text("a")
    ));
    let list = validate("list-response", &world.run(["list"]).succeeds());
    assert_eq!(list["profiles"][0]["name"], "a");
    assert_eq!(list["profiles"][0]["default"], true);
    assert_eq!(list["profiles"][0]["base_url"], world.sandbox.base_url());

    let two = format!(
        "default_profile = \"a\"\n{}{}",
        world.profile_text("a"),
        world.profile_text("b")
    );
    world.write_config(&two);
    let list = validate(
        "list-response",
        &world.run(["list", "--profile", "b"]).succeeds(),
    );
    let defaults = [
        &list["profiles"][0]["default"],
        &list["profiles"][1]["default"],
    ];
    assert_eq!(
        defaults,
        [true, false],
        "the default is not the one that was chosen"
    );

    let version = validate("version-response", &world.run(["version"]).succeeds());
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let shown = world.run(["--version"]).succeeds();
    assert_eq!(
        shown,
        concat!("cloudconnexa-auth ", env!("CARGO_PKG_VERSION"), "\n")
    );

    let empty = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
    assert_eq!(empty.run(["list"]).succeeds(), "{\"profiles\":[]}\n");
}

#[test]
fn the_requests_of_the_documentation_fit_their_schemas() {
    for (name, request) in [
        (
            "get-request",
            json!({ "uri": "https://acme.api.openvpn.com/api/v1/networks" }),
        ),
        (
            "store-request",
            json!({ "profile": "prod", "cloud_id": "acme", "client_id": "x.acme",
            "client_secret": "s", "lifetime": "6mo" }),
        ),
        (
            "erase-request",
            json!({ "profile": "prod", "credentials": true }),
        ),
        (
            "erase-request",
            json!({ "uri": "https://acme.api.openvpn.com/", "token": "t" }),
        ),
    ] {
        validate(name, &format!("{request}\n"));
    }
    let validator = jsonschema::validator_for(&schema("erase-request")).unwrap();
    assert!(
        !validator.is_valid(&json!({ "profile": "prod", "tokn": "x" })),
        "like the program"
    );
}
