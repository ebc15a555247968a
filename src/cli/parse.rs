//! Parses argv with the table. Flags are accepted before and after the subcommand, as `--flag
//! value` or `--flag=value`. If a flag is repeated, the last value is used.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::given::Given;
use super::grammar::{FLAGS, Flag, Subcommand, SubcommandRule, subcommand_of_program, subcommands};
use super::{Command, CommonOptions, Invocation, UsageError};
use crate::types::quote::{nearest, quote};

/// The program name in errors before the subcommand is known.
const PROGRAM: &str = "cloudconnexa-auth";

/// Flag names that users try when they want to pass a secret.
const SECRET_FLAGS: [&str; 5] = [
    "client-secret",
    "client_secret",
    "secret",
    "password",
    "token",
];

/// Parses argv. The first element is the name of the program. It selects a protocol if the program
/// was called through a link (`git-credential-cloudconnexa`).
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Invocation, UsageError> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().map(PathBuf::from);
    let file_name = program.as_deref().and_then(Path::file_name);
    let subcommand = file_name
        .and_then(OsStr::to_str)
        .and_then(subcommand_of_program);
    parse_behind(subcommand, Parser::from_args(arguments))
}

/// Parses options that a tool sends in its request, not in argv.
pub(crate) fn parse_flags(
    subcommand: Subcommand,
    flags: Vec<String>,
) -> Result<CommonOptions, UsageError> {
    match parse_behind(subcommand.rule(), Parser::from_args(flags))? {
        Invocation::Run(_, Command::Protocol { operands, .. }, options) if operands.is_empty() => {
            Ok(options)
        }
        _ => Err(UsageError::UnexpectedArgument {
            subcommand: subcommand.name(),
        }),
    }
}

fn parse_behind(
    called: Option<SubcommandRule>,
    mut parser: Parser,
) -> Result<Invocation, UsageError> {
    let mut subcommand = called;
    let mut given = Given::default();
    let mut wants_help = false;
    while let Some(argument) = parser.next().map_err(|error| unexpected_value(&error))? {
        let rule = match argument {
            Arg::Long("version") | Arg::Short('V') if subcommand.is_none() || called.is_some() => {
                return Ok(Invocation::Version);
            }
            Arg::Long(name) => {
                let Some(rule) = FLAGS.iter().find(|rule| rule.long == name) else {
                    subcommand = Some(subcommand_of_operand(subcommand, name)?);
                    given.operands.push(format!("--{name}"));
                    continue;
                };
                rule
            }
            Arg::Short(name) => FLAGS
                .iter()
                .find(|rule| rule.short == Some(name))
                .ok_or_else(|| UsageError::UnknownFlag {
                    subcommand: subcommand.map_or(PROGRAM, |rule| rule.name),
                    flag: format!("-{}", quote(&name.to_string())),
                    meant: None,
                })?,
            Arg::Value(word) if subcommand.is_some_and(|rule| rule.rest.is_some()) => {
                given.rest.push(word);
                given.rest.extend(rest(&mut parser)?);
                break;
            }
            Arg::Value(word) => {
                let word = word.into_string().map_err(|_| UsageError::NotText)?;
                match subcommand {
                    Some(rule) if rule.takes_word(given.operands.len()) => {
                        given.operands.push(word);
                    }
                    Some(rule) => {
                        let subcommand = rule.name;
                        return Err(UsageError::UnexpectedArgument { subcommand });
                    }
                    None if word == "help" && !wants_help => wants_help = true,
                    None => subcommand = Some(find_subcommand(&word)?),
                }
                continue;
            }
        };
        let value = match rule.value {
            Some(placeholder) => parser.value().map_err(|_| UsageError::MissingValue {
                flag: format!("--{}", rule.long),
                placeholder,
            })?,
            None => OsString::new(),
        };
        wants_help |= rule.flag == Flag::Help;
        given.flags.push((rule, value));
    }
    if wants_help {
        return Ok(Invocation::Help(subcommand.map(|rule| rule.subcommand)));
    }
    let rule = subcommand.ok_or(UsageError::NoSubcommand)?;
    given.check(rule)?;
    let options = given.common()?;
    let command = given.command(rule)?;
    Ok(Invocation::Run(rule.subcommand, command, options))
}

/// All remaining arguments, without interpretation.
fn rest(parser: &mut Parser) -> Result<Vec<OsString>, UsageError> {
    let rest = parser.raw_args();
    Ok(rest.map_err(|error| unexpected_value(&error))?.collect())
}

pub(super) fn find_subcommand(word: &str) -> Result<SubcommandRule, UsageError> {
    subcommands()
        .find(|rule| rule.name == word)
        .ok_or_else(|| UsageError::UnknownSubcommand {
            name: quote(word),
            meant: nearest(word, subcommands().map(|rule| rule.name)),
        })
}

/// The subcommand that has an operand written as this flag. Without a known subcommand, all
/// subcommands are searched. So `cloudconnexa-auth --cargo-plugin` selects `cargo`.
fn subcommand_of_operand(
    subcommand: Option<SubcommandRule>,
    name: &str,
) -> Result<SubcommandRule, UsageError> {
    let found = match subcommand {
        Some(rule) => Some(rule).filter(|rule| rule.has_operand_flag(name)),
        None => subcommands().find(|rule| rule.has_operand_flag(name)),
    };
    found.ok_or_else(|| unknown_flag(subcommand, name))
}

fn unknown_flag(subcommand: Option<SubcommandRule>, name: &str) -> UsageError {
    if SECRET_FLAGS.contains(&name) {
        return UsageError::SecretFlag;
    }
    let meant = match subcommand {
        Some(rule) => nearest(name, rule.flag_rules().map(|rule| rule.long)),
        None => nearest(name, FLAGS.iter().map(|rule| rule.long)),
    };
    let subcommand = subcommand.map_or(PROGRAM, |rule| rule.name);
    UsageError::UnknownFlag {
        subcommand,
        flag: format!("--{}", quote(name)),
        meant,
    }
}

fn unexpected_value(error: &lexopt::Error) -> UsageError {
    match error {
        lexopt::Error::UnexpectedValue { option, .. } => UsageError::BadValue {
            flag: quote(option),
            problem: "it takes no value".to_owned(),
        },
        _ => UsageError::NotText,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::super::{Command, CommonOptions, Invocation, UsageError};
    use super::{Subcommand, parse};

    fn parse_words(line: &str) -> Result<Invocation, UsageError> {
        let words = format!("cloudconnexa-auth {line}");
        parse(words.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn flags_are_read_before_and_after_the_subcommand() {
        let expected = CommonOptions {
            profile: Some("prod".to_owned()),
            min_ttl: Some(Duration::from_secs(90)),
            verbose: true,
            ..CommonOptions::default()
        };
        let command = Command::Token {
            json: false,
            uri: None,
        };
        let read = parse_words("--profile prod token -v --min-ttl=90s");
        assert_eq!(
            read,
            Ok(Invocation::Run(Subcommand::Token, command, expected))
        );
    }

    #[test]
    fn help_is_help_wherever_it_stands() {
        for line in ["help token", "token --help", "--help token", "token -h"] {
            assert_eq!(
                parse_words(line),
                Ok(Invocation::Help(Some(Subcommand::Token))),
                "{line}"
            );
        }
        assert_eq!(parse_words("--help"), Ok(Invocation::Help(None)));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_nearest_word() {
        for (line, meant) in [("tokn", "token"), ("statsu", "status")] {
            let read = parse_words(line);
            assert!(
                matches!(&read, Err(UsageError::UnknownSubcommand { meant: Some(found), .. }) if *found == meant),
                "{line} gave {read:?}"
            );
        }
        let read = parse_words("token --profil x");
        assert!(
            matches!(
                &read,
                Err(UsageError::UnknownFlag {
                    meant: Some("profile"),
                    ..
                })
            ),
            "{read:?}"
        );
        assert!(matches!(
            parse_words("status --curl"),
            Err(UsageError::UnknownFlag { .. })
        ));
        assert!(matches!(
            parse_words("token --refresh=yes"),
            Err(UsageError::BadValue { .. })
        ));
        assert!(matches!(
            parse_words("token --profile"),
            Err(UsageError::MissingValue { .. })
        ));
        assert!(matches!(
            parse_words("token --timeout 0s"),
            Err(UsageError::BadValue { .. })
        ));
        assert!(matches!(
            parse_words("token --refresh --no-cache"),
            Err(UsageError::Conflict(..))
        ));
        assert_eq!(parse_words(""), Err(UsageError::NoSubcommand));
    }

    #[test]
    fn a_secret_on_the_command_line_is_refused_and_not_shown() {
        assert_eq!(
            parse_words("store --client-secret s3cret"),
            Err(UsageError::SecretFlag)
        );
        let shown = format!("{:?}", parse_words("store s3cret"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn a_tools_protocol_takes_its_operands_among_the_flags() {
        let read = |line: &str| match parse_words(line) {
            Ok(Invocation::Run(subcommand, Command::Protocol { operands, .. }, options)) => {
                (subcommand.name(), operands, options.profile)
            }
            other => panic!("{line} gave {other:?}"),
        };
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let prod = Some("prod".to_owned());
        assert_eq!(
            read("git --profile prod get"),
            ("git", words(&["get"]), prod.clone())
        );
        assert_eq!(
            read("--profile prod terraform get a.test:8443"),
            ("terraform", words(&["get", "a.test:8443"]), prod)
        );
        for line in ["--cargo-plugin", "cargo --cargo-plugin"] {
            assert_eq!(read(line), ("cargo", words(&["--cargo-plugin"]), None));
        }
        for line in [
            "git get extra",
            "kubectl extra",
            "cargo extra",
            "token extra",
        ] {
            let read = parse_words(line);
            assert!(
                matches!(read, Err(UsageError::UnexpectedArgument { .. })),
                "{line} gave {read:?}"
            );
        }
        let read = parse_words("git --cargo-plugin get");
        assert!(
            matches!(read, Err(UsageError::UnknownFlag { .. })),
            "{read:?}"
        );
    }

    #[test]
    fn program_name_selects_the_subcommand() {
        let read = |words: &[&str]| parse(words.iter().map(OsString::from).collect());
        let called = read(&["/usr/local/bin/git-credential-cloudconnexa", "get"]);
        assert_eq!(called, read(&["cloudconnexa-auth", "git", "get"]));
        let called = read(&["git-credential-cloudconnexa", "git", "get"]);
        assert!(
            matches!(
                called,
                Err(UsageError::UnexpectedArgument { subcommand: "git" })
            ),
            "{called:?}"
        );
        assert_eq!(
            read(&["docker-credential-cloudconnexa", "--version"]),
            Ok(Invocation::Version)
        );
        assert_eq!(
            read(&[]),
            Err(UsageError::NoSubcommand),
            "execve accepts an empty argv"
        );
    }
}
