//! kubectl and other tools that read a kubeconfig: a user entry that starts this program.

use serde::Deserialize;

use super::program::{ToolCommand, ToolProgram};
use super::{CommandEditor, EditError, Method, Place, SetupRequest, ToolEditor, home};
use crate::system::environment::Environment;

/// The name of the user entry.
const USER: &str = "cloudconnexa";
const VERSION: &str = "client.authentication.k8s.io/v1";

pub(super) const TOOL: ToolEditor = ToolEditor {
    name: "kubectl",
    place,
    link: None,
    tells_host: true,
    method: Method::Command(CommandEditor {
        add,
        remove,
        by_hand,
    }),
    overridden_by: None,
    next: Some("kubectl config set-context CONTEXT --user=cloudconnexa"),
};

/// The first file of `KUBECONFIG` that exists. kubectl changes this one.
fn place(environment: &Environment) -> Result<Place, EditError> {
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

/// The part of the output of `kubectl config view` that is parsed.
#[derive(Deserialize)]
struct Config {
    users: Option<Vec<User>>,
}

#[derive(Deserialize)]
struct User {
    name: String,
    user: Option<AuthInfo>,
}

#[derive(Deserialize)]
struct AuthInfo {
    exec: Option<Exec>,
}

#[derive(Deserialize)]
struct Exec {
    command: String,
    args: Option<Vec<String>>,
}

/// Returns the command of our user entry; `Taken` if that entry has another command.
fn present(program: &ToolProgram) -> Result<Option<Exec>, EditError> {
    let arguments = ["config", "view", "-o", "json"];
    let text = program.query(&arguments, None)?.unwrap_or_default();
    let config: Config = serde_json::from_str(&text).map_err(|_| EditError::Failed {
        command: "kubectl config view -o json".into(),
        status: "its output is not understood".into(),
    })?;
    let users = config.users.unwrap_or_default();
    let Some(user) = users.into_iter().find(|user| user.name == USER) else {
        return Ok(None);
    };
    match user.user.and_then(|user| user.exec) {
        Some(exec) if exec.command.contains("cloudconnexa-auth") => Ok(Some(exec)),
        _ => Err(EditError::Taken(format!(
            "it has a user `{USER}`, who runs another program"
        ))),
    }
}

fn arguments(request: &SetupRequest) -> Vec<String> {
    let mut arguments = vec!["kubectl".to_owned()];
    if let Some(profile) = &request.profile {
        arguments.extend(["--profile".to_owned(), profile.clone()]);
    }
    arguments
}

fn add(
    program: &ToolProgram,
    _: &Place,
    request: &SetupRequest,
) -> Result<Vec<ToolCommand>, EditError> {
    let arguments = arguments(request);
    let present = present(program)?;
    let is_set = present.as_ref().is_some_and(|exec| {
        exec.command == request.program && exec.args.as_ref() == Some(&arguments)
    });
    if is_set {
        return Ok(Vec::new());
    }
    let mut commands = Vec::new();
    if present.is_some() {
        commands.push(unset());
    }
    let mut command = ToolCommand::new(["config", "set-credentials", USER]);
    command.push(format!("--exec-api-version={VERSION}"));
    command.push(format!("--exec-command={}", request.program));
    for argument in arguments {
        command.push(format!("--exec-arg={argument}"));
    }
    command.push("--exec-interactive-mode=Never");
    command.push("--exec-provide-cluster-info=true");
    commands.push(command);
    Ok(commands)
}

fn remove(program: &ToolProgram, _: &Place) -> Result<Vec<ToolCommand>, EditError> {
    match present(program) {
        Ok(Some(_)) => Ok(vec![unset()]),
        Ok(None) | Err(EditError::Taken(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn unset() -> ToolCommand {
    ToolCommand::new(["config", "unset", &format!("users.{USER}")])
}

fn by_hand(request: &SetupRequest) -> String {
    let arguments = arguments(request);
    let arguments: Vec<String> = arguments.iter().map(|it| super::quoted(it)).collect();
    format!(
        "users:\n- name: {USER}\n  user:\n    exec:\n      apiVersion: {VERSION}\n      \
         command: {}\n      args: [{}]\n      interactiveMode: Never\n      \
         provideClusterInfo: true\n",
        super::quoted(&request.program),
        arguments.join(", ")
    )
}
