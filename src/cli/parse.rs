//! argv by the grammar. Flags may stand before and behind the verb, as `--flag value` or
//! `--flag=value`; the last one counts.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use super::grammar::{COMMON, FLAGS, Flag, FlagRule, VERBS, Verb, VerbRule};
use super::{Invocation, Options, UsageError};
use crate::duration;
use crate::quote::{nearest, quote};

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

/// Reads the arguments behind the program's name.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Invocation, UsageError> {
    let mut parser = Parser::from_args(arguments);
    let mut verb: Option<&'static VerbRule> = None;
    let mut options = Options::default();
    let mut wants_help = false;
    let mut given: Vec<&'static FlagRule> = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| unexpected_value(&error))? {
        let rule = match argument {
            Arg::Long("version") | Arg::Short('V') if verb.is_none() => {
                return Ok(Invocation::Version);
            }
            Arg::Long(name) => FLAGS
                .iter()
                .find(|rule| rule.long == name)
                .ok_or_else(|| unknown_flag(verb, name))?,
            Arg::Short(name) => FLAGS
                .iter()
                .find(|rule| rule.short == Some(name))
                .ok_or_else(|| UsageError::UnknownFlag {
                    verb: verb.map_or(PROGRAM, |rule| rule.name),
                    flag: format!("-{}", quote(&name.to_string())),
                    meant: None,
                })?,
            Arg::Value(word) => {
                let word = word.into_string().map_err(|_| UsageError::NotText)?;
                match verb {
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
    if options.refresh && options.no_cache {
        return Err(UsageError::Conflict("--refresh", "--no-cache"));
    }
    if options.no_cache && rule.verb == Verb::Erase {
        return Err(UsageError::Conflict("erase", "--no-cache"));
    }
    Ok(Invocation::Run(rule.verb, options))
}

fn find_verb(word: &str) -> Result<&'static VerbRule, UsageError> {
    let names = || VERBS.iter().map(|rule| rule.name);
    VERBS
        .iter()
        .find(|rule| rule.name == word)
        .ok_or_else(|| UsageError::UnknownVerb {
            name: quote(word),
            meant: nearest(word, names()),
        })
}

fn unknown_flag(verb: Option<&'static VerbRule>, name: &str) -> UsageError {
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
        Flag::For => options.uri = Some(text()?),
        Flag::Help => {}
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
        parse(line.split_whitespace().map(OsString::from).collect())
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
        assert_eq!(read, Ok(Invocation::Run(Verb::Token, expected)));
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
            parse_words("get --json"),
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
}
