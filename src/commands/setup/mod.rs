//! `setup`: adds this program to the configuration of a tool, and removes it. `tool_config` defines
//! the changes for each tool; this module handles the files, commands, links and the profile.

use std::path::Path;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::cli::{SetupOptions, UsageError};
use crate::config::{Profile, choose_for};
use crate::diagnostics::error::{Error, SetupError};
use crate::system::file;
use crate::tool_config::{EditError, Host, Method, Place, SetupRequest, TOOLS, ToolEditor};
use crate::types::quote::{nearest, quote};
use crate::types::uri::{Origin, Uri};

mod links;
pub(super) mod list;
mod plan;

use links::{Links, Place as LinkPlace};
use plan::{Plan, TextFile};

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

/// The tool with this name, and this program's links.
fn named<'a>(context: &Context<'a>, name: &str) -> Result<(&'static ToolEditor, Links<'a>), Error> {
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

/// One line for stdout.
fn said(what: &str, path: &Path) -> Output {
    Output::new(format!("{what}: {}\n", crate::types::quote::path(path)).into_bytes())
}

fn set_up(
    context: &Context<'_>,
    tool: &'static ToolEditor,
    links: &Links<'_>,
    hosts: &[String],
    print: bool,
) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let place = place(context, tool)?;
    let link = tool.link.map(|link| links.find(&link)).transpose()?;
    let profile = profile(&session, hosts)?;
    let request = request(hosts, &session, profile, tool, links, link.as_ref())?;
    let plan = Plan::add(tool, links, &place, &request).inspect_err(|error| {
        if let (SetupError::NotInstalled { .. }, Method::Command(editor)) = (error, &tool.method) {
            let path = TextFile::path(&place);
            let text = (editor.by_hand)(&request);
            let what = format!(
                "add this to {} by hand:\n{text}",
                crate::types::quote::path(&path)
            );
            context.report.change(&what);
        }
    })?;

    let report = context.report;
    let new_link = link.as_ref().filter(|link| !link.is_there);
    if plan.is_empty() && new_link.is_none() {
        return Ok(said("already set up", &TextFile::path(&place)));
    }
    let mut shown = plan.show();
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
    let mode = if place.is_project { 0o644 } else { 0o600 };
    plan.apply(tool, mode, context.clock).inspect_err(|_| {
        // The link is useless without the configuration.
        drop(new_link.map(|link| file::remove(&link.path)));
    })?;
    warn(context, tool, links, link.as_ref());
    if let Some(next) = tool.next {
        report.waiting(&format!("next: {next}"));
    }
    Ok(said("set up", &TextFile::path(&place)))
}

/// Warns about conditions that do not prevent the setup but may surprise the user.
fn warn(context: &Context<'_>, tool: &ToolEditor, links: &Links<'_>, link: Option<&LinkPlace>) {
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
    tool: &'static ToolEditor,
    links: &Links<'_>,
    print: bool,
) -> Result<Output, Error> {
    let place = place(context, tool)?;
    let plan = Plan::remove(tool, links, &place)?;
    let own = tool.link.map(|link| links.made(&link)).unwrap_or_default();
    let first = plan.paths().first().cloned();
    let Some(path) = first.or_else(|| own.first().cloned()) else {
        let usual = TextFile::path(&place);
        return Ok(said("not set up, so there is nothing to undo", &usual));
    };
    let mut shown = plan.show();
    shown.extend(
        own.iter()
            .map(|link| format!("- link {}", crate::types::quote::path(link))),
    );
    let shown = text_of(&shown);
    if print {
        return Ok(Output::new(shown.into_bytes()));
    }
    context.report.change(&shown);
    plan.apply(tool, 0o600, context.clock)?;
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

/// The profile to set up: the chosen one, the one of the hosts, or the default.
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

fn request(
    named_hosts: &[String],
    session: &Session<'_>,
    profile: &Profile,
    tool: &ToolEditor,
    links: &Links<'_>,
    link: Option<&LinkPlace>,
) -> Result<SetupRequest, Error> {
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
        // No escape sequence for a line feed works in the files of all tools.
        let text = text.filter(|text| !text.contains(char::is_control));
        text.ok_or_else(|| {
            let path = quote(&path.to_string_lossy());
            let problem = format!("the path `{path}` is not plain text");
            refused(tool, None, EditError::Impossible(problem))
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
    Ok(SetupRequest {
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

fn place(context: &Context<'_>, tool: &'static ToolEditor) -> Result<Place, Error> {
    let place = (tool.place)(context.environment);
    Ok(place.map_err(|error| refused(tool, None, error))?)
}

fn refused(tool: &ToolEditor, path: Option<&Path>, error: EditError) -> SetupError {
    SetupError::Refused {
        tool: tool.name,
        path: path.map(Path::to_owned),
        error,
    }
}

/// Joins lines into one text.
fn text_of(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}
