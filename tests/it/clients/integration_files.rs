//! The files of `integrations/`, put in place as a user would, and clients watched at their argv.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::clients::{Ended, client, links, published, run, tool, write_program};
use crate::harness::World;

/// A file of `integrations/` with the sandbox in place of the API, and further replacements.
#[track_caller]
pub(crate) fn recipe(world: &World, name: &str, replaced: &[(&str, &str)]) -> String {
    published(name, replaced).replace("https://acme.api.openvpn.com", world.sandbox.base_url())
}

/// Puts a file of `integrations/` in place, executable where it is so there.
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

/// A client that may take a minute, and starts nothing that outlives it by much.
pub(crate) fn patient(world: &World, program: impl AsRef<OsStr>) -> Command {
    let mut command = client(world, "timeout");
    command.args(["--kill-after=5", "60"]).arg(program);
    command
}

/// The same, with the arguments and variables of every program that it starts written down.
pub(crate) fn watched(world: &World, program: impl AsRef<OsStr>) -> Command {
    let mut command = patient(world, tool("strace"));
    command.args(["-f", "-qq", "-v", "-e", "trace=execve", "-s", "65535", "-o"]);
    command.arg(world.path("started")).arg(program);
    command
}

/// Each program that the last watched client started, with its arguments and variables.
#[track_caller]
pub(crate) fn started(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("started")).unwrap();
    let mut starts: Vec<String> = Vec::new();
    // A call is in two lines where another process came in between.
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
    assert!(!starts.is_empty(), "strace saw something: {text}");
    starts
}

/// Fails if a program was started with a token. (The search of the world's files finds it too; this
/// says what it means.)
#[track_caller]
pub(crate) fn started_without_token(world: &World) {
    for token in world.canaries().tokens {
        let leak = started(world).into_iter().find(|it| it.contains(&token));
        assert_eq!(
            leak, None,
            "others can read arguments, and children variables"
        );
    }
}

impl Ended {
    /// Its stdout holds no token either.
    #[track_caller]
    pub(crate) fn without_token(self, world: &World) -> Self {
        for token in world.canaries().tokens {
            assert!(!self.stdout.contains(&token), "stdout shows a token");
        }
        self
    }
}

/// A `cloudconnexa-auth` before the real one on PATH that writes each run's first argument down.
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

/// The verbs of all runs so far.
pub(crate) fn runs(world: &World) -> Vec<String> {
    let text = fs::read_to_string(world.path("runs")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Puts a folder first on the world's PATH.
pub(crate) fn first_on_path(world: &World, folder: &Path) {
    let variables = world.variables();
    let (_, path) = variables.iter().find(|(name, _)| name == "PATH").unwrap();
    world.set("PATH", &format!("{}:{path}", folder.display()));
}

/// Drops the token from the cache, as the README says.
#[track_caller]
pub(crate) fn drop_the_token(world: &World) {
    let script = "echo '{\"profile\": \"prod\"}' | cloudconnexa-auth erase";
    assert_eq!(bash(world, script).succeeds(), "{}\n");
}

/// The API requests so far, as `GET /api/v1/networks 200`.
pub(crate) fn api_requests(world: &World) -> Vec<String> {
    let requests = world.sandbox.requests();
    let api = requests.iter().filter(|it| !it.is_token_request());
    api.map(|it| format!("{} {} {}", it.method, it.path, it.status.unwrap_or(0)))
        .collect()
}

/// Runs a script with bash, stdin empty.
#[track_caller]
pub(crate) fn bash(world: &World, script: &str) -> Ended {
    run(world, patient(world, "bash").args(["-c", script]))
}
