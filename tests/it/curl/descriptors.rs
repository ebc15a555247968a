//! The token is sent to curl through a pipe, and no option of curl can read it a second time.

use std::fs;

use cloudconnexa_sandbox::Fault;
use serde_json::json;

use crate::clients::{client, write_program};
use crate::harness::World;

use super::server::{Server, reply};
use super::{NETWORKS, world, world_for};

/// The number of processes that run in parallel.
const AT_ONCE: usize = 8;

/// The options of the installed curl that take a value.
fn valued_options(world: &World) -> Vec<String> {
    let help = client(world, "curl").args(["--help", "all"]).output();
    let help = String::from_utf8(help.unwrap().stdout).unwrap();
    let lines = help.lines().filter_map(|line| line.split_once("--"));
    let options = lines.filter_map(|(_, option)| option.split_once(' '));
    options
        .filter(|(_, after)| after.starts_with(['<', '[']))
        .map(|(name, _)| format!("--{name}"))
        .collect()
}

/// Every way in which curl takes a file as a value, for one descriptor.
fn forms(descriptor: &str) -> Vec<String> {
    let (dev, proc) = (
        format!("/dev/fd/{descriptor}"),
        format!("/proc/self/fd/{descriptor}"),
    );
    let starts = ["", "@", "<", "x@", "x=@", "x=<"];
    let of_dev = starts.iter().map(|start| format!("{start}{dev}"));
    of_dev.chain([proc.clone(), format!("@{proc}")]).collect()
}

/// Installs a program named `curl`, first on PATH.
fn replace_curl(world: &World, script: &str) {
    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    write_program(&bin.join("curl"), script);
    world.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
}

/// The descriptor from which curl reads its configuration.
fn descriptor() -> String {
    let world = world(&[]);
    replace_curl(
        &world,
        "#!/bin/sh\ncat \"$3\" >/dev/null\nprintf %s \"${3#/dev/fd/}\"\n",
    );
    world.run(["curl", NETWORKS]).succeeds()
}

#[test]
fn token_can_be_read_only_once() {
    let world = world(&[]);
    replace_curl(
        &world,
        "#!/bin/sh\nwc -l <\"$3\"\ncat \"$3\" /proc/self/fd/\"${3#/dev/fd/}\"\n\
         ls -l /proc/self/fd >descriptors\n",
    );
    for body in [&[][..], &["-d", "x"]] {
        let all = [&["curl", NETWORKS], body].concat();
        assert_eq!(world.run_all(&all).succeeds(), "1\n", "the second is empty");
        let descriptors = fs::read_to_string(world.path("descriptors")).unwrap();
        assert!(!descriptors.contains("memfd"), "{descriptors}");
    }
}

#[test]
fn curl_that_reads_no_configuration_is_not_waited_for() {
    let world = world(&[]);
    replace_curl(&world, "#!/bin/sh\nexit 7\n");
    assert_eq!(world.run(["curl", NETWORKS]).outcome().code, Some(7));
}

#[test]
fn longest_token_reaches_the_server_beside_stdin() {
    let server = Server::saying("200 OK", "good\n");
    let world = world_for(&server);
    let token = "t".repeat(16 * 1024);
    let granted = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
    world.sandbox.next(Fault::Body(granted.to_string()));
    for body in [&[][..], &["-d", "@-"]] {
        let url = server.url();
        let all = [&["curl", &url, "-sS"], body].concat();
        assert_eq!(world.run_all(&all).stdin("body").succeeds(), "good\n");
        let request = server.requests().pop().unwrap();
        assert!(request.contains(&format!("Authorization: Bearer {token}\r\n")));
        assert_eq!(request.ends_with("\r\n\r\nbody"), !body.is_empty());
    }
}

#[test]
fn no_option_reads_the_token_from_a_descriptor() {
    let other = Server::saying("200 OK", "other\n");
    let location = format!("Location: {}/elsewhere\r\n", other.url());
    let server = Server::start(move |_, stream| {
        reply(stream, "307 Temporary Redirect", &location, "");
    });
    let world = world_for(&server);
    let (token, url, descriptor) = (world.token(), server.url(), descriptor());
    let options = valued_options(&world);
    assert!(options.len() > 100, "the options are found: {options:?}");
    let cases: Vec<(&String, String)> = options
        .iter()
        .flat_map(|option| {
            forms(&descriptor)
                .into_iter()
                .map(move |form| (option, form))
        })
        .collect();

    for batch in cases.chunks(AT_ONCE) {
        let start = |(option, form): &(&String, String)| {
            let fixed = ["curl", &url, "-sSL", "--max-time", "5"];
            world
                .run_all(&[&fixed[..], &[option, form]].concat())
                .start()
        };
        let running: Vec<_> = batch.iter().map(start).collect();
        for (running, case) in running.into_iter().zip(batch) {
            let outcome = running.outcome();
            assert!(!outcome.stdout.contains(&token), "{case:?}: stdout");
            assert!(!outcome.stderr.contains(&token), "{case:?}: stderr");
        }
    }

    for request in server.requests() {
        let header = format!("Authorization: Bearer {token}\r\n");
        assert!(
            !request.replacen(&header, "", 1).contains(&token),
            "{request}"
        );
    }
    let requests = other.requests();
    assert!(!requests.is_empty(), "redirects are followed");
    for request in requests {
        assert!(!request.contains(&token), "{request}");
    }
    world.check_files();
}
