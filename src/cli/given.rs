//! Converts the arguments of one subcommand into its options.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::grammar::{COMMON, Flag, FlagRule, Subcommand, SubcommandRule};
use super::{
    Command, CommonOptions, ExecOptions, HeaderFormat, LoginOptions, SetupOptions, UsageError,
};
use crate::types::duration;

/// The arguments of one subcommand, before their values are read.
#[derive(Default)]
pub(super) struct Given {
    pub(super) flags: Vec<(&'static FlagRule, OsString)>,
    pub(super) operands: Vec<String>,
    /// The arguments of another program.
    pub(super) rest: Vec<OsString>,
}

impl Given {
    /// Checks that the subcommand has the flags and that they do not contradict each other.
    pub(super) fn check(&self, rule: SubcommandRule) -> Result<(), UsageError> {
        let is_foreign = |flag| !COMMON.contains(&flag) && !rule.flags.contains(&flag);
        let mut flags = self.flags.iter().map(|(rule, _)| rule);
        if let Some(foreign) = flags.find(|rule| is_foreign(rule.flag)) {
            return Err(UsageError::UnknownFlag {
                subcommand: rule.name,
                flag: format!("--{}", foreign.long),
                meant: None,
            });
        }
        self.exclusive(&[Flag::Refresh, Flag::NoCache])?;
        let needs_cache = matches!(rule.subcommand, Subcommand::Erase | Subcommand::Logout);
        if needs_cache && self.has(Flag::NoCache) {
            return Err(UsageError::Conflict(rule.name.into(), "--no-cache".into()));
        }
        Ok(())
    }

    fn has(&self, flag: Flag) -> bool {
        self.last(flag).is_some()
    }

    /// The last occurrence of a flag, with its value.
    fn last(&self, flag: Flag) -> Option<(&'static FlagRule, &OsStr)> {
        let found = self.flags.iter().rfind(|(rule, _)| rule.flag == flag);
        found.map(|(rule, value)| (*rule, value.as_os_str()))
    }

    /// An error if more than one of these flags is given.
    fn exclusive(&self, flags: &[Flag]) -> Result<(), UsageError> {
        let mut given = flags.iter().filter_map(|flag| self.last(*flag));
        match (given.next(), given.next()) {
            (Some((one, _)), Some((other, _))) => Err(UsageError::Conflict(
                format!("--{}", one.long),
                format!("--{}", other.long),
            )),
            _ => Ok(()),
        }
    }

    fn text(&self, flag: Flag) -> Result<Option<String>, UsageError> {
        self.last(flag).map(|(_, value)| text(value)).transpose()
    }

    /// The values of a repeatable flag.
    fn texts(&self, flag: Flag) -> Result<Vec<String>, UsageError> {
        let values = self.flags.iter().filter(|(rule, _)| rule.flag == flag);
        values.map(|(_, value)| text(value)).collect()
    }

    fn duration(&self, flag: Flag) -> Result<Option<Duration>, UsageError> {
        let Some((rule, value)) = self.last(flag) else {
            return Ok(None);
        };
        let read = duration::parse(&text(value)?);
        read.map(Some).map_err(|error| bad(rule, error.to_string()))
    }

    pub(super) fn common(&self) -> Result<CommonOptions, UsageError> {
        let config = match self.last(Flag::Config) {
            Some((rule, path)) if path.is_empty() => {
                return Err(bad(rule, "the path is empty".to_owned()));
            }
            config => config.map(|(_, path)| PathBuf::from(path)),
        };
        let timeout = self.duration(Flag::Timeout)?;
        if let (Some((rule, _)), Some(Duration::ZERO)) = (self.last(Flag::Timeout), timeout) {
            return Err(bad(rule, "it must be more than 0s".to_owned()));
        }
        Ok(CommonOptions {
            profile: self.text(Flag::Profile)?,
            config,
            min_ttl: self.duration(Flag::MinTtl)?,
            timeout,
            refresh: self.has(Flag::Refresh),
            no_cache: self.has(Flag::NoCache),
            verbose: self.has(Flag::Verbose),
        })
    }

    pub(super) fn command(self, rule: SubcommandRule) -> Result<Command, UsageError> {
        let json = self.has(Flag::Json);
        let uri = self.text(Flag::For)?;
        Ok(match rule.subcommand {
            Subcommand::Token => Command::Token { json, uri },
            Subcommand::Header => {
                let format = self.header_format()?;
                Command::Header { format, uri }
            }
            Subcommand::Exec => {
                let with_credentials = self.has(Flag::WithCredentials);
                let env = self.texts(Flag::Env)?;
                let (program, arguments) = self.rest(rule)?;
                Command::Exec(ExecOptions {
                    with_credentials,
                    env,
                    uri,
                    program,
                    arguments,
                })
            }
            Subcommand::Curl => {
                let allowed = self.texts(Flag::AllowOption)?;
                let (path, arguments) = self.rest(rule)?;
                Command::Curl {
                    path,
                    allowed,
                    arguments,
                }
            }
            Subcommand::Login => Command::Login(LoginOptions {
                client_id: self.text(Flag::ClientId)?,
                cloud_id: self.text(Flag::CloudId)?,
                base_url: self.text(Flag::BaseUrl)?,
                default: self.has(Flag::Default),
                lifetime: self.text(Flag::Lifetime)?,
                store: self.text(Flag::Store)?,
                secret_stdin: self.has(Flag::SecretStdin),
            }),
            Subcommand::Logout => Command::Logout {
                yes: self.has(Flag::Yes),
            },
            Subcommand::Use => Command::Use {
                name: self.operand().ok_or(UsageError::NoRest {
                    subcommand: rule.name,
                    placeholder: "NAME",
                })?,
            },
            Subcommand::Store => Command::Store,
            Subcommand::Erase => Command::Erase,
            Subcommand::List => Command::List,
            Subcommand::Status => Command::Status { json },
            Subcommand::Version => Command::Version,
            Subcommand::Doctor => Command::Doctor { json },
            Subcommand::Completions => Command::Completions {
                shell: self.operand().unwrap_or_default(),
            },
            Subcommand::Man => Command::Man {
                page: self.operand(),
            },
            Subcommand::Setup => Command::Setup(self.setup(rule)?),
            Subcommand::Protocol(protocol) => Command::Protocol {
                protocol,
                operands: self.operands,
            },
        })
    }

    fn header_format(&self) -> Result<HeaderFormat, UsageError> {
        self.exclusive(&[Flag::Curl, Flag::Json, Flag::Value])?;
        let formats = [
            (Flag::Curl, HeaderFormat::Curl),
            (Flag::Json, HeaderFormat::Json),
            (Flag::Value, HeaderFormat::Value),
        ];
        let given = formats.into_iter().find(|(flag, _)| self.has(*flag));
        Ok(given.map_or(HeaderFormat::Line, |(_, format)| format))
    }

    fn setup(self, rule: SubcommandRule) -> Result<SetupOptions, UsageError> {
        for other in [Flag::Undo, Flag::Print, Flag::Host] {
            self.exclusive(&[Flag::List, other])?;
        }
        self.exclusive(&[Flag::Undo, Flag::Host])?;
        let json = self.has(Flag::Json);
        let print = self.has(Flag::Print);
        let hosts = self.texts(Flag::Host)?;
        let (is_list, is_undo) = (self.has(Flag::List), self.has(Flag::Undo));
        match self.operand() {
            Some(_) if is_list => Err(UsageError::Conflict("--list".into(), "TOOL".into())),
            None if is_list => Ok(SetupOptions::List { json }),
            _ if json => Err(UsageError::BadValue {
                flag: "--json".into(),
                problem: "it goes with `--list`".into(),
            }),
            None => Err(UsageError::NoRest {
                subcommand: rule.name,
                placeholder: "TOOL",
            }),
            Some(tool) if is_undo => Ok(SetupOptions::Undo { tool, print }),
            Some(tool) => Ok(SetupOptions::Add { tool, hosts, print }),
        }
    }

    /// The only operand.
    fn operand(self) -> Option<String> {
        self.operands.into_iter().next()
    }

    /// The first word of another program's arguments, and the remaining words.
    fn rest(self, rule: SubcommandRule) -> Result<(OsString, Vec<OsString>), UsageError> {
        let mut rest = self.rest.into_iter();
        let first = rest.next().ok_or(UsageError::NoRest {
            subcommand: rule.name,
            placeholder: rule.rest.unwrap_or_default(),
        })?;
        Ok((first, rest.collect()))
    }
}

fn text(value: &OsStr) -> Result<String, UsageError> {
    let text = value.to_str().ok_or(UsageError::NotText)?;
    Ok(text.to_owned())
}

fn bad(rule: &FlagRule, problem: String) -> UsageError {
    UsageError::BadValue {
        flag: format!("--{}", rule.long),
        problem,
    }
}
