//! Our lines in a file that has comments. They are between two marker lines. The first marker
//! contains a checksum of the lines between them, so that we never remove text that the user wrote.
//!
//! ```text
//! # >>> cloudconnexa-auth setup git (5d41402a) >>>
//! …
//! # <<< cloudconnexa-auth <<<
//! ```
//!
//! `, new file` in the first marker means that the file did not exist. `, no last line feed` means
//! that the file did not end in a line feed. With the markers it always ends in one: a line that is
//! appended later must not become part of the last marker.

use std::ops::Range;

use hmac_sha256::Hash;

use super::{Edit, EditError};

const CLOSING: &str = "# <<< cloudconnexa-auth <<<";

/// The lines between the markers, and their position.
#[derive(Debug)]
pub(super) struct Block {
    /// The range with both markers and the end of the last line, if it has one.
    range: Range<usize>,
    /// The lines between the markers, with LF line endings.
    pub(super) body: String,
    is_new_file: bool,
    /// Whether the file did not end in a line feed before the block was added.
    was_unended: bool,
    eol: &'static str,
    /// Whether the last line has a line ending.
    is_ended: bool,
}

impl Block {
    /// Finds the block in a text.
    pub(super) fn find(text: &str, tool: &str) -> Result<Option<Self>, EditError> {
        let mark = format!("# >>> cloudconnexa-auth setup {tool} (");
        let lines: Vec<Line<'_>> = lines(text).collect();
        let is_mark = |line: &&Line<'_>| line.text.starts_with(&mark) || line.text == CLOSING;
        let mut marks = lines.iter().filter(is_mark);
        let Some(opening) = marks.next() else {
            return Ok(None);
        };
        let changed = EditError::Changed {
            line: opening.number,
        };
        let Some(closing) = marks.next().filter(|closing| closing.text == CLOSING) else {
            return Err(changed);
        };
        if marks.next().is_some() {
            return Err(changed);
        }
        let inside = lines
            .iter()
            .filter(|line| line.number > opening.number && line.number < closing.number);
        let inside: Vec<&str> = inside.map(|line| line.text).collect();
        let block = Self {
            range: opening.range.start..closing.range.end,
            body: inside.join("\n"),
            is_new_file: opening.text.contains(", new file) "),
            was_unended: opening.text.contains(", no last line feed) "),
            eol: if opening.eol == "\r\n" { "\r\n" } else { "\n" },
            is_ended: !closing.eol.is_empty(),
        };
        if block.opening(tool) == opening.text {
            Ok(Some(block))
        } else {
            Err(changed)
        }
    }

    fn opening(&self, tool: &str) -> String {
        let mut hash = Hash::new();
        hash.update([0]);
        hash.update(&self.body);
        let digest = hash.finalize();
        let digits = digest
            .iter()
            .take(4)
            .fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte));
        let before = match (self.is_new_file, self.was_unended) {
            (true, _) => ", new file",
            (false, true) => ", no last line feed",
            (false, false) => "",
        };
        format!("# >>> cloudconnexa-auth setup {tool} ({digits:08x}{before}) >>>")
    }

    /// The lines of the block, without the line ending of the last one.
    fn render(&self, tool: &str) -> String {
        let mut lines = vec![self.opening(tool)];
        lines.extend(self.body.split('\n').map(str::to_owned));
        lines.push(CLOSING.to_owned());
        lines.join(self.eol)
    }

    fn with_body(body: String, eol: &'static str) -> Self {
        Self {
            range: 0..0,
            body,
            is_new_file: false,
            was_unended: false,
            eol,
            is_ended: true,
        }
    }
}

/// Creates a new file that contains only the block.
pub(super) fn new_file(tool: &str, body: String) -> Edit {
    let block = Block {
        is_new_file: true,
        ..Block::with_body(body, "\n")
    };
    Edit::new_file(block.render(tool) + "\n")
}

/// Appends the block at the end of the text.
pub(super) fn append(text: &str, tool: &str, body: String) -> Edit {
    let eol = eol_of(text);
    let was_unended = !text.is_empty() && !text.ends_with('\n');
    let block = Block {
        was_unended,
        ..Block::with_body(body, eol)
    };
    let mut edit = Edit::of(text);
    let end = text.len();
    let before = if was_unended { eol } else { "" };
    edit.splice(end..end, &format!("{before}{}{eol}", block.render(tool)));
    edit
}

/// Inserts the block after the line that ends at `end`. That line must have a line ending.
pub(super) fn insert(text: &str, end: usize, tool: &str, body: String) -> Edit {
    let eol = eol_of(text);
    let mut edit = Edit::of(text);
    let lines = Block::with_body(body, eol).render(tool);
    edit.splice(end..end, &(lines + eol));
    edit
}

/// Replaces the lines of the block.
pub(super) fn update(text: &str, tool: &str, block: Block, body: String) -> Edit {
    let mut edit = Edit::of(text);
    if block.body != body {
        let end = if block.is_ended { block.eol } else { "" };
        let new = Block { body, ..block };
        edit.splice(new.range.clone(), &(new.render(tool) + end));
    }
    edit
}

/// Removes the block from the text.
pub(super) fn remove(text: &str, tool: &str) -> Result<Edit, EditError> {
    let Some(block) = Block::find(text, tool)? else {
        return Ok(Edit::of(text));
    };
    let mut edit = Edit::of(text);
    let mut range = block.range.clone();
    // Text that the user appended needs the line ending before the block.
    let is_last = range.end == text.len();
    let is_unended = is_last && block.was_unended;
    let before = text.get(..range.start).unwrap_or_default();
    if is_unended && before.ends_with(block.eol) {
        range.start -= block.eol.len();
    }
    edit.splice(range, "");
    if block.is_new_file && edit.text().is_empty() {
        return Ok(edit.remove_file());
    }
    Ok(edit)
}

/// Adds the block or repairs it. `body` returns the new lines from the current lines and the
/// surrounding text. It returns nothing if no block is needed.
pub(super) fn put(
    text: Option<&str>,
    tool: &str,
    body: impl FnOnce(&str, &str) -> Result<Option<String>, EditError>,
) -> Result<Edit, EditError> {
    let Some(text) = text else {
        let body = body("", "")?.unwrap_or_default();
        return Ok(new_file(tool, body));
    };
    let Some(block) = Block::find(text, tool)? else {
        let wanted = body("", text)?;
        return Ok(match wanted {
            Some(body) => append(text, tool, body),
            None => Edit::of(text),
        });
    };
    let around = remove(text, tool)?;
    let wanted = body(&block.body, around.text())?;
    Ok(match wanted {
        Some(body) => update(text, tool, block, body),
        None => Edit::of(text),
    })
}

/// A line of a text.
#[derive(Debug, Clone)]
pub(super) struct Line<'a> {
    /// The line number, from 1.
    pub(super) number: usize,
    /// The range with the line ending.
    pub(super) range: Range<usize>,
    /// The range without the line ending.
    pub(super) text: &'a str,
    /// `\n`, `\r\n`, or empty for an unterminated last line.
    pub(super) eol: &'a str,
}

/// Returns the lines of a text.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .enumerate()
        .map(move |(index, whole)| {
            let range = start..start + whole.len();
            start = range.end;
            let text = whole
                .strip_suffix("\r\n")
                .or_else(|| whole.strip_suffix('\n'));
            let text = text.unwrap_or(whole);
            Line {
                number: index + 1,
                range,
                text,
                eol: whole.get(text.len()..).unwrap_or_default(),
            }
        })
}

/// Returns the line ending of a text: that of the last terminated line.
fn eol_of(text: &str) -> &'static str {
    let last = text.rfind('\n').and_then(|at| text.get(..at));
    match last {
        Some(before) if before.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Rejects a text whose last line continues, because appended text would become part of it.
pub(super) fn refuse_open_end(text: &str) -> Result<(), EditError> {
    match lines(text).last() {
        Some(line) if line.text.ends_with('\\') => {
            let problem = "the last line goes on, and there is nothing behind it";
            Err(EditError::at(text, line.range.start, problem))
        }
        _ => Ok(()),
    }
}
