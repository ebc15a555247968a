//! GNU make: a file to include, in the working directory. make has no per-user configuration.

use super::block::{self, Block};
use super::{Edit, EditError, FileEditor, Method, Place, SetupRequest, ToolEditor, is_plain};

const NAME: &str = "make";
/// The content of the file, written for the API of the example.
const FILE: &str = include_str!("../../integrations/make/cloudconnexa.mk");
const API: &str = "https://acme.api.openvpn.com";
const AUTH: &str = "?= cloudconnexa-auth";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: NAME,
    place: |_| Ok(Place::project("cloudconnexa.mk")),
    link: None,
    tells_host: true,
    method: Method::File(FileEditor {
        add: |text, request| own_file(text, NAME, &body(request)?),
        remove: |text| block::remove(text, NAME),
    }),
    overridden_by: None,
    next: Some("write `include cloudconnexa.mk` into your Makefile"),
};

fn body(request: &SetupRequest) -> Result<String, EditError> {
    let api = base_url(request)?;
    if !is_plain(&request.program) {
        return Err(EditError::Impossible(
            "make cannot name a program of such a path".into(),
        ));
    }
    let profile = request
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let auth = format!("?= {}{}", request.program, profile.unwrap_or_default());
    let text = FILE.trim_end().replace(API, api);
    Ok(text.replace(AUTH, &auth))
}

/// Returns the base URL of the API, which these files need. They pass it to a shell.
pub(super) fn base_url(request: &SetupRequest) -> Result<&str, EditError> {
    let Some(url) = request.base_url.as_deref() else {
        let problem = "the profile has no `base_url` and no `cloud_id`";
        return Err(EditError::Impossible(problem.into()));
    };
    if is_plain(&url.replace([':', '%', '~'], "")) {
        return Ok(url);
    }
    let problem = "the profile's `base_url` holds what a shell would read in another way";
    Err(EditError::Impossible(problem.into()))
}

/// Edits a file that contains only our part.
pub(super) fn own_file(text: Option<&str>, tool: &str, body: &str) -> Result<Edit, EditError> {
    let Some(text) = text else {
        return Ok(block::new_file(tool, body.to_owned()));
    };
    match Block::find(text, tool)? {
        Some(block) => Ok(block::update(text, tool, block, body.to_owned())),
        None => Err(EditError::NotOurs),
    }
}
