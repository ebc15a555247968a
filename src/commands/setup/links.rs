//! Links with other names for this program. `setup` recognises its own links by their target: it
//! contains `/./` before the program's name, which is unlikely in a link made by hand.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::diagnostics::error::SetupError;
use crate::system::environment::Environment;
use crate::tool_config::Link;

const PROGRAM: &str = "cloudconnexa-auth";

/// The path of this program, and the directories for its links.
pub(super) struct Links<'a> {
    pub(super) environment: &'a Environment,
    /// The program's path. It is the path on `PATH` if that leads to this program, because that
    /// path stays the same after an update.
    pub(super) program: PathBuf,
    /// The program's path with all links resolved.
    real: PathBuf,
    folders: Vec<PathBuf>,
}

/// The path of a link that exists or will be created.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) is_there: bool,
}

impl<'a> Links<'a> {
    pub(super) fn look(environment: &'a Environment) -> io::Result<Self> {
        let real = fs::canonicalize(std::env::current_exe()?)?;
        let listed = environment.raw("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&listed).filter(|folder| folder.is_absolute());
        let mut links = Self {
            environment,
            program: real.clone(),
            real,
            folders: folders.collect(),
        };
        if let Some(found) = links.first(PROGRAM).filter(|found| links.is_us(found)) {
            links.program = found;
        }
        Ok(links)
    }

    /// The first file with this name in an absolute directory of `PATH`.
    pub(super) fn first(&self, name: &str) -> Option<PathBuf> {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let paths = self.folders.iter().map(|folder| folder.join(&name));
        paths.into_iter().find(|path| path.is_file())
    }

    /// Whether `PATH` finds this file by its name, or will find it once it exists.
    pub(super) fn is_first(&self, path: &Path) -> bool {
        let Some(name) = path.file_name() else {
            return false;
        };
        let mut paths = self.folders.iter().map(|folder| folder.join(name));
        paths
            .find(|other| other == path || other.is_file())
            .as_deref()
            == Some(path)
    }

    /// Whether the file is this program. On Windows, which has copies instead of links, every file
    /// with the name counts.
    fn is_us(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| cfg!(windows) || path == self.real)
    }

    /// Whether the file is a link that `setup` created, with any target.
    fn is_made(path: &Path) -> bool {
        let target = fs::read_link(path).unwrap_or_default();
        target.to_string_lossy().contains("/./cloudconnexa-auth")
    }

    /// The target of links to this program.
    pub(super) fn target(&self) -> PathBuf {
        let folder = self.program.parent().unwrap_or(Path::new("/"));
        let name = self.program.file_name().unwrap_or_default();
        // `join` keeps the dot; a comparison of paths ignores it.
        folder.join(".").join(name)
    }

    /// The possible paths of a link: in the tool's own directory; or beside the program or in the
    /// user's directory of programs.
    fn places(&self, link: &Link) -> Vec<PathBuf> {
        let name = format!("{}{}", link.name, std::env::consts::EXE_SUFFIX);
        let folders = match link.folder {
            Some(folder) => vec![folder(self.environment)],
            None => vec![
                self.program.parent().map(Path::to_owned),
                self.environment.home().map(|home| home.join(".local/bin")),
            ],
        };
        let folders = folders.into_iter().flatten();
        folders.map(|folder| folder.join(&name)).collect()
    }

    /// The existing link with this name, or the path for a new one.
    pub(super) fn find(&self, link: &Link) -> Result<Place, SetupError> {
        let is_there = true;
        let places = self.places(link);
        let on_path = self.first(link.name).filter(|_| link.folder.is_none());
        let known = on_path.iter().chain(&places).find(|path| self.is_us(path));
        if let Some(path) = known.cloned() {
            return Ok(Place { path, is_there });
        }
        let is_free = |path: &Path| fs::symlink_metadata(path).is_err() || Self::is_made(path);
        let mut free = places.iter().filter(|path| is_free(path));
        match free.find(|path| can_write(path.parent().unwrap_or(path))) {
            Some(path) if cfg!(unix) => Ok(Place {
                path: path.clone(),
                is_there: false,
            }),
            _ => match places.iter().find(|path| !is_free(path)) {
                Some(path) => Err(SetupError::LinkTaken(path.clone())),
                None => Err(SetupError::NoLinkFolder(link.name)),
            },
        }
    }

    /// The links with this name that `setup` created.
    pub(super) fn made(&self, link: &Link) -> Vec<PathBuf> {
        let mut places = self.places(link);
        places.retain(|path| Self::is_made(path));
        places
    }

    /// Creates a link.
    pub(super) fn make(&self, place: &Place) -> io::Result<()> {
        if let Some(folder) = place.path.parent() {
            fs::create_dir_all(folder)?;
        }
        if Self::is_made(&place.path) {
            fs::remove_file(&place.path)?;
        }
        make_link(&self.target(), &place.path)
    }
}

/// Whether a file can be created in a directory, which itself may have to be created.
#[cfg(unix)]
fn can_write(folder: &Path) -> bool {
    use rustix::fs::{Access, access};
    let there = folder.ancestors().find(|folder| folder.exists());
    there.is_some_and(|folder| folder.is_dir() && access(folder, Access::WRITE_OK).is_ok())
}

#[cfg(not(unix))]
fn can_write(_folder: &Path) -> bool {
    false
}

#[cfg(unix)]
fn make_link(target: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_link(_target: &Path, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
