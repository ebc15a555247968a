//! `setup --list`: the state of every tool, as text or JSON.

use std::path::Path;

use serde::Serialize;

use super::links::Links;
use super::plan::{Plan, TextFile};
use super::{Context, Output, request};
use crate::commands::session::{Caller, Session};
use crate::config::Profile;
use crate::diagnostics::error::{Error, SetupError};
use crate::protocol::json_line;
use crate::tool_config::{EditError, TOOLS, ToolEditor};

/// The states of all tools.
pub(in crate::commands) fn states(context: &Context<'_>) -> Result<Vec<State>, Error> {
    let links = Links::look(context.environment).map_err(SetupError::NoProgram)?;
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile().ok();
    let states = TOOLS
        .into_iter()
        .map(|tool| State::of(context, &session, profile, tool, &links));
    Ok(states.collect())
}

pub(super) fn run(context: &Context<'_>, json: bool) -> Result<Output, Error> {
    let states = states(context)?;
    if json {
        return Ok(json_line(&WireList { tools: &states }));
    }
    let mut table = format!("{:<10} {:<8} FILE\n", "TOOL", "STATE");
    for state in &states {
        let file = state.file.as_deref().unwrap_or("-");
        let note = state.note.as_ref().map(|note| format!(" ({note})"));
        let shown = state.state.replace('_', " ");
        let line = format!(
            "{:<10} {shown:<8} {file}{}\n",
            state.tool,
            note.unwrap_or_default()
        );
        table.push_str(&line);
    }
    Ok(Output::new(table.into_bytes()))
}

#[derive(Serialize)]
struct WireList<'a> {
    tools: &'a [State],
}

/// The state of one tool.
#[derive(Serialize)]
pub(in crate::commands) struct State {
    pub(in crate::commands) tool: &'static str,
    /// `set_up`, `partly` or `not`.
    pub(in crate::commands) state: &'static str,
    pub(in crate::commands) file: Option<String>,
    /// The missing part, or the problem.
    pub(in crate::commands) note: Option<String>,
}

impl State {
    fn of(
        context: &Context<'_>,
        session: &Session<'_>,
        profile: Option<&Profile>,
        tool: &'static ToolEditor,
        links: &Links<'_>,
    ) -> Self {
        let say = |state, path: Option<&Path>, note: Option<String>| Self {
            tool: tool.name,
            state,
            file: path.map(crate::types::quote::path),
            note,
        };
        let place = match (tool.place)(context.environment) {
            Ok(place) => place,
            Err(error) => return say("not", None, Some(error.to_string())),
        };
        let path = TextFile::path(&place);
        let removal = match Plan::remove(tool, links, &place) {
            Ok(plan) => plan,
            Err(error) => return say(state_of(&error), Some(&path), Some(note_of(error))),
        };
        let is_ours = !removal.is_empty();
        let path = removal.paths().first().cloned().unwrap_or(path);
        let link = tool.link.map(|link| (link, links.find(&link)));
        let has_link = match &link {
            None => true,
            Some((_, found)) => found.as_ref().is_ok_and(|found| found.is_there),
        };
        // The changes that are missing for the hosts of the profile, if there is a profile.
        let wished = profile.and_then(|profile| {
            let link = link.as_ref().and_then(|(_, found)| found.as_ref().ok());
            request(&[], session, profile, tool, links, link).ok()
        });
        let lacking = wished.map(|request| Plan::add(tool, links, &place, &request));
        let (is_whole, in_the_way) = match lacking {
            Some(Ok(plan)) => (plan.is_empty(), None),
            Some(Err(error)) => (is_ours, Some(note_of(error))),
            None => (is_ours, None),
        };
        let has_own_link = link.is_some_and(|(link, _)| !links.made(&link).is_empty());
        match (is_ours || is_whole, has_link) {
            (true, false) => say("partly", Some(&path), Some("its link is missing".into())),
            (true, true) if is_whole => say("set_up", Some(&path), None),
            (true, true) => {
                let note = format!("`setup {}` would change it", tool.name);
                say("partly", Some(&path), Some(note))
            }
            (false, _) if has_own_link => {
                say("partly", Some(&path), Some("only its link is there".into()))
            }
            (false, _) => say("not", Some(&path), in_the_way),
        }
    }
}

/// The state of a tool whose configuration cannot be read.
fn state_of(error: &SetupError) -> &'static str {
    match error {
        SetupError::Refused {
            error: EditError::Changed { .. },
            ..
        } => "partly",
        _ => "not",
    }
}

fn note_of(error: SetupError) -> String {
    if let SetupError::Refused { error, .. } = &error {
        return error.to_string();
    }
    let diagnostic = Error::from(error).diagnostic();
    diagnostic.cause.unwrap_or(diagnostic.what)
}
