//! The changes that `setup` makes for one tool: edits of files, or commands of the tool.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::links::Links;
use super::refused;
use crate::diagnostics::error::SetupError;
use crate::system::clock::Clock;
use crate::system::file::{self, ReadError, Trust};
use crate::tool_config::{
    Change, CommandEditor, Edit, FileEditor, Method, Place, SetupRequest, ToolCommand, ToolEditor,
    ToolProgram,
};

/// The largest tool file that is read, in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The changes for one tool; may be empty.
pub(super) enum Plan {
    Edits(Vec<(TextFile, Edit)>),
    /// Commands of the tool that change the file at this path.
    Commands(ToolProgram, PathBuf, Vec<ToolCommand>),
}

impl Plan {
    /// Returns the changes that add this program.
    pub(super) fn add(
        tool: &ToolEditor,
        links: &Links<'_>,
        place: &Place,
        request: &SetupRequest,
    ) -> Result<Self, SetupError> {
        let plan = match &tool.method {
            Method::File(FileEditor { add, .. }) => {
                let file = TextFile::read(TextFile::path(place))?;
                let edit = add(file.text.as_deref(), request);
                let edit = edit.map_err(|error| refused(tool, Some(&file.path), error))?;
                Self::Edits(vec![(file, edit)])
            }
            Method::Command(CommandEditor { add, .. }) => {
                let (program, path) = program(tool, links, place)?;
                let commands = add(&program, place, request);
                let commands = commands.map_err(|error| refused(tool, Some(&path), error))?;
                Self::Commands(program, path, commands)
            }
        };
        Ok(plan.without_unchanged())
    }

    /// Returns the changes that remove this program.
    pub(super) fn remove(
        tool: &ToolEditor,
        links: &Links<'_>,
        place: &Place,
    ) -> Result<Self, SetupError> {
        let plan = match &tool.method {
            Method::File(FileEditor { remove, .. }) => {
                let mut edits = Vec::new();
                for file in TextFile::all(place)? {
                    let Some(text) = &file.text else { continue };
                    let edit = remove(text);
                    let edit = edit.map_err(|error| refused(tool, Some(&file.path), error))?;
                    edits.push((file, edit));
                }
                Self::Edits(edits)
            }
            Method::Command(CommandEditor { remove, .. }) => {
                let (program, path) = program(tool, links, place)?;
                let commands = remove(&program, place);
                let commands = commands.map_err(|error| refused(tool, Some(&path), error))?;
                Self::Commands(program, path, commands)
            }
        };
        Ok(plan.without_unchanged())
    }

    fn without_unchanged(mut self) -> Self {
        if let Self::Edits(edits) = &mut self {
            edits.retain(|(_, edit)| !edit.changes.is_empty());
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths().is_empty()
    }

    /// The paths of the files to change.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Edits(edits) => edits.iter().map(|(file, _)| file.path.clone()).collect(),
            Self::Commands(_, _, commands) if commands.is_empty() => Vec::new(),
            Self::Commands(_, path, _) => vec![path.clone()],
        }
    }

    /// The changes to show to the user. They contain none of the user's own lines.
    pub(super) fn show(&self) -> Vec<String> {
        match self {
            Self::Edits(edits) => {
                let mut shown = Vec::new();
                for (file, edit) in edits {
                    shown.extend(show(&file.path, &edit.changes, file.text.is_none()));
                    if edit.text.is_none() {
                        shown.push(format!("- file {}", crate::types::quote::path(&file.path)));
                    }
                }
                shown
            }
            Self::Commands(program, _, commands) => {
                let show = |command| format!("+ {}", program.show(command));
                commands.iter().map(show).collect()
            }
        }
    }

    /// Applies the changes. A new file gets the mode `new_mode`.
    pub(super) fn apply(
        &self,
        tool: &ToolEditor,
        new_mode: u32,
        clock: &dyn Clock,
    ) -> Result<(), SetupError> {
        match self {
            Self::Edits(edits) => edits
                .iter()
                .try_for_each(|(file, edit)| file.write(edit, new_mode)),
            Self::Commands(program, path, commands) => commands
                .iter()
                .try_for_each(|command| program.run(command, clock))
                .map_err(|error| refused(tool, Some(path), error)),
        }
    }
}

/// The tool's program and the file that it changes.
fn program(
    tool: &ToolEditor,
    links: &Links<'_>,
    place: &Place,
) -> Result<(ToolProgram, PathBuf), SetupError> {
    let path = TextFile::path(place);
    // The tool would replace a device with a file.
    check_regular(&path)?;
    let Some(program) = links.first(tool.name) else {
        let tool = tool.name;
        return Err(SetupError::NotInstalled { tool, path });
    };
    let program = ToolProgram::new(tool.name, program, links.environment);
    Ok((program, path))
}

/// Rejects anything but a regular file: a device, a directory, a link to a missing file.
fn check_regular(path: &Path) -> Result<(), SetupError> {
    let problem = match (path.is_file(), fs::symlink_metadata(path).is_ok()) {
        (true, _) | (false, false) => return Ok(()),
        _ if path.exists() => "not a regular file",
        _ => "a link that leads nowhere",
    };
    let error = ReadError::Foreign(problem);
    Err(SetupError::Unreadable(path.to_owned(), error))
}

/// The changed lines of a file, without the lines around them.
fn show(path: &Path, changes: &[Change], is_new: bool) -> Vec<String> {
    let mut shown = Vec::new();
    for change in changes {
        let place = if is_new {
            "a new file".to_owned()
        } else {
            format!("line {}", change.line)
        };
        shown.push(format!("{}, {place}:", crate::types::quote::path(path)));
        for (mark, text) in [('-', &change.removed), ('+', &change.added)] {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            shown.extend(lines.map(|line| format!("{mark} {line}")));
        }
    }
    shown
}

/// A tool's file with its current text.
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    /// `None` if the file does not exist.
    text: Option<String>,
}

impl TextFile {
    /// The path of the tool's file.
    pub(super) fn path(place: &Place) -> PathBuf {
        let found = place.candidates.iter().find(|path| path.exists());
        found.unwrap_or(&place.usual).clone()
    }

    /// The files at all paths that the tool may use.
    fn all(place: &Place) -> Result<Vec<Self>, SetupError> {
        place.paths().cloned().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Result<Self, SetupError> {
        check_regular(&path)?;
        let bytes = match file::read(&path, LARGEST_FILE, Trust::Anything) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(Self { path, text: None }),
            Err(error) => return Err(SetupError::Unreadable(path, error)),
        };
        match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(Self {
                path,
                text: Some(text),
            }),
            Err(_) => Err(SetupError::Unreadable(
                path,
                ReadError::Foreign("not UTF-8 text"),
            )),
        }
    }

    /// Writes the changed text, unless another program has changed the file since it was read.
    fn write(&self, edit: &Edit, new_mode: u32) -> Result<(), SetupError> {
        let check = || match Self::read(self.path.clone()) {
            Ok(file) if file.text == self.text => Ok(()),
            _ => Err(io::Error::other(
                "another program changed it just now; try again",
            )),
        };
        let rewrite = |text: &str| file::rewrite(&self.path, text.as_bytes(), new_mode, check);
        match &edit.text {
            Some(text) => rewrite(text),
            // The target of a link belongs to the user, even if `setup` wrote all of its text. So
            // it is emptied, not removed.
            None if self.path.is_symlink() => rewrite(""),
            None => check().and_then(|()| file::remove(&self.path)),
        }
        .map_err(|error| SetupError::Unwritable(self.path.clone(), error))
    }
}
