//! `setup`: this program in a tool's own configuration, and out of it again. What is written where
//! is the business of `wiring`; here are the files, the links and the profile.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::cli::{SetupOptions, UsageError};
use crate::config::{Profile, choose_for};
use crate::diagnostics::error::{Error, SetupError};
use crate::system::file::{self, ReadError, Trust};
use crate::tool_config::{Change, Draft, Host, Place, Refusal, TOOLS, Tool, Wish};
use crate::types::quote::{nearest, quote};
use crate::types::uri::{Origin, Uri};

mod links;
pub(super) mod list;

use links::{Links, Place as LinkPlace};

/// The most that is read of a tool's file.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

#[cold]
pub(super) fn run(context: &Context<'_>, options: &SetupOptions) -> Result<Output, Error> {
    match options {
        SetupOptions::List { json } => list::run(context, *json),
        SetupOptions::Undo { tool, print } => {
            let (tool, links) = named(context, tool)?;
            undo(context, tool, &links, *print)
        }
        SetupOptions::Add { tool, hosts, print } => {
            let (tool, links) = named(context, tool)?;
            set_up(context, tool, &links, hosts, *print)
        }
    }
}

/// The tool with this name, and the links to this program.
fn named<'a>(context: &Context<'a>, name: &str) -> Result<(&'static Tool, Links<'a>), Error> {
    let names = || TOOLS.iter().map(|tool| tool.name);
    let tool = TOOLS.into_iter().find(|tool| tool.name == name);
    let tool = tool.ok_or_else(|| SetupError::UnknownTool {
        name: quote(name),
        meant: nearest(name, names()),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    let links = Links::look(context.environment).map_err(SetupError::NoProgram)?;
    Ok((tool, links))
}

/// One line on stdout.
fn said(what: &str, path: &Path) -> Output {
    Output::new(format!("{what}: {}\n", crate::types::quote::path(path)).into_bytes())
}

fn set_up(
    context: &Context<'_>,
    tool: &'static Tool,
    links: &Links<'_>,
    hosts: &[String],
    print: bool,
) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let place = place(context, tool)?;
    let file = TextFile::first(&place)?;
    let link = tool.link.map(|link| links.find(&link)).transpose()?;
    let profile = profile(&session, hosts)?;
    let wish = wish(hosts, &session, profile, tool, links, link.as_ref())?;
    let draft = (tool.add)(file.text.as_deref(), &wish);
    let draft = draft.map_err(|refusal| refused(tool, Some(&file.path), refusal))?;

    let report = context.report;
    let new_link = link.as_ref().filter(|link| !link.is_there);
    if draft.changes.is_empty() && new_link.is_none() {
        return Ok(said("already set up", &file.path));
    }
    let mut shown = show(&file.path, &draft.changes, file.text.is_none());
    if let Some(link) = new_link {
        let to = links.target();
        let (path, to) = (
            crate::types::quote::path(&link.path),
            crate::types::quote::path(&to),
        );
        shown.push(format!("+ link {path} -> {to}"));
    }
    let shown = text_of(&shown);
    if print {
        return Ok(Output::new(shown.into_bytes()));
    }
    report.change(&shown);
    if let Some(link) = new_link {
        links
            .make(link)
            .map_err(|error| SetupError::Unwritable(link.path.clone(), error))?;
    }
    if !draft.changes.is_empty() {
        let mode = if place.is_project { 0o644 } else { 0o600 };
        file.write(&draft, mode).inspect_err(|_| {
            // A link alone is of no use; that it stays would be the smaller trouble of the two.
            drop(new_link.map(|link| file::remove(&link.path)));
        })?;
    }
    warn(context, tool, links, link.as_ref());
    if let Some(next) = tool.next {
        report.waiting(&format!("next: {next}"));
    }
    Ok(said("set up", &file.path))
}

/// What does not stand in the way, and yet may surprise.
fn warn(context: &Context<'_>, tool: &Tool, links: &Links<'_>, link: Option<&LinkPlace>) {
    let needs_path = tool.link.is_some_and(|link| link.folder.is_none());
    if let Some(link) = link.filter(|link| needs_path && !links.is_first(&link.path)) {
        let folder = crate::types::quote::path(link.path.parent().unwrap_or(&link.path));
        context.report.warning(&format!(
            "`{}` is not what PATH finds under that name; put `{folder}` in front of PATH",
            crate::types::quote::path(&link.path)
        ));
    }
    let is_set = |name: &&str| context.environment.raw(name).is_some();
    if let Some(name) = tool.overridden_by.filter(is_set) {
        let text = format!("{name} is set in the environment, and wins over the file");
        context.report.warning(&text);
    }
    if context.options.config.is_some() {
        context.report.warning(&format!(
            "{} knows nothing of `--config`; set CLOUDCONNEXA_AUTH_CONFIG for it",
            tool.name
        ));
    }
}

fn undo(
    context: &Context<'_>,
    tool: &'static Tool,
    links: &Links<'_>,
    print: bool,
) -> Result<Output, Error> {
    let place = place(context, tool)?;
    let mut drafts = Vec::new();
    for file in TextFile::all(&place)? {
        let Some(text) = &file.text else { continue };
        let draft = (tool.remove)(text);
        let draft = draft.map_err(|refusal| refused(tool, Some(&file.path), refusal))?;
        if !draft.changes.is_empty() {
            drafts.push((file, draft));
        }
    }
    let own = tool.link.map(|link| links.made(&link)).unwrap_or_default();
    let first = drafts.first().map(|(file, _)| file.path.clone());
    let Some(path) = first.or_else(|| own.first().cloned()) else {
        let usual = TextFile::path(&place);
        return Ok(said("not set up, so there is nothing to undo", &usual));
    };
    let mut shown = Vec::new();
    for (file, draft) in &drafts {
        shown.extend(show(&file.path, &draft.changes, false));
        if draft.text.is_none() {
            shown.push(format!("- file {}", crate::types::quote::path(&file.path)));
        }
    }
    shown.extend(
        own.iter()
            .map(|link| format!("- link {}", crate::types::quote::path(link))),
    );
    let shown = text_of(&shown);
    if print {
        return Ok(Output::new(shown.into_bytes()));
    }
    context.report.change(&shown);
    for (file, draft) in &drafts {
        file.write(draft, 0o600)?;
    }
    for link in own {
        file::remove(&link).map_err(|error| SetupError::Unwritable(link, error))?;
    }
    Ok(said("undone", &path))
}

/// The origins of every `--host`.
fn named_origins(hosts: &[String]) -> Result<Vec<Vec<Origin>>, Error> {
    let read = |text: &String| {
        Origin::of_host(text).map_err(|error| {
            Error::from(UsageError::BadValue {
                flag: "--host".into(),
                problem: error.to_string(),
            })
        })
    };
    hosts.iter().map(read).collect()
}

/// The profile that is meant: the chosen one, that of the hosts, or the usual one.
fn profile<'a>(session: &'a Session<'_>, hosts: &[String]) -> Result<&'a Profile, Error> {
    let named = named_origins(hosts)?;
    let Some(origins) = named.first() else {
        return session.profile();
    };
    for origin in origins {
        if let Some(profile) = session.profile_for(&origin.to_string())? {
            return Ok(profile);
        }
    }
    let uri = origins.first().map(Origin::to_string);
    Err(session.not_covered(&uri.unwrap_or_default()))
}

fn wish(
    named_hosts: &[String],
    session: &Session<'_>,
    profile: &Profile,
    tool: &Tool,
    links: &Links<'_>,
    link: Option<&LinkPlace>,
) -> Result<Wish, Error> {
    let hosts = if named_hosts.is_empty() {
        Host::of_origins(&profile.origins)
    } else {
        let mut origins = Vec::new();
        for named in named_origins(named_hosts)? {
            let first = named.first().map(Origin::to_string);
            let before = origins.len();
            origins.extend(named.into_iter().filter(|origin| profile.covers(origin)));
            if origins.len() == before {
                return Err(Error::NotCovered {
                    origin: Ok(first.unwrap_or_default()),
                    profile: Some(profile.name.clone()),
                });
            }
        }
        Host::of_origins(&origins)
    };
    let is_found = |host: &Host| {
        let uri = Uri::parse(&host.url).ok();
        let found = choose_for(&session.profiles, None, uri.as_ref());
        found.is_ok_and(|found| found.is_some_and(|found| found.name == profile.name))
    };
    let is_found = if tool.tells_host {
        hosts.iter().all(is_found)
    } else {
        session.default_name() == Some(profile.name.as_str())
    };
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        // No tool's file has a way to write a line feed that all of them read.
        let text = text.filter(|text| !text.contains(char::is_control));
        text.ok_or_else(|| {
            let path = quote(&path.to_string_lossy());
            let problem = format!("the path `{path}` is not plain text");
            refused(tool, None, Refusal::Impossible(problem))
        })
    };
    let program_path = text(&links.program)?;
    let link_path = link.map(|link| text(&link.path)).transpose()?;
    let is_first = |path: &Path| links.is_first(path);
    let name = |path: &Path| {
        path.file_stem()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let called = |path: &Path, full: &str| {
        let name = name(path).filter(|_| is_first(path));
        name.unwrap_or_else(|| full.to_owned())
    };
    Ok(Wish {
        hosts,
        base_url: profile.base_url.as_ref().map(ToString::to_string),
        profile: (!is_found).then(|| profile.name.clone()),
        program: called(&links.program, &program_path),
        link: match (link, &link_path) {
            (Some(link), Some(full)) => called(&link.path, full),
            _ => String::new(),
        },
        program_path,
        link_path: link_path.unwrap_or_default(),
    })
}

fn place(context: &Context<'_>, tool: &'static Tool) -> Result<Place, Error> {
    let place = (tool.place)(context.environment);
    Ok(place.map_err(|refusal| refused(tool, None, refusal))?)
}

fn refused(tool: &Tool, path: Option<&Path>, refusal: Refusal) -> SetupError {
    SetupError::Refused {
        tool: tool.name,
        path: path.map(Path::to_owned),
        refusal,
    }
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

/// Lines as one text.
fn text_of(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

/// A tool's file as it is.
struct TextFile {
    path: PathBuf,
    /// Nothing where there is none.
    text: Option<String>,
}

impl TextFile {
    /// Which file it is.
    fn path(place: &Place) -> PathBuf {
        let found = place.candidates.iter().find(|path| path.exists());
        found.unwrap_or(&place.usual).clone()
    }

    fn first(place: &Place) -> Result<Self, SetupError> {
        Self::read(Self::path(place))
    }

    /// Every file that it may be.
    fn all(place: &Place) -> Result<Vec<Self>, SetupError> {
        let mut paths = place.candidates.clone();
        paths.push(place.usual.clone());
        let mut seen = Vec::new();
        paths.retain(|path| {
            let is_new = !seen.contains(path);
            seen.push(path.clone());
            is_new
        });
        paths.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Result<Self, SetupError> {
        let bytes = match file::read(&path, LARGEST_FILE, Trust::Anything) {
            // An empty device or a link that leads nowhere is no file to put anything into.
            Ok(_) if !path.is_file() => {
                let error = ReadError::Foreign("not a regular file");
                return Err(SetupError::Unreadable(path, error));
            }
            Ok(bytes) => bytes,
            Err(ReadError::Missing) if fs::symlink_metadata(&path).is_ok() => {
                let error = ReadError::Foreign("a link that leads nowhere");
                return Err(SetupError::Unreadable(path, error));
            }
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
    fn write(&self, draft: &Draft, new_mode: u32) -> Result<(), SetupError> {
        let check = || match Self::read(self.path.clone()) {
            Ok(file) if file.text == self.text => Ok(()),
            _ => Err(io::Error::other(
                "another program changed it just now; try again",
            )),
        };
        let rewrite = |text: &str| file::rewrite(&self.path, text.as_bytes(), new_mode, check);
        match &draft.text {
            Some(text) => rewrite(text),
            // What a link leads to is the user's, also where the file was ours.
            None if self.path.is_symlink() => rewrite(""),
            None => check().and_then(|()| file::remove(&self.path)),
        }
        .map_err(|error| SetupError::Unwritable(self.path.clone(), error))
    }
}
