//! Finds the positions of the members of a JSON object, so that a text can be changed without being
//! rewritten. `serde_json` has already parsed the text.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::EditError;
use crate::types::quote::quote;

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) key: String,
    /// The position at which the key begins.
    pub(super) start: usize,
    pub(super) value: Range<usize>,
}

/// Returns the position of the outermost object. Any other text is rejected.
pub(super) fn check(text: &str) -> Result<usize, EditError> {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let said = error.to_string();
        let problem = said.split(" at line ").next().unwrap_or_default();
        return Err(EditError::Broken {
            line: error.line().max(1),
            column: error.column().max(1),
            problem: quote(problem),
        });
    }
    let start = skip_white(text, 0);
    if byte(text, start) == Some(b'{') {
        Ok(start)
    } else {
        Err(EditError::at(text, start, "not a JSON object"))
    }
}

/// Returns the members of the object that begins at `start`.
pub(super) fn members(text: &str, start: usize) -> Vec<Member> {
    let mut members = Vec::new();
    let mut at = skip_white(text, start + 1);
    while byte(text, at) == Some(b'"') {
        let key = at..end_of_string(text, at);
        let name = text.get(key.clone()).unwrap_or_default();
        let colon = skip_white(text, key.end);
        let value = skip_white(text, colon + 1);
        let value = value..end_of_value(text, value);
        at = skip_white(text, value.end);
        members.push(Member {
            key: serde_json::from_str(name).unwrap_or_default(),
            start: key.start,
            value,
        });
        if byte(text, at) == Some(b',') {
            at = skip_white(text, at + 1);
        }
    }
    members
}

/// Returns the white space before `at`.
pub(super) fn white_before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let kept = before.trim_end_matches([' ', '\t', '\r', '\n']).len();
    before.get(kept..).unwrap_or_default()
}

fn byte(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at).copied()
}

fn skip_white(text: &str, mut at: usize) -> usize {
    while matches!(byte(text, at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

fn end_of_string(text: &str, start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match byte(text, at) {
            None => return at,
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
        }
    }
}

fn end_of_value(text: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match byte(text, at) {
            None => return at,
            Some(b'"') => at = end_of_string(text, at),
            Some(b'{' | b'[') => {
                depth += 1;
                at += 1;
                continue;
            }
            Some(b'}' | b']') => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            Some(b',' | b' ' | b':' | b'\t' | b'\r' | b'\n') => {
                at += 1;
                continue;
            }
            Some(_) => {
                let is_end = |b: &u8| b",]} \t\r\n".contains(b);
                let rest = text.as_bytes().get(at..).unwrap_or_default();
                at += rest.iter().position(is_end).unwrap_or(rest.len());
            }
        }
        if depth == 0 {
            return at;
        }
    }
}
