//! Words of a command line: ours, and those that are for curl.

use std::ffi::OsString;

use super::reference_parser::assert_printable;
use crate::cli::{Invocation, parse};
use crate::curl::{ArgumentError, Arguments};
use crate::types::uri::Scheme;

/// One word a line.
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

/// Any command line is read or refused, in words fit for a terminal; and what is read of it stood
/// in it. The first line is the program's name.
pub(super) fn argv(bytes: &[u8]) {
    let words = words(bytes);
    let options = match parse(words.clone()) {
        Ok(Invocation::Run(_, options)) => options,
        Ok(Invocation::Help(_) | Invocation::Version) => return,
        Err(error) => return assert_printable(&error.to_string()),
    };
    let stands = |text: &str| {
        words
            .iter()
            .any(|word| word.to_string_lossy().ends_with(text))
    };
    let values = [
        &options.profile,
        &options.uri,
        &options.client_id,
        &options.cloud_id,
        &options.base_url,
        &options.lifetime,
        &options.store,
    ];
    let values = values.into_iter().flatten();
    for text in values
        .chain(&options.env)
        .chain(&options.hosts)
        .chain(&options.operands)
    {
        assert!(stands(text), "{text:?} stands nowhere in {words:?}");
    }
    assert!(options.timeout.is_none_or(|limit| !limit.is_zero()));
    assert!(
        words.ends_with(&options.rest),
        "what is another program's is left as it is"
    );
}

/// Whatever curl is given with the token has one URL, and that is ours: no word behind an
/// accepted line is taken for anything but what curl would take it for.
pub(super) fn curl(bytes: &[u8]) {
    let words = words(bytes);
    for scheme in [Scheme::Https, Scheme::Http] {
        if let Err(error) = Arguments::read(&words, scheme) {
            assert_printable(&error.to_string());
            continue;
        }
        // curl reads a word that begins with no `-` as a URL, unless an option wants a value.
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
            Arguments::read(&words, scheme)
        };
        let further = [
            ("https://evil.test", ArgumentError::FurtherUrl),
            ("--next", ArgumentError::FurtherUrl),
            ("--", ArgumentError::FurtherUrl),
        ];
        for (more, error) in further {
            assert_eq!(with(more), Err(error), "{more} behind {words:?}");
        }
        for more in ["-k", "--location-trusted", "-nK", "-HAuthorization:x"] {
            let read = with(more);
            let is_refused = matches!(read, Err(ArgumentError::Refused { .. }));
            assert!(is_refused, "{more} behind {words:?} gave {read:?}");
        }
        let posted = with("-dx").map(|arguments| arguments.is_repeatable);
        assert_eq!(posted, Ok(false), "{words:?}");
        let shown = with("-v");
        let is_stderr_moved = matches!(shown, Err(ArgumentError::Refused { flag: "stderr", .. }));
        let is_seen = shown.is_ok_and(|arguments| arguments.is_verbose);
        assert!(is_seen || is_stderr_moved, "{words:?}");
        assert!(scheme == Scheme::Https || Arguments::read(&words, Scheme::Https).is_ok());
    }
}
