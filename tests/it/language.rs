//! Phrases that make text hard to read, each with a replacement. The files listed here are checked;
//! add a file when it has been rewritten.

use std::fs;
use std::path::{Path, PathBuf};

const REPLACEMENTS: &[(&str, &str)] = &[
    ("nobody", "no process, no user"),
    ("whoever", "a caller that"),
    (" is told", "is reported"),
    (" tells ", "reports"),
    (" is none", "is missing, is not a …"),
    (" mend", "fix"),
    ("takes back", "reverts"),
    ("at hand", "cached, current"),
    ("papers", "docs, man pages"),
    ("the whole way", "each step"),
    (" stands ", "is, is stored"),
];

const CHECKED: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/README.md",
    "docs/glossary.md",
    "docs/guides",
    "docs/decisions",
    "docs/exec.md",
    "docs/exit-codes.md",
    "docs/protocols",
];

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| files(&entry.unwrap().path()))
        .collect()
}

#[test]
fn checked_texts_have_no_phrase_of_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for file in CHECKED.iter().flat_map(|path| files(&root.join(path))) {
        let text = fs::read_to_string(&file).unwrap();
        // The transcripts show output of the program.
        let prose = text.split("```").step_by(2).collect::<String>();
        let prose = prose.split_whitespace().collect::<Vec<_>>().join(" ");
        for (phrase, replacement) in REPLACEMENTS {
            if prose.to_lowercase().contains(phrase) {
                let file = file.strip_prefix(root).unwrap().display();
                found.push(format!("{file}: `{phrase}`: write {replacement}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
