//! Makes external text safe for a terminal and for a log.

use std::path::Path;

use strsim::damerau_levenshtein;

/// The longest external text that is shown, in characters.
const LONGEST: usize = 200;

/// Formats external text as one line. Control, format and line-breaking characters become a space,
/// and a sequence of white space becomes one space. Text beyond 200 characters is cut.
///
/// Bidirectional controls and zero-width characters are treated as control characters, because they
/// can change how a message reads.
pub(crate) fn quote(text: &str) -> String {
    fold(text, LONGEST)
}

/// Like `quote`, without the length limit. It is for text that this program stored itself.
pub(crate) fn clean(text: &str) -> String {
    fold(text, usize::MAX)
}

/// Formats a path for a terminal and a log: control and invisible characters are escaped.
pub(crate) fn path(path: &Path) -> String {
    escape(&path.to_string_lossy())
}

/// Escapes control, format and line-breaking characters, for example as `\u{1b}`.
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

fn fold(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    let mut length = 0;
    for word in text
        .split(|c: char| c.is_whitespace() || is_invisible(c))
        .filter(|w| !w.is_empty())
    {
        if length > 0 {
            shown.push(' ');
            length += 1;
        }
        for character in word.chars() {
            if length >= longest {
                shown.push('…');
                return shown;
            }
            shown.push(character);
            length += 1;
        }
    }
    shown
}

/// Whether a character is a control, bidirectional or zero-width character.
pub(super) fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The known name that is most similar to `written`; `None` if no name is similar enough.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = written.chars().count();
    let most = |name: &str| name.chars().count().max(3) / 3;
    // External text may have megabytes. A name of a very different length is not compared.
    let is_as_long = |name: &&str| name.chars().count().abs_diff(length) <= most(name);
    known
        .into_iter()
        .filter(is_as_long)
        .map(|name| (damerau_levenshtein(written, name), name))
        .filter(|(distance, name)| *distance <= most(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{nearest, path, quote};

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(quote("a\x1b[31mred\r\nb\u{202e}c\0"), "a [31mred b c");
    }

    #[test]
    fn control_characters_in_a_path_are_escaped() {
        let shown = path(Path::new("/a b/\x1b[31m\n\u{202e}é"));
        assert_eq!(shown, "/a b/\\u{1b}[31m\\u{a}\\u{202e}é");
    }

    #[test]
    fn long_text_is_cut_at_200_characters() {
        let shown = quote(&"é".repeat(500));
        assert_eq!(shown.chars().count(), 201, "200 characters and an ellipsis");
    }

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(
            nearest("cloudid", ["cloud_id", "client_id"]),
            Some("cloud_id")
        );
        assert_eq!(nearest("zzz", ["cloud_id", "client_id"]), None);
        assert_eq!(nearest(&"z".repeat(4 << 20), ["cloud_id"]), None, "skipped");
    }
}
