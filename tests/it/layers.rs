//! The layers of `src`: a module uses lower layers only, and siblings have no circular
//! dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::tidy::sources;

/// The top-level modules and their layer. A module uses modules of lower layers only.
const LAYERS: &[(&str, u32)] = &[
    ("types", 0),
    ("system", 1),
    ("cache", 2),
    ("curl", 2),
    ("oauth", 2),
    ("protocol", 2),
    ("secret_source", 2),
    ("shared_store", 2),
    ("tool_config", 2),
    ("cli", 3),
    ("config", 3),
    ("token_provider", 4),
    ("diagnostics", 5),
    ("commands", 6),
    ("fuzzing", 7),
];

type ModulePath = Vec<String>;

/// The module that a file defines: `a/b.rs` and `a/b/mod.rs` are `[a, b]`.
fn module_of(file: &Path) -> ModulePath {
    let mut path: ModulePath = file
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    path.pop_if(|last| last == "mod");
    path
}

/// Every path in `text` that starts with `crate::` or `super::`, with groups expanded.
fn paths_in(text: &str, module: &[String]) -> Vec<ModulePath> {
    let mut found = Vec::new();
    let mut inline = 0;
    for (line_start, line) in lines_with_offsets(text) {
        if line.starts_with("mod ") && line.trim_end().ends_with('{') {
            inline = 1;
        } else if line.starts_with('}') {
            inline = 0;
        }
        let code = line.split("//").next().unwrap();
        for (at, _) in code.match_indices("super::") {
            if !is_path_start(code, at) {
                continue;
            }
            let mut rest = &text[line_start + at..];
            let mut ups = 0;
            while let Some(behind) = rest.strip_prefix("super::") {
                rest = behind;
                ups += 1;
            }
            let depth = (module.len() + inline).saturating_sub(ups);
            expand(rest, module[..depth.min(module.len())].to_vec(), &mut found);
        }
        for (at, start) in code.match_indices("crate::") {
            if is_path_start(code, at) {
                expand(
                    &text[line_start + at + start.len()..],
                    Vec::new(),
                    &mut found,
                );
            }
        }
    }
    found
}

fn lines_with_offsets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |offset, line| {
        let start = *offset;
        *offset += line.len();
        Some((start, line))
    })
}

fn is_path_start(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
}

/// Adds the paths at the start of `text` (`a::b`, `a::{b, c::d}`) below `prefix`; returns the rest.
fn expand<'a>(text: &'a str, prefix: ModulePath, found: &mut Vec<ModulePath>) -> &'a str {
    let mut path = prefix;
    let mut text = text;
    loop {
        if let Some(mut rest) = text.strip_prefix('{') {
            loop {
                rest = rest.trim_start_matches([' ', '\n', ',']);
                if let Some(rest) = rest.strip_prefix('}') {
                    return rest;
                }
                let behind = expand(rest, path.clone(), found);
                if behind.len() == rest.len() {
                    return behind;
                }
                rest = behind;
            }
        }
        let end = text
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(text.len());
        path.push(text[..end].to_owned());
        text = &text[end..];
        let Some(rest) = text.strip_prefix("::") else {
            found.push(path);
            return text;
        };
        text = rest;
    }
}

/// Which module uses which: the longest prefix of each path that is a module.
fn uses() -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: BTreeMap<ModulePath, String> = sources()
        .iter()
        .map(|path| {
            let module = module_of(path.strip_prefix(&base).unwrap());
            (module, fs::read_to_string(path).unwrap())
        })
        .filter(|(module, _)| !["main", "lib"].contains(&module[0].as_str()))
        .collect();
    let target = |path: &ModulePath| {
        (1..=path.len())
            .rev()
            .map(|length| path[..length].to_vec())
            .find(|prefix| files.contains_key(prefix))
    };
    files
        .iter()
        .map(|(module, text)| {
            let used = paths_in(text, module).iter().filter_map(target).collect();
            (module.clone(), used)
        })
        .collect()
}

#[test]
fn module_uses_lower_layers_only() {
    let layers: BTreeMap<&str, u32> = LAYERS.iter().copied().collect();
    let layer_of = |module: &ModulePath| {
        let name = module[0].as_str();
        *layers
            .get(name)
            .unwrap_or_else(|| panic!("module `{name}` has no layer; add it to LAYERS"))
    };
    let mut violations = Vec::new();
    for (module, used) in uses() {
        for other in used {
            if other[0] != module[0] && layer_of(&other) >= layer_of(&module) {
                violations.push(format!("{} uses {}", module.join("::"), other.join("::")));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn grouped_and_relative_imports_are_seen() {
    let module = ["oauth".to_owned(), "response".to_owned()];
    let text = "use super::{client, http::{self, Proxy}};\nmod tests {\n    use super::read;\n}\n";
    let found: Vec<String> = paths_in(text, &module)
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(
        found,
        [
            "oauth::client",
            "oauth::http::self",
            "oauth::http::Proxy",
            "oauth::response::read"
        ]
    );
}
