//! The program's most important rule: a token goes to the hosts of its profile only. Tests every
//! known way to make one host look like another.

use cloudconnexa_sandbox::Sandbox;
use serde_json::json;

use crate::harness::World;

/// A profile of the tenant `acme`, whose token endpoint is the sandbox.
pub(crate) fn acme() -> World {
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

pub(crate) const FOREIGN: [&str; 50] = [
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
        assert!(
            answer.contains("Authorization"),
            "{uri:?} is a host of the profile"
        );
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

/// How a tool names a server: its arguments, its variables, its stdin. `None` if the tool cannot
/// send this URI.
type Telling = fn(&str) -> Option<(Vec<String>, Option<(&'static str, String)>, String)>;

/// Every protocol that names a server, and how it does.
const TELLINGS: [(&str, Telling); 9] = [
    ("git", |uri| {
        let (protocol, host) = uri.split_once("://")?;
        let stdin = format!("protocol={protocol}\nhost={host}\n");
        // A line feed ends a line; a second line is another attribute.
        (!uri.contains('\n')).then(|| (words(&["git", "get"]), None, stdin))
    }),
    ("git, with a path", |uri| {
        let (protocol, rest) = uri.split_once("://")?;
        let (host, path) = rest.split_once('/')?;
        let stdin = format!("protocol={protocol}\nhost={host}\npath={path}\n");
        (!uri.contains('\n')).then(|| (words(&["git", "get"]), None, stdin))
    }),
    ("kubectl", |uri| {
        let info = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "spec": { "cluster": { "server": uri }, "interactive": false },
        });
        let variable = ("KUBERNETES_EXEC_INFO", info.to_string());
        Some((words(&["kubectl"]), Some(variable), String::new()))
    }),
    ("terraform", |uri| {
        // Terraform has no other scheme.
        let host = uri.strip_prefix("https://")?;
        (!host.contains('\0')).then(|| (words(&["terraform", "get", host]), None, String::new()))
    }),
    ("cargo", |uri| {
        let request = json!({
            "v": 1, "kind": "get", "operation": "read",
            "registry": { "index-url": format!("sparse+{uri}") },
        });
        Some((words(&["--cargo-plugin"]), None, format!("{request}\n")))
    }),
    ("cargo:token-from-stdout", |uri| {
        let variable = ("CARGO_REGISTRY_INDEX_URL", uri.to_owned());
        (!uri.contains('\0')).then(|| (words(&["cargo"]), Some(variable), String::new()))
    }),
    ("go", |uri| {
        let response = "HTTP/1.1 401 Unauthorized\r\n\r\n".to_owned();
        (!uri.contains('\0')).then(|| (words(&["go", uri]), None, response))
    }),
    ("docker", |uri| {
        // A bare host is a valid name of a server, and one line feed ends the typed line.
        let is_same = uri == "acme.api.openvpn.com" || uri.ends_with('\n');
        (!is_same).then(|| (words(&["docker", "get"]), None, uri.to_owned()))
    }),
    ("docker, without a scheme", |uri| {
        let server = uri.strip_prefix("https://")?;
        (!uri.ends_with('\n')).then(|| (words(&["docker", "get"]), None, server.to_owned()))
    }),
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// The answer to a tool that names `uri`, with or without a chosen profile.
fn told(world: &World, telling: Telling, uri: &str, profile: Option<&str>) -> Option<String> {
    let (arguments, variable, stdin) = telling(uri)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut run = world.run_all(&arguments).stdin(stdin);
    if let Some((name, value)) = variable {
        run = run.set(name, &value);
    }
    if let Some(profile) = profile {
        run = run.set("CLOUDCONNEXA_PROFILE", profile);
    }
    Some(run.outcome().stdout)
}

#[test]
fn no_protocol_gives_a_token_to_another_host() {
    let world = acme();
    let token = world.token();
    for (protocol, telling) in TELLINGS {
        let mut count = 0;
        for uri in FOREIGN {
            for profile in [None, Some("acme")] {
                let Some(stdout) = told(&world, telling, uri, profile) else {
                    continue;
                };
                assert!(!stdout.contains(&token), "{protocol} answers for {uri:?}");
                count += 1;
            }
        }
        assert!(count > 10, "{protocol} got {count} servers");
    }
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "no request was sent for them"
    );
}

#[test]
fn every_protocol_gives_the_token_to_its_own_hosts() {
    let world = acme();
    world.token();
    for (protocol, telling) in TELLINGS {
        for uri in [
            "https://acme.api.openvpn.com/",
            "https://ACME.API.OpenVPN.com/",
            "https://proxy.acme.internal/",
            "https://gateway.acme.internal:8443/",
        ] {
            let uri = match protocol {
                "git" | "terraform" => uri.trim_end_matches('/'),
                _ => uri,
            };
            let stdout = told(&world, telling, uri, None).unwrap();
            let token = world.token();
            assert!(
                stdout.contains(&token),
                "{protocol} says {stdout:?} to {uri:?}"
            );
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
