//! The table of all subcommands and flags. The parser, the help texts, the man pages and the
//! completion scripts are generated from it. A new subcommand or flag is a new entry here. The
//! subcommands for tool protocols come from the list of protocols.

mod flags;
mod subcommands;

use crate::protocol::{PROTOCOLS, Protocol};

pub(super) use flags::{FLAGS, VERSION};
use subcommands::SUBCOMMANDS;

/// A subcommand of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subcommand {
    Token,
    Header,
    Exec,
    Curl,
    Login,
    Logout,
    Use,
    Store,
    Erase,
    List,
    Status,
    Version,
    Doctor,
    Completions,
    Man,
    Setup,
    /// The protocol of a tool.
    Protocol(&'static Protocol),
}

/// The name, the help and the arguments of a subcommand.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubcommandRule {
    pub(super) subcommand: Subcommand,
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    pub(super) examples: &'static str,
    /// The flags that only this subcommand has.
    pub(super) flags: &'static [Flag],
    /// The common flags that have an effect here. The other common flags are accepted but not
    /// shown.
    pub(super) common: &'static [Flag],
    /// The operands; see [`Protocol::operands`].
    pub(super) operands: &'static [&'static str],
    /// The placeholder for the arguments of another program, which follow the operands. The parser
    /// does not read them.
    pub(super) rest: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    Profile,
    Config,
    MinTtl,
    Timeout,
    Refresh,
    NoCache,
    Verbose,
    Help,
    Version,
    Json,
    Curl,
    Value,
    For,
    WithCredentials,
    Env,
    AllowOption,
    ClientId,
    CloudId,
    BaseUrl,
    Default,
    Lifetime,
    Store,
    SecretStdin,
    Yes,
    List,
    Print,
    Undo,
    Host,
}

/// The name, the value and the help of a flag.
#[derive(Debug)]
pub(super) struct FlagRule {
    pub(super) flag: Flag,
    pub(super) long: &'static str,
    pub(super) short: Option<char>,
    /// The placeholder of its value; `None` if it has no value.
    pub(super) value: Option<&'static str>,
    pub(super) help: &'static str,
}

/// The flags that every subcommand accepts.
pub(super) const COMMON: [Flag; 8] = [
    Flag::Profile,
    Flag::Config,
    Flag::MinTtl,
    Flag::Timeout,
    Flag::Refresh,
    Flag::NoCache,
    Flag::Verbose,
    Flag::Help,
];

/// All subcommands, in the order of the help page.
pub(super) fn subcommands() -> impl Iterator<Item = SubcommandRule> {
    SUBCOMMANDS
        .iter()
        .copied()
        .chain(PROTOCOLS.into_iter().map(rule_of))
}

/// The table entry of a tool protocol.
pub(super) fn rule_of(protocol: &'static Protocol) -> SubcommandRule {
    SubcommandRule {
        subcommand: Subcommand::Protocol(protocol),
        name: protocol.name,
        summary: protocol.summary,
        details: protocol.details,
        examples: protocol.examples,
        flags: &[],
        common: &COMMON,
        operands: protocol.operands,
        rest: None,
    }
}

/// Returns the protocol whose program name matches `file_name`, the name of a link to this program.
/// The name may end in `.exe` (Windows) or in a version such as `_v1.2.3` (Terraform).
pub(super) fn subcommand_of_program(file_name: &str) -> Option<SubcommandRule> {
    let name = file_name.strip_suffix(".exe").unwrap_or(file_name);
    let name = name.split_once("_v").map_or(name, |(name, _)| name);
    let protocol = PROTOCOLS
        .into_iter()
        .find(|protocol| protocol.program == Some(name))?;
    Some(rule_of(protocol))
}

impl Subcommand {
    pub(crate) fn name(self) -> &'static str {
        self.rule().map_or("", |rule| rule.name)
    }

    pub(super) fn rule(self) -> Option<SubcommandRule> {
        match self {
            Self::Protocol(protocol) => Some(rule_of(protocol)),
            _ => SUBCOMMANDS
                .iter()
                .copied()
                .find(|rule| rule.subcommand == self),
        }
    }
}

impl Flag {
    pub(super) fn rule(self) -> Option<&'static FlagRule> {
        FLAGS.iter().find(|rule| rule.flag == self)
    }
}

impl SubcommandRule {
    /// The flags that the subcommand offers. Its own flags come first.
    pub(super) fn flag_rules(self) -> impl Iterator<Item = &'static FlagRule> {
        let flags = self.flags.iter().chain(self.common);
        flags.filter_map(|flag| flag.rule())
    }

    /// The other program name that selects this subcommand.
    pub(super) fn other_name(self) -> Option<&'static str> {
        match self.subcommand {
            Subcommand::Protocol(protocol) => protocol.program,
            _ => None,
        }
    }

    /// Whether the operand at this position is a word.
    pub(super) fn takes_word(self, place: usize) -> bool {
        let operand = self.operands.get(place);
        operand.is_some_and(|operand| !operand.trim_start_matches('[').starts_with("--"))
    }

    /// The operands that are words.
    pub(super) fn words(self) -> impl Iterator<Item = &'static str> {
        let operands = self.operands.iter().copied();
        operands.filter(|text| !text.trim_start_matches('[').starts_with("--"))
    }

    /// The operands that are written as flags, such as `--cargo-plugin`.
    pub(super) fn literal_flags(self) -> impl Iterator<Item = &'static str> {
        let operands = self.operands.iter();
        let names = operands.map(|text| text.trim_matches(['[', ']']));
        names.filter(|name| name.starts_with("--"))
    }

    /// Whether one of its operands is written as this flag.
    pub(super) fn has_operand_flag(self, name: &str) -> bool {
        let mut names = self.literal_flags();
        names.any(|flag| flag.strip_prefix("--") == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::{FLAGS, subcommand_of_program, subcommands};

    #[test]
    fn names_of_subcommands_and_flags_are_unique() {
        let mut names: Vec<_> = subcommands().map(|rule| rule.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), subcommands().count());
        let mut names: Vec<_> = FLAGS.iter().map(|rule| rule.long).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FLAGS.len());
    }

    #[test]
    fn subcommand_has_an_example_that_calls_it() {
        for rule in subcommands() {
            let call = format!("cloudconnexa-auth {}", rule.name);
            assert!(
                rule.examples.contains(&call),
                "{} has no example",
                rule.name
            );
        }
    }
    #[test]
    fn other_program_names_are_protocols() {
        let subcommand = |name| subcommand_of_program(name).map(|rule| rule.name);
        assert_eq!(subcommand("git-credential-cloudconnexa"), Some("git"));
        assert_eq!(
            subcommand("docker-credential-cloudconnexa.exe"),
            Some("docker")
        );
        assert_eq!(
            subcommand("terraform-credentials-cloudconnexa_v1.2.3"),
            Some("terraform")
        );
        for other in [
            "cloudconnexa-auth",
            "git",
            "token",
            "",
            "x-git-credential-cloudconnexa",
        ] {
            assert_eq!(subcommand(other), None, "{other} is the program itself");
        }
    }
}
