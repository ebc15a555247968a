//! Text that `setup` adds to the files of other tools can be removed again.

use serde_json::Value;

use super::reference_parser::assert_printable;
use crate::tool_config::{Edit, FileEditor, Host, Method, SetupRequest, TOOLS, ToolEditor};

/// Removing restores the file byte for byte, adding twice changes nothing more, and a file that is
/// not understood is not changed. The first line begins with the tool's name; `profile` after it
/// sets a profile.
pub(super) fn setup(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (first, text) = text.split_once('\n').unwrap_or((text, ""));
    let (name, more) = first.split_once(' ').unwrap_or((first, ""));
    let Some(tool) = TOOLS.into_iter().find(|tool| tool.name == name) else {
        return;
    };
    // Other tools change their files themselves.
    let Method::File(editor) = &tool.method else {
        return;
    };
    let profile = (more == "profile").then(|| "lab".to_owned());
    let request = request(tool, profile, &["one.test", "two.test:8443"]);
    let Some(before) = checked(tool, (editor.remove)(text)) else {
        return;
    };
    let Some(edit) = checked(tool, (editor.add)(Some(text), &request)) else {
        return;
    };
    if edit.changes.is_empty() {
        assert_eq!(said(&edit), text, "{name}");
        return;
    }
    let again = checked(tool, (editor.add)(Some(said(&edit)), &request));
    let again = again.unwrap_or_else(|| panic!("{name} refuses its own\n{}", said(&edit)));
    assert_eq!(
        again.changes,
        [],
        "{name}: adding it twice changes\n{}",
        said(&edit)
    );
    check_meaning(tool, text, said(&edit));
    if !before.changes.is_empty() {
        return;
    }
    check_out(tool, editor, text, &edit);
    let more = self::request(
        tool,
        request.profile.clone(),
        &["two.test:8443", "three.test"],
    );
    if let Some(both) = checked(tool, (editor.add)(Some(said(&edit)), &more)) {
        check_out(tool, editor, text, &both);
    }
}

/// Returns the edit, or `None` for an error; the error must be printable.
fn checked<T: std::fmt::Display>(tool: &ToolEditor, result: Result<Edit, T>) -> Option<Edit> {
    result
        .map_err(|error| assert_printable(&format!("{}: {error}", tool.name)))
        .ok()
}

fn said(edit: &Edit) -> &str {
    edit.text.as_deref().unwrap_or_default()
}

fn check_out(tool: &ToolEditor, editor: &FileEditor, text: &str, with: &Edit) {
    let without = checked(tool, (editor.remove)(said(with)));
    let without = without.and_then(|edit| edit.text);
    assert_eq!(
        without.as_deref(),
        Some(text),
        "{} left\n{}",
        tool.name,
        said(with)
    );
}

/// Asserts that the rest of the file still means the same, for formats that have a parser here.
fn check_meaning(tool: &ToolEditor, before: &str, after: &str) {
    match tool.name {
        "docker" => {
            let read = |text| serde_json::from_str::<Value>(text).ok();
            let (Some(mut old), Some(mut new)) = (read(before), read(after)) else {
                panic!("no JSON:\n{after}");
            };
            let helpers = new["credHelpers"].as_object_mut();
            let helpers = helpers.unwrap_or_else(|| panic!("no helpers in\n{after}"));
            for host in ["one.test", "two.test:8443"] {
                assert_eq!(helpers.remove(host), Some("cloudconnexa".into()), "{after}");
            }
            let was = old.get_mut("credHelpers").and_then(Value::as_object_mut);
            if let Some(was) = was {
                was.retain(|host, _| host != "one.test" && host != "two.test:8443");
            } else {
                assert!(helpers.is_empty(), "{after}");
                new.as_object_mut().map(|new| new.remove("credHelpers"));
            }
            assert_eq!(old, new, "{after}");
        }
        "cargo" => {
            let keys = |text: &str| -> Option<Vec<String>> {
                let read: toml_edit::DocumentMut = text.parse().ok()?;
                let keys = read.iter().map(|(key, _)| key.to_owned());
                Some(keys.filter(|key| key != "registry").collect())
            };
            // TOML parsers differ in the numbers that they accept; such a number comes from the
            // user.
            assert!(
                keys(before).is_none() || keys(before) == keys(after),
                "{after}"
            );
        }
        _ => {}
    }
}

fn request(tool: &ToolEditor, profile: Option<String>, hosts: &[&str]) -> SetupRequest {
    let host = |authority: &&str| Host {
        url: format!("https://{authority}"),
        authority: (*authority).to_owned(),
        name: authority.split(':').next().unwrap_or_default().to_owned(),
    };
    let link = tool.link.map_or("", |link| link.name);
    SetupRequest {
        hosts: hosts.iter().map(host).collect(),
        base_url: Some("https://api.test".to_owned()),
        profile,
        program: "cloudconnexa-auth".to_owned(),
        program_path: "/usr/local/bin/cloudconnexa-auth".to_owned(),
        link: link.to_owned(),
        link_path: format!("/usr/local/bin/{link}"),
    }
}
