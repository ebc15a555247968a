//! Ansible: a file of variables in the working directory, for `vars_files`.

use super::make::{base_url, own_file};
use super::{EditError, FileEditor, Method, Place, SetupRequest, ToolEditor, block, shell_word};

const NAME: &str = "ansible";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: NAME,
    place: |_| Ok(Place::project("cloudconnexa.yml")),
    link: None,
    tells_host: true,
    method: Method::File(FileEditor {
        add: |text, request| own_file(text, NAME, &body(request)?),
        remove: |text| block::remove(text, NAME),
    }),
    overridden_by: None,
    next: Some(
        "write `vars_files: [cloudconnexa.yml]` into your play, and `no_log: true` into each task \
         that uses `cloudconnexa_token`",
    ),
};

fn body(request: &SetupRequest) -> Result<String, EditError> {
    let api = base_url(request)?;
    let profile = request
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let program = shell_word(&request.program);
    if program.contains(['\'', '"', '\\']) {
        return Err(EditError::Impossible(
            "Ansible cannot name a program of such a path".into(),
        ));
    }
    Ok(format!(
        "cloudconnexa_api: {api}\ncloudconnexa_token: \"{{{{ lookup('ansible.builtin.pipe', \
         '{program} token{} --for ' ~ cloudconnexa_api) }}}}\"",
        profile.unwrap_or_default()
    ))
}
