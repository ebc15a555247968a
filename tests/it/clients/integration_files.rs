//! The files of `integrations/`, installed as by a user, and clients whose arguments are recorded.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::clients::{Ended, client, links, published, run, tool, write_program};
use crate::harness::World;

/// A file of `integrations/` with the sandbox instead of the API, and additional replacements.
#[track_caller]
pub(crate) fn recipe(world: &World, name: &str, replaced: &[(&str, &str)]) -> String {
    published(name, replaced).replace("https://acme.api.openvpn.com", world.sandbox.base_url())
}

/// Installs a file of `integrations/`; it is executable if the original is.
#[track_caller]
pub(crate) fn place(world: &World, name: &str, to: &Path, replaced: &[(&str, &str)]) {
    let text = recipe(world, name, replaced);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let from = concat!(env!("CARGO_MANIFEST_DIR"), "/integrations/");
    let mode = fs::metadata(format!("{from}{name}")).unwrap().permissions();
    if mode.mode() & 0o111 == 0 {
        fs::write(to, text).unwrap();
    } else {
        write_program(to, &text);
    }
}

/// A client with a time limit of one minute; `timeout` also ends the processes of its group.
pub(crate) fn patient(world: &World, program: impl AsRef<OsStr>) -> Command {
    let mut command = client(world, "timeout");
    command.args(["--kill-after=5", "60"]).arg(program);
    command
}

/// Like `patient`, and records the arguments and variables of every program that the client starts.
pub(crate) fn watched(world: &World, program: impl AsRef<OsStr>) -> Command {
    let mut command = patient(world, tool("strace"));
    command.args(["-f", "-qq", "-v", "-e", "trace=execve", "-s", "65535", "-o"]);
    command.arg(world.path("started")).arg(program);
    command
}

/// All programs that the last watched client has started, with their arguments and variables.
#[track_caller]
pub(crate) fn started(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("started")).unwrap();
    let mut starts: Vec<String> = Vec::new();
    // A call takes two lines if output of another process interrupted it.
    let mut begun: HashMap<&str, &str> = HashMap::new();
    for line in text.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        if let Some(arguments) = call.trim_end().strip_suffix("<unfinished ...>") {
            begun.insert(process, arguments);
        } else if call.ends_with(" = 0") {
            let arguments = begun.remove(process).unwrap_or(call);
            starts.push(arguments.to_owned());
        }
    }
    assert!(!starts.is_empty(), "strace has recorded calls: {text}");
    starts
}

/// Fails if a program was started with a token. The search of the world's files finds that too, but
/// this error is clearer.
#[track_caller]
pub(crate) fn started_without_token(world: &World) {
    for token in world.canaries().tokens {
        let leak = started(world).into_iter().find(|it| it.contains(&token));
        assert_eq!(
            leak, None,
            "other users can read arguments, and children inherit variables"
        );
    }
}

impl Ended {
    /// Requires that stdout contains no token either.
    #[track_caller]
    pub(crate) fn without_token(self, world: &World) -> Self {
        for token in world.canaries().tokens {
            assert!(!self.stdout.contains(&token), "stdout shows a token");
        }
        self
    }
}

/// Installs a `cloudconnexa-auth` before the real one on PATH; it records the first argument of
/// each process.
pub(crate) fn count_runs(world: &World) {
    let real = links(world).join("cloudconnexa-auth");
    let text = format!(
        "#!/bin/sh\necho \"$1\" >> '{}'\nexec '{}' \"$@\"\n",
        world.path("runs").display(),
        real.display()
    );
    let folder = world.path("counting");
    fs::create_dir(&folder).unwrap();
    write_program(&folder.join("cloudconnexa-auth"), &text);
    first_on_path(world, &folder);
}

/// The subcommands of all processes so far.
pub(crate) fn runs(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("runs")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Puts a directory first on the world's PATH.
pub(crate) fn first_on_path(world: &World, folder: &Path) {
    let variables = world.variables();
    let (_, path) = variables.iter().find(|(name, _)| name == "PATH").unwrap();
    world.set("PATH", &format!("{}:{path}", folder.display()));
}

/// Removes the token from the cache with the command in the README.
#[track_caller]
pub(crate) fn drop_the_token(world: &World) {
    let script = "echo '{\"profile\": \"prod\"}' | cloudconnexa-auth erase";
    assert_eq!(bash(world, script).succeeds(), "{}\n");
}

/// All API requests so far, as `GET /api/v1/networks 200`.
pub(crate) fn api_requests(world: &World) -> Vec<String> {
    let requests = world.sandbox.requests();
    let api = requests.iter().filter(|it| !it.is_token_request());
    api.map(|it| format!("{} {} {}", it.method, it.path, it.status.unwrap_or(0)))
        .collect()
}

/// Runs a script with bash and an empty stdin.
#[track_caller]
pub(crate) fn bash(world: &World, script: &str) -> Ended {
    run(world, patient(world, "bash").args(["-c", script]))
}
