//! Cargo: the first entry in the list of global credential providers, so that registries need not
//! be known here. Cargo tries the last entry first, so it asks us only if `cargo:token` has no
//! token. For other registries we have no token either.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::block::{self, Block, lines};
use super::{
    Edit, EditError, FileEditor, Link, Method, Place, SetupRequest, ToolEditor, home, quoted,
};
use crate::system::environment::Environment;
use crate::types::quote::quote;

const NAME: &str = "cargo";
const KEY: &str = "global-credential-providers";
const PROGRAM: &str = "cargo-credential-cloudconnexa";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: NAME,
    place,
    link: Some(Link::on_path(PROGRAM)),
    tells_host: true,
    method: Method::File(FileEditor { add, remove }),
    overridden_by: Some("CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"),
    next: None,
};

/// Follows the Cargo Book: if both files exist, the one without an extension takes precedence.
fn place(environment: &Environment) -> Result<Place, EditError> {
    let folder = match environment.path("CARGO_HOME") {
        Some(folder) => folder,
        None => home(environment)?.join(".cargo"),
    };
    Ok(Place {
        candidates: vec![folder.join("config")],
        usual: folder.join("config.toml"),
        is_project: false,
    })
}

fn add(text: Option<&str>, request: &SetupRequest) -> Result<Edit, EditError> {
    if request.link.contains(char::is_whitespace) {
        return Err(EditError::Impossible(
            "Cargo cannot name a provider whose path holds a space".into(),
        ));
    }
    let profile = request
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let provider = quoted(&(request.link.clone() + &profile.unwrap_or_default()));
    let line = format!("{KEY} = [{provider}, \"cargo:token\"]");
    let table = format!("[registry]\n{line}");
    let Some(text) = text else {
        return Ok(block::new_file(NAME, table));
    };
    let providers = providers(text)?;
    if let Some(block) = Block::find(text, NAME)? {
        let is_table = block.body.starts_with("[registry]");
        let body = if is_table { table } else { line };
        return Ok(block::update(text, NAME, block, body));
    }
    let edit = match providers {
        Some(list) if list.own().is_some() => return Ok(Edit::of(text)),
        Some(list) => {
            let mut edit = Edit::of(text);
            let start = list.start + 1;
            edit.splice(start..start, &format!("{provider}, "));
            edit
        }
        None => match lines(text).find(|line| is_header(line.text)) {
            Some(header) if !header.eol.is_empty() => {
                block::insert(text, header.range.end, NAME, line)
            }
            // A header without a line ending is the last line.
            Some(_) => block::append(text, NAME, line),
            None => block::append(text, NAME, table),
        },
    };
    // TOML can write `registry` in forms that a line-based search does not find. Parsing the result
    // shows whether the edit worked.
    match self::providers(edit.text()) {
        Ok(Some(list)) if list.own().is_some() => Ok(edit),
        _ => Err(EditError::Impossible(format!(
            "`registry` is written there in a way that cannot be added to; add `{KEY}` by hand"
        ))),
    }
}

fn remove(text: &str) -> Result<Edit, EditError> {
    let mut edit = block::remove(text, NAME)?;
    if !edit.changes.is_empty() {
        return Ok(edit);
    }
    let list = providers(text)?;
    if let Some((list, own)) = list.and_then(|list| list.own().map(|own| (list, own))) {
        let behind = text.get(own.end..).unwrap_or_default();
        // A list has no markers. An entry of this form at the start of the list is ours.
        if own.start == list.start + 1 && behind.starts_with(", ") {
            edit.splice(own.start..own.end + 2, "");
        }
    }
    Ok(edit)
}

fn is_header(line: &str) -> bool {
    let line = line.split('#').next().unwrap_or_default();
    line.split_whitespace().collect::<String>() == "[registry]"
}

/// The list of providers.
struct Providers {
    start: usize,
    entries: Vec<(String, Range<usize>)>,
}

impl Providers {
    /// Returns the range of our entry.
    fn own(&self) -> Option<Range<usize>> {
        let is_own = |entry: &&(String, Range<usize>)| {
            let program = entry.0.split_whitespace().next().unwrap_or_default();
            let name = program.rsplit(['/', '\\']).next().unwrap_or_default();
            name.trim_end_matches(".exe") == PROGRAM
        };
        let own = self.entries.iter().find(is_own);
        own.map(|(_, range)| range.clone())
    }
}

fn providers(text: &str) -> Result<Option<Providers>, EditError> {
    let table = DeTable::parse(text).map_err(|error| {
        let start = error.span().unwrap_or_default().start;
        EditError::at(text, start, quote(error.message()))
    })?;
    let Some(registry) = table.get_ref().get("registry") else {
        return Ok(None);
    };
    let DeValue::Table(registry) = registry.get_ref() else {
        return Err(EditError::at(
            text,
            registry.span().start,
            "`registry` is not a table",
        ));
    };
    let Some(list) = registry.get(KEY) else {
        return Ok(None);
    };
    let DeValue::Array(entries) = list.get_ref() else {
        let problem = format!("`{KEY}` is not a list");
        return Err(EditError::at(text, list.span().start, problem));
    };
    let entries = entries.iter().map(|entry| match entry.get_ref() {
        DeValue::String(name) => (name.to_string(), entry.span()),
        _ => (String::new(), entry.span()),
    });
    Ok(Some(Providers {
        start: list.span().start,
        entries: entries.collect(),
    }))
}
