//! Rules of this project that the compiler does not check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// All source files of the program.
pub(crate) fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn what_holds_a_secret_shows_none_of_it_when_it_is_printed() {
    // The derived `Debug` of `Zeroizing` and serde's wire types prints their content. `Secret` and
    // `AccessToken` print nothing.
    let telling = [
        "Zeroizing<",
        "access_token: String",
        "secret: String",
        "Map<String, Value>",
    ];
    let mut derived = 0;
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for part in text.split("#[derive(").skip(1) {
            let (traits, item) = part.split_once(")]").unwrap();
            if !traits.contains("Debug") {
                continue;
            }
            derived += 1;
            // A type ends at its first unindented closing brace, or in its first line.
            let head = item.split_inclusive(['{', ';']).next().unwrap();
            let is_empty = item[head.len()..].starts_with('}');
            let body = if head.ends_with('{') && !is_empty {
                let margin: String = item.chars().skip(1).take_while(|it| *it == ' ').collect();
                item.split(&format!("\n{margin}}}")).next().unwrap()
            } else {
                head
            };
            for word in telling {
                assert!(
                    !body.contains(word),
                    "{}: a derived Debug shows the {word} of{head}",
                    path.display()
                );
            }
        }
    }
    assert!(derived > 50, "the search finds the types");
}

/// A path may contain control characters, which a terminal executes.
#[test]
fn paths_are_shown_through_quote_path_only() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains(".display()"),
            "{}: use `types::quote::path` instead of `.display()`",
            path.display()
        );
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for path in sources() {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let limit = if path.ends_with("main.rs") { 30 } else { 600 };
        assert!(lines <= limit, "{} has {lines} lines", path.display());
    }
}

#[test]
fn only_one_place_names_each_library_that_is_dangerous_in_the_wrong_place() {
    for (word, home) in [
        ("ureq::", "oauth/http"),
        ("fs4::", "file/lock.rs"),
        ("env::var", "environment.rs"),
    ] {
        for path in sources() {
            let text = fs::read_to_string(&path).unwrap();
            let is_home = path.ends_with(home) || path.parent().unwrap().ends_with(home);
            assert!(
                is_home || !text.contains(word),
                "{} names {word}",
                path.display()
            );
        }
    }
}

#[test]
fn the_shipped_program_is_made_of_few_things_and_of_none_that_it_must_not_be_made_of() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--package",
            "cloudconnexa-auth",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--format", "{p}", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut packages: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    packages.sort_unstable();
    packages.dedup();
    for unwanted in [
        "tokio",
        "async-std",
        "smol",
        "futures",
        "hyper",
        "openssl",
        "openssl-sys",
        "native-tls",
        "aws-lc-rs",
        "aws-lc-sys",
        "webpki-roots",
        "reqwest",
        "cloudconnexa-sandbox",
    ] {
        assert!(
            !packages.contains(&unwanted),
            "{unwanted} is linked into the program"
        );
    }
    assert!(
        packages.len() <= 80,
        "{} packages: {packages:?}",
        packages.len()
    );
}

#[test]
fn nothing_is_left_to_do_in_the_code() {
    for path in sources() {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["TODO", "FIXME", "XXX", "unimplemented!", "#[ignore"] {
            assert!(!text.contains(word), "{} contains {word}", path.display());
        }
    }
}

/// cargo's metadata of the workspace and all its dependencies.
fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn no_member_of_the_workspace_can_hold_unsafe_code() {
    // With `forbid`, an `allow` in the code is an error.
    let rule = "unsafe_code = \"forbid\"\n";
    let workspace = format!("\n[workspace.lints.rust]\n{rule}");
    let inherited = "\n[lints]\nworkspace = true\n";
    let own = format!("\n[lints.rust]\n{rule}");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(fs::read_to_string(root).unwrap().contains(&workspace));
    let metadata = metadata();
    let members = metadata["workspace_members"].as_array().unwrap();
    assert!(members.len() >= 2, "the program and the sandbox");
    for package in metadata["packages"].as_array().unwrap() {
        if !members.contains(&package["id"]) {
            continue;
        }
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let text = fs::read_to_string(manifest).unwrap();
        assert!(
            text.contains(inherited) || text.contains(&own),
            "{} has the rule",
            manifest.display()
        );
        // A build script would be executed on the machine that builds.
        for target in package["targets"].as_array().unwrap() {
            assert_ne!(target["kind"][0], "custom-build", "{package}");
        }
    }
}

/// A macro is executed on the machine that builds. deny.toml lists the build scripts.
#[test]
fn the_macros_that_run_while_it_is_built_are_known_by_name() {
    let known = [
        "asn1-rs-derive",
        "asn1-rs-impl",
        "clap_derive",
        "displaydoc",
        "ref-cast-impl",
        "rustversion",
        "serde_derive",
        "strum_macros",
        "thiserror-impl",
        "time-macros",
        "tokio-macros",
        "wasm-bindgen-macro",
        "yoke-derive",
        "zerocopy-derive",
        "zerofrom-derive",
        "zerovec-derive",
    ];
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        for target in package["targets"].as_array().unwrap() {
            let is_macro = target["kind"][0] == "proc-macro";
            let name = package["name"].as_str().unwrap();
            assert!(!is_macro || known.contains(&name), "{name} is a new macro");
        }
    }
}
