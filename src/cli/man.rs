//! Man pages in roff, generated from the table: one for the program and one for each subcommand.

use super::UsageError;
use super::grammar::{COMMON, FlagRule, SubcommandRule, VERSION, subcommands};
use super::help::{ABOUT, EXIT_CODES, details, wrap};
use super::parse::find_subcommand;

/// The release date of the version in Cargo.toml. A man page must have a date.
const DATE: &str = "2026-11-23";

/// The environment variables that the program reads.
const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "CLOUDCONNEXA_CLOUD_ID, CLOUDCONNEXA_BASE_URL, CLOUDCONNEXA_CLIENT_ID, \
         CLOUDCONNEXA_CLIENT_SECRET, CLOUDCONNEXA_CLIENT_SECRET_FILE",
        "A server (the Cloud ID or the base URL), a client ID and a secret (itself or the name of \
         its file) make a profile called `env`, without a configuration file.",
    ),
    (
        "CLOUDCONNEXA_PROFILE",
        "The profile, unless `--profile` names one.",
    ),
    (
        "CLOUDCONNEXA_AUTH_CONFIG",
        "The configuration file, unless `--config` names one.",
    ),
    ("CLOUDCONNEXA_AUTH_CACHE_DIR", "The folder of the cache."),
    (
        "CLOUDCONNEXA_AUTH_SHARED_STORE, CLOUDCONNEXA_AUTH_SHARED_STORE_USER, \
         CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD",
        "The Redis or Valkey server through which hosts share the token, and who we are there.",
    ),
    (
        "CLOUDCONNEXA_AUTH_LOG",
        "How much is told on stderr: `error`, `warn` (the default) or `debug`.",
    ),
    (
        "https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY, no_proxy, NO_PROXY",
        "The way to the token endpoint.",
    ),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The root certificates, instead of the system's.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Where systemd puts the credentials of a unit.",
    ),
    (
        "PASSWORD_STORE_DIR",
        "Where `login` looks for a store of pass(1).",
    ),
    (
        "HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME, APPDATA, LOCALAPPDATA",
        "Where the folders below are.",
    ),
];

/// The paths of the program's files.
const FILES: &[(&str, &str)] = &[
    (
        "~/.config/cloudconnexa-auth/config.toml",
        "The profiles, without a secret. On macOS the folder is in `~/Library/Application \
         Support`, on Windows in `%APPDATA%`; where it is set, in `$XDG_CONFIG_HOME`.",
    ),
    (
        "~/.config/cloudconnexa-auth/NAME.secret",
        "The client secret of the profile NAME, mode 0600.",
    ),
    (
        "~/.cache/cloudconnexa-auth/",
        "Tokens and cool-downs, mode 0700, one entry for each identity. On macOS in \
         `~/Library/Caches`, on Windows in `%LOCALAPPDATA%`; where it is set, in \
         `$XDG_CACHE_HOME`. An entry may be deleted at any time.",
    ),
];

/// Examples for the page of the program.
const EXAMPLES: &str = "  cloudconnexa-auth store < credentials.json\n  \
    TOKEN=$(cloudconnexa-auth token) || exit\n  \
    cloudconnexa-auth header --curl | curl --fail --config - \"$URL\"\n  \
    cloudconnexa-auth status";

/// The man page of the subcommand with this name, or of the program.
pub(crate) fn man(name: Option<&str>) -> Result<String, UsageError> {
    name.map_or_else(
        || Ok(program()),
        |name| find_subcommand(name).map(subcommand),
    )
}

fn program() -> String {
    let (line, about) = ABOUT.split_once("\n\n").unwrap_or((ABOUT, ""));
    let mut page = Page::new("cloudconnexa-auth", line.trim_end_matches('.'));
    page.section("SYNOPSIS");
    page.raw("\\fBcloudconnexa\\-auth\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR\n");
    page.section("DESCRIPTION");
    page.paragraphs(about);
    page.section("COMMANDS");
    for rule in subcommands() {
        let name = format!("\\fBcloudconnexa\\-auth\\-{}\\fR(1)", escape(rule.name));
        page.item(&name, rule.summary);
    }
    page.section("OPTIONS");
    let common = COMMON.iter().filter_map(|flag| flag.rule());
    common.chain([&VERSION]).for_each(|rule| page.flag(rule));
    page.end(EXAMPLES);
    let pages = subcommands().map(|rule| format!("cloudconnexa-auth-{}", rule.name));
    page.see_also(pages);
    page.text
}

fn subcommand(rule: SubcommandRule) -> String {
    let mut page = Page::new(&format!("cloudconnexa-auth-{}", rule.name), rule.summary);
    page.section("SYNOPSIS");
    let operands: String = rule.operands.iter().map(|text| synopsis(text)).collect();
    let rest = match rule.rest {
        Some("PATH") => " \\fIPATH\\fR [\\fICURL OPTIONS\\fR ...]".to_owned(),
        Some(name) => format!(" \\-\\- \\fI{}\\fR ...", escape(name)),
        None => String::new(),
    };
    page.raw(&format!(
        "\\fBcloudconnexa\\-auth {}\\fR [\\fIOPTIONS\\fR]{operands}{}\n",
        escape(rule.name),
        rest
    ));
    page.section("DESCRIPTION");
    page.paragraphs(&details(rule));
    page.section("OPTIONS");
    rule.flag_rules().for_each(|rule| page.flag(rule));
    page.end(rule.examples);
    page.see_also(["cloudconnexa-auth".to_owned()].into_iter());
    page.text
}

/// An operand in the synopsis: literal text is bold, a placeholder is in italics.
fn synopsis(text: &str) -> String {
    let name = text.trim_matches(['[', ']']);
    let is_literal = name.starts_with("--") || name.contains('|');
    let name = name.split('|').map(escape).collect::<Vec<_>>();
    let name = if is_literal {
        format!("\\fB{}\\fR", name.join("\\fR|\\fB"))
    } else {
        format!("\\fI{}\\fR", name.concat())
    };
    if text.starts_with('[') {
        format!(" [{name}]")
    } else {
        format!(" {name}")
    }
}

struct Page {
    text: String,
}

impl Page {
    fn new(name: &str, summary: &str) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let title = escape(&name.to_ascii_uppercase());
        let mut page = Self {
            text: format!(
                ".TH \"{title}\" \"1\" \"{DATE}\" \"cloudconnexa\\-auth {version}\" \"User Commands\"\n"
            ),
        };
        page.section("NAME");
        page.raw(&wrapped(&format!(
            "{} \\- {}",
            escape(name),
            prose(summary)
        )));
        page
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn section(&mut self, title: &str) {
        self.raw(&format!(".SH {title}\n"));
    }

    fn paragraphs(&mut self, text: &str) {
        let paragraphs: Vec<String> = text.split("\n\n").map(line).collect();
        self.raw(&paragraphs.join(".PP\n"));
    }

    /// Writes a tag, which is already in roff, and its description.
    fn item(&mut self, tag: &str, text: &str) {
        self.raw(&format!(".TP\n{tag}\n{}", line(text)));
    }

    fn flag(&mut self, rule: &FlagRule) {
        let long = format!("\\fB\\-\\-{}\\fR", escape(rule.long));
        let short = rule.short.map(|short| format!("\\fB\\-{short}\\fR, "));
        let value = rule.value.map(|name| format!(" \\fI{}\\fR", escape(name)));
        let tag = format!(
            "{}{long}{}",
            short.unwrap_or_default(),
            value.unwrap_or_default()
        );
        self.item(&tag, rule.help);
    }

    /// Writes the sections that are the same on every page, and the examples.
    fn end(&mut self, examples: &str) {
        self.section("EXIT STATUS");
        for part in EXIT_CODES.split('\n').skip(1) {
            let code = part.trim_start().split_once("  ");
            match code {
                Some((code, meaning)) => self.item(&format!("\\fB{code}\\fR"), meaning),
                None if part.is_empty() => {}
                None => {
                    self.raw(".PP\n");
                    self.raw(&line(part));
                }
            }
        }
        self.section("ENVIRONMENT");
        for (names, meaning) in ENVIRONMENT {
            let names: Vec<String> = names
                .split(", ")
                .map(|name| format!("\\fB{}\\fR", escape(name)))
                .collect();
            self.item(&names.join(", "), meaning);
        }
        self.section("FILES");
        for (path, meaning) in FILES {
            self.item(&format!("\\fI{}\\fR", escape(path)), meaning);
        }
        self.section("EXAMPLES");
        self.raw(".EX\n");
        for example in examples.lines() {
            self.raw(&format!("{}\n", escape_line(example.trim_start())));
        }
        self.raw(".EE\n");
    }

    fn see_also(&mut self, pages: impl Iterator<Item = String>) {
        self.section("SEE ALSO");
        let pages: Vec<String> = pages
            .map(|name| format!("\\fB{}\\fR(1)", escape(&name)))
            .collect();
        self.raw(&format!("{}\n", pages.join(",\n")));
    }
}

/// The longest line of a page's source, in characters. It keeps the source readable.
const WIDTH: usize = 78;

/// A paragraph of prose.
fn line(text: &str) -> String {
    wrapped(&prose(text))
}

/// A paragraph of roff.
fn wrapped(text: &str) -> String {
    let lines: Vec<String> = wrap(text, WIDTH).into_iter().map(guarded).collect();
    format!("{}\n", lines.join("\n"))
}

/// Converts prose to roff. Text in backticks becomes bold.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(place, part)| {
        let part = escape(part);
        if place % 2 == 1 {
            format!("\\fB{part}\\fR")
        } else {
            part
        }
    });
    parts.collect()
}

fn escape_line(text: &str) -> String {
    guarded(escape(text))
}

/// Escapes a dot or a quote at the beginning of a line, because roff would read it as a request.
fn guarded(line: String) -> String {
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}

/// Converts a text to ASCII and escapes the special characters of roff.
fn escape(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '\\' => "\\[rs]".to_owned(),
        '-' => "\\-".to_owned(),
        '\'' => "\\[aq]".to_owned(),
        '"' => "\\[dq]".to_owned(),
        '`' => "\\[ga]".to_owned(),
        '^' => "\\[ha]".to_owned(),
        '~' => "\\[ti]".to_owned(),
        '\n' => " ".to_owned(),
        '…' => "...".to_owned(),
        c if c.is_ascii() => c.to_string(),
        c => format!("\\[u{:04X}]", u32::from(c)),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::{escape, man, prose, subcommands, synopsis};

    #[test]
    fn roffs_own_characters_stand_for_themselves() {
        assert_eq!(
            escape("a-b\\n 'x' … é"),
            "a\\-b\\[rs]n \\[aq]x\\[aq] ... \\[u00E9]"
        );
        assert_eq!(prose("say `get` twice"), "say \\fBget\\fR twice");
    }

    #[test]
    fn no_line_of_text_is_a_request() {
        let known = [".TH ", ".SH ", ".TP", ".PP", ".EX", ".EE"];
        let pages = subcommands().map(|rule| man(Some(rule.name)).unwrap());
        for page in pages.chain([man(None).unwrap()]) {
            for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
                assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
            }
            assert!(page.is_ascii(), "all roff programs accept ASCII");
        }
    }

    #[test]
    fn what_is_typed_as_it_stands_is_bold() {
        assert_eq!(synopsis("get|store"), " \\fBget\\fR|\\fBstore\\fR");
        assert_eq!(synopsis("[URL]"), " [\\fIURL\\fR]");
        assert_eq!(
            synopsis("[--cargo-plugin]"),
            " [\\fB\\-\\-cargo\\-plugin\\fR]"
        );
    }
}
