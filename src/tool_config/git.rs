//! git: a helper for each host in the user's configuration.

use super::gitconfig::{self, Entry};
use super::{Draft, Host, Link, Place, Refusal, Tool, Wish, block, home, quoted, shell_word};
use crate::system::environment::Environment;

const NAME: &str = "git";

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    place,
    link: Some(Link::on_path("git-credential-cloudconnexa")),
    tells_host: true,
    add,
    remove: |text| block::remove(text, NAME),
    overridden_by: None,
    next: None,
};

/// As git-config(1) has it for `--global`.
fn place(environment: &Environment) -> Result<Place, Refusal> {
    if let Some(path) = environment.path("GIT_CONFIG_GLOBAL") {
        return Ok(Place::one(path));
    }
    let usual = home(environment)?.join(".gitconfig");
    let folder = environment.path("XDG_CONFIG_HOME");
    let folder = folder.unwrap_or(home(environment)?.join(".config"));
    Ok(Place {
        candidates: vec![usual.clone(), folder.join("git/config")],
        usual,
        is_project: false,
    })
}

fn add(text: Option<&str>, wish: &Wish) -> Result<Draft, Refusal> {
    if let Some(text) = text {
        gitconfig::entries(text)?;
        block::refuse_open_end(text)?;
    }
    block::put(text, NAME, |present, around| {
        let others = gitconfig::entries(around)?;
        let helper = helper(wish);
        // Of another profile's hosts each keeps the helper that it has.
        let mut helpers: Vec<(String, String)> = gitconfig::entries(present)?
            .into_iter()
            .filter(|entry| !entry.value.is_empty())
            .filter_map(|entry| Some((entry.subsection?, written(entry.value))))
            .collect();
        for Host { url, .. } in &wish.hosts {
            match helpers.iter_mut().find(|(known, _)| known == url) {
                Some((_, present)) => present.clone_from(&helper),
                None if is_taken(&others, url)? => {}
                None => helpers.push((url.clone(), helper.clone())),
            }
        }
        let section = |(url, helper): &(String, String)| {
            format!("[credential \"{url}\"]\n\thelper =\n\thelper = {helper}")
        };
        let sections: Vec<String> = helpers.iter().map(section).collect();
        Ok((!sections.is_empty()).then(|| sections.join("\n")))
    })
}

/// The value of `helper`: `cloudconnexa` stands for the link's name, a path for itself, and what
/// begins with `!` is for the shell.
fn helper(wish: &Wish) -> String {
    let profile = wish
        .profile
        .as_ref()
        .map(|name| format!(" --profile {name}"));
    let profile = profile.unwrap_or_default();
    if let Some(name) = wish.link.strip_prefix("git-credential-") {
        return format!("{name}{profile}");
    }
    let word = shell_word(&wish.link);
    if word == wish.link {
        return format!("{word}{profile}");
    }
    written(format!("!{word}{profile}"))
}

/// A value as we write it: what is for the shell may hold anything.
fn written(value: String) -> String {
    if value.starts_with('!') {
        quoted(&value)
    } else {
        value
    }
}

/// Whether somebody wrote our helper for this host already; another one is left alone.
fn is_taken(entries: &[Entry], url: &str) -> Result<bool, Refusal> {
    let mut is_ours = false;
    for entry in entries {
        let for_url = entry
            .subsection
            .as_deref()
            .map(|url| url.trim_end_matches('/'));
        let is_helper = entry.section == "credential" && entry.key == "helper";
        if !is_helper || for_url != Some(url) || entry.value.is_empty() {
            continue;
        }
        let program = entry.value.split_whitespace().next().unwrap_or_default();
        if program == "cloudconnexa" || program.ends_with("git-credential-cloudconnexa") {
            is_ours = true;
        } else {
            return Err(Refusal::Taken(format!("`{url}` has another helper there")));
        }
    }
    Ok(is_ours)
}
