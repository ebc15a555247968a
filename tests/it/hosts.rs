//! "A token goes to its own hosts only": the program's most important rule, tried with every way
//! of making one host look like another that we know of.

use cloudconnexa_sandbox::Sandbox;
use serde_json::json;

use crate::harness::World;

/// A profile of the tenant `acme`, whose token endpoint is the sandbox.
fn acme() -> World {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("acme").replacen(
        "base_url",
        "base_url = \"https://acme.api.openvpn.com\"\nhosts = [\"proxy.acme.internal\", \
         \"gateway.acme.internal:8443\"]\ntoken_url",
        1,
    );
    let text = text.replacen(
        world.sandbox.base_url(),
        &format!("{}/api/v1/oauth/token", world.sandbox.base_url()),
        1,
    );
    world.write_config(&text);
    world
}

const MINE: [&str; 8] = [
    "https://acme.api.openvpn.com",
    "https://acme.api.openvpn.com/",
    "https://ACME.API.OpenVPN.com/api/v1/networks",
    "HTTPS://acme.api.openvpn.com:443/api/v1/networks?page=1#x",
    "https://acme.api.openvpn.com/@evil.test/",
    "https://acme.api.openvpn.com?@evil.test",
    "https://proxy.acme.internal/api",
    "https://gateway.acme.internal:8443/api",
];

const FOREIGN: [&str; 50] = [
    "https://acme.api.openvpn.com.evil.test",
    "https://acme.api.openvpn.com@evil.test",
    "https://acme.api.openvpn.com:443@evil.test",
    "https://user@acme.api.openvpn.com/",
    "https://user:password@acme.api.openvpn.com/",
    "https://@acme.api.openvpn.com/",
    "https://evil.test/acme.api.openvpn.com",
    "https://evil.test/https://acme.api.openvpn.com/",
    "https://evil.test?acme.api.openvpn.com",
    "https://evil.test#acme.api.openvpn.com",
    "https://evil.test\\.acme.api.openvpn.com",
    "https://evil.test\\@acme.api.openvpn.com",
    "https:\\\\acme.api.openvpn.com\\",
    "http://acme.api.openvpn.com",
    "http://acme.api.openvpn.com:443/",
    "ftp://acme.api.openvpn.com",
    "grpcs://acme.api.openvpn.com",
    "https://acme.api.openvpn.com:444",
    "https://acme.api.openvpn.com:80",
    "https://acme.api.openvpn.com:0443",
    "https://acme.api.openvpn.com:65979",
    "https://acme.api.openvpn.com:",
    "https://acme.api.openvpn.com.",
    "https://acme.api.openvpn.com./",
    "https://acme.api.openvpn.com%0a.evil.test",
    "https://acme.api.openvpn.com%0d%0aHost:evil.test",
    "https://acme.api.openvpn.com%00.evil.test",
    "https://acme.api.openvpn.com\n",
    "https://acme.api.openvpn.com\r\n/",
    "https://acme.api.openvpn.com\t/",
    "https://acme.api.openvpn.com\u{0}/",
    " https://acme.api.openvpn.com/",
    "https://acme.api.openvpn.com /",
    "https://acme%2eapi.openvpn.com/",
    "https://аcme.api.openvpn.com",
    "https://acme。api.openvpn.com",
    "https://ａcme.api.openvpn.com",
    "https://xn--cme-6cd.api.openvpn.com",
    "https://other.api.openvpn.com",
    "https://api.openvpn.com",
    "https://x.acme.api.openvpn.com",
    "https://xacme.api.openvpn.com",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://",
    "https:///acme.api.openvpn.com",
    "https:acme.api.openvpn.com",
    "//acme.api.openvpn.com",
    "acme.api.openvpn.com",
    "",
];

#[test]
fn a_token_goes_to_its_own_hosts() {
    let world = acme();
    for uri in MINE {
        let answer = world
            .run(["get"])
            .stdin(json!({ "uri": uri }).to_string())
            .succeeds();
        assert!(answer.contains("Authorization"), "{uri:?} is ours");
        world.run(["token", "--for", uri]).succeeds();
    }
}

#[test]
fn a_token_goes_nowhere_else_whatever_is_said() {
    let world = acme();
    world.token();
    for uri in FOREIGN {
        for arguments in [&["get"][..], &["get", "--profile", "acme"]] {
            let run = world.run_all(arguments);
            let answer = run.stdin(json!({ "uri": uri }).to_string()).succeeds();
            assert_eq!(
                answer, "{\"headers\":{}}\n",
                "{uri:?} through {arguments:?}"
            );
        }
        if !uri.contains('\0') {
            let stderr = world.run(["token", "--for", uri]).fails(3);
            assert!(stderr.contains("own hosts only"), "{uri:?}: {stderr}");
            world
                .run(["header", "--profile", "acme", "--for", uri])
                .fails(3);
        }
    }
}

#[test]
fn of_two_profiles_of_one_host_the_default_answers_and_without_one_nobody_guesses() {
    let world = World::without_profile(Sandbox::builder());
    let profiles = format!(
        "{}{}",
        world.profile_text("reader"),
        world.profile_text("writer")
    );
    let uri = json!({ "uri": world.sandbox.base_url() }).to_string();
    world.write_config(&profiles);

    let stderr = world.run(["get"]).stdin(uri.clone()).fails(3);
    assert!(stderr.contains("`reader`, `writer` all cover"), "{stderr}");
    world
        .run(["get", "--profile", "writer"])
        .stdin(uri.clone())
        .succeeds();
    world.write_config(&format!("default_profile = \"writer\"\n{profiles}"));
    world.run(["get"]).stdin(uri).succeeds();
}
