//! The exact output of every protocol: `tests/transcripts/PROTOCOL/CASE.txt`.
//! `tests/transcripts/README.md` describes the format.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cloudconnexa_sandbox::Sandbox;
use serde_json::Value;

use crate::harness::World;

/// The cases that every protocol must have, whether it reads stdin or not.
const HOSTILE: [&str; 9] = [
    "hostile-carriage-return",
    "hostile-control-bytes",
    "hostile-duplicate-keys",
    "hostile-empty-stdin",
    "hostile-large-line",
    "hostile-nul",
    "hostile-unknown-keys",
    "hostile-unknown-verb",
    "hostile-wrong-types",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

/// The cases of every protocol, by its subcommand.
fn cases() -> BTreeMap<String, Vec<PathBuf>> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let inside = |path: &Path| {
        let mut paths: Vec<PathBuf> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        paths
    };
    let protocols = inside(&folder()).into_iter().filter(|path| path.is_dir());
    protocols.map(|path| (name(&path), inside(&path))).collect()
}

/// One call and its expected result.
#[derive(Debug, Default)]
struct Step {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    stdin: Vec<u8>,
    is_stdin_open: bool,
    stdout: String,
    stderr: Vec<String>,
    code: i32,
}

fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut variables = Vec::new();
    for line in text.lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        if mark == "$" {
            let mut words = rest.split(' ').map(str::to_owned);
            steps.push(Step {
                program: words.next().unwrap(),
                arguments: words.collect(),
                variables: std::mem::take(&mut variables),
                ..Step::default()
            });
            continue;
        }
        if mark == "env" {
            let (name, value) = rest.split_once('=').unwrap();
            variables.push((name.to_owned(), value.to_owned()));
            continue;
        }
        if line.is_empty() || mark == "#" {
            continue;
        }
        let step = steps.last_mut().expect("a call comes first");
        match mark {
            "<" => step.stdin.extend([rest.as_bytes(), b"\n"].concat()),
            "<|" => step.stdin.extend(rest.as_bytes()),
            ">" => step.stdout.extend([rest, "\n"]),
            "!" => step.stderr.push(rest.to_owned()),
            "open" => step.is_stdin_open = true,
            "exit" => step.code = rest.parse().unwrap(),
            _ => panic!("no line of a transcript: {line}"),
        }
    }
    assert!(!steps.is_empty(), "a transcript has a call");
    steps
}

/// Undoes `\r`, `\0`, `\xHH`, `\\`, and `{x*1000}`.
fn unescape(text: &str) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some((unit, count, behind)) = repetition(rest) {
            whole.extend(unit.repeat(count).bytes());
            rest = behind;
            continue;
        }
        rest = &rest[character.len_utf8()..];
        if character != '\\' {
            whole.extend(character.to_string().bytes());
            continue;
        }
        let (escape, behind) = rest.split_at(if rest.starts_with('x') { 3 } else { 1 });
        rest = behind;
        whole.push(match escape {
            "r" => b'\r',
            "0" => 0,
            "\\" => b'\\',
            hex => u8::from_str_radix(&hex[1..], 16).unwrap(),
        });
    }
    whole
}

fn repetition(text: &str) -> Option<(&str, usize, &str)> {
    let (inside, behind) = text.strip_prefix('{')?.split_once('}')?;
    let (unit, count) = inside.split_once('*')?;
    let count = count.parse().ok()?;
    (unit.chars().count() == 1).then_some((unit, count, behind))
}

/// A profile `prod` of the sandbox that has a host for every tool.
fn world() -> World {
    let world = World::without_profile(Sandbox::builder());
    world.write_config(&format!(
        "{}hosts = [\"git.acme.internal\", \"registry.acme.internal:8443\", \
         \"crates.acme.internal\", \"go.acme.internal\"]\n",
        world.profile_text("prod")
    ));
    world
}

/// The placeholders for the current token and its properties.
fn words(world: &World) -> Vec<(&'static str, String)> {
    let known: Value = serde_json::from_str(&world.run(["token", "--json"]).succeeds()).unwrap();
    let text = |name: &str| known[name].as_str().unwrap().to_owned();
    let unix = |name: &str| {
        let form = &time::format_description::well_known::Rfc3339;
        let moment = time::OffsetDateTime::parse(&text(name), form).unwrap();
        moment.unix_timestamp().to_string()
    };
    vec![
        ("{token}", text("access_token")),
        ("{base_url}", text("base_url")),
        ("{scope}", text("scope")),
        ("{expires_at}", text("expires_at")),
        ("{expires_unix}", unix("expires_at")),
        ("{usable_until}", text("usable_until")),
        ("{usable_unix}", unix("usable_until")),
    ]
}

fn fill(text: &str, words: &[(&'static str, String)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| {
        text.replace(word, value)
    })
}

/// Plays a case; returns the differences and the number of calls.
fn play(path: &Path) -> (Vec<String>, usize) {
    let text = fs::read_to_string(path).unwrap();
    let why = text.lines().next().unwrap().strip_prefix("# ");
    let why = why.unwrap_or_else(|| panic!("{} does not say why", path.display()));
    let world = world();
    let mut known = words(&world);
    let mut wrong = Vec::new();
    let steps = parse(&text);
    let count = steps.len();
    for step in steps {
        let arguments: Vec<String> = step.arguments.iter().map(|a| fill(a, &known)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let stdin = fill(&String::from_utf8(step.stdin).unwrap(), &known);
        let mut run = world.run_all(&arguments).stdin(unescape(&stdin));
        if step.program != "cloudconnexa-auth" {
            run = run.called(&step.program);
        }
        for (name, value) in &step.variables {
            let value = String::from_utf8(unescape(&fill(value, &known))).unwrap();
            run = run.set(name, &value);
        }
        let outcome = if step.is_stdin_open {
            run.start_with_open_stdin().outcome()
        } else {
            run.outcome()
        };
        if step.stdout.contains("{new token}") {
            let after = words(&world);
            if known == after {
                wrong.push(format!(
                    "{}: {why}\nthe token is the old one",
                    path.display()
                ));
            }
            known = after;
        }
        let expected = fill(&step.stdout.replace("{new token}", "{token}"), &known);
        let is_told = |words: &String| outcome.stderr.contains(words.as_str());
        let is_right = outcome.stdout == expected
            && outcome.code == Some(step.code)
            && outcome.stderr.is_empty() == step.stderr.is_empty()
            && step.stderr.iter().all(is_told);
        if !is_right {
            wrong.push(format!(
                "{}: {why}\n{outcome:?}\nexpected {expected:?} and {:?}",
                path.display(),
                step.stderr
            ));
        }
    }
    (wrong, count)
}

#[test]
fn every_protocol_says_what_its_transcripts_say() {
    let paths: Vec<PathBuf> = cases().into_values().flatten().collect();
    let played: Vec<(Vec<String>, usize)> = std::thread::scope(|scope| {
        let play_all = |paths: &[PathBuf]| paths.iter().map(|path| play(path)).collect::<Vec<_>>();
        let parts = paths.chunks(paths.len().div_ceil(4));
        let running: Vec<_> = parts
            .map(|part| scope.spawn(move || play_all(part)))
            .collect();
        running
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    let wrong: Vec<&str> = played
        .iter()
        .flat_map(|(wrong, _)| wrong)
        .map(String::as_str)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let count: usize = played.iter().map(|(_, count)| count).sum();
    assert!(count > 200, "the transcripts are found: {count} calls");
}

#[test]
fn every_protocol_has_its_transcripts_hostile_ones_included_and_its_page() {
    let world = World::new();
    let cases = cases();
    let help = world.run(["--help"]).succeeds();
    let version: Value = serde_json::from_str(&world.run(["version"]).succeeds()).unwrap();
    let count = version["protocols"].as_array().unwrap().len();
    assert_eq!(cases.len(), count, "one directory for each protocol");
    for (protocol, paths) in cases {
        assert!(
            help.contains(&format!("\n  {protocol} ")),
            "{protocol} is a subcommand"
        );
        let names: Vec<&str> = paths
            .iter()
            .map(|path| path.file_stem().unwrap().to_str().unwrap())
            .collect();
        for name in HOSTILE {
            assert!(names.contains(&name), "{protocol} has no transcript {name}");
        }
        let page = folder().join(format!("../../docs/protocols/{protocol}.md"));
        assert!(page.is_file(), "{} is missing", page.display());
    }
}
