//! kubectl and everything else that reads a kubeconfig: a user that runs this program.

use super::block::{self, Block};
use super::kubeconfig::{User, Users, users};
use super::{Draft, Place, Refusal, Tool, Wish, home, is_plain, quoted};
use crate::system::environment::Environment;

const NAME: &str = "kubectl";
/// The name of the user.
const USER: &str = "cloudconnexa";

pub(super) const TOOL: Tool = Tool {
    name: NAME,
    place,
    link: None,
    tells_host: true,
    add,
    remove,
    overridden_by: None,
    next: Some("kubectl config set-context CONTEXT --user=cloudconnexa"),
};

/// The first file of `KUBECONFIG` that is there, which is where kubectl changes things.
fn place(environment: &Environment) -> Result<Place, Refusal> {
    let listed = environment.raw("KUBECONFIG").unwrap_or_default();
    let candidates: Vec<_> = std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    let usual = match candidates.first() {
        Some(first) => first.clone(),
        None => home(environment)?.join(".kube/config"),
    };
    Ok(Place {
        candidates,
        usual,
        is_project: false,
    })
}

fn add(text: Option<&str>, wish: &Wish) -> Result<Draft, Refusal> {
    let Some(text) = text else {
        let body = format!("apiVersion: v1\nkind: Config\nusers:\n{}", user("", wish));
        return Ok(block::new_file(NAME, body));
    };
    if let Some(block) = Block::find(text, NAME)? {
        // In the form that it had before.
        let first = block.body.lines().find(|line| line.contains("- name: "));
        let depth = first.and_then(|line| line.find('-')).unwrap_or_default();
        let head = block.body.find("- name: ").unwrap_or_default() - depth;
        let head = block.body.get(..head).unwrap_or_default();
        let body = head.to_owned() + &user(&" ".repeat(depth), wish);
        return Ok(block::update(text, NAME, block, body));
    }
    match users(text)? {
        Users::Absent => Ok(block::append(
            text,
            NAME,
            format!("users:\n{}", user("", wish)),
        )),
        Users::Empty(line) => {
            let body = format!("users:\n{}", user("", wish));
            block::replace_line(text, &line, NAME, body)
        }
        Users::List(_, _, users) if users.iter().any(|user| is_ours(text, user)) => {
            Ok(Draft::of(text))
        }
        Users::List(_, _, users) if users.iter().any(|user| user.name == USER) => Err(
            Refusal::Taken(format!("it has a user `{USER}`, who runs another program")),
        ),
        Users::List(line, indent, _) => Ok(block::insert(
            text,
            line.range.end,
            NAME,
            user(indent, wish),
        )),
    }
}

/// kubectl writes the whole file anew and drops our marks with all comments; the user is known by
/// its name and its program then.
fn remove(text: &str) -> Result<Draft, Refusal> {
    let mut draft = block::remove(text, NAME)?;
    if !draft.changes.is_empty() {
        return Ok(draft);
    }
    let users = match users(text)? {
        Users::List(_, _, users) => users,
        Users::Absent | Users::Empty(_) => Vec::new(),
    };
    if let Some(user) = users.into_iter().find(|user| is_ours(text, user)) {
        draft.splice(user.range, "");
    }
    Ok(draft)
}

fn is_ours(text: &str, user: &User<'_>) -> bool {
    let lines = text.get(user.range.clone()).unwrap_or_default();
    user.name == USER && lines.contains("cloudconnexa-auth")
}

fn user(indent: &str, wish: &Wish) -> String {
    let scalar = |text: &str| {
        if is_plain(text) {
            text.to_owned()
        } else {
            quoted(text)
        }
    };
    let arguments = match &wish.profile {
        None => "[kubectl]".to_owned(),
        Some(name) => format!("[kubectl, --profile, {}]", quoted(name)),
    };
    let lines = [
        format!("- name: {USER}"),
        "  user:".into(),
        "    exec:".into(),
        "      apiVersion: client.authentication.k8s.io/v1".into(),
        format!("      command: {}", scalar(&wish.program)),
        format!("      args: {arguments}"),
        "      interactiveMode: Never".into(),
        "      provideClusterInfo: true".into(),
        "      installHint: cloudconnexa-auth is not on PATH; it gives kubectl the token.".into(),
    ];
    let lines: Vec<String> = lines.iter().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}
