//! Help texts, rendered from the table of subcommands and flags.

use super::grammar::{COMMON, FlagRule, Subcommand, SubcommandRule, VERSION, subcommands};

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

/// The help text of a subcommand, or of the program.
#[cold]
pub(crate) fn help(subcommand: Option<Subcommand>) -> String {
    let mut page = Page(String::new());
    match subcommand.and_then(Subcommand::rule) {
        Some(rule) => page.subcommand(rule),
        None => page.program(),
    }
    page.0
}

/// The widest line of a help text, in characters.
const WIDTH: usize = 100;

struct Page(String);

impl Page {
    fn program(&mut self) {
        self.paragraphs(ABOUT);
        self.line("\nUsage: cloudconnexa-auth [OPTIONS] <COMMAND>");
        let names = subcommands().map(|rule| (rule.name.to_owned(), rule.summary));
        self.table("Commands", names.collect());
        let common = COMMON.iter().filter_map(|flag| flag.rule());
        let flags = [&VERSION].into_iter().chain(common);
        self.table("Options", flags.map(flag_row).collect());
        self.line(&format!("\n{EXIT_CODES}"));
    }

    fn subcommand(&mut self, rule: SubcommandRule) {
        self.paragraphs(rule.summary);
        self.line("");
        self.paragraphs(&details(rule));
        let arguments = arguments(rule);
        let mut usage = format!("\nUsage: cloudconnexa-auth {} [OPTIONS]", rule.name);
        if rule.rest == Some("COMMAND") {
            usage.push_str(" --");
        }
        for (name, _) in &arguments {
            usage.push(' ');
            usage.push_str(name);
        }
        self.line(&usage);
        self.table("Arguments", arguments);
        let literals = rule.literal_flags();
        let literals = literals.map(|name| (format!("    {name}"), "Added by the tool"));
        let flags = rule.flag_rules().map(flag_row);
        self.table("Options", literals.chain(flags).collect());
        self.line(&format!("\nExamples:\n{}", rule.examples));
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn paragraphs(&mut self, text: &str) {
        for line in text.lines() {
            self.line(&wrap(line, WIDTH).join("\n"));
        }
    }

    /// Writes rows of a name and its description. Long descriptions are wrapped in their column.
    fn table(&mut self, title: &str, rows: Vec<(String, &str)>) {
        let Some(width) = rows.iter().map(|(name, _)| name.len()).max() else {
            return;
        };
        self.line(&format!("\n{title}:"));
        for (mut name, description) in rows {
            for line in wrap(description, WIDTH - width - 4) {
                self.line(format!("  {name:<width$}  {line}").trim_end());
                name.clear();
            }
        }
    }
}

/// Wraps a text to lines of at most this many characters. Returns at least one line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_ascii_whitespace() {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if last.chars().count() + word.chars().count() < width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The description of a subcommand.
pub(super) fn details(rule: SubcommandRule) -> String {
    let other_name = rule
        .other_name()
        .map(|name| format!("\n\nA link to the program with the name `{name}` is this subcommand."))
        .unwrap_or_default();
    format!("{}{other_name}", rule.details)
}

/// The positional arguments as in the usage line, each with its description.
fn arguments(rule: SubcommandRule) -> Vec<(String, &'static str)> {
    let words = rule.words().map(|text| {
        let is_optional = text.starts_with('[');
        let name = if is_optional {
            text.to_owned()
        } else {
            format!("<{text}>")
        };
        (name, "")
    });
    let rest: &[(&str, &str)] = match rule.rest {
        Some("PATH") => &[
            (
                "<PATH>",
                "A path below the base URL, or a URL on a host of a profile",
            ),
            ("[CURL OPTIONS]...", "Options of curl"),
        ],
        Some(_) => &[("<COMMAND>...", "The command to run, with its arguments")],
        None => &[],
    };
    let rest = rest.iter().map(|(name, text)| ((*name).to_owned(), *text));
    words.chain(rest).collect()
}

fn flag_row(rule: &FlagRule) -> (String, &'static str) {
    let short = match rule.short {
        Some(short) => format!("-{short}, "),
        None => "    ".to_owned(),
    };
    let value = rule.value.map(|name| format!(" <{name}>"));
    let value = value.unwrap_or_default();
    (format!("{short}--{}{value}", rule.long), rule.help)
}

#[cfg(test)]
mod tests {
    use super::super::grammar::subcommands;
    use super::help;

    #[test]
    fn help_lists_every_flag_of_the_subcommand() {
        for rule in subcommands() {
            let page = help(Some(rule.subcommand));
            for flag in rule.flag_rules() {
                let long = format!("--{}", flag.long);
                assert!(page.contains(&long), "{}: {long} is missing", rule.name);
            }
        }
    }
}
