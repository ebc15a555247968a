//! GNU make: a file to include, in the working directory. make has no configuration of a user.

use super::block::{self, Block};
use super::{Draft, Place, Refusal, Tool, Wish, is_plain};

const NAME: &str = "make";
/// What the file says, for the API of the example.
const FILE: &str = include_str!("../../integrations/make/cloudconnexa.mk");
const API: &str = "https://acme.api.openvpn.com";
const AUTH: &str = "?= cloudconnexa-auth";

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    place: |_| Ok(Place::project("cloudconnexa.mk")),
    link: None,
    tells_host: true,
    add: |text, wish| own_file(text, NAME, &body(wish)?),
    remove: |text| block::remove(text, NAME),
    overridden_by: None,
    next: Some("write `include cloudconnexa.mk` into your Makefile"),
};

fn body(wish: &Wish) -> Result<String, Refusal> {
    let api = base_url(wish)?;
    if !is_plain(&wish.program) {
        return Err(Refusal::Impossible(
            "make cannot name a program of such a path".into(),
        ));
    }
    let profile = wish
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let auth = format!("?= {}{}", wish.program, profile.unwrap_or_default());
    let text = FILE.trim_end().replace(API, api);
    Ok(text.replace(AUTH, &auth))
}

/// Where the API is, which these files need. They hand it to a shell.
pub(super) fn base_url(wish: &Wish) -> Result<&str, Refusal> {
    let Some(url) = wish.base_url.as_deref() else {
        let problem = "the profile has no `base_url` and no `cloud_id`";
        return Err(Refusal::Impossible(problem.into()));
    };
    if is_plain(&url.replace([':', '%', '~'], "")) {
        return Ok(url);
    }
    let problem = "the profile's `base_url` holds what a shell would read in another way";
    Err(Refusal::Impossible(problem.into()))
}

/// A file that is ours alone.
pub(super) fn own_file(text: Option<&str>, tool: &str, body: &str) -> Result<Draft, Refusal> {
    let Some(text) = text else {
        return Ok(block::new_file(tool, body.to_owned()));
    };
    match Block::find(text, tool)? {
        Some(block) => Ok(block::update(text, tool, block, body.to_owned())),
        None => Err(Refusal::NotOurs),
    }
}
