//! Properties of command lines: those of this program, and the arguments for `curl`.

use std::ffi::OsString;

use super::reference_parser::assert_printable;
use crate::cli::{Command, Invocation, SetupOptions, parse};
use crate::curl::{ArgumentError, Arguments};
use crate::types::uri::Scheme;

/// Returns the words of the input, one per line.
fn words(bytes: &[u8]) -> Vec<OsString> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.contains(&0)).map(word).collect()
}

#[cfg(unix)]
fn word(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn word(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Any command line is parsed, or rejected with a printable message. Each parsed value is the end
/// of an argument. The first line is the name of the program.
pub(super) fn argv(bytes: &[u8]) {
    let words = words(bytes);
    let (command, options) = match parse(words.clone()) {
        Ok(Invocation::Run(_, command, options)) => (command, options),
        Ok(Invocation::Help(_) | Invocation::Version) => return,
        Err(error) => return assert_printable(&error.to_string()),
    };
    let is_given = |text: &str| {
        let mut words = words.iter();
        words.any(|word| word.to_string_lossy().ends_with(text))
    };
    let (texts, rest) = values(command);
    for text in texts.into_iter().chain(options.profile) {
        assert!(is_given(&text), "{text:?} is not in {words:?}");
    }
    assert!(options.timeout.is_none_or(|limit| !limit.is_zero()));
    assert!(
        words.ends_with(&rest),
        "the arguments of another program are unchanged"
    );
}

/// Returns the text values of a command, and the arguments of the program that it starts.
fn values(command: Command) -> (Vec<String>, Vec<OsString>) {
    let texts: Vec<Option<String>> = match command {
        Command::Token { uri, .. } | Command::Header { uri, .. } => vec![uri],
        Command::Exec(options) => {
            let texts = options.env.into_iter().chain(options.uri).collect();
            let rest = [vec![options.program], options.arguments].concat();
            return (texts, rest);
        }
        Command::Curl {
            path,
            allowed,
            arguments,
        } => {
            return (allowed, [vec![path], arguments].concat());
        }
        Command::Login(options) => vec![
            options.client_id,
            options.cloud_id,
            options.base_url,
            options.lifetime,
            options.store,
        ],
        Command::Completions { shell } => vec![Some(shell)],
        Command::Use { name } => vec![Some(name)],
        Command::Man { page } => vec![page],
        Command::Setup(SetupOptions::Undo { tool, .. }) => vec![Some(tool)],
        Command::Setup(SetupOptions::Add { tool, hosts, .. }) => {
            return (hosts.into_iter().chain([tool]).collect(), Vec::new());
        }
        Command::Protocol { operands, .. } => return (operands, Vec::new()),
        _ => Vec::new(),
    };
    (texts.into_iter().flatten().collect(), Vec::new())
}

/// A curl command that gets the token has exactly one URL, and that URL belongs to the profile.
/// Each argument of an accepted command line is interpreted as curl interprets it.
pub(super) fn curl(bytes: &[u8]) {
    let words = words(bytes);
    for scheme in [Scheme::Https, Scheme::Http] {
        if let Err(error) = Arguments::read(&words, scheme, &[]) {
            assert_printable(&error.to_string());
            continue;
        }
        // curl reads a word that does not begin with `-` as a URL, unless an option needs a value.
        let mut is_free = true;
        for word in &words {
            let word = word.to_string_lossy();
            let is_option = word.starts_with('-') && word.len() > 1;
            assert!(is_option || !is_free, "{word:?} is a URL in {words:?}");
            is_free = !is_option;
        }
        let with = |more: &str| {
            let mut words = words.clone();
            words.push(more.into());
            Arguments::read(&words, scheme, &[])
        };
        let further = [
            ("https://evil.test", ArgumentError::FurtherUrl),
            ("--next", ArgumentError::FurtherUrl),
            ("--", ArgumentError::FurtherUrl),
        ];
        for (more, error) in further {
            assert_eq!(with(more), Err(error), "{more} after {words:?}");
        }
        for more in ["-k", "--location-trusted", "-nK", "-HAuthorization:x"] {
            let read = with(more);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{more} after {words:?} gave {read:?}");
        }
        let posted = with("-dx").map(|arguments| arguments.is_repeatable);
        assert_eq!(posted, Ok(false), "{words:?}");
        let is_repeated = |error: &ArgumentError| {
            matches!(
                error,
                ArgumentError::Refused {
                    flag: "verbose",
                    ..
                }
            )
        };
        let shown = with("-v");
        if shown.as_ref().is_err_and(is_repeated) {
            continue;
        }
        let is_stderr_moved = matches!(shown, Err(ArgumentError::Refused { flag: "stderr", .. }));
        let is_seen = shown.is_ok_and(|arguments| arguments.is_verbose);
        assert!(is_seen || is_stderr_moved, "{words:?}");
        assert!(scheme == Scheme::Https || Arguments::read(&words, Scheme::Https, &[]).is_ok());
    }
}
