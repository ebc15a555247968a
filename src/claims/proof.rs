//! Every claim, tried with the whole corpus of `tests/fuzz` and with a stream of mutations of it:
//! the same one in every run, longer with the variable `SOAK`.

use std::fs;
use std::path::{Path, PathBuf};

use super::second::url_crate;
use super::{ALL, Claim, Second};
use crate::environment::Environment;

/// Mutations of every file, and with `SOAK`.
const FEW: usize = 1_000;
const MANY: usize = 100_000;

fn folder(name: &str) -> PathBuf {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    base.join(name)
}

/// The files of a target, in one order everywhere.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = folder(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    #[expect(
        clippy::disallowed_methods,
        reason = "they are our own, and none is a secret"
    )]
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }
}

/// What parsers stumble over.
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

/// A file with a few changes, some of them taken from another one.
fn mutated(file: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + dice.below(8)).min(bytes.len());
        match dice.below(8) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..end, TRAPS[dice.below(TRAPS.len())].iter().copied())),
            3 | 4 => drop(bytes.splice(at..at, TRAPS[dice.below(TRAPS.len())].iter().copied())),
            5 => {
                let from = dice.below(other.len() + 1);
                let to = (from + dice.below(40)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            6 => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
    bytes
}

fn try_all(name: &str, claim: Claim, second: Second) {
    let files = corpus(name);
    assert!(!files.is_empty(), "{name} has no corpus");
    let is_soak = Environment::Process.raw("SOAK").is_some();
    let mutations = if is_soak { MANY } else { FEW };
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for file in &files {
        tried(name, claim, file, second);
    }
    for _ in 0..mutations {
        let (file, other) = (
            &files[dice.below(files.len())],
            &files[dice.below(files.len())],
        );
        tried(name, claim, &mutated(file, other, &mut dice), second);
    }
}

/// Shows the bytes that broke the claim; the panic goes on.
fn tried(name: &str, claim: Claim, bytes: &[u8], second: Second) {
    struct Shown<'a>(&'a str, &'a [u8]);
    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("claim {} broke with b\"{}\"", self.0, self.1.escape_ascii());
            }
        }
    }
    let _shown = Shown(name, bytes);
    claim(bytes, second);
}

macro_rules! proofs {
    ($($test:ident: $($name:literal),+;)+) => {
        $(#[test]
        fn $test() {
            $(try_all($name, super::named($name), url_crate);)+
        })+

        /// What a test tries.
        const TRIED: &[&str] = &[$($($name),+),+];
    };
}

proofs! {
    what_a_tool_sends_is_for_us_only_where_any_reader_agrees:
        "get", "git", "kubectl", "terraform", "terraform-external", "cargo", "go", "pnpm", "docker";
    what_the_helper_protocol_sends_is_read_in_one_way: "helper", "challenges";
    a_token_goes_where_any_reader_of_the_url_goes: "uri", "hosts";
    a_configuration_is_read_and_written_as_it_is_meant: "configuration", "stored", "lifetime";
    an_entry_of_the_cache_is_whole_or_a_miss: "entry";
    an_answer_is_a_token_or_words_without_the_secret: "answer", "form", "proxy";
    a_command_line_is_read_as_its_program_reads_it: "argv", "curl", "template", "duration";
    what_other_programs_say_is_read_however_it_arrives: "statuses", "veil", "typed", "moment";
    what_setup_puts_in_comes_out_again: "setup";
}

#[test]
fn every_claim_has_a_test_a_target_and_a_small_corpus() {
    let mut count = 0;
    for (name, _) in ALL {
        assert!(TRIED.contains(&name), "{name} is tried by no test");
        let target = folder("..").join(format!("targets/{name}.rs"));
        assert!(target.exists(), "{}", target.display());
        let files = corpus(name);
        assert!(
            files.iter().all(|file| file.len() <= 4096),
            "{name}: at most 4 KiB a file"
        );
        count += files.len();
    }
    assert_eq!(TRIED.len(), ALL.len(), "each once");
    assert!(count <= 400, "{count} files are more than anybody looks at");
}

/// What that crate takes and this program refuses, and why that is right: each is a text of which
/// some reader makes another host, or none that a person would write.
#[test]
fn what_others_repair_is_refused() {
    let ours = "acme.api.openvpn.com";
    for (text, why) in [
        (
            format!(" https://{ours}/"),
            "white space around it is dropped by some",
        ),
        (
            format!("https://{ours}\n/"),
            "a line feed is dropped by browsers and ends a line elsewhere",
        ),
        (
            "https://ac\tme.api.openvpn.com/".to_owned(),
            "a tab is dropped by browsers",
        ),
        (
            format!("https:\\\\{ours}\\x"),
            "a backslash is a slash to browsers only",
        ),
        (
            format!("https://evil.test\\@{ours}/"),
            "to others that is user info",
        ),
        (
            format!("https:{ours}"),
            "no slash is two to browsers, and a path elsewhere",
        ),
        (
            format!("https:///{ours}/"),
            "three are an empty host elsewhere",
        ),
        (
            format!("https://user@{ours}/"),
            "the way to disguise a host",
        ),
        (format!("https://@{ours}/"), "the same, with nothing in it"),
        (
            format!("https://{ours}:/"),
            "an empty port is an error elsewhere",
        ),
        (
            format!("https://{ours}:0443/"),
            "zeros in front are an error elsewhere",
        ),
        (format!("https://{ours}:0/"), "nobody answers there"),
        (
            "https://acme%2eapi.openvpn.com/".to_owned(),
            "a name with a percent sign elsewhere",
        ),
        (
            "https://\u{ff41}cme.api.openvpn.com/".to_owned(),
            "folded by some, another name to others",
        ),
        (
            "https://acme\u{3002}api.openvpn.com/".to_owned(),
            "a dot to some",
        ),
        (
            "https://ac\u{ad}me.api.openvpn.com/".to_owned(),
            "dropped by some",
        ),
        (
            "https://bücher.test/".to_owned(),
            "its form in punycode is taken",
        ),
        (
            "https://127.1/".to_owned(),
            "an address to some, a name to others",
        ),
        ("https://0x7f000001/".to_owned(), "the same"),
        ("https://10.0.0.1./".to_owned(), "the same"),
        (
            format!("https://{ours}/a b"),
            "a space is escaped by some and ends the URI elsewhere",
        ),
        (
            format!("https://{ours}/{{a}}"),
            "escaped by some, and no character of a URI",
        ),
        (format!("http://{ours}/"), "no token goes out in clear"),
        (format!("ftp://{ours}/"), "no other scheme"),
    ] {
        assert!(
            url_crate(&text).is_some(),
            "{text:?} is no URL, so it need not be here"
        );
        let read = crate::uri::Uri::parse(&text);
        assert!(read.is_err(), "{text:?} is refused: {why}");
    }
}
