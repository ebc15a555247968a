//! Properties of every tool's editor, for any content of the file. Removing restores the file byte
//! for byte, adding twice changes nothing more, and a file that is not understood is not changed.

mod quoting;

use super::{Edit, EditError, FileEditor, Host, Method, SetupRequest, TOOLS, ToolEditor};

fn request(hosts: &[&str]) -> SetupRequest {
    let host = |authority: &&str| Host {
        url: format!("https://{authority}"),
        authority: (*authority).to_owned(),
        name: authority.split(':').next().unwrap().to_owned(),
    };
    SetupRequest {
        hosts: hosts.iter().map(host).collect(),
        base_url: Some("https://api.test".into()),
        profile: None,
        program: "cloudconnexa-auth".into(),
        program_path: "/usr/local/bin/cloudconnexa-auth".into(),
        link: "x-credential-cloudconnexa".into(),
        link_path: "/usr/local/bin/x-credential-cloudconnexa".into(),
    }
}

fn tool(name: &str) -> &'static ToolEditor {
    TOOLS.into_iter().find(|tool| tool.name == name).unwrap()
}

/// Returns the editor of a tool that has no configuration command.
fn editor(tool: &ToolEditor) -> &FileEditor {
    match &tool.method {
        Method::File(editor) => editor,
        Method::Command(_) => panic!("{} changes its own file", tool.name),
    }
}

fn file_tools() -> impl Iterator<Item = &'static ToolEditor> {
    let mut tools = TOOLS.to_vec();
    tools.retain(|tool| matches!(tool.method, Method::File(_)));
    tools.into_iter()
}

/// Returns the request with the link name of that tool.
fn wish_of(tool: &ToolEditor, hosts: &[&str]) -> SetupRequest {
    let link = tool.link.map_or("", |link| link.name).to_owned();
    SetupRequest {
        link_path: format!("/usr/local/bin/{link}"),
        link,
        ..request(hosts)
    }
}

#[track_caller]
fn added(tool: &ToolEditor, text: Option<&str>, request: &SetupRequest) -> Edit {
    let edit = (editor(tool).add)(text, request);
    edit.unwrap_or_else(|error| panic!("{}: {error} in\n{text:?}", tool.name))
}

#[track_caller]
fn removed(tool: &ToolEditor, text: &str) -> Edit {
    let edit = (editor(tool).remove)(text);
    edit.unwrap_or_else(|error| panic!("{}: {error} in\n{text}", tool.name))
}

/// Adds, adds again, adds more hosts, then removes.
#[track_caller]
fn check_round(tool: &ToolEditor, text: &str) {
    let first = wish_of(tool, &["one.test", "two.test:8443"]);
    let more = wish_of(tool, &["two.test:8443", "three.test"]);
    let edit = added(tool, Some(text), &first);
    assert!(
        !edit.changes.is_empty(),
        "{}: nothing in\n{text}",
        tool.name
    );
    let with = edit.text();
    let again = added(tool, Some(with), &first);
    assert_eq!(again.changes, [], "{}: added twice in\n{with}", tool.name);
    assert_eq!(again.text(), with);
    let without = removed(tool, with);
    assert_eq!(
        without.text.as_deref(),
        Some(text),
        "{} left\n{with}",
        tool.name
    );
    assert_eq!(
        removed(tool, text).changes,
        [],
        "removing nothing must not change\n{text}"
    );

    let both = added(tool, Some(with), &more);
    let both = both.text();
    for host in ["one.test", "two.test", "three.test"] {
        let is_by_host = ["docker", "bazel", "pnpm"].contains(&tool.name);
        assert!(!is_by_host || both.contains(host), "{host} in\n{both}");
    }
    assert_eq!(
        removed(tool, both).text(),
        text,
        "after more hosts:\n{both}"
    );
}

/// A pseudo-random number generator with a fixed sequence.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Possible content of a tool's file. Each row contributes at most one of its texts.
fn rows(tool: &str) -> &'static [&'static [&'static str]] {
    match tool {
        "terraform" => &[
            &["# a {", "", "// \"", "/* a {\n } } */"],
            &[
                "plugin_cache_dir = \"$HOME/{x\"",
                "disable_checkpoint = true",
            ],
            &["provider_installation {\n  direct { exclude = [\"a/*\"] }\n}"],
            &["credentials \"other.test\" {\n  token = \"}\"\n}"],
        ],
        "bazel" => &[
            &["# a note", "", "build --jobs=4 # x"],
            &[
                "common --credential_helper=other.test=/bin/x",
                "try-import %workspace%/x",
            ],
            &["common --config \\\n  x"],
        ],
        "cargo" => &[
            &["# a note", ""],
            &["[build]\njobs = 2", "[net]\nretry = 2 # x"],
            &[
                "[registry]\ndefault = \"acme\"",
                "[ registry ] # x\ndefault = \"acme\"",
                "[registry]\nglobal-credential-providers = [\"cargo:token\"]",
                "[registry]\nglobal-credential-providers = [\n  \"cargo:token\", # x\n]",
                "[registry]",
            ],
            &["[registries.acme]\nindex = \"sparse+https://a.test/\""],
        ],
        "pnpm" => &[
            &["; a note", "", "# é"],
            &["@a:registry=https://a.test/"],
            &["//other.test/:_authToken=x", "always-auth = true"],
        ],
        _ => &[],
    }
}

#[test]
fn what_is_put_in_comes_out_again_whatever_stands_around_it() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for name in ["terraform", "bazel", "cargo", "pnpm"] {
        for _ in 0..400 {
            let parts = rows(name).iter().filter_map(|row| {
                let at = dice.below(row.len() + 1);
                row.get(at).copied()
            });
            let mut text = parts.collect::<Vec<_>>().join("\n");
            if dice.below(3) > 0 && !text.is_empty() {
                text.push('\n');
            }
            if dice.below(3) == 0 {
                text = text.replace('\n', "\r\n");
            }
            if text.ends_with('\\') {
                continue;
            }
            check_round(tool(name), &text);
        }
    }
}

/// Returns a random object with random white space.
fn json(dice: &mut Dice, depth: usize, is_root: bool) -> String {
    let white = dice.pick(&["", " ", "\n\t", "\n  ", "\r\n    "]);
    let count = dice.below(4);
    let mut members: Vec<String> = (0..count)
        .map(|index| {
            let value = match dice.below(5) {
                0 if depth > 0 => json(dice, depth - 1, false),
                1 => "[1, {\"a\": \"]\"}, null]".to_owned(),
                2 => "\"a\\\"}{\"".to_owned(),
                _ => dice
                    .pick(&["true", "-1.5e3", "{}", "[]", "\"desktop\""])
                    .to_owned(),
            };
            format!(
                "{white}\"k{index}\"{}:{}{value}",
                dice.pick(&["", " "]),
                dice.pick(&["", " "])
            )
        })
        .collect();
    if is_root && dice.below(2) == 0 {
        let inner = dice.pick(&[
            "{}",
            "{ }",
            "{\n  }",
            "{\"other.test\": \"pass\"}",
            "{ \"other.test\": \"pass\" }",
            "{\n    \"other.test\": \"pass\",\n    \"more.test\":\"x\"\n  }",
        ]);
        let at = dice.below(members.len() + 1);
        members.insert(at, format!("{white}\"credHelpers\": {inner}"));
    }
    let end = dice.pick(&["", " ", "\n", "\r\n"]);
    format!("{{{}{end}}}", members.join(dice.pick(&[",", ", ", " ,"])))
}

#[test]
fn json_keeps_its_form() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    for _ in 0..3000 {
        let text = json(&mut dice, 2, true) + dice.pick(&["", "\n"]);
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "{text}"
        );
        let edit = added(tool("docker"), Some(&text), &request(&["one.test"]));
        let read: serde_json::Value = serde_json::from_str(edit.text()).unwrap();
        assert_eq!(
            read["credHelpers"]["one.test"],
            "cloudconnexa",
            "{}",
            edit.text()
        );
        check_round(tool("docker"), &text);
    }
}

#[test]
fn the_lines_stand_where_the_file_ends() {
    let ours = "credentials_helper \"cloudconnexa\" {}";
    let marked = format!(
        "# >>> cloudconnexa-auth setup terraform (fbb77168) >>>\n{ours}\n\
         # <<< cloudconnexa-auth <<<"
    );
    let dos = marked.replace('\n', "\r\n");
    let unended = |marked: &str| marked.replace("fbb77168", "fbb77168, no last line feed");
    for (text, expected) in [
        ("", format!("{marked}\n")),
        ("a = 1\n", format!("a = 1\n{marked}\n")),
        ("a = 1", format!("a = 1\n{}\n", unended(&marked))),
        ("a = 1\r\n", format!("a = 1\r\n{dos}\r\n")),
        (
            "b = 1\r\na = 1",
            format!("b = 1\r\na = 1\r\n{}\r\n", unended(&dos)),
        ),
    ] {
        let edit = added(tool("terraform"), Some(text), &request(&["one.test"]));
        assert_eq!(edit.text(), expected);
    }
}

#[test]
fn what_is_added_behind_our_lines_stays_apart_and_stays() {
    for (before, after) in [("a = 1", "a = 1\nb = 2\n"), ("a = 1\n", "a = 1\nb = 2\n")] {
        let edit = added(tool("terraform"), Some(before), &request(&["one.test"]));
        let text = format!("{}b = 2\n", edit.text());
        assert!(text.contains("\nb = 2\n"), "not its own line: {text}");
        assert_eq!(removed(tool("terraform"), &text).text(), after);
    }
}

#[test]
fn a_file_that_was_not_there_is_not_there_afterwards() {
    for tool in file_tools() {
        let request = wish_of(tool, &["one.test", "two.test:8443"]);
        let edit = added(tool, None, &request);
        let text = edit.text.unwrap();
        assert!(text.ends_with('\n'), "{}: {text}", tool.name);
        assert_eq!(
            added(tool, Some(&text), &request).changes,
            [],
            "{}",
            tool.name
        );
        assert_eq!(removed(tool, &text).text, None, "{}: {text}", tool.name);
    }
}

#[test]
fn a_file_that_the_user_wrote_into_stays_with_what_he_wrote() {
    for (name, line) in [
        ("terraform", "disable_checkpoint = true\n"),
        ("bazel", "build --jobs=4\n"),
        ("pnpm", "@a:registry=https://a.test/\n"),
    ] {
        let tool = tool(name);
        let text = added(tool, None, &wish_of(tool, &["one.test"]))
            .text
            .unwrap();
        for edited in [format!("{text}{line}"), format!("{line}{text}")] {
            assert_eq!(
                removed(tool, &edited).text.as_deref(),
                Some(line),
                "{edited}"
            );
        }
    }
}

#[test]
fn lines_of_ours_that_were_changed_are_left_alone() {
    for tool in file_tools() {
        if tool.name == "docker" {
            continue;
        }
        let text = added(tool, None, &wish_of(tool, &["one.test"]))
            .text
            .unwrap();
        let second = text.lines().nth(1).unwrap();
        let closing = text.lines().last().unwrap();
        for edited in [
            text.replace(second, &format!("{second} ")),
            text.replace(&format!("{closing}\n"), ""),
            text.replace("setup", "setup "),
            format!("{text}{text}"),
        ] {
            let error = (editor(tool).remove)(&edited);
            assert!(
                matches!(error, Err(EditError::Changed { .. })),
                "{}: {error:?} for\n{edited}",
                tool.name
            );
        }
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (name, text, place) in [
        ("docker", "{\n  \"auths\": {,}\n}\n", (2, 13)),
        ("docker", "[]\n", (1, 1)),
        ("docker", "", (1, 1)),
        ("docker", "{\"credHelpers\": []}", (1, 17)),
        ("terraform", "a {\n  b = \"x\n}\n", (2, 7)),
        ("terraform", "a {\n", (1, 3)),
        ("terraform", "a = 1 }\n", (1, 7)),
        ("cargo", "[build\njobs = 2\n", (1, 7)),
        ("cargo", "registry = 1\n", (1, 12)),
        ("bazel", "build \\", (1, 1)),
        ("pnpm", "a=b\n[section]\n", (2, 1)),
    ] {
        let tool = tool(name);
        let error = (editor(tool).add)(Some(text), &wish_of(tool, &["one.test"])).unwrap_err();
        let EditError::Broken { line, column, .. } = error else {
            panic!("{name} said {error} of\n{text}");
        };
        assert_eq!((line, column), place, "{name}: {error} in\n{text}");
    }
}

#[test]
fn a_registry_table_written_in_another_way_is_not_broken() {
    for text in [
        "registry = { default = \"acme\" }\n",
        "registry.default = \"acme\"\n",
    ] {
        let error = (editor(tool("cargo")).add)(Some(text), &wish_of(tool("cargo"), &["one.test"]));
        assert!(matches!(error, Err(EditError::Impossible(_))), "{error:?}");
    }
}

#[test]
fn whoever_has_the_place_keeps_it() {
    for (name, text) in [
        ("docker", "{\"credHelpers\": {\"one.test\": \"pass\"}}"),
        ("terraform", "credentials_helper \"other\" {}\n"),
        ("bazel", "common --credential_helper=one.test=/bin/other\n"),
        ("pnpm", "//one.test/:_authToken=x\n"),
        ("pnpm", "//one.test/npm/:tokenHelper=/bin/other\n"),
    ] {
        let tool = tool(name);
        let error = (editor(tool).add)(Some(text), &wish_of(tool, &["one.test"]));
        assert!(
            matches!(error, Err(EditError::Taken(_))),
            "{name}: {error:?}"
        );
    }
    for name in ["make", "ansible"] {
        let error = (editor(tool(name)).add)(Some("x = 1\n"), &request(&["one.test"]));
        assert!(
            matches!(error, Err(EditError::NotOurs)),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn what_was_wired_by_hand_needs_nothing() {
    for (name, text) in [
        (
            "docker",
            include_str!("../../../integrations/docker/config.json"),
        ),
        (
            "terraform",
            include_str!("../../../integrations/terraform/terraformrc"),
        ),
        (
            "bazel",
            include_str!("../../../integrations/bazel/.bazelrc"),
        ),
        ("pnpm", include_str!("../../../integrations/pnpm/npmrc")),
    ] {
        let host = match name {
            "docker" => "registry.acme.internal".to_owned(),
            "bazel" => "artifacts.acme.internal".to_owned(),
            "pnpm" => "npm.acme.internal".to_owned(),
            other => format!("{other}.acme.internal"),
        };
        let tool = tool(name);
        let edit = added(tool, Some(text), &wish_of(tool, &[&host]));
        assert_eq!(edit.changes, [], "{name}");
    }
}

#[test]
fn an_entry_of_cargos_list_that_setup_does_not_write_so_stays() {
    let cargo = tool("cargo");
    for list in [
        "[\"cargo:token\", \"cargo-credential-cloudconnexa\"]",
        "[ \"cargo-credential-cloudconnexa\", \"cargo:token\"]",
        "[\"cargo-credential-cloudconnexa\"]",
    ] {
        let text = format!("[registry]\nglobal-credential-providers = {list}\n");
        let request = wish_of(cargo, &["one.test"]);
        assert_eq!(added(cargo, Some(&text), &request).changes, [], "{list}");
        assert_eq!(removed(cargo, &text).changes, [], "{list}");
    }
}

#[test]
fn the_profile_stands_in_the_form_of_the_tool() {
    let request = |name: &str| SetupRequest {
        profile: Some("lab".into()),
        ..wish_of(tool(name), &["one.test"])
    };
    for (name, says) in [
        (
            "terraform",
            "credentials_helper \"cloudconnexa\" {\n  args = [\"--profile\", \"lab\"]\n}\n",
        ),
        (
            "cargo",
            "[\"cargo-credential-cloudconnexa --profile lab\", \"cargo:token\"]\n",
        ),
    ] {
        let text = added(tool(name), None, &request(name)).text.unwrap();
        assert!(text.contains(says), "{name}: {text}");
        assert_eq!(removed(tool(name), &text).text, None, "{name}");
    }
    for name in ["docker", "bazel", "pnpm"] {
        let error = (editor(tool(name)).add)(None, &request(name));
        assert!(
            matches!(error, Err(EditError::Impossible(_))),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn nothing_of_what_stands_around_is_shown() {
    let text = "{\"auths\": {\"a.test\": {\"auth\": \"c2VjcmV0\"}}}";
    let edit = added(tool("docker"), Some(text), &request(&["one.test"]));
    let shown = format!(
        "{:?} {:?}",
        edit.changes,
        removed(tool("docker"), edit.text()).changes
    );
    assert!(!shown.contains("c2VjcmV0"), "shows a password: {shown}");
}
