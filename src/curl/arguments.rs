//! curl's own arguments, read as curl reads them, for what would send the token elsewhere, show it,
//! or be done twice by a second try.

use std::ffi::OsString;

use thiserror::Error;

use super::options::{LETTERS, PLAIN, VALUED};
use crate::types::quote::quote;
use crate::types::uri::Scheme;

/// Options whose values go into no line of a request's head.
const MANY_LINED: [&str; 8] = [
    "data",
    "data-ascii",
    "data-binary",
    "data-raw",
    "data-urlencode",
    "form-string",
    "json",
    "write-out",
];

/// Arguments that a token is not given to. Mend them.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ArgumentError {
    /// A second URL, which would be given the token as well. It is not shown.
    #[error("a further URL would be given the token as well")]
    FurtherUrl,
    /// An option of which nobody knows whether it takes a value.
    #[error("`{0}` is no option of curl's that this program knows")]
    Unknown(String),
    /// An option without its value.
    #[error("`--{0}` needs a value")]
    NoValue(&'static str),
    /// An option that this token does not go with.
    #[error("`--{flag}` {why}")]
    Refused {
        /// The option.
        flag: &'static str,
        /// What it would do.
        why: &'static str,
    },
}

/// What the arguments mean for whoever starts curl with them.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property that the arguments have or not"
)]
pub(crate) struct Arguments {
    /// The same request may be made once more: it changes nothing, and nothing is used up by it.
    pub(crate) is_repeatable: bool,
    /// curl will show the request's headers on stderr.
    pub(crate) is_verbose: bool,
    /// The answer goes into a file.
    pub(crate) has_output: bool,
    is_stderr_moved: bool,
}

impl Arguments {
    /// Reads them for a URL of this scheme.
    ///
    /// # Errors
    /// Whatever would give the token to anybody but the URL's own, verified server.
    pub(crate) fn read(given: &[OsString], scheme: Scheme) -> Result<Self, ArgumentError> {
        let mut arguments = Self {
            is_repeatable: true,
            is_verbose: false,
            has_output: false,
            is_stderr_moved: false,
        };
        let mut words = given.iter().map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
                let unknown = || ArgumentError::Unknown(format!("--{}", quote(name)));
                if let Some(flag) = name.strip_prefix("no-").and_then(|name| find(PLAIN, name)) {
                    arguments.take_back(flag)?;
                } else if let Some(flag) = find(VALUED, name) {
                    let value = words.next().ok_or(ArgumentError::NoValue(flag))?;
                    arguments.take(flag, &value, scheme)?;
                } else {
                    arguments.take(find(PLAIN, name).ok_or_else(unknown)?, "", scheme)?;
                }
            } else if let Some(letters) = word.strip_prefix('-').filter(|it| !it.is_empty()) {
                if letters == "-" {
                    return Err(ArgumentError::FurtherUrl);
                }
                let mut letters = letters.chars();
                while let Some(letter) = letters.next() {
                    let (name, takes_value) = short(letter).ok_or_else(|| {
                        ArgumentError::Unknown(format!("-{}", quote(&letter.to_string())))
                    })?;
                    if !takes_value {
                        arguments.take(name, "", scheme)?;
                        continue;
                    }
                    let attached = letters.as_str();
                    let value = if attached.is_empty() {
                        words.next().ok_or(ArgumentError::NoValue(name))?
                    } else {
                        attached.into()
                    };
                    arguments.take(name, &value, scheme)?;
                    break;
                }
            } else {
                return Err(ArgumentError::FurtherUrl);
            }
        }
        if arguments.is_verbose && arguments.is_stderr_moved {
            return Err(ArgumentError::Refused {
                flag: "stderr",
                why: "would write the token into a file, with `--verbose`",
            });
        }
        Ok(arguments)
    }

    /// `--no-…`
    fn take_back(&mut self, flag: &'static str) -> Result<(), ArgumentError> {
        match flag {
            "disable" | "globoff" => {
                let why = "is this program's to set";
                return Err(ArgumentError::Refused { flag, why });
            }
            "clobber" => self.is_repeatable = false,
            _ => {}
        }
        Ok(())
    }

    fn take(
        &mut self,
        flag: &'static str,
        value: &str,
        scheme: Scheme,
    ) -> Result<(), ArgumentError> {
        let refused = |why| Err(ArgumentError::Refused { flag, why });
        // curl writes it down as it is, so what stands behind would be headers of their own.
        if value.contains(['\r', '\n']) && !MANY_LINED.contains(&flag) {
            return refused("holds the end of a line, behind which a header could stand");
        }
        match flag {
            "url" | "next" => return Err(ArgumentError::FurtherUrl),
            "config" => return refused("could name further URLs"),
            "location-trusted" => return refused("would send the token on to other hosts"),
            "insecure" => return refused("would send the token to a server that is not verified"),
            "trace" | "trace-ascii" | "libcurl" => {
                return refused("would write the token down; `--verbose` does not show it");
            }
            "proto" | "proto-redir" => return refused("is this program's to set"),
            "user" | "oauth2-bearer" | "aws-sigv4" | "netrc" | "netrc-file" | "netrc-optional"
            | "anyauth" | "basic" | "digest" | "negotiate" | "ntlm" | "ntlm-wb" => {
                return refused("brings other credentials than the token");
            }
            "header" if is_named(value, "authorization") => {
                return refused("would give an Authorization of its own");
            }
            "header" if value.starts_with('@') => {
                return refused("could give an Authorization of its own, or name another host");
            }
            // Many sites behind one certificate are told apart by it.
            "header" if is_named(value, "host") => return refused("would name another host"),
            "proxy"
            | "preproxy"
            | "proxy1.0"
            | "socks4"
            | "socks4a"
            | "socks5"
            | "socks5-hostname"
            | "connect-to"
            | "resolve"
            | "unix-socket"
            | "abstract-unix-socket"
                if scheme == Scheme::Http =>
            {
                return refused("would take plain `http://` off this machine");
            }
            "request" => self.is_repeatable &= ["GET", "HEAD", "OPTIONS"].contains(&value),
            "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "form"
            | "form-string" | "json" | "upload-file" => self.is_repeatable = false,
            // Where it goes is ours while we look for a refusal, or it is not the same twice.
            "dump-header" | "skip-existing" | "remote-header-name" => {
                self.is_repeatable = false;
            }
            "verbose" => self.is_verbose = true,
            "stderr" => self.is_stderr_moved = true,
            _ => {}
        }
        if ["output", "remote-name", "remote-name-all"].contains(&flag) {
            self.has_output = true;
        }
        let is_written = ["output", "cookie-jar", "stderr", "etag-save"].contains(&flag);
        let is_stream = ["/dev/fd/", "/dev/stdin", "/proc/self/fd/"]
            .iter()
            .any(|name| value.contains(name));
        // `--url-query name@-` reads it too.
        let is_stdin = value.ends_with("@-") || (value == "-" && !is_written);
        if is_stream || is_stdin {
            self.is_repeatable = false;
        }
        Ok(())
    }
}

/// Whether a header has this name; with a semicolon it is one without a value.
fn is_named(header: &str, name: &str) -> bool {
    let found = header.split([':', ';']).next().unwrap_or_default();
    found.trim().eq_ignore_ascii_case(name)
}

fn find(names: &[&'static str], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

fn short(letter: char) -> Option<(&'static str, bool)> {
    let (_, name) = LETTERS.iter().find(|(known, _)| *known == letter)?;
    Some((name, VALUED.contains(name)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{ArgumentError, Arguments};
    use crate::types::uri::Scheme;

    fn read(line: &str, scheme: Scheme) -> Result<Arguments, ArgumentError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::read(&words, scheme)
    }

    fn https(line: &str) -> Result<Arguments, ArgumentError> {
        read(line, Scheme::Https)
    }

    #[test]
    fn a_further_url_is_seen_wherever_it_stands() {
        for line in [
            "https://evil.test",
            "-s https://evil.test",
            "-so file https://evil.test",
            "-sofile https://evil.test",
            "--output file evil.test",
            "--url https://evil.test",
            "--next https://evil.test",
            "-:",
            "-s -: https://evil.test",
            "-- https://evil.test",
            "-",
            "--max-time 5 x",
            "--no-silent x",
        ] {
            assert_eq!(https(line), Err(ArgumentError::FurtherUrl), "{line}");
        }
        for line in [
            "-o https://evil.test",
            "-ohttps://evil.test",
            "-d x -H a:b",
            "-XGET",
        ] {
            assert!(https(line).is_ok(), "{line}: it is a value");
        }
    }

    #[test]
    fn what_would_give_the_token_away_is_refused() {
        for line in [
            "--location-trusted",
            "-k",
            "-sSk",
            "--insecure",
            "-K file",
            "-Kfile",
            "--config file",
            "--trace file",
            "--trace-ascii -",
            "--libcurl -",
            "--proto =all",
            "--proto-redir all",
            "--no-globoff",
            "--no-disable",
            "-u a:b",
            "-n",
            "--netrc-file x",
            "--oauth2-bearer x",
            "-Hauthorization:x",
            "--header AUTHORIZATION;",
            "-H host:evil.test",
            "-H @file",
            "--header @-",
            "-v --stderr file",
            "--stderr file -sv",
        ] {
            let read = https(line);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{line} gave {read:?}");
        }
        for line in ["-x proxy:1", "--resolve a:80:10.0.0.1", "--unix-socket /s"] {
            let read = read(line, Scheme::Http);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{line} gave {read:?}");
            assert!(https(line).is_ok(), "{line}: there the server is verified");
        }
    }

    #[test]
    fn a_value_cannot_become_a_further_header() {
        let read = |option: &str, value: &str| {
            let words = [OsString::from(option), OsString::from(value)];
            Arguments::read(&words, Scheme::Https)
        };
        for option in ["-A", "-e", "-X", "-b", "-H", "-r", "--request-target"] {
            for value in ["x\r\nHost: evil.test", "x\nHost: evil.test"] {
                let read = read(option, value);
                let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
                assert!(is_refused, "{option} {value:?} gave {read:?}");
            }
        }
        for option in ["-d", "--json", "--data-raw", "-w"] {
            assert!(read(option, "{\n}\r\n").is_ok(), "{option}: it is a body");
        }
    }

    #[test]
    fn what_is_not_known_for_certain_is_refused() {
        for line in [
            "--location-tr",
            "--verb",
            "--data=x",
            "--new x",
            "-$",
            "--no-output",
        ] {
            let read = https(line);
            assert!(
                matches!(read, Err(ArgumentError::Unknown(_))),
                "{line}: {read:?}"
            );
        }
        assert_eq!(https("-s -o"), Err(ArgumentError::NoValue("output")));
        assert_eq!(https("--header"), Err(ArgumentError::NoValue("header")));
    }

    #[test]
    fn only_what_changes_nothing_and_reads_no_stdin_is_done_twice() {
        for line in [
            "",
            "-s",
            "-I",
            "-X HEAD",
            "-XOPTIONS",
            "-o file",
            "-o -",
            "-sSfL -H a:b",
        ] {
            assert!(https(line).unwrap().is_repeatable, "{line}");
        }
        for line in [
            "-X POST",
            "-XDELETE",
            "-X get",
            "-d x",
            "-G -d x",
            "--json @-",
            "-F a=b",
            "-T file",
            "-D file",
            "-OJ",
            "-b -",
            "-o /dev/fd/63",
            "--cacert /dev/fd/63",
            "-b /dev/stdin",
            "--url-query name@-",
            "--no-clobber",
        ] {
            assert!(!https(line).unwrap().is_repeatable, "{line}");
        }
    }

    #[test]
    fn a_verbose_curl_is_seen_in_every_spelling() {
        for line in ["-v", "-sSv", "--verbose", "-v --no-verbose"] {
            assert!(https(line).unwrap().is_verbose, "{line}");
        }
        assert!(!https("-o -v").unwrap().is_verbose, "it is a file's name");
    }
}
