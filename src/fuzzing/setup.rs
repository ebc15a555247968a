//! What `setup` puts into other tools' files comes out again.

use serde_json::Value;

use super::reference_parser::assert_printable;
use crate::tool_config::{Draft, Host, TOOLS, Tool, Wish};

/// What is put in comes out again to the byte, twice is once, and what is not understood is left
/// alone. The first line begins with the tool's name; `profile` behind it names one.
pub(super) fn setup(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (first, text) = text.split_once('\n').unwrap_or((text, ""));
    let (name, more) = first.split_once(' ').unwrap_or((first, ""));
    let Some(tool) = TOOLS.into_iter().find(|tool| tool.name == name) else {
        return;
    };
    let profile = (more == "profile").then(|| "lab".to_owned());
    let wish = wish(tool, profile, &["one.test", "two.test:8443"]);
    let Some(before) = checked(tool, (tool.remove)(text)) else {
        return;
    };
    let Some(draft) = checked(tool, (tool.add)(Some(text), &wish)) else {
        return;
    };
    if draft.changes.is_empty() {
        assert_eq!(said(&draft), text, "{name}");
        return;
    }
    let again = checked(tool, (tool.add)(Some(said(&draft)), &wish));
    let again = again.unwrap_or_else(|| panic!("{name} refuses its own\n{}", said(&draft)));
    assert_eq!(
        again.changes,
        [],
        "{name}: twice is once in\n{}",
        said(&draft)
    );
    check_meaning(tool, text, said(&draft));
    if !before.changes.is_empty() {
        return;
    }
    check_out(tool, text, &draft);
    let more = self::wish(tool, wish.profile.clone(), &["two.test:8443", "three.test"]);
    if let Some(both) = checked(tool, (tool.add)(Some(said(&draft)), &more)) {
        check_out(tool, text, &both);
    }
}

/// A draft; nothing for a refusal.
fn checked<T: std::fmt::Display>(tool: &Tool, result: Result<Draft, T>) -> Option<Draft> {
    result
        .map_err(|refusal| assert_printable(&format!("{}: {refusal}", tool.name)))
        .ok()
}

fn said(draft: &Draft) -> &str {
    draft.text.as_deref().unwrap_or_default()
}

fn check_out(tool: &Tool, text: &str, with: &Draft) {
    let without = checked(tool, (tool.remove)(said(with)));
    let without = without.and_then(|draft| draft.text);
    assert_eq!(
        without.as_deref(),
        Some(text),
        "{} left\n{}",
        tool.name,
        said(with)
    );
}

/// That the tool's own format still says what it said, where there is a reader of it here.
fn check_meaning(tool: &Tool, before: &str, after: &str) {
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
            // A number that one of TOML's readers takes and another does not is the user's.
            assert!(
                keys(before).is_none() || keys(before) == keys(after),
                "{after}"
            );
        }
        _ => {}
    }
}

fn wish(tool: &Tool, profile: Option<String>, hosts: &[&str]) -> Wish {
    let host = |authority: &&str| Host {
        url: format!("https://{authority}"),
        authority: (*authority).to_owned(),
        name: authority.split(':').next().unwrap_or_default().to_owned(),
    };
    let link = tool.link.map_or("", |link| link.name);
    Wish {
        hosts: hosts.iter().map(host).collect(),
        base_url: Some("https://api.test".to_owned()),
        profile,
        program: "cloudconnexa-auth".to_owned(),
        program_path: "/usr/local/bin/cloudconnexa-auth".to_owned(),
        link: link.to_owned(),
        link_path: format!("/usr/local/bin/{link}"),
    }
}
