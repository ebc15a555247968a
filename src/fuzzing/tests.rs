//! Checks every property with the corpus in `fuzz/corpus` and with mutations of it. The mutations
//! are the same each time. The variable `SOAK` increases their number.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::prop_oneof;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::whatwg_url::parse_url;
use super::{PROPERTIES, Property, property};
use crate::system::environment::Environment;

/// The number of mutations of a corpus, without and with `SOAK`.
const FEW: u32 = 1_000;
const MANY: u32 = 100_000;

fn directory(name: &str) -> PathBuf {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    base.join(name)
}

/// The corpus of a target, sorted by file name.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = directory(name);
    let files = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", crate::types::quote::path(&directory)));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    #[expect(
        clippy::disallowed_methods,
        reason = "files of this project, without secrets"
    )]
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Bytes that parsers often handle differently.
const TRAPS: [&[u8]; 40] = [
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"\\",
    b"\"",
    b"'",
    b"/",
    b"//",
    b":",
    b"@",
    b"#",
    b"?",
    b"%",
    b"%2e",
    b"%00",
    b"[",
    b"]",
    b"[::1]",
    b"{",
    b"}",
    b"=",
    b",",
    b"-",
    b"--",
    b".",
    b"..",
    b"0",
    b"0x7f",
    b"99999999999999999999",
    b"1e400",
    b"xn--",
    b"\xff",
    "\u{ad}".as_bytes(),
    "\u{ff0e}".as_bytes(),
    "\u{202e}".as_bytes(),
    b"null",
    b"evil.test",
];

/// Applies one mutation to an input. `at` and `from` are positions in it or in another input.
#[derive(Debug, Clone)]
enum Edit {
    Delete {
        at: Index,
        length: usize,
    },
    Truncate {
        at: Index,
    },
    Replace {
        at: Index,
        length: usize,
        trap: &'static [u8],
    },
    Insert {
        at: Index,
        trap: &'static [u8],
    },
    Splice {
        at: Index,
        length: usize,
        from: Index,
        count: usize,
    },
    Repeat {
        at: Index,
        length: usize,
    },
    FlipBit {
        at: Index,
        bit: u8,
    },
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let trap = || select(&TRAPS[..]);
    prop_oneof![
        1 => (at(), 0..8_usize).prop_map(|(at, length)| Edit::Delete { at, length }),
        1 => at().prop_map(|at| Edit::Truncate { at }),
        1 => (at(), 0..8_usize, trap()).prop_map(|(at, length, trap)| Edit::Replace { at, length, trap }),
        2 => (at(), trap()).prop_map(|(at, trap)| Edit::Insert { at, trap }),
        1 => (at(), 0..8_usize, at(), 0..40_usize)
            .prop_map(|(at, length, from, count)| Edit::Splice { at, length, from, count }),
        1 => (at(), 0..8_usize).prop_map(|(at, length)| Edit::Repeat { at, length }),
        1 => (at(), 0..8_u8).prop_map(|(at, bit)| Edit::FlipBit { at, bit }),
    ]
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>, other: &[u8]) {
        let position = |at: &Index| at.index(bytes.len() + 1);
        let range = |at: &Index, length: usize| {
            let start = position(at);
            start..(start + length).min(bytes.len())
        };
        match self {
            Self::Delete { at, length } => drop(bytes.drain(range(at, *length))),
            Self::Truncate { at } => bytes.truncate(position(at)),
            Self::Replace { at, length, trap } => {
                drop(bytes.splice(range(at, *length), trap.iter().copied()));
            }
            Self::Insert { at, trap } => {
                drop(bytes.splice(range(at, 0), trap.iter().copied()));
            }
            Self::Splice {
                at,
                length,
                from,
                count,
            } => {
                let from = from.index(other.len() + 1);
                let part = &other[from..(from + count).min(other.len())];
                drop(bytes.splice(range(at, *length), part.iter().copied()));
            }
            Self::Repeat { at, length } => {
                let range = range(at, *length);
                let again = bytes[range.clone()].to_vec();
                drop(bytes.splice(range.start..range.start, again));
            }
            Self::FlipBit { at, bit } => {
                let at = position(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }
}

fn check(name: &str, property: Property) {
    let files = corpus(name);
    assert!(!files.is_empty(), "{name} has no corpus");
    for file in &files {
        property(file, parse_url);
    }
    let is_soak = Environment::process().raw("SOAK").is_some();
    let config = Config {
        cases: if is_soak { MANY } else { FEW },
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mutated = (select(files.clone()), select(files), vec(edit(), 1..=5)).prop_map(
        |(mut bytes, other, edits)| {
            for edit in edits {
                edit.apply(&mut bytes, &other);
            }
            bytes
        },
    );
    let result = TestRunner::new_with_rng(config, rng).run(&mutated, |bytes| {
        property(&bytes, parse_url);
        Ok(())
    });
    if let Err(error) = result {
        panic!("property {name} does not hold: {error}");
    }
}

macro_rules! properties {
    ($($test:ident: $($name:literal),+;)+) => {
        $(#[test]
        fn $test() {
            $(check($name, property($name));)+
        })+

        /// The properties that the tests check.
        const CHECKED: &[&str] = &[$($($name),+),+];
    };
}

properties! {
    tool_requests_match_only_our_hosts:
        "get", "git", "kubectl", "terraform", "terraform-external", "cargo", "go", "pnpm", "docker";
    helper_requests_have_one_meaning: "helper", "challenges";
    url_parsers_agree_on_the_origin: "uri", "hosts";
    configuration_round_trips: "configuration", "stored", "lifetime";
    cache_entry_is_whole_or_a_miss: "entry";
    token_response_never_shows_the_secret: "answer", "form", "proxy";
    command_lines_are_read_or_refused: "argv", "curl", "template", "duration";
    streams_are_read_alike_in_any_chunks: "statuses", "veil", "typed", "moment";
    setup_can_be_undone: "setup";
}

#[test]
fn every_property_has_a_test_target_and_corpus() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    let readme = include_str!("../../fuzz/README.md");
    let mut count = 0;
    for (name, _) in PROPERTIES {
        assert!(CHECKED.contains(&name), "no test checks {name}");
        let target = format!("[[bin]]\nname = \"{name}\"\npath = \"target.rs\"\n");
        assert!(manifest.contains(&target), "{name} has no fuzz target");
        let row = format!("\n| {name} | ");
        assert!(readme.contains(&row), "fuzz/README.md does not list {name}");
        let files = corpus(name);
        assert!(
            files.iter().all(|file| file.len() <= 4096),
            "{name}: at most 4 KiB a file"
        );
        count += files.len();
    }
    assert_eq!(CHECKED.len(), PROPERTIES.len(), "each is checked once");
    assert!(count <= 400, "{count} files are too many to review");
}

/// URLs that the `url` crate accepts and this program rejects: either some parser reads a different
/// host in them, or a person would not write them.
#[test]
fn urls_that_others_repair_are_refused() {
    let ours = "acme.api.openvpn.com";
    for (text, why) in [
        (
            format!(" https://{ours}/"),
            "some parsers drop surrounding spaces",
        ),
        (
            format!("https://{ours}\n/"),
            "browsers drop a line feed, other parsers end the line",
        ),
        (
            "https://ac\tme.api.openvpn.com/".to_owned(),
            "browsers drop a tab",
        ),
        (
            format!("https:\\\\{ours}\\x"),
            "only browsers read a backslash as a slash",
        ),
        (
            format!("https://evil.test\\@{ours}/"),
            "other parsers read user info",
        ),
        (
            format!("https:{ours}"),
            "browsers add the slashes, other parsers read a path",
        ),
        (
            format!("https:///{ours}/"),
            "other parsers read an empty host",
        ),
        (
            format!("https://user@{ours}/"),
            "user info can disguise a host",
        ),
        (format!("https://@{ours}/"), "the user info is empty"),
        (
            format!("https://{ours}:/"),
            "other parsers reject an empty port",
        ),
        (
            format!("https://{ours}:0443/"),
            "other parsers reject leading zeros",
        ),
        (format!("https://{ours}:0/"), "port 0 is not valid"),
        (
            "https://acme%2eapi.openvpn.com/".to_owned(),
            "other parsers keep the percent sign",
        ),
        (
            "https://\u{ff41}cme.api.openvpn.com/".to_owned(),
            "only some parsers fold full-width letters",
        ),
        (
            "https://acme\u{3002}api.openvpn.com/".to_owned(),
            "some parsers read a dot",
        ),
        (
            "https://ac\u{ad}me.api.openvpn.com/".to_owned(),
            "some parsers drop a soft hyphen",
        ),
        (
            "https://bücher.test/".to_owned(),
            "only the punycode form is accepted",
        ),
        (
            "https://127.1/".to_owned(),
            "some parsers read an address, others a name",
        ),
        ("https://0x7f000001/".to_owned(), "the same"),
        ("https://10.0.0.1./".to_owned(), "the same"),
        (
            format!("https://{ours}/a b"),
            "some parsers escape a space, others end the URI",
        ),
        (
            format!("https://{ours}/{{a}}"),
            "some parsers escape braces, which are not URI characters",
        ),
        (format!("http://{ours}/"), "plain text, not TLS"),
        (format!("ftp://{ours}/"), "the scheme is not supported"),
    ] {
        assert!(
            parse_url(&text).is_some(),
            "{text:?} is not a URL, so it does not belong here"
        );
        let read = crate::types::uri::Uri::parse(&text);
        assert!(read.is_err(), "{text:?} must be rejected: {why}");
    }
}
