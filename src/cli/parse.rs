//! argv by the grammar. Flags may stand before and behind the verb, as `--flag value` or
//! `--flag=value`; the last one counts.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::grammar::{COMMON, FLAGS, Flag, FlagRule, Verb, VerbRule, verb_of_program, verbs};
use super::{Invocation, Options, UsageError};
use crate::types::duration;
use crate::types::quote::{nearest, quote};

/// The program, where no verb is known yet.
const PROGRAM: &str = "cloudconnexa-auth";

/// Words by which people try to pass a secret.
const SECRET_FLAGS: [&str; 5] = [
    "client-secret",
    "client_secret",
    "secret",
    "password",
    "token",
];

/// Reads a command line: the program's name, by which a tool may have called it as its helper, and
/// what stands behind it.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Invocation, UsageError> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().map(PathBuf::from);
    let file_name = program.as_deref().and_then(Path::file_name);
    let verb = file_name.and_then(OsStr::to_str).and_then(verb_of_program);
    parse_behind(verb, Parser::from_args(arguments))
}

/// Reads flags that a tool hands over in its request instead of argv.
pub(crate) fn parse_flags(verb: Verb, flags: Vec<String>) -> Result<Options, UsageError> {
    match parse_behind(verb.rule(), Parser::from_args(flags))? {
        Invocation::Run(_, options) if options.operands.is_empty() => Ok(*options),
        _ => Err(UsageError::UnexpectedArgument { verb: verb.name() }),
    }
}

fn parse_behind(called: Option<VerbRule>, mut parser: Parser) -> Result<Invocation, UsageError> {
    let mut verb = called;
    let mut options = Options::default();
    let mut wants_help = false;
    let mut given: Vec<&'static FlagRule> = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| unexpected_value(&error))? {
        let rule = match argument {
            Arg::Long("version") | Arg::Short('V') if verb.is_none() || called.is_some() => {
                return Ok(Invocation::Version);
            }
            Arg::Long(name) => {
                let Some(rule) = FLAGS.iter().find(|rule| rule.long == name) else {
                    verb = Some(verb_of_operand(verb, name)?);
                    options.operands.push(format!("--{name}"));
                    continue;
                };
                rule
            }
            Arg::Short(name) => FLAGS
                .iter()
                .find(|rule| rule.short == Some(name))
                .ok_or_else(|| UsageError::UnknownFlag {
                    verb: verb.map_or(PROGRAM, |rule| rule.name),
                    flag: format!("-{}", quote(&name.to_string())),
                    meant: None,
                })?,
            Arg::Value(word) if verb.is_some_and(|rule| rule.rest.is_some()) => {
                options.rest.push(word);
                options.rest.extend(rest(&mut parser)?);
                break;
            }
            Arg::Value(word) => {
                let word = word.into_string().map_err(|_| UsageError::NotText)?;
                match verb {
                    Some(rule) if rule.takes_word(options.operands.len()) => {
                        options.operands.push(word);
                    }
                    Some(rule) => return Err(UsageError::UnexpectedArgument { verb: rule.name }),
                    None if word == "help" && !wants_help => wants_help = true,
                    None => verb = Some(find_verb(&word)?),
                }
                continue;
            }
        };
        given.push(rule);
        let value = match rule.value {
            Some(placeholder) => Some(parser.value().map_err(|_| UsageError::MissingValue {
                flag: format!("--{}", rule.long),
                placeholder,
            })?),
            None => None,
        };
        if rule.flag == Flag::Help {
            wants_help = true;
        } else {
            apply(&mut options, rule, value)?;
        }
    }
    if wants_help {
        return Ok(Invocation::Help(verb.map(|rule| rule.verb)));
    }
    let rule = verb.ok_or(UsageError::NoVerb)?;
    let foreign =
        |given: &&FlagRule| !COMMON.contains(&given.flag) && !rule.flags.contains(&given.flag);
    if let Some(foreign) = given.into_iter().find(foreign) {
        return Err(UsageError::UnknownFlag {
            verb: rule.name,
            flag: format!("--{}", foreign.long),
            meant: None,
        });
    }
    if let (Some(placeholder), true) = (rule.rest, options.rest.is_empty()) {
        let verb = rule.name;
        return Err(UsageError::NoRest { verb, placeholder });
    }
    let forms = [
        (options.curl, "--curl"),
        (options.json, "--json"),
        (options.value, "--value"),
    ];
    let mut forms = forms.iter().filter(|(is_given, _)| *is_given);
    if let (Some((_, one)), Some((_, other))) = (forms.next(), forms.next()) {
        return Err(UsageError::Conflict(one, other));
    }
    if options.refresh && options.no_cache {
        return Err(UsageError::Conflict("--refresh", "--no-cache"));
    }
    if options.no_cache && matches!(rule.verb, Verb::Erase | Verb::Logout) {
        return Err(UsageError::Conflict(rule.name, "--no-cache"));
    }
    Ok(Invocation::Run(rule.verb, Box::new(options)))
}

/// Whatever stands behind, as it stands.
fn rest(parser: &mut Parser) -> Result<Vec<OsString>, UsageError> {
    let rest = parser.raw_args();
    Ok(rest.map_err(|error| unexpected_value(&error))?.collect())
}

pub(super) fn find_verb(word: &str) -> Result<VerbRule, UsageError> {
    verbs()
        .find(|rule| rule.name == word)
        .ok_or_else(|| UsageError::UnknownVerb {
            name: quote(word),
            meant: nearest(word, verbs().map(|rule| rule.name)),
        })
}

/// The verb that has an operand which is written as this flag: the one that is known already, or
/// without one whichever it is. So `cloudconnexa-auth --cargo-plugin` is for cargo.
fn verb_of_operand(verb: Option<VerbRule>, name: &str) -> Result<VerbRule, UsageError> {
    let found = match verb {
        Some(rule) => Some(rule).filter(|rule| rule.has_operand_flag(name)),
        None => verbs().find(|rule| rule.has_operand_flag(name)),
    };
    found.ok_or_else(|| unknown_flag(verb, name))
}

fn unknown_flag(verb: Option<VerbRule>, name: &str) -> UsageError {
    if SECRET_FLAGS.contains(&name) {
        return UsageError::SecretFlag;
    }
    let meant = match verb {
        Some(rule) => nearest(name, rule.flag_rules().map(|rule| rule.long)),
        None => nearest(name, FLAGS.iter().map(|rule| rule.long)),
    };
    let verb = verb.map_or(PROGRAM, |rule| rule.name);
    UsageError::UnknownFlag {
        verb,
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

fn apply(
    options: &mut Options,
    rule: &FlagRule,
    value: Option<OsString>,
) -> Result<(), UsageError> {
    let value = value.unwrap_or_default();
    let bad = |problem: String| UsageError::BadValue {
        flag: format!("--{}", rule.long),
        problem,
    };
    let text = || value.clone().into_string().map_err(|_| UsageError::NotText);
    match rule.flag {
        Flag::Profile => options.profile = Some(text()?),
        Flag::Config if value.is_empty() => return Err(bad("the path is empty".to_owned())),
        Flag::Config => options.config = Some(PathBuf::from(value)),
        Flag::MinTtl | Flag::Timeout => {
            let period = duration::parse(&text()?).map_err(|error| bad(error.to_string()))?;
            if rule.flag == Flag::MinTtl {
                options.min_ttl = Some(period);
            } else if period.is_zero() {
                return Err(bad("it must be more than nothing".to_owned()));
            } else {
                options.timeout = Some(period);
            }
        }
        Flag::Refresh => options.refresh = true,
        Flag::NoCache => options.no_cache = true,
        Flag::Verbose => options.verbose = true,
        Flag::Json => options.json = true,
        Flag::Curl => options.curl = true,
        Flag::Value => options.value = true,
        Flag::For => options.uri = Some(text()?),
        Flag::WithCredentials => options.with_credentials = true,
        Flag::Env => options.env.push(text()?),
        Flag::ClientId => options.client_id = Some(text()?),
        Flag::CloudId => options.cloud_id = Some(text()?),
        Flag::BaseUrl => options.base_url = Some(text()?),
        Flag::Lifetime => options.lifetime = Some(text()?),
        Flag::Store => options.store = Some(text()?),
        Flag::SecretStdin => options.secret_stdin = true,
        Flag::Yes => options.yes = true,
        Flag::List => options.list = true,
        Flag::Print => options.print = true,
        Flag::Undo => options.undo = true,
        Flag::Host => options.hosts.push(text()?),
        Flag::Help | Flag::Version => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::time::Duration;

    use super::super::{Invocation, Options, UsageError};
    use super::{Verb, parse};

    fn parse_words(line: &str) -> Result<Invocation, UsageError> {
        let words = format!("cloudconnexa-auth {line}");
        parse(words.split_whitespace().map(OsString::from).collect())
    }

    #[test]
    fn flags_stand_on_either_side_of_the_verb() {
        let expected = Options {
            profile: Some("prod".to_owned()),
            min_ttl: Some(Duration::from_secs(90)),
            verbose: true,
            ..Options::default()
        };
        let read = parse_words("--profile prod token -v --min-ttl=90s");
        assert_eq!(read, Ok(Invocation::Run(Verb::Token, Box::new(expected))));
    }

    #[test]
    fn help_is_help_wherever_it_stands() {
        for line in ["help token", "token --help", "--help token", "token -h"] {
            assert_eq!(
                parse_words(line),
                Ok(Invocation::Help(Some(Verb::Token))),
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
                matches!(&read, Err(UsageError::UnknownVerb { meant: Some(found), .. }) if *found == meant),
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
        assert_eq!(parse_words(""), Err(UsageError::NoVerb));
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
            Ok(Invocation::Run(verb, options)) => (verb.name(), options.operands, options.profile),
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
    fn the_name_it_is_called_by_is_the_verb() {
        let read = |words: &[&str]| parse(words.iter().map(OsString::from).collect());
        let called = read(&["/usr/local/bin/git-credential-cloudconnexa", "get"]);
        assert_eq!(called, read(&["cloudconnexa-auth", "git", "get"]));
        let called = read(&["git-credential-cloudconnexa", "git", "get"]);
        assert!(
            matches!(called, Err(UsageError::UnexpectedArgument { verb: "git" })),
            "{called:?}"
        );
        assert_eq!(
            read(&["docker-credential-cloudconnexa", "--version"]),
            Ok(Invocation::Version)
        );
        assert_eq!(
            read(&[]),
            Err(UsageError::NoVerb),
            "execve may give no name at all"
        );
    }
}
