//! A value that a tool would parse differently is quoted for that tool, or rejected.

use super::*;

#[test]
fn a_path_that_the_tool_would_read_in_another_way_is_quoted_or_refused() {
    let path = |path: &str| SetupRequest {
        program: path.into(),
        program_path: path.into(),
        link: path.into(),
        link_path: path.into(),
        ..request(&["one.test"])
    };
    for (name, is, expected) in [
        ("bazel", "/a b/c", "=one.test='/a b/c'\n"),
        ("cargo", "/a\"b/c", "[\"/a\\\"b/c\", \"cargo:token\"]\n"),
        ("ansible", "/a/b-c", "'/a/b-c token --for ' ~"),
    ] {
        let edit = added(tool(name), None, &path(is));
        assert!(edit.text().contains(expected), "{name}: {}", edit.text());
    }
    for (name, is) in [
        ("pnpm", "/a b/c"),
        ("pnpm", "/a$b/c"),
        ("cargo", "/a b/c"),
        ("make", "/a b/c"),
        ("ansible", "/a b/c"),
    ] {
        let error = (editor(tool(name)).add)(None, &path(is));
        assert!(
            matches!(error, Err(EditError::Impossible(_))),
            "{name} {is}: {error:?}"
        );
    }
}

#[test]
fn an_api_that_a_shell_would_read_in_another_way_is_refused() {
    for base_url in [
        None,
        Some("https://api.test/$(x)".to_owned()),
        Some("https://a.test/;x".into()),
    ] {
        for name in ["make", "ansible"] {
            let request = SetupRequest {
                base_url: base_url.clone(),
                ..request(&["one.test"])
            };
            let error = (editor(tool(name)).add)(None, &request);
            assert!(
                matches!(error, Err(EditError::Impossible(_))),
                "{name}: {error:?}"
            );
        }
    }
    let request = SetupRequest {
        base_url: Some("https://127.0.0.1:8443/a%20b/~c".into()),
        profile: Some("lab".into()),
        ..request(&["one.test"])
    };
    let made = added(tool("make"), None, &request);
    for line in [
        "_API ?= https://127.0.0.1:8443/a%20b/~c\n",
        "_AUTH ?= cloudconnexa-auth --profile lab\n",
    ] {
        assert!(made.text().contains(line), "{}", made.text());
    }
    let made = added(tool("ansible"), None, &request);
    let command = "'cloudconnexa-auth token --profile lab --for ' ~ cloudconnexa_api";
    assert!(made.text().contains(command), "{}", made.text());
}
