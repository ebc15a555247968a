//! Go: `GOAUTH` in the file that `go env -w` writes. What was asked before is asked still.

use std::path::PathBuf;

use super::block::{self, Block, Line, lines};
use super::{Draft, Place, Refusal, Tool, Wish, home, is_plain};
use crate::system::environment::Environment;

const NAME: &str = "go";
const KEY: &str = "GOAUTH=";

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    place,
    link: None,
    tells_host: false,
    add,
    remove: |text| block::remove(text, NAME),
    overridden_by: Some("GOAUTH"),
    next: Some(
        "GOPROXY, GOPRIVATE and GONOSUMDB say what go asks your servers for; they are yours to set",
    ),
};

/// `$GOENV`, or `go/env` in what Go calls the user's configuration folder.
fn place(environment: &Environment) -> Result<Place, Refusal> {
    match environment.path("GOENV") {
        Some(path) if path.as_os_str() == "off" => Err(Refusal::Impossible(
            "GOENV is `off`, so go reads no file".into(),
        )),
        Some(path) => Ok(Place::one(path)),
        None => Ok(Place::one(folder(environment)?.join("go/env"))),
    }
}

/// As Go's `os.UserConfigDir` has it.
fn folder(environment: &Environment) -> Result<PathBuf, Refusal> {
    if cfg!(windows) {
        let folder = environment.path("APPDATA");
        return folder.ok_or_else(|| Refusal::Impossible("APPDATA is not set".into()));
    }
    if cfg!(target_os = "macos") {
        return Ok(home(environment)?.join("Library/Application Support"));
    }
    match environment.path("XDG_CONFIG_HOME") {
        Some(folder) => Ok(folder),
        None => Ok(home(environment)?.join(".config")),
    }
}

fn add(text: Option<&str>, wish: &Wish) -> Result<Draft, Refusal> {
    let profile = wish
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let own = format!("{} go{}", word(&wish.program)?, profile.unwrap_or_default());
    let after_own = |others: &str| format!("{KEY}{own};{others}");
    let Some(text) = text else {
        return Ok(block::new_file(NAME, after_own("netrc")));
    };
    if let Some(block) = Block::find(text, NAME)? {
        let others = block
            .body
            .split_once(';')
            .map_or("netrc", |(_, others)| others);
        let body = after_own(others);
        return Ok(block::update(text, NAME, block, body));
    }
    let set = |line: &Line<'_>| line.text.starts_with(KEY);
    let Some(line) = lines(text).filter(set).last() else {
        return Ok(block::append(text, NAME, after_own("netrc")));
    };
    let value = line.text.strip_prefix(KEY).unwrap_or_default().trim();
    match value {
        "off" => Err(Refusal::Taken("GOAUTH is `off` there".into())),
        _ if value.contains("cloudconnexa-auth") => Ok(Draft::of(text)),
        "" => block::replace_line(text, &line, NAME, after_own("netrc")),
        _ => block::replace_line(text, &line, NAME, after_own(value)),
    }
}

/// A word as go reads it: quotes are for the whole of it, and nothing is escaped in them.
fn word(text: &str) -> Result<String, Refusal> {
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    let quote = ['\'', '"'].into_iter().find(|quote| !text.contains(*quote));
    match quote.filter(|_| !text.contains(';')) {
        Some(quote) => Ok(format!("{quote}{text}{quote}")),
        None => Err(Refusal::Impossible(
            "go cannot name a program of such a path".into(),
        )),
    }
}
