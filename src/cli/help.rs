//! Help pages, written by clap from the grammar. Never built on the way to a token.

use clap::{Arg, ArgAction, Command};

use super::grammar::{FLAGS, FlagRule, Verb, VerbRule, verbs};

pub(super) const ABOUT: &str = "The CloudConnexa API token once, for every tool, safely.\n\n\
    Turns CloudConnexa API credentials into a bearer token and hands it to other programs. Any \
    number of callers share one token through a locked cache.";

pub(super) const EXIT_CODES: &str = "Exit codes:\n  \
    0  answered\n  \
    1  an unexpected failure\n  \
    2  usage, or input that is not the protocol\n  \
    3  not set up: no profile, no secret, a broken configuration, a foreign host\n  \
    4  the server refused the credentials\n  \
    5  rate limited; the message says for how long\n  \
    6  unavailable: name, connection, TLS, proxy, time-out, 5xx, no token in the answer\n  \
    7  waited in vain for another process's token request\n  \
    126, 127  the command of `exec`, or curl, could not be started, was not found\n  \
    130  `login` was broken off with Ctrl-C; nothing was saved\n\n\
    5, 6 and 7 are worth a retry.";

/// The help page of a verb, or of the program.
#[cold]
pub(crate) fn help(verb: Option<Verb>) -> String {
    let mut command = match verb.and_then(Verb::rule) {
        Some(rule) => verb_command(rule)
            .about(about(rule))
            .bin_name(format!("cloudconnexa-auth {}", rule.name)),
        None => program_command(),
    };
    let page = command.render_help().to_string();
    let lines: Vec<String> = page
        .trim_end()
        .lines()
        .map(str::trim_end)
        .map(wrapped)
        .collect();
    format!("{}\n", lines.join("\n"))
}

/// The widest line of a help page.
const WIDTH: usize = 100;

/// A line of a help page in as many lines as it needs; what follows stands below the text, not
/// below the flag. (clap does it with a feature that asks the terminal.)
fn wrapped(line: &str) -> String {
    if line.chars().count() <= WIDTH {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start().len();
    let column = match line.get(indent..).and_then(|text| text.find("  ")) {
        Some(end) if indent > 0 => {
            let rest = line.get(indent + end..).unwrap_or_default();
            line.len() - rest.trim_start().len()
        }
        _ => indent,
    };
    let (head, text) = line.split_at_checked(column).unwrap_or(("", line));
    let mut lines = vec![head.to_owned()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(last) if last.len() == column => last.push_str(word),
            Some(last) if last.chars().count() + word.chars().count() < WIDTH => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(format!("{}{word}", " ".repeat(column))),
        }
    }
    lines.join("\n")
}

fn program_command() -> Command {
    let verbs = verbs().map(verb_command);
    let command = Command::new("cloudconnexa-auth")
        .bin_name("cloudconnexa-auth")
        .about(ABOUT)
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .subcommand_value_name("COMMAND")
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .long("version")
                .short('V')
                .help("Show the version")
                .action(ArgAction::SetTrue),
        )
        .subcommands(verbs);
    super::grammar::COMMON
        .iter()
        .filter_map(|flag| FLAGS.iter().find(|rule| rule.flag == *flag))
        .fold(command, |command, rule| command.arg(argument(rule)))
}

fn about(rule: VerbRule) -> String {
    format!("{}\n\n{}", rule.summary, details(rule))
}

/// What a verb does, at length.
pub(super) fn details(rule: VerbRule) -> String {
    let other_name = rule
        .other_name()
        .map(|name| format!("\n\nUnder the name `{name}`, as a link, the program is this command."))
        .unwrap_or_default();
    format!("{}{other_name}", rule.details)
}

fn verb_command(rule: VerbRule) -> Command {
    let command = Command::new(rule.name)
        .about(rule.summary)
        .after_help(format!("Examples:\n{}", rule.examples))
        .disable_help_flag(true);
    let command = rule
        .operands
        .iter()
        .fold(command, |command, text| command.arg(operand(text)));
    let command = match rule.rest {
        Some("PATH") => command
            .arg(Arg::new("PATH").required(true).help("What is asked for"))
            .arg(
                Arg::new("CURL OPTIONS")
                    .num_args(0..)
                    .trailing_var_arg(true)
                    .help("curl's own, as they are"),
            ),
        Some(placeholder) => command.arg(
            Arg::new(placeholder)
                .value_name(placeholder)
                .num_args(1..)
                .last(true)
                .required(true)
                .help("What is run, with its arguments"),
        ),
        None => command,
    };
    rule.flag_rules()
        .fold(command, |command, rule| command.arg(argument(rule)))
}

fn operand(text: &'static str) -> Arg {
    let name = text.trim_matches(['[', ']']);
    match name.strip_prefix("--") {
        Some(flag) => Arg::new(flag)
            .long(flag)
            .help("What the tool says when it calls")
            .action(ArgAction::SetTrue),
        None => Arg::new(name).value_name(name).required(name == text),
    }
}

fn argument(rule: &FlagRule) -> Arg {
    let argument = Arg::new(rule.long).long(rule.long).help(rule.help);
    let argument = match rule.short {
        Some(short) => argument.short(short),
        None => argument,
    };
    match rule.value {
        Some(value) => argument.value_name(value),
        None => argument.action(ArgAction::SetTrue),
    }
}

#[cfg(test)]
mod tests {
    use super::super::grammar::verbs;
    use super::help;

    #[test]
    fn every_flag_of_a_verb_is_on_its_page() {
        for rule in verbs() {
            let page = help(Some(rule.verb));
            for flag in rule.flag_rules() {
                let long = format!("--{}", flag.long);
                assert!(
                    page.contains(&long),
                    "{} does not tell of {long}",
                    rule.name
                );
            }
        }
    }
}
