//! What a tool would read in another way is quoted as it reads it, or refused.

use super::*;

#[test]
fn a_path_that_the_tool_would_read_in_another_way_is_quoted_or_refused() {
    let path = |path: &str| Wish {
        program: path.into(),
        program_path: path.into(),
        link: path.into(),
        link_path: path.into(),
        ..wish(&["one.test"])
    };
    for (name, is, expected) in [
        ("go", "/a b/c", "GOAUTH='/a b/c' go;netrc\n"),
        ("go", "/a'b/c", "GOAUTH=\"/a'b/c\" go;netrc\n"),
        ("bazel", "/a b/c", "=one.test='/a b/c'\n"),
        ("kubectl", "/a: \"b/c", "command: \"/a: \\\"b/c\"\n"),
        ("cargo", "/a\"b/c", "[\"/a\\\"b/c\", \"cargo:token\"]\n"),
        ("ansible", "/a/b-c", "'/a/b-c token --for ' ~"),
    ] {
        let draft = added(tool(name), None, &path(is));
        assert!(draft.text().contains(expected), "{name}: {}", draft.text());
    }
    for (name, is) in [
        ("go", "/a;b/c"),
        ("pnpm", "/a b/c"),
        ("pnpm", "/a$b/c"),
        ("cargo", "/a b/c"),
        ("make", "/a b/c"),
        ("ansible", "/a b/c"),
    ] {
        let refusal = (tool(name).add)(None, &path(is));
        assert!(
            matches!(refusal, Err(Refusal::Impossible(_))),
            "{name} {is}: {refusal:?}"
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
            let wish = Wish {
                base_url: base_url.clone(),
                ..wish(&["one.test"])
            };
            let refusal = (tool(name).add)(None, &wish);
            assert!(
                matches!(refusal, Err(Refusal::Impossible(_))),
                "{name}: {refusal:?}"
            );
        }
    }
    let wish = Wish {
        base_url: Some("https://127.0.0.1:8443/a%20b/~c".into()),
        profile: Some("lab".into()),
        ..wish(&["one.test"])
    };
    let made = added(tool("make"), None, &wish);
    for line in [
        "_API ?= https://127.0.0.1:8443/a%20b/~c\n",
        "_AUTH ?= cloudconnexa-auth --profile lab\n",
    ] {
        assert!(made.text().contains(line), "{}", made.text());
    }
    let made = added(tool("ansible"), None, &wish);
    let command = "'cloudconnexa-auth token --profile lab --for ' ~ cloudconnexa_api";
    assert!(made.text().contains(command), "{}", made.text());
}

#[test]
fn a_path_with_white_space_is_one_word() {
    let path = "/opt/our programs/git-credential-cloudconnexa";
    let wish = Wish {
        link: path.into(),
        profile: Some("lab".into()),
        ..wish(&["one.test"])
    };
    let draft = added(tool("git"), None, &wish);
    let line = format!("\thelper = \"!'{path}' --profile lab\"\n");
    assert!(draft.text().contains(&line), "{}", draft.text());
    let more = Wish {
        hosts: self::wish(&["two.test"]).hosts,
        ..wish
    };
    let draft = added(tool("git"), draft.text.as_deref(), &more);
    assert_eq!(draft.text().matches(&line).count(), 2, "{}", draft.text());
}
