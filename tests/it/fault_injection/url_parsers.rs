//! A URI for which the program returns a token leads to the same server in all URL parsers that
//! tools use: those of node, Python, Go, curl and the `url` crate.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv6Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;

use cloudconnexa_sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Claim, tries};
use crate::clients::{client, run_with_stdin, test_tools, tool};
use crate::harness::World;

/// The hosts that the profile may return a token for, in every form of a host.
const HOSTS: [&str; 12] = [
    "acme.test",
    "acme.test:8443",
    "acme.test.",
    "a..test",
    "_a_b-.test",
    "3com",
    "xn--bcher-kva.test",
    "xn--acme-.test",
    "10.0.0.1",
    "localhost:8080",
    "[::1]:9",
    "[2001:db8:0:0:0:0:0:1]",
];

/// Strings that URL parsers are known to interpret differently.
const TRAPS: [&str; 34] = [
    "@",
    "@evil.test",
    "evil.test@",
    ":",
    ":@",
    ":443",
    ":0",
    ":080",
    "\\",
    "\\@",
    "/",
    "//",
    "?",
    "#",
    "#@",
    "?@evil.test",
    "%",
    "%2e",
    "%2f",
    "%40",
    "%00",
    "\t",
    "\n",
    "\r",
    " ",
    "\u{ad}",
    "\u{ff0e}",
    "\u{3002}",
    "\u{200d}",
    ".",
    "..",
    "[",
    "]",
    ";",
];

/// Scheme, host, port, and whether there is user info.
type Reading = Option<(String, String, u16, bool)>;

/// A pseudo-random generator with the same sequence in every test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// The URIs of the corpus, followed by randomly damaged URIs of those hosts.
fn candidates(count: usize) -> Vec<String> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/uri");
    let mut files: Vec<_> = fs::read_dir(corpus)
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let texts = files
        .iter()
        .filter_map(|path| String::from_utf8(fs::read(path).unwrap()).ok());
    let mut uris: Vec<String> = texts
        .filter_map(|text| text.lines().next().map(str::to_owned))
        .collect();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    while uris.len() < count {
        let host = HOSTS[dice.below(HOSTS.len())];
        let scheme = ["https", "https", "HTTPS", "http"][dice.below(4)];
        let rest = ["", "/", "/a?b#c", "?x", "#y", "/..//b;c=d"][dice.below(6)];
        let mut uri = format!("{scheme}://{host}{rest}");
        for _ in 0..dice.below(3) {
            let at = dice.below(uri.len() + 1);
            if !uri.is_char_boundary(at) {
                continue;
            }
            match dice.below(4) {
                0 => uri.insert_str(at, HOSTS[dice.below(HOSTS.len())]),
                1 => uri = uri[..at].to_owned() + &uri[at..].to_ascii_uppercase(),
                _ => uri.insert_str(at, TRAPS[dice.below(TRAPS.len())]),
            }
        }
        uris.push(uri);
    }
    uris
}

/// Returns the URIs for which the program returns a token.
fn accepted(world: &World, uris: &[String]) -> Vec<String> {
    let mut mine = Vec::new();
    for some in uris.chunks(16) {
        let running = some.iter().map(|uri| {
            world
                .run(["get"])
                .stdin(json!({ "uri": uri }).to_string())
                .start()
        });
        let outcomes = world.outcomes(running.collect());
        for (uri, outcome) in some.iter().zip(outcomes) {
            if outcome.succeeds().contains("Bearer") {
                mine.push(uri.clone());
            }
        }
    }
    mine
}

const NODE: &str = "
const read = text => { try {
  const url = new URL(text);
  const port = url.port || (url.protocol == 'https:' ? 443 : 80);
  return [url.protocol.slice(0, -1), url.hostname, Number(port), url.username + url.password != ''];
} catch { return null; } };
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map(read)));
";

const PYTHON: &str = "
import json, sys
from urllib.parse import urlsplit
def read(text):
    try:
        url = urlsplit(text)
        port = url.port or (443 if url.scheme == 'https' else 80)
        host = '[' + url.hostname + ']' if ':' in url.hostname else url.hostname
        return [url.scheme, host, port, '@' in url.netloc]
    except (ValueError, TypeError):
        return None
print(json.dumps([read(text) for text in json.load(sys.stdin)]))
";

const GO: &str = r#"package main

import (
	"encoding/json"
	"net/url"
	"os"
	"strconv"
	"strings"
)

func main() {
	var texts []string
	json.NewDecoder(os.Stdin).Decode(&texts)
	read := make([]any, len(texts))
	for i, text := range texts {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		port, _ := strconv.Atoi(u.Port())
		if port == 0 {
			port = map[string]int{"https": 443, "http": 80}[u.Scheme]
		}
		host := strings.ToLower(u.Hostname())
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		read[i] = []any{u.Scheme, host, port, u.User != nil}
	}
	json.NewEncoder(os.Stdout).Encode(read)
}
"#;

/// Runs a program that reads a list of URIs from stdin and prints a list of parsed URIs.
fn read_by(world: &World, command: &mut Command, uris: &[String]) -> Vec<Reading> {
    let ended = run_with_stdin(world, command, &json!(uris).to_string());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let read: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    read.into_iter()
        .map(|value| serde_json::from_value(value).unwrap())
        .collect()
}

/// Finds the server that curl would connect to: curl sends it to a proxy, which refuses.
fn read_by_curl(world: &World, uris: &[String]) -> Vec<Reading> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let mut asked: BTreeMap<usize, Reading> = BTreeMap::new();
        loop {
            let mut stream = listener.accept().unwrap().0;
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .collect();
            let Some(first) = head.first() else {
                continue;
            };
            if first.starts_with("GET http://end.test/") {
                return asked;
            }
            let number = head
                .iter()
                .find_map(|line| line.strip_prefix("User-Agent: "));
            let target = first.split(' ').nth(1).unwrap();
            let (scheme, authority) = match target.strip_prefix("http://") {
                Some(rest) => ("http", rest.split(['/', '?', '#']).next().unwrap()),
                None => ("https", target),
            };
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap()),
                _ => (authority, 80),
            };
            let has_user = head.iter().any(|line| line.starts_with("Authorization"));
            let reading = (scheme.to_owned(), host.to_ascii_lowercase(), port, has_user);
            asked.insert(number.unwrap().parse().unwrap(), Some(reading));
            stream
                .write_all(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
    });
    let mut config = String::new();
    let end = "http://end.test/".to_owned();
    for (number, uri) in uris.iter().chain([&end]).enumerate() {
        let quoted = uri.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = write!(
            config,
            "url = \"{quoted}\"\nuser-agent = \"{number}\"\nproxy = \"http://{proxy}\"\nnoproxy = \"\"\n\
             silent\ngloboff\noutput = /dev/null\nmax-time = 20\nnext\n"
        );
    }
    let config = config.trim_end_matches("next\n");
    let mut curl = client(world, "curl");
    run_with_stdin(world, curl.args(["-q", "--config", "-"]), config);
    let asked = asked.join().unwrap();
    (0..uris.len())
        .map(|number| asked.get(&number).cloned().flatten())
        .collect()
}

fn read_by_url_crate(text: &str) -> Reading {
    let url = url::Url::parse(text).ok()?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    Some((
        url.scheme().to_owned(),
        url.host_str()?.to_owned(),
        url.port_or_known_default()?,
        has_user,
    ))
}

/// Brings the address into one form.
fn plain(reading: &Reading) -> Reading {
    let (scheme, host, port, has_user) = reading.clone()?;
    let inside = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = inside.and_then(|inside| inside.parse::<Ipv6Addr>().ok());
    Some((
        scheme,
        address.map_or(host, |address| format!("[{address}]")),
        port,
        has_user,
    ))
}

#[test]
fn no_two_readers_of_a_url_can_be_played_against_each_other() {
    let claim = Claim::that(
        "A URI that gets a token has the same scheme, host and port in node, Python, Go, curl \
         and the url crate, or is not a valid URL for one of them, and has user info in none",
    );
    let world = World::without_profile(Sandbox::builder());
    let hosts = serde_json::to_string(&HOSTS).unwrap();
    world.write_config(&format!("{}hosts = {hosts}\n", world.profile_text("prod")));
    world.token();
    let script = world.path("read.go");
    fs::write(&script, GO).unwrap();
    let uris = candidates(tries(400, 5_000));

    let mine = accepted(&world, &uris);

    assert!(
        mine.len() * 5 > uris.len(),
        "{} of {}",
        mine.len(),
        uris.len()
    );
    assert!(mine.len() < uris.len(), "nothing was refused");
    let mut go = client(&world, tool("go"));
    go.arg("run")
        .arg(&script)
        .env("GOCACHE", test_tools().join("go-cache"))
        .envs([
            ("GOTOOLCHAIN", "local"),
            ("CGO_ENABLED", "0"),
            ("GO111MODULE", "off"),
        ]);
    let readings = [
        (
            "node",
            read_by(&world, client(&world, "node").args(["-e", NODE]), &mine),
        ),
        (
            "Python",
            read_by(
                &world,
                client(&world, "python3").args(["-c", PYTHON]),
                &mine,
            ),
        ),
        ("Go", read_by(&world, &mut go, &mine)),
        ("curl", read_by_curl(&world, &mine)),
        (
            "the url crate",
            mine.iter().map(|uri| read_by_url_crate(uri)).collect(),
        ),
    ];
    for (at, uri) in mine.iter().enumerate() {
        claim.holds(|| {
            // The expected result is the exact text of the URI, because its host was one of the
            // profile's hosts.
            let (scheme, rest) = uri.split_once("://").unwrap();
            let scheme = scheme.to_ascii_lowercase();
            let authority = rest
                .split(['/', '?', '#'])
                .next()
                .unwrap()
                .to_ascii_lowercase();
            let (host, port) = match authority.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => {
                    (host.to_owned(), port.parse().unwrap())
                }
                _ => (authority.clone(), if scheme == "https" { 443 } else { 80 }),
            };
            let ours = plain(&Some((scheme, host, port, false)));
            for (reader, read) in &readings {
                let theirs = plain(&read[at]);
                // Some parsers reject punycode that encodes nothing, and Go rejects a path with an
                // invalid escape. A parser that rejects the URI connects to no server.
                let is_odd = uri.contains('%') || uri.to_ascii_lowercase().contains("xn--");
                let is_refused = theirs.is_none() && is_odd;
                assert!(
                    theirs == ours || is_refused,
                    "{reader} reads {uri:?} as {theirs:?}"
                );
            }
        });
    }
}
