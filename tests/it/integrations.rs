//! The files in `integrations/` and their pages are complete, linked, and contain no data of a real
//! tenant. The tests in `clients` check them with the tools.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloudconnexa_sandbox::Sandbox;
use serde_json::Value;

use crate::harness::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The directories of the tools.
fn tools() -> BTreeSet<String> {
    let folders = entries("integrations").into_iter();
    let names = folders.filter(|path| path.is_dir()).map(|path| name(&path));
    names.filter(|name| name != "schemas").collect()
}

/// Every file below a directory.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files
}

/// The targets of a page's links.
fn targets(text: &str) -> BTreeSet<String> {
    let links = text.split("](").skip(1);
    let links = links.map(|rest| rest.split(')').next().unwrap().to_owned());
    links.collect()
}

#[test]
fn every_tool_has_a_readme_with_trust_notes_and_a_row_in_the_table() {
    let table = read("integrations/README.md");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ["))
        .collect();
    assert!(
        tools().len() >= 21,
        "the directories are found: {:?}",
        tools()
    );
    for tool in tools() {
        let page = read(format!("integrations/{tool}/README.md"));
        assert!(
            page.contains("\n## Trust notes\n"),
            "{tool} does not explain which parties get the token"
        );
        assert!(
            page.contains("**Refused token.**"),
            "{tool} does not explain the handling of a refused token"
        );
        let link = format!("[{tool}]({tool}/README.md)");
        let count = rows.iter().filter(|row| row.contains(&link)).count();
        assert_eq!(count, 1, "{tool} has one row in integrations/README.md");
        assert!(
            files(&root().join("integrations").join(&tool)).len() >= 2,
            "{tool} has nothing to copy"
        );
    }
    assert_eq!(rows.len(), tools().len(), "and every row has a directory");
}

#[test]
fn every_file_of_a_tool_is_told_of_in_its_readme() {
    for tool in tools() {
        let folder = root().join("integrations").join(&tool);
        let page = read(folder.join("README.md"));
        for file in files(&folder) {
            let inside = file.strip_prefix(&folder).unwrap().to_str().unwrap();
            let is_told = inside.split('/').any(|part| {
                page.contains(&format!("`{part}")) || page.contains(&format!("/{part}`"))
            });
            assert!(
                is_told || inside == "README.md",
                "integrations/{tool}/README.md does not describe {inside}"
            );
        }
    }
}

#[test]
fn every_tool_is_linked_from_the_readme() {
    let linked = targets(&read("README.md"));
    for tool in tools() {
        let page = format!("integrations/{tool}/README.md");
        assert!(linked.contains(&page), "README.md has no link to {page}");
    }
}

#[test]
fn every_protocol_has_a_page_and_every_page_is_linked() {
    let index = targets(&read("docs/protocols/README.md"));
    assert!(
        targets(&read("README.md")).contains("docs/protocols/README.md"),
        "README.md links to the pages"
    );
    let mut pages = entries("docs/protocols");
    pages.retain(|page| name(page) != "README.md");
    assert!(pages.len() >= 10, "the pages are found: {pages:?}");
    for page in pages {
        let page = name(&page);
        assert!(
            index.contains(&page),
            "docs/protocols/README.md has no link to {page}"
        );
    }
}

#[test]
fn no_link_of_these_pages_is_dead() {
    let mut pages = files(&root().join("integrations"));
    pages.extend(files(&root().join("docs")));
    pages.extend(entries("").into_iter().filter(|path| path.is_file()));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    for page in pages {
        for link in targets(&fs::read_to_string(&page).unwrap()) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{} links to {link}", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let has = text
                    .lines()
                    .any(|line| anchor(line).as_deref() == Some(heading));
                assert!(has, "{} links to {link}", page.display());
            }
        }
    }
}

/// The anchor of a heading.
fn anchor(line: &str) -> Option<String> {
    let title = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .strip_prefix(' ')?;
    let letters = title.to_lowercase();
    let kept = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[test]
fn the_files_are_of_their_kind() {
    for file in files(&root().join("integrations")) {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        let name = name(&file);
        if name.ends_with(".json") {
            let parsed: Result<Value, _> = serde_json::from_str(&text);
            parsed.unwrap_or_else(|error| panic!("{shown}: {error}"));
        } else if name.ends_with(".toml") || name == "registries.conf" {
            let parsed = toml::de::DeTable::parse(&text);
            parsed.unwrap_or_else(|error| panic!("{shown}: {error}"));
        } else if text.starts_with("#!") || name == ".envrc" {
            let output = Command::new("bash").arg("-n").arg(&file).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{shown}: {stderr}");
        }
        assert!(
            text.ends_with('\n') && !text.contains('\r'),
            "lines of {shown} end in LF"
        );
        is_executable_as_it_must_be(&file, &text);
    }
}

fn is_executable_as_it_must_be(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o111 != 0,
        text.starts_with("#!"),
        "{} is copied with its mode",
        file.display()
    );
}

#[test]
fn no_file_holds_a_secret_or_anything_of_one_machine() {
    let hosts = [
        "acme.api.openvpn.com",
        "git.acme.internal",
        "registry.acme.internal",
        "crates.acme.internal",
        "go.acme.internal",
        "npm.acme.internal",
        "artifacts.acme.internal",
        "mcp.acme.internal",
    ];
    let mut all = files(&root().join("integrations"));
    all.retain(|file| file.parent().unwrap().file_name().unwrap() != "schemas");
    all.extend(files(&root().join("docs/protocols")));
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        let is_page = name(&file) == "README.md" || file.starts_with(root().join("docs"));
        for word in [
            "/home/",
            "/root/",
            "/tmp/",
            "/Users/",
            "localhost:",
            "127.0.0.1",
        ] {
            assert!(!text.contains(word), "{shown} contains {word}");
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_+".contains(c));
        for word in words {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            assert!(
                word.len() < 24 || digits < 4,
                "{shown} contains a possible secret: {word}"
            );
        }
        for rest in text.split("https://").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !".-".contains(c));
            let host = rest.split_at(end.unwrap_or(rest.len())).0;
            assert!(
                is_page || host.is_empty() || hosts.contains(&host),
                "{shown} names {host}, which is not a host of the profile"
            );
        }
    }
}

#[test]
fn the_profile_of_the_files_is_a_configuration_and_has_all_their_hosts() {
    let world = World::without_profile(Sandbox::builder());
    let config = read("integrations/config.toml");
    let systemd = read("integrations/systemd/config.toml");
    for text in [&config, &systemd] {
        world.write_config(text);
        let listed = world.run(["list"]).succeeds();
        assert!(listed.contains("https://acme.api.openvpn.com"), "{listed}");
    }
    for file in files(&root().join("integrations")) {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices(".acme.internal") {
            let before = &text[..at];
            let begin = before.rfind(|c: char| !c.is_ascii_alphanumeric());
            let host = format!(
                "\"{}.acme.internal\"",
                &before[begin.map_or(0, |at| at + 1)..]
            );
            assert!(config.contains(&host), "{} names {host}", file.display());
        }
    }
}
