//! Go: `GOAUTH`, set by `go env -w`.

use std::path::PathBuf;

use super::program::{ToolCommand, ToolProgram};
use super::{CommandEditor, EditError, Method, Place, SetupRequest, ToolEditor, home, is_plain};
use crate::system::environment::Environment;

/// The default value of `GOAUTH`.
const DEFAULT: &str = "netrc";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: "go",
    place,
    link: None,
    tells_host: false,
    method: Method::Command(CommandEditor {
        add,
        remove,
        by_hand: |request| match value(request) {
            Ok(value) => format!("GOAUTH={value}\n"),
            Err(error) => format!("{error}\n"),
        },
    }),
    overridden_by: Some("GOAUTH"),
    next: Some(
        "GOPROXY, GOPRIVATE and GONOSUMDB say what go asks your servers for; they are yours to set",
    ),
};

/// `$GOENV`, or `go/env` in Go's `os.UserConfigDir`.
fn place(environment: &Environment) -> Result<Place, EditError> {
    match environment.path("GOENV") {
        Some(path) if path.as_os_str() == "off" => Err(EditError::Impossible(
            "GOENV is `off`, so go reads no file".into(),
        )),
        Some(path) => Ok(Place::one(path)),
        None => Ok(Place::one(directory(environment)?.join("go/env"))),
    }
}

fn directory(environment: &Environment) -> Result<PathBuf, EditError> {
    if cfg!(windows) {
        let directory = environment.path("APPDATA");
        return directory.ok_or_else(|| EditError::Impossible("APPDATA is not set".into()));
    }
    if cfg!(target_os = "macos") {
        return Ok(home(environment)?.join("Library/Application Support"));
    }
    match environment.path("XDG_CONFIG_HOME") {
        Some(directory) => Ok(directory),
        None => Ok(home(environment)?.join(".config")),
    }
}

fn add(
    program: &ToolProgram,
    _: &Place,
    request: &SetupRequest,
) -> Result<Vec<ToolCommand>, EditError> {
    let wanted = value(request)?;
    let present = present(program)?;
    if present == wanted || (present.contains("cloudconnexa-auth") && !is_ours(&present)) {
        return Ok(Vec::new());
    }
    if present == "off" {
        return Err(EditError::Taken("GOAUTH is `off` there".into()));
    }
    if present != DEFAULT && !is_ours(&present) {
        // The old value can contain a secret, so it is not copied into a command line.
        return Err(EditError::Taken(
            "GOAUTH has another value there; put `cloudconnexa-auth go;` in front of it by hand"
                .into(),
        ));
    }
    Ok(vec![ToolCommand::new([
        "env",
        "-w",
        &format!("GOAUTH={wanted}"),
    ])])
}

fn remove(program: &ToolProgram, _: &Place) -> Result<Vec<ToolCommand>, EditError> {
    let is_set = is_ours(&present(program)?);
    let unset = ToolCommand::new(["env", "-u", "GOAUTH"]);
    Ok(is_set.then_some(unset).into_iter().collect())
}

/// Returns the value in Go's file, or the default.
fn present(program: &ToolProgram) -> Result<String, EditError> {
    let value = program.query(&["env", "GOAUTH"], None)?.unwrap_or_default();
    match value.trim() {
        "" => Ok(DEFAULT.to_owned()),
        value => Ok(value.to_owned()),
    }
}

/// Returns whether `setup` wrote the value: our command, then the default.
fn is_ours(value: &str) -> bool {
    let own = value.strip_suffix(";netrc");
    own.is_some_and(|own| own.contains("cloudconnexa-auth") && !own.contains(';'))
}

fn value(request: &SetupRequest) -> Result<String, EditError> {
    let program = word(&request.program)?;
    let profile = request.profile_argument();
    Ok(format!("{program} go{profile};{DEFAULT}"))
}

/// Quotes a word for Go: quotes surround the whole word, and there are no escapes in them.
fn word(text: &str) -> Result<String, EditError> {
    if is_plain(text) {
        return Ok(text.to_owned());
    }
    let quote = ['\'', '"'].into_iter().find(|quote| !text.contains(*quote));
    match quote.filter(|_| !text.contains(';')) {
        Some(quote) => Ok(format!("{quote}{text}{quote}")),
        None => Err(EditError::Impossible(
            "go cannot name a program of such a path".into(),
        )),
    }
}
