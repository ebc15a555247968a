//! git: a `credential.URL` section for each host. Our helper is the only one in it.

use super::program::{ToolCommand, ToolProgram};
use super::{
    CommandEditor, EditError, Host, Link, Method, Place, SetupRequest, ToolEditor, home, shell_word,
};
use crate::system::environment::Environment;

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: "git",
    place,
    link: Some(Link::on_path("git-credential-cloudconnexa")),
    tells_host: true,
    method: Method::Command(CommandEditor {
        add,
        remove,
        by_hand,
    }),
    overridden_by: None,
    next: None,
};

/// The files that git-config(1) uses for `--global`.
fn place(environment: &Environment) -> Result<Place, EditError> {
    if let Some(path) = environment.path("GIT_CONFIG_GLOBAL") {
        return Ok(Place::one(path));
    }
    let usual = home(environment)?.join(".gitconfig");
    let directory = environment.path("XDG_CONFIG_HOME");
    let directory = directory.unwrap_or(home(environment)?.join(".config"));
    Ok(Place {
        candidates: vec![usual.clone(), directory.join("git/config")],
        usual,
        is_project: false,
    })
}

fn add(
    program: &ToolProgram,
    _: &Place,
    request: &SetupRequest,
) -> Result<Vec<ToolCommand>, EditError> {
    let present = helpers(program, &["--global", "--includes"])?;
    let wanted = helper(request);
    let mut commands = Vec::new();
    for Host { url, .. } in &request.hosts {
        let of_host = present.iter().filter(|it| it.url == *url);
        let others = of_host.filter(|it| !it.value.is_empty());
        let others: Vec<&Helper> = others.collect();
        if others.iter().any(|it| !it.is_ours()) {
            let problem = format!("`{url}` has another helper there");
            return Err(EditError::Taken(problem));
        }
        let key = key(url);
        if others.is_empty() {
            // The empty value resets the helpers of less specific sections, which would store the
            // token.
            commands.push(ToolCommand::new(["config", "--global", "--add", &key, ""]));
            let set = ["config", "--global", "--add", &key, &wanted];
            commands.push(ToolCommand::new(set));
        } else if others.iter().all(|it| it.value != wanted) {
            let set = ["config", "--global", "--replace-all", &key, &wanted];
            let mut command = ToolCommand::new(set);
            command.push("cloudconnexa");
            commands.push(command);
        }
    }
    Ok(commands)
}

/// Reads both files of `--global`, because git may have written to the first one earlier.
fn remove(program: &ToolProgram, place: &Place) -> Result<Vec<ToolCommand>, EditError> {
    let mut commands = Vec::new();
    for path in place.paths().filter(|path| path.is_file()) {
        let Some(file) = path.to_str() else { continue };
        let present = helpers(program, &["--file", file])?;
        let mut done: Vec<&str> = Vec::new();
        for Helper { url, .. } in present.iter().filter(|it| it.is_ours()) {
            if done.contains(&url.as_str()) {
                continue;
            }
            done.push(url);
            let mut of_host = present.iter().filter(|it| it.url == *url);
            let is_alone = of_host.all(|it| it.value.is_empty() || it.is_ours());
            let key = key(url);
            let mut command = ToolCommand::new(["config", "--file", file, "--unset-all", &key]);
            if !is_alone {
                command.push("cloudconnexa");
            }
            commands.push(command);
        }
    }
    Ok(commands)
}

fn by_hand(request: &SetupRequest) -> String {
    let helper = helper(request);
    let quoted = helper.replace('\\', "\\\\").replace('"', "\\\"");
    let section = |host: &Host| {
        format!(
            "[credential \"{}\"]\n\thelper =\n\thelper = \"{quoted}\"\n",
            host.url
        )
    };
    request.hosts.iter().map(section).collect()
}

/// One value of `credential.URL.helper`.
#[derive(Debug)]
struct Helper {
    url: String,
    value: String,
}

impl Helper {
    fn is_ours(&self) -> bool {
        let name = self.value.trim_start_matches(['!', '\'']);
        let name = name.split(" --profile ").next().unwrap_or_default();
        let name = name.trim().trim_end_matches('\'');
        name == "cloudconnexa" || name.ends_with("git-credential-cloudconnexa")
    }
}

fn helpers(program: &ToolProgram, scope: &[&str]) -> Result<Vec<Helper>, EditError> {
    let pattern = r"^credential\..*\.helper$";
    let arguments = [&["config"], scope, &["--null", "--get-regexp", pattern]].concat();
    let listed = program.query(&arguments, Some(1))?.unwrap_or_default();
    let entry = |entry: &str| {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        let url = key.strip_prefix("credential.")?.strip_suffix(".helper")?;
        Some(Helper {
            url: url.trim_end_matches('/').to_owned(),
            value: value.to_owned(),
        })
    };
    Ok(listed.split('\0').filter_map(entry).collect())
}

fn key(url: &str) -> String {
    format!("credential.{url}.helper")
}

/// Returns the value of `helper`: `cloudconnexa` if git finds the link by its name, else the link's
/// absolute path. The value begins with `!`, as a shell command, if the path needs quotes.
fn helper(request: &SetupRequest) -> String {
    let profile = request.profile_argument();
    if let Some(name) = request.link.strip_prefix("git-credential-") {
        return format!("{name}{profile}");
    }
    let word = shell_word(&request.link);
    if word == request.link {
        return format!("{word}{profile}");
    }
    format!("!{word}{profile}")
}
