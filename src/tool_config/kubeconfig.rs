//! The users of a kubeconfig, as far as lines tell: the outermost mapping in block style. What is
//! written in another way is refused rather than guessed at.

use std::ops::Range;

use super::Refusal;
use super::block::{Line, lines};

/// Where a user can be put.
#[derive(Debug)]
pub(super) enum Users<'a> {
    /// There is no such key.
    Absent,
    /// The key has no value, `[]` or `null`.
    Empty(Line<'a>),
    /// A list: the key's line, the white space in front of each item, the users.
    List(Line<'a>, &'a str, Vec<User<'a>>),
}

/// A user.
#[derive(Debug)]
pub(super) struct User<'a> {
    pub(super) name: &'a str,
    /// Its lines.
    pub(super) range: Range<usize>,
}

/// Finds it.
pub(super) fn users(text: &str) -> Result<Users<'_>, Refusal> {
    let mut key: Option<Line<'_>> = None;
    let mut is_inside = false;
    let mut has_key = false;
    let mut indent: Option<&str> = None;
    let mut items: Vec<User<'_>> = Vec::new();
    for line in lines(text) {
        let content = line.text.trim_start_matches(' ');
        let depth = line.text.len() - content.len();
        let refuse = |problem: &str| Err(Refusal::at(text, line.range.start + depth, problem));
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if content.starts_with('\t') {
            return refuse("a tab, with which YAML does not indent");
        }
        if depth == 0 && (line.text == "---" && key.is_none() && line.number == 1) {
            continue;
        }
        let is_item = content == "-" || content.starts_with("- ");
        if depth == 0 && !is_item {
            let Some(name) = key_of(content) else {
                return refuse("not a key of a mapping in block style");
            };
            has_key = true;
            is_inside = name == "users";
            if is_inside {
                if key.is_some() {
                    return refuse("`users` stands there twice");
                }
                key = Some(line);
            }
            continue;
        }
        if !has_key {
            return refuse("not a mapping that begins in the first column");
        }
        if is_inside {
            if is_item && indent.is_none() {
                indent = line.text.get(..depth);
            } else if indent.is_none() {
                return refuse("`users` is not a list in block style");
            }
            let width = indent.map_or(0, str::len);
            if is_item && depth == width {
                items.push(User {
                    name: "",
                    range: line.range.clone(),
                });
            }
            if let Some(item) = items.last_mut() {
                item.range.end = line.range.end;
                let member = content.strip_prefix('-').unwrap_or(content).trim_start();
                let name = member.strip_prefix("name:").filter(|_| depth <= width + 2);
                item.name = name.map_or(item.name, |name| plain(name).trim_matches(['"', '\'']));
            }
        }
    }
    let Some(key) = key else {
        return Ok(Users::Absent);
    };
    let value = plain(key.text.split_once(':').map_or("", |(_, value)| value));
    match (value, indent) {
        ("", Some(indent)) => Ok(Users::List(key, indent, items)),
        ("" | "[]" | "null" | "~", None) => Ok(Users::Empty(key)),
        _ => {
            let at = key.range.start;
            Err(Refusal::at(
                text,
                at,
                "`users` is not a list in block style",
            ))
        }
    }
}

/// The key of a line, where it is a plain one.
fn key_of(content: &str) -> Option<&str> {
    let (name, rest) = content.split_once(':')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_key = !name.is_empty() && name.chars().all(is_plain);
    (is_key && (rest.is_empty() || rest.starts_with(' '))).then_some(name)
}

/// A value without the comment behind it.
fn plain(value: &str) -> &str {
    let end = value.find(" #").unwrap_or(value.len());
    value.get(..end).unwrap_or_default().trim()
}
