//! Completion scripts, generated from the grammar. They complete subcommands, flags, operands with
//! a fixed set of values, and profile names. The profile names come from `list`, which only reads
//! the configuration file.

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

/// The completions that are offered at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    /// Free text; nothing is offered.
    Unknown,
    /// One of these words.
    These(Vec<&'static str>),
    /// The name of a subcommand.
    Verbs,
    /// A profile name.
    Profiles,
    /// A file name.
    Files,
}

impl Words {
    /// The completions of a flag's value; `None` if the flag has no value.
    fn of_flag(rule: &FlagRule) -> Option<Self> {
        let value = rule.value?;
        Some(match rule.flag {
            Flag::Profile => Self::Profiles,
            _ => Self::of_placeholder(value),
        })
    }

    /// The completions of an operand.
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

/// All subcommands, as a list: each separate use of the iterator adds code to the binary.
#[inline(never)]
fn rules() -> Vec<SubcommandRule> {
    subcommands().collect()
}

/// The flags that are accepted before a subcommand.
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

/// The names of all flags that are accepted before a subcommand, separated by spaces.
fn program_flag_names() -> String {
    let names: Vec<String> = program_flags().into_iter().map(names).collect();
    names.join(" ")
}

/// The subcommands that are followed by the command line of another program (`COMMAND`). With
/// `false`, the subcommands that pass arguments to a fixed program.
#[inline(never)]
fn with_rest(is_command: bool) -> Vec<&'static str> {
    let is_such =
        |rule: &SubcommandRule| rule.rest.map(|rest| rest == "COMMAND") == Some(is_command);
    let rules = rules().into_iter();
    rules.filter(is_such).map(|rule| rule.name).collect()
}

/// The long and the short form of a flag.
fn names(rule: &FlagRule) -> String {
    match rule.short {
        Some(short) => format!("--{} -{short}", rule.long),
        None => format!("--{}", rule.long),
    }
}

#[inline(never)]
fn subcommand_names() -> Vec<&'static str> {
    rules().into_iter().map(|rule| rule.name).collect()
}

/// Prepares a text for single quotes. `apostrophe` is the shell's escape for a single quote.
/// Characters with a special meaning are removed.
fn quoted(text: &str, apostrophe: &str) -> String {
    text.replace(['`', '"', '\\'], "").replace('\'', apostrophe)
}

/// Appends a line.
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
                assert!(words.contains(&word), "{shell}: {word} is missing");
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
