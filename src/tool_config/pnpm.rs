//! pnpm: a `tokenHelper` for each host in the user's `.npmrc`. pnpm reads this setting from no
//! other file.

use super::block::{self, lines};
use super::{Edit, EditError, FileEditor, Link, Method, Place, SetupRequest, ToolEditor, home};
use crate::system::environment::Environment;

const NAME: &str = "pnpm";
const HELPER: &str = "/:tokenHelper";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: NAME,
    place,
    link: Some(Link::on_path("pnpm-credential-cloudconnexa")),
    tells_host: false,
    method: Method::File(FileEditor {
        add,
        remove: |text| block::remove(text, NAME),
    }),
    overridden_by: None,
    next: Some("@SCOPE:registry=URL in the same file says which packages come from your registry"),
};

fn place(environment: &Environment) -> Result<Place, EditError> {
    for name in ["npm_config_userconfig", "NPM_CONFIG_USERCONFIG"] {
        if let Some(path) = environment.path(name) {
            return Ok(Place::one(path));
        }
    }
    Ok(Place::one(home(environment)?.join(".npmrc")))
}

fn add(text: Option<&str>, request: &SetupRequest) -> Result<Edit, EditError> {
    if let Some(profile) = &request.profile {
        return Err(EditError::Impossible(format!(
            "pnpm cannot be told a profile, and `{profile}` is not the default one"
        )));
    }
    let is_shells = |c: char| c.is_whitespace() || "'\"$`&;|<>()#!*?[]{}".contains(c);
    if request.link_path.contains(is_shells) {
        return Err(EditError::Impossible(format!(
            "pnpm gives the path to a shell, and `{}` is more than one word there",
            request.link_path
        )));
    }
    let text_or_nothing = text.unwrap_or_default();
    if let Some(line) = lines(text_or_nothing).find(|line| line.text.trim_start().starts_with('['))
    {
        let problem = "a section, in which what is added would stand";
        return Err(EditError::at(text_or_nothing, line.range.start, problem));
    }
    block::put(text, NAME, |present, around| {
        let keys = present.lines().filter_map(|line| line.split_once(HELPER));
        let mut hosts: Vec<&str> = keys.filter_map(|(key, _)| key.strip_prefix("//")).collect();
        for host in &request.hosts {
            let authority = host.authority.as_str();
            if !hosts.contains(&authority) && !is_taken(around, authority)? {
                hosts.push(authority);
            }
        }
        let line = |host: &&str| format!("//{host}{HELPER}={}", request.link_path);
        let lines: Vec<String> = hosts.iter().map(line).collect();
        Ok((!lines.is_empty()).then(|| lines.join("\n")))
    })
}

/// Returns whether the user has already added our helper for this host. Other credentials are
/// not changed; they are an error.
fn is_taken(text: &str, authority: &str) -> Result<bool, EditError> {
    let mut is_ours = false;
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("//") else {
            continue;
        };
        let Some((registry, setting)) = rest.split_once(":_").or_else(|| rest.split_once(":token"))
        else {
            continue;
        };
        if registry.split('/').next() != Some(authority) {
            continue;
        }
        if setting.starts_with("Helper") && setting.contains("pnpm-credential-cloudconnexa") {
            is_ours = true;
        } else {
            let problem = format!("`{authority}` has other credentials there");
            return Err(EditError::Taken(problem));
        }
    }
    Ok(is_ours)
}
