//! Checks the arguments for curl in the way curl parses them. It finds arguments that would send
//! the token to another server or show it, and arguments that make a retry unsafe.

use std::ffi::OsString;

use thiserror::Error;

use super::options::{LETTERS, PLAIN, VALUED};
use super::rules::{ROUTING, TRUST, TRUST_VARIABLES, refusal};
use crate::system::environment::Environment;
use crate::types::quote::quote;
use crate::types::uri::Scheme;

/// An error for arguments that must not be combined with a token.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum ArgumentError {
    /// A second URL, which would also get the token. It is not shown.
    #[error("a further URL would be given the token as well")]
    FurtherUrl,
    /// An unknown option: it is not known whether it takes a value.
    #[error("`{0}` is no option of curl's that this program knows")]
    Unknown(String),
    /// The value of an option is missing.
    #[error("`--{0}` needs a value")]
    NoValue(&'static str),
    /// An option that selects a trusted root, together with an option that selects the server.
    #[error("`{trust}` chooses whom curl trusts and `--{routing}` chooses where it connects")]
    TrustWithRouting {
        /// The option or variable that selects the root.
        trust: String,
        /// The option that selects the server.
        routing: &'static str,
    },
    /// An option that must not be combined with the token.
    #[error("`--{flag}` {why}")]
    Refused {
        /// The option.
        flag: &'static str,
        /// The reason for the error.
        why: &'static str,
    },
}

/// The effects of the arguments that matter to the process that starts curl.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each field is an independent property"
)]
pub(crate) struct Arguments {
    /// The request can be repeated: it has no side effects and does not consume its input.
    pub(crate) is_repeatable: bool,
    /// curl shows the request's headers on stderr.
    pub(crate) is_verbose: bool,
    /// The response body is written to a file.
    pub(crate) has_output: bool,
    /// An argument makes curl write the headers of the response to a file.
    pub(crate) has_header_file: bool,
    is_stderr_moved: bool,
    /// The last option that selects the server to connect to.
    routing: Option<&'static str>,
    /// The last option that selects a trusted root.
    trust: Option<&'static str>,
}

impl Arguments {
    /// Parses the arguments for a URL of this scheme. `allowed` lists unknown options that the user
    /// accepts at their own risk: `NAME`, or `NAME=` for an option with a value.
    ///
    /// # Errors
    /// An argument that would send the token to a server other than the verified server of the URL.
    pub(crate) fn read(
        given: &[OsString],
        scheme: Scheme,
        allowed: &[String],
    ) -> Result<Self, ArgumentError> {
        let mut arguments = Self {
            is_repeatable: true,
            is_verbose: false,
            has_output: false,
            has_header_file: false,
            is_stderr_moved: false,
            routing: None,
            trust: None,
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
                } else if let Some(flag) = find(PLAIN, name) {
                    arguments.take(flag, "", scheme)?;
                } else {
                    match allowed_option(allowed, name) {
                        Some(true) => drop(words.next().ok_or_else(unknown)?),
                        Some(false) => {}
                        None => return Err(unknown()),
                    }
                    // The option may have any effect.
                    arguments.is_repeatable = false;
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
        arguments.check_combinations()?;
        Ok(arguments)
    }

    /// Applies `--no-…`.
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
        if let Some(why) = refusal(flag, value, scheme) {
            return Err(ArgumentError::Refused { flag, why });
        }
        match flag {
            "url" | "next" => return Err(ArgumentError::FurtherUrl),
            "request" => self.is_repeatable &= ["GET", "HEAD", "OPTIONS"].contains(&value),
            "data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "form"
            | "form-string" | "json" | "upload-file" | "skip-existing" | "remote-header-name" => {
                self.is_repeatable = false;
            }
            "dump-header" => {
                self.has_header_file = true;
                self.is_repeatable = false;
            }
            "verbose" if self.is_verbose => {
                let why = "a second time would show the token in a form that cannot be redacted";
                return Err(ArgumentError::Refused { flag, why });
            }
            "verbose" => self.is_verbose = true,
            "stderr" => self.is_stderr_moved = true,
            "output" | "remote-name" | "remote-name-all" => self.has_output = true,
            _ => {}
        }
        if ROUTING.contains(&flag) {
            self.routing = Some(flag);
        }
        if TRUST.contains(&flag) {
            self.trust = Some(flag);
        }
        self.is_repeatable &= !is_used_up(flag, value);
        Ok(())
    }

    fn check_combinations(&self) -> Result<(), ArgumentError> {
        if self.is_verbose && self.is_stderr_moved {
            return Err(ArgumentError::Refused {
                flag: "stderr",
                why: "would write the token into a file, with `--verbose`",
            });
        }
        match (self.trust, self.routing) {
            (Some(trust), Some(routing)) => Err(ArgumentError::TrustWithRouting {
                trust: format!("--{trust}"),
                routing,
            }),
            _ => Ok(()),
        }
    }

    /// Checks that no environment variable selects a trusted root if an option selects the server.
    /// curl reads these variables unless `--cacert` is given.
    ///
    /// # Errors
    /// [`ArgumentError::TrustWithRouting`].
    pub(crate) fn check_trust_variables(
        &self,
        environment: &Environment,
    ) -> Result<(), ArgumentError> {
        let Some(routing) = self.routing else {
            return Ok(());
        };
        let mut variables = TRUST_VARIABLES.into_iter();
        match variables.find(|name| environment.is_set(name)) {
            Some(name) => Err(ArgumentError::TrustWithRouting {
                trust: name.to_owned(),
                routing,
            }),
            None => Ok(()),
        }
    }
}

/// Whether a value names stdin or a file descriptor. These can be read only once.
fn is_used_up(flag: &str, value: &str) -> bool {
    let is_written = ["output", "cookie-jar", "stderr", "etag-save"].contains(&flag);
    let is_stream = ["/dev/fd/", "/dev/stdin", "/proc/self/fd/"]
        .iter()
        .any(|name| value.contains(name));
    // `--url-query name@-` reads stdin too.
    let is_stdin = value.ends_with("@-") || (value == "-" && !is_written);
    is_stream || is_stdin
}

/// Whether the option is in `allowed`, and whether it takes a value.
fn allowed_option(allowed: &[String], name: &str) -> Option<bool> {
    allowed.iter().find_map(|option| {
        let option = option.strip_prefix("--").unwrap_or(option);
        match option.strip_suffix('=') {
            Some(option) => (option == name).then_some(true),
            None => (option == name).then_some(false),
        }
    })
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

    fn https(line: &str) -> Result<Arguments, ArgumentError> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        Arguments::read(&words, Scheme::Https, &[])
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
            assert!(https(line).is_ok(), "{line}: it is an option's value");
        }
    }

    #[test]
    fn an_allowed_option_takes_a_value_if_it_says_so() {
        let read = |allowed: &str, line: &str| {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            Arguments::read(&words, Scheme::Https, &[allowed.to_owned()])
        };
        assert!(!read("new", "--new -s").unwrap().is_repeatable);
        assert!(!read("--new=", "--new x").unwrap().is_repeatable);
        assert_eq!(read("new", "--new x"), Err(ArgumentError::FurtherUrl));
        let missing = read("new=", "--new");
        assert!(
            matches!(missing, Err(ArgumentError::Unknown(_))),
            "{missing:?}"
        );
        let refused = read("insecure", "--insecure");
        assert!(
            matches!(refused, Err(ArgumentError::Refused { .. })),
            "{refused:?}"
        );
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
        assert!(!https("-o -v").unwrap().is_verbose, "`-v` is a file name");
    }
}
