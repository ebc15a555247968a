//! Completion scripts, written from the grammar. They complete commands, flags, operands that are
//! one of a few words, and the names of profiles, which `list` prints: it reads the configuration
//! file and nothing else.

mod bash;
mod fish;
mod powershell;
mod zsh;

use super::UsageError;
use super::grammar::{COMMON, Flag, FlagRule, SubcommandRule, VERSION, subcommands};
use crate::tool_config::TOOLS;

/// The completion script for a shell.
pub(crate) fn completions(shell: &str) -> Result<String, UsageError> {
    match shell.to_ascii_lowercase().as_str() {
        "bash" => Ok(bash::script()),
        "zsh" => Ok(zsh::script()),
        "fish" => Ok(fish::script()),
        "powershell" | "pwsh" => Ok(powershell::script()),
        _ => Err(UsageError::NoOperand {
            subcommand: "completions",
            words: "`bash`, `zsh`, `fish` and `powershell`",
        }),
    }
}

/// What may stand at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    /// Something that nobody can guess.
    Unknown,
    /// One of these.
    These(Vec<&'static str>),
    /// A command of the program.
    Verbs,
    /// The name of a profile.
    Profiles,
    /// The name of a file.
    Files,
}

impl Words {
    /// What a flag's value may be; `None` where it has none.
    fn of_flag(rule: &FlagRule) -> Option<Self> {
        let value = rule.value?;
        Some(match rule.flag {
            Flag::Profile => Self::Profiles,
            _ => Self::of_placeholder(value),
        })
    }

    /// What an operand may be.
    fn of_placeholder(text: &'static str) -> Self {
        match text.trim_matches(['[', ']']) {
            "COMMAND" => Self::Verbs,
            "FILE" => Self::Files,
            "NAME" => Self::Profiles,
            "TOOL" => Self::These(TOOLS.iter().map(|tool| tool.name).collect()),
            "LIFETIME" => Self::These(vec!["2w", "1mo", "6mo", "1y"]),
            text if text.contains('|') => Self::These(text.split('|').collect()),
            _ => Self::Unknown,
        }
    }
}

/// Every subcommand. A list, for the size of the program: each use of the iterator is code of its own.
#[inline(never)]
fn rules() -> Vec<SubcommandRule> {
    subcommands().collect()
}

/// The flags that may be given before a subcommand.
#[inline(never)]
fn program_flags() -> Vec<&'static FlagRule> {
    let common = COMMON.iter().filter_map(|flag| flag.rule());
    common.chain([&VERSION]).collect()
}

/// The flags that a subcommand offers.
#[inline(never)]
fn offered(rule: &SubcommandRule) -> Vec<&'static FlagRule> {
    rule.flag_rules().collect()
}

/// The names of all flags that a subcommand offers, separated by spaces.
#[inline(never)]
fn offered_names(rule: &SubcommandRule) -> String {
    let mut written: Vec<String> = offered(rule).into_iter().map(names).collect();
    written.extend(rule.literal_flags().map(str::to_owned));
    written.join(" ")
}

/// The names of all flags that may be given before a subcommand, separated by spaces.
fn program_flag_names() -> String {
    let names: Vec<String> = program_flags().into_iter().map(names).collect();
    names.join(" ")
}

/// The subcommands behind which another program's command line stands (`COMMAND`), or with `false`
/// those that hand words on to a program of their own.
#[inline(never)]
fn with_rest(is_command: bool) -> Vec<&'static str> {
    let is_such =
        |rule: &SubcommandRule| rule.rest.map(|rest| rest == "COMMAND") == Some(is_command);
    let rules = rules().into_iter();
    rules.filter(is_such).map(|rule| rule.name).collect()
}

/// How a flag is written.
fn names(rule: &FlagRule) -> String {
    match rule.short {
        Some(short) => format!("--{} -{short}", rule.long),
        None => format!("--{}", rule.long),
    }
}

/// The names of all subcommands.
#[inline(never)]
fn subcommand_names() -> Vec<&'static str> {
    rules().into_iter().map(|rule| rule.name).collect()
}

/// A text between single quotes, in which the shell writes a single quote as `apostrophe`. What it
/// might read more into is left out.
fn quoted(text: &str, apostrophe: &str) -> String {
    text.replace(['`', '"', '\\'], "").replace('\'', apostrophe)
}

/// A further line.
fn add(script: &mut String, line: &str) {
    script.push_str(line);
    script.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{Words, completions, subcommand_names};
    use crate::cli::UsageError;
    use crate::cli::grammar::FLAGS;

    #[test]
    fn script_has_every_subcommand_and_flag() {
        for shell in ["bash", "zsh", "fish", "PowerShell"] {
            let script = completions(shell).unwrap();
            let words: Vec<&str> = script
                .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
                .map(|word| word.trim_start_matches('-'))
                .collect();
            let flags = FLAGS.iter().map(|rule| rule.long);
            for word in subcommand_names()
                .into_iter()
                .chain(flags)
                .chain(["version"])
            {
                assert!(words.contains(&word), "{shell} does not know {word}");
            }
        }
    }

    #[test]
    fn another_shell_is_refused_with_those_that_there_are() {
        for shell in ["", "tcsh"] {
            let refused = completions(shell);
            assert!(
                matches!(refused, Err(UsageError::NoOperand { .. })),
                "{shell:?}"
            );
        }
    }

    #[test]
    fn a_placeholder_tells_what_may_stand_there() {
        let of = Words::of_placeholder;
        assert_eq!(of("get|store"), Words::These(vec!["get", "store"]));
        assert_eq!(of("[COMMAND]"), Words::Verbs);
        assert_eq!(of("FILE"), Words::Files);
        assert_eq!(of("HOST"), Words::Unknown);
    }
}
