//! A text that is being edited, and what the user is shown of it.

use std::ops::Range;

/// A text under work.
#[derive(Debug, Default)]
pub(crate) struct Edit {
    /// The text; nothing where there is no file.
    pub(crate) text: Option<String>,
    /// What was done to it, in this order. Nothing of what stood around it: that may be secret.
    pub(crate) changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The line at which it begins, from 1.
    pub(crate) line: usize,
    /// What was taken out.
    pub(crate) removed: String,
    /// What was put in its place.
    pub(crate) added: String,
}

impl Edit {
    /// A text, not changed so far.
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: Some(text.to_owned()),
            changes: Vec::new(),
        }
    }

    /// A file to be made.
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

    /// The text.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Puts `added` in the place of `range`.
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

    /// Takes the file away.
    pub(super) fn remove_file(mut self) -> Self {
        self.text = None;
        self
    }
}
