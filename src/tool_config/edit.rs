//! A text that is being edited, and the changes that are shown to the user.

use std::ops::Range;

/// The text of a file, and the changes made to it.
#[derive(Debug, Default)]
pub(crate) struct Edit {
    /// The text; `None` if there is no file.
    pub(crate) text: Option<String>,
    /// The changes, in order. They contain no surrounding text, because it may be secret.
    pub(crate) changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The line number at which the change begins, from 1.
    pub(crate) line: usize,
    /// The removed text.
    pub(crate) removed: String,
    /// The inserted text.
    pub(crate) added: String,
}

impl Edit {
    /// Starts an edit of a text, with no changes.
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: Some(text.to_owned()),
            changes: Vec::new(),
        }
    }

    /// Creates a new file.
    pub(super) fn new_file(text: String) -> Self {
        let change = Change {
            line: 1,
            removed: String::new(),
            added: text.clone(),
        };
        Self {
            text: Some(text),
            changes: vec![change],
        }
    }

    /// Returns the current text.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Replaces `range` with `added`.
    pub(super) fn splice(&mut self, range: Range<usize>, added: &str) {
        let text = self.text();
        let (Some(before), Some(removed), Some(after)) = (
            text.get(..range.start),
            text.get(range.clone()),
            text.get(range.end..),
        ) else {
            return;
        };
        let change = Change {
            line: before.matches('\n').count() + 1,
            removed: removed.to_owned(),
            added: added.to_owned(),
        };
        self.text = Some([before, added, after].concat());
        self.changes.push(change);
    }

    /// Deletes the file.
    pub(super) fn remove_file(mut self) -> Self {
        self.text = None;
        self
    }
}
