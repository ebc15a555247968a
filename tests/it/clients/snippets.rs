//! The snippets for Python, Node and Go, executed unchanged by small programs in
//! `tests/clients/snippets/`.

use std::fs;
use std::path::Path;
use std::process::Command;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::integration_files::{api_requests, count_runs, patient, place, runs};
use crate::clients::{
    client, configure, links, revoke_tokens, run, run_with_stdin, spoil_secret, test_tools, tool,
    trust, world,
};
use crate::harness::World;

#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    Node,
    Go,
}

use Language::{Go, Node, Python};

impl Language {
    /// A home with the snippet and its driver.
    fn world(self) -> World {
        let world = world();
        configure(&world, &[]);
        trust(&world, &[]);
        links(&world);
        count_runs(&world);
        let (snippet, driver) = match self {
            Python => ("python/cloudconnexa.py", "drive.py"),
            Node => ("node/cloudconnexa.mjs", "drive.mjs"),
            Go => ("go-snippet/cloudconnexa.go", "drive_test.go"),
        };
        let name = Path::new(snippet).file_name().unwrap();
        place(&world, snippet, &world.home().join(name), &[]);
        let drivers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/snippets");
        fs::copy(drivers.join(driver), world.home().join(driver)).unwrap();
        if matches!(self, Go) {
            let module = "module acme.test/snippet\n\ngo 1.21\n";
            fs::write(world.home().join("go.mod"), module).unwrap();
        }
        world
    }

    /// Runs the snippet as a program.
    fn program(self, world: &World, url: &str) -> Command {
        match self {
            Python => with(patient(world, tool("python3")), &["cloudconnexa.py", url]),
            Node => with(patient(world, tool("node")), &["cloudconnexa.mjs", url]),
            Go => with(go(world), &["run", "cloudconnexa.go", url]),
        }
    }

    /// The driver, which makes four requests with the snippet, the last of them a day later.
    fn driver(self, world: &World, url: &str) -> Command {
        let mut command = match self {
            Python => with(patient(world, tool("python3")), &["drive.py"]),
            Node => with(patient(world, tool("node")), &["drive.mjs"]),
            Go => with(go(world), &["test", "-count=1", "-vet=off", "."]),
        };
        command.env("API_URL", url);
        command
    }
}

fn with(mut command: Command, arguments: &[&str]) -> Command {
    command.args(arguments);
    command
}

/// go, with the standard library that `tests/setup.sh` has compiled.
fn go(world: &World) -> Command {
    let mut command = client(world, "timeout");
    command.args(["--kill-after=5", "300"]).arg(tool("go"));
    command.env("GOCACHE", test_tools().join("go-cache"));
    command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
    command
}

fn networks_url(world: &World) -> String {
    format!("{}/api/v1/networks", world.sandbox.base_url())
}

#[test]
fn each_prints_the_answer_of_the_api() {
    for language in [Python, Node, Go] {
        let world = language.world();

        let ended = run(&world, &mut language.program(&world, &networks_url(&world)));

        let answer = ended.without_token(&world).succeeds();
        assert!(answer.contains("office"), "{language:?}: {answer}");
    }
}

#[test]
fn each_keeps_the_headers_until_they_expire() {
    for language in [Python, Node, Go] {
        let world = language.world();

        run(&world, &mut language.driver(&world, &networks_url(&world))).succeeds();

        assert_eq!(api_requests(&world).len(), 4, "{language:?}");
        assert_eq!(
            runs(&world),
            ["get", "get"],
            "{language:?}: one request a day"
        );
    }
}

#[test]
fn each_replaces_a_token_that_is_refused() {
    for language in [Python, Node, Go] {
        let world = language.world();
        world.token();
        revoke_tokens(&world);

        run(&world, &mut language.program(&world, &networks_url(&world))).succeeds();

        let (refused, good) = ("GET /api/v1/networks 401", "GET /api/v1/networks 200");
        assert_eq!(api_requests(&world), [refused, good], "{language:?}");
        assert_eq!(runs(&world), ["get", "erase", "get"], "{language:?}");
    }
}

#[test]
fn each_tries_a_refusing_server_twice_and_no_more() {
    for language in [Python, Node, Go] {
        let world = language.world();
        // The API of another tenant, which accepts none of our tokens.
        let other = Sandbox::builder().http().no_rate_limit().start();
        configure(&world, &[&other.address().to_string()]);
        let url = format!("{}/api/v1/networks", other.base_url());

        let ended = run(&world, &mut language.program(&world, &url));

        assert!(ended.stderr.contains("401"), "{}", ended.story());
        ended.fails();
        assert_eq!(other.requests().len(), 2, "{language:?}");
        assert_eq!(runs(&world), ["get", "erase", "get"], "{language:?}");
    }
}

#[test]
fn each_fails_without_a_request_where_there_is_no_token() {
    for language in [Python, Node, Go] {
        let world = language.world();
        let foreign = "https://127.0.0.1:1/api/v1/networks";
        let ended = run(&world, &mut language.program(&world, foreign));
        assert!(
            ended
                .stderr
                .contains("no profile of cloudconnexa-auth covers"),
            "{language:?}: {}",
            ended.story()
        );
        ended.fails();

        spoil_secret(&world);
        let ended = run(&world, &mut language.program(&world, &networks_url(&world)));

        assert!(ended.stderr.contains("cloudconnexa-auth: error: "));
        ended.fails();
        assert_eq!(api_requests(&world), [""; 0], "{language:?}");
    }
}

#[test]
fn the_go_snippet_is_formatted_and_passes_vet() {
    let world = Go.world();

    run(&world, go(&world).args(["vet", "."])).succeeds();

    let root = run(&world, go(&world).args(["env", "GOROOT"])).succeeds();
    let mut gofmt = patient(&world, Path::new(root.trim()).join("bin/gofmt"));
    let unformatted = run(&world, gofmt.args(["-l", "."])).succeeds();
    assert_eq!(unformatted, "", "the snippet and its driver");
}

#[test]
fn the_node_module_can_be_imported_where_no_file_is_the_program() {
    // In Node, the second element of `argv` is `-`.
    let world = Node.world();
    let mut node = patient(&world, tool("node"));
    node.args(["--input-type=module", "-"]);
    let import = "import { api } from './cloudconnexa.mjs'; console.log(typeof api)";

    let printed = run_with_stdin(&world, &mut node, import).succeeds();

    assert_eq!(printed, "function\n");
}
