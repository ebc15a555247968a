//! `logout`: removes from the configuration file exactly the bytes that `store` added. Everything
//! else in the file is unchanged.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr as _;

use toml_edit::{Document, DocumentMut, Item, Table};

use super::default::{is_cleared_by_removal, is_superfluous_after_removal, with_default};
use super::edit::{Editing, read_old, write, written};
use super::{ProfileError, Profiles, load};
use crate::system::file;

/// Removes the profile from the file. If it was the default, or if no default was set, no profile
/// is the default afterwards. If the file is then empty, it is removed.
///
/// # Errors
/// If the file cannot be read, locked or written, or if the change would affect the rest of the
/// file.
pub(crate) fn remove(editing: &Editing<'_>, name: &str) -> Result<(), ProfileError> {
    let path = editing.path()?;
    let unwritable = |error| ProfileError::Unwritable {
        path: path.clone(),
        error,
    };
    let guard = editing.lock(&path)?;
    let old = read_old(&path)?;
    let mut before = load::parse(&path, &old, editing.environment)?;
    if before.named(name).is_none() {
        return Ok(());
    }
    let is_cleared = is_cleared_by_removal(&before, name);
    let has_key = before.is_default_cleared || before.default.as_deref() == Some(name);
    let is_last = before.all.iter().all(|profile| profile.name == name);
    let is_superfluous = is_superfluous_after_removal(&old, &before, name);
    if is_superfluous {
        before.default = None;
    }
    let mut new = without(&old, name, is_superfluous || (has_key && is_last));
    if is_cleared && let Some(text) = new {
        new = Some(with_default(&path, &text, "", "")?);
    }
    let after = new
        .as_deref()
        .map(|new| load::parse(&path, new, editing.environment));
    let (Some(new), Some(Ok(after))) = (new, after) else {
        return Err(unwritable(by_hand(name)));
    };
    if !is_before_without(&before, &after, name) {
        return Err(unwritable(by_hand(name)));
    }
    if new.is_empty() && !is_link(&path) {
        return file::remove_all_of(&path, &guard).map_err(unwritable);
    }
    write(&path, &new, &guard).map_err(unwritable)
}

fn by_hand(name: &str) -> io::Error {
    io::Error::other(format!(
        "[profiles.{name}] cannot be taken out without harm to the rest; remove it by hand"
    ))
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Whether that profile is the only difference.
fn is_before_without(before: &Profiles, after: &Profiles, name: &str) -> bool {
    let kept = before.all.iter().filter(|profile| profile.name != name);
    let default = before.default.as_deref().filter(|default| *default != name);
    kept.eq(after.all.iter()) && after.default.as_deref() == default
}

/// Returns the text without the profile; `None` if the text is not valid TOML.
pub(super) fn without(text: &str, name: &str, with_default: bool) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let table = document
        .get("profiles")
        .and_then(Item::as_table)
        .and_then(|profiles| profiles.get(name))
        .and_then(Item::as_table)
        .filter(|table| !table.is_dotted());
    let Some(table) = table else {
        return without_inline(text, name, with_default);
    };
    let mut cuts = Vec::new();
    headed(table, &mut cuts)?;
    let default = if with_default {
        let (key, value) = document.get_key_value("default_profile")?;
        Some(key.span()?.start..value.span()?.end)
    } else {
        None
    };
    cuts.extend(default.clone());
    cuts.sort_by_key(|cut| cut.start);
    // Cut from the end, so that the ranges before stay valid.
    cuts.into_iter()
        .rev()
        .try_fold(text.to_owned(), |text, cut| {
            let lines = whole_lines(&text, cut.clone());
            let (before, after) = (text.get(..lines.start)?, text.get(lines.end..)?);
            if Some(cut) == default {
                return Some(format!("{before}{after}"));
            }
            let is_open = after.is_empty() && !text.ends_with('\n');
            Some(format!("{}{after}", without_gap(before, is_open)))
        })
}

/// Removes a profile that is written as an inline table or with dotted keys.
fn without_inline(text: &str, name: &str, with_default: bool) -> Option<String> {
    let mut document = DocumentMut::from_str(text).ok()?;
    document
        .get_mut("profiles")?
        .as_table_like_mut()?
        .remove(name)?;
    if with_default {
        document.remove("default_profile");
    }
    Some(written(&document, text))
}

/// Collects the ranges of a table and of its subtables that have their own header.
fn headed(table: &Table, cuts: &mut Vec<Range<usize>>) -> Option<()> {
    if !table.is_implicit() && !table.is_dotted() {
        let header = table.span()?;
        cuts.push(header.start..end_of(table).unwrap_or(header.end));
    }
    for (_, item) in table {
        match item {
            Item::Table(below) => headed(below, cuts)?,
            Item::ArrayOfTables(_) => return None,
            Item::Value(_) | Item::None => {}
        }
    }
    Some(())
}

/// Returns the end of the last value below the table's own header.
fn end_of(table: &Table) -> Option<usize> {
    let ends = table.iter().filter_map(|(_, item)| match item {
        Item::Value(value) => value.span().map(|span| span.end),
        Item::Table(below) if below.is_dotted() => end_of(below),
        _ => None,
    });
    ends.max()
}

/// Extends a range to whole lines.
fn whole_lines(text: &str, place: Range<usize>) -> Range<usize> {
    let before = text.get(..place.start).unwrap_or_default();
    let after = text.get(place.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| place.end + at + 1);
    start..end
}

/// Returns the text before a table without the empty line that [`super::store`] inserted. `is_open`
/// means that the last line of the file has no newline; then it had none before `store` either.
fn without_gap(before: &str, is_open: bool) -> &str {
    let without_end = |text: &str| {
        let text = text.strip_suffix('\n').unwrap_or(text);
        text.len() - usize::from(text.ends_with('\r'))
    };
    let shorter = before.get(..without_end(before)).unwrap_or(before);
    match (is_open, shorter.ends_with('\n')) {
        (true, true) => shorter.get(..without_end(shorter)).unwrap_or(shorter),
        (true, false) | (false, true) => shorter,
        (false, false) => before,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{is_before_without, load, without};
    use crate::system::environment::Environment;

    const TABLE: &str = "[profiles.p]\ncloud_id = \"a\"\nclient_secret = { env = \"S\" }\n";

    #[test]
    fn what_was_put_behind_a_text_is_taken_away_again() {
        for text in [
            "",
            "\n",
            "# mine",
            "# mine\n",
            "# mine\n\n",
            "a = \"\"\"\n[profiles.p]\n\"\"\"",
        ] {
            let stored = match text {
                "" => TABLE.to_owned(),
                text if text.ends_with('\n') => format!("{text}\n{TABLE}"),
                text => format!("{text}\n\n{}", TABLE.trim_end()),
            };
            assert_eq!(
                without(&stored, "p", false).as_deref(),
                Some(text),
                "{stored:?}"
            );
        }
        let dos = format!("# mine\r\n\r\n{}", TABLE.replace('\n', "\r\n"));
        assert_eq!(without(&dos, "p", false).as_deref(), Some("# mine\r\n"));
    }

    #[test]
    fn the_rest_stays_wherever_the_profile_stands() {
        for (text, expected) in [
            (format!("{TABLE}\n[profiles.q]\n# q\n"), "\n[profiles.q]\n# q\n"),
            (
                format!("# p\n{TABLE}# q\n[profiles.q]\n"),
                "# p\n# q\n[profiles.q]\n",
            ),
            (
                format!("[profiles.o] # o\n\n{TABLE}\n[profiles.q]\n"),
                "[profiles.o] # o\n\n[profiles.q]\n",
            ),
            (
                format!("default_profile = \"p\" # mine\n# then\n{TABLE}"),
                "# then\n",
            ),
            (
                "[profiles.p]\na = 1\n[profiles.q]\nb = 1\n[profiles.p.client_secret]\nenv = \"S\"\n"
                    .to_owned(),
                "[profiles.q]\nb = 1\n",
            ),
            (
                "[profiles.p]\na = 1\nclient_secret.env = \"S\"\n\n[profiles.q]\n".to_owned(),
                "\n[profiles.q]\n",
            ),
            (
                "[profiles.p.client_secret]\nenv = \"S\"\n\n[profiles.q]\n".to_owned(),
                "\n[profiles.q]\n",
            ),
            (
                "[profiles]\np.cloud_id = \"a\"\nq.cloud_id = \"b\" # b\n".to_owned(),
                "[profiles]\nq.cloud_id = \"b\" # b\n",
            ),
            (
                "profiles = { p = { a = 1 }, q = { b = 1 } } # both\n".to_owned(),
                "profiles = { q = { b = 1 } } # both\n",
            ),
            (
                "# mine\r\nprofiles = { p = { a = 1 }, q = { b = 1 } } # open".to_owned(),
                "# mine\r\nprofiles = { q = { b = 1 } } # open",
            ),
        ] {
            let with_default = text.starts_with("default_profile");
            assert_eq!(
                without(&text, "p", with_default).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn nothing_but_the_profile_may_be_gone() {
        let profiles = |default: &str, names: &[&str]| {
            let one = |name: &&str| {
                format!(
                    "[profiles.{name}]\ncloud_id = \"a\"\nclient_id = \"x.a\"\n\
                     client_secret = {{ env = \"S\" }}\n"
                )
            };
            let text = default.to_owned() + &names.iter().map(one).collect::<String>();
            load::parse(Path::new("c.toml"), &text, &Environment::Given([].into())).unwrap()
        };
        let (is_p, is_q) = ("default_profile = \"p\"\n", "default_profile = \"q\"\n");
        let before = profiles(is_q, &["p", "q"]);
        let holds = |after| is_before_without(&before, &after, "p");
        assert!(holds(profiles(is_q, &["q"])));
        assert!(!holds(profiles("", &["q"])), "the default changed");
        assert!(!holds(profiles(is_q, &["q", "r"])), "a profile was added");
        assert!(!holds(profiles(is_q, &["p", "q"])), "the profile remains");
        assert!(!holds(profiles("", &[])), "all profiles were removed");
        let before = profiles(is_p, &["p", "q"]);
        assert!(is_before_without(&before, &profiles("", &["q"]), "p"));
    }
}
