//! Ansible: a file of variables in the working directory, for `vars_files`.

use super::make::{base_url, own_file};
use super::{Place, Refusal, Tool, Wish, block, shell_word};

const NAME: &str = "ansible";

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    place: |_| Ok(Place::project("cloudconnexa.yml")),
    link: None,
    tells_host: true,
    add: |text, wish| own_file(text, NAME, &body(wish)?),
    remove: |text| block::remove(text, NAME),
    overridden_by: None,
    next: Some(
        "write `vars_files: [cloudconnexa.yml]` into your play, and `no_log: true` into each task \
         that uses `cloudconnexa_token`",
    ),
};

fn body(wish: &Wish) -> Result<String, Refusal> {
    let api = base_url(wish)?;
    let profile = wish
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let program = shell_word(&wish.program);
    if program.contains(['\'', '"', '\\']) {
        return Err(Refusal::Impossible(
            "Ansible cannot name a program of such a path".into(),
        ));
    }
    Ok(format!(
        "cloudconnexa_api: {api}\ncloudconnexa_token: \"{{{{ lookup('ansible.builtin.pipe', \
         '{program} token{} --for ' ~ cloudconnexa_api) }}}}\"",
        profile.unwrap_or_default()
    ))
}
