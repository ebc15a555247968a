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

/// The most that is read of a tool's file.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// The changes for one tool; possibly none.
pub(super) enum Plan {
    /// Edits of files.
    Edits(Vec<(TextFile, Edit)>),
    /// Commands of the tool, which change the file at this path.
    Commands(ToolProgram, PathBuf, Vec<ToolCommand>),
}

impl Plan {
    /// Returns the changes that add our part.
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

    /// Returns the changes that remove our part.
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

    /// The files that are changed.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Edits(edits) => edits.iter().map(|(file, _)| file.path.clone()).collect(),
            Self::Commands(_, _, commands) if commands.is_empty() => Vec::new(),
            Self::Commands(_, path, _) => vec![path.clone()],
        }
    }

    /// The changes for the user to see. They hold no line of the user's own.
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

    /// Makes the changes. A new file gets the mode `new_mode`.
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
    // The tool would replace a device by a file.
    check_regular(&path)?;
    let Some(program) = links.first(tool.name) else {
        let tool = tool.name;
        return Err(SetupError::NotInstalled { tool, path });
    };
    let program = ToolProgram::new(tool.name, program, links.environment);
    Ok((program, path))
}

/// Refuses what is not a regular file: a device, a directory, a link to a missing file.
fn check_regular(path: &Path) -> Result<(), SetupError> {
    let problem = match (path.is_file(), fs::symlink_metadata(path).is_ok()) {
        (true, _) | (false, false) => return Ok(()),
        _ if path.exists() => "not a regular file",
        _ => "a link that leads nowhere",
    };
    let error = ReadError::Foreign(problem);
    Err(SetupError::Unreadable(path.to_owned(), error))
}

/// What is changed in a file, line by line; nothing of what stands around it.
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

/// A tool's file as it is.
pub(super) struct TextFile {
    pub(super) path: PathBuf,
    /// Nothing where there is none.
    text: Option<String>,
}

impl TextFile {
    /// Which file it is.
    pub(super) fn path(place: &Place) -> PathBuf {
        let found = place.candidates.iter().find(|path| path.exists());
        found.unwrap_or(&place.usual).clone()
    }

    /// Every file that it may be.
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

    /// Writes what became of it, unless somebody else wrote it in the meantime.
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
            // What a link leads to is the user's, also where the file was ours.
            None if self.path.is_symlink() => rewrite(""),
            None => check().and_then(|()| file::remove(&self.path)),
        }
        .map_err(|error| SetupError::Unwritable(self.path.clone(), error))
    }
}
