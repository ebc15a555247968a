//! The system calls of a call with a cached token. They are the same in every build.
//! `tests/costs.sh` measures the release build (instructions, size), and `tests/bench` measures
//! times.

use std::fs;

use serde_json::json;

use crate::harness::World;

/// A world with three profiles; the first is the default and has a token in the cache.
fn warm() -> World {
    let world = World::without_profile(cloudconnexa_sandbox::Sandbox::builder());
    let profiles = ["prod", "stage", "dev"].map(|name| world.profile_text(name));
    world.write_config(&format!(
        "default_profile = \"prod\"\n\n{}",
        profiles.concat()
    ));
    world.token();
    world
}

/// The system calls between the start of a process and its answer, in order, each with its file or
/// descriptor. Excluded are calls of the allocator, geteuid(2), which may be called for each file,
/// and the check for open descriptors, which only test builds do.
fn calls(world: &World, arguments: &str, stdin: &str) -> Vec<String> {
    let script = format!("exec strace -f -qq -y -o calls \"$0\" {arguments}");
    let run = world.run(["-c", &script]).through_shell();
    run.stdin(stdin).succeeds();
    let traced = fs::read_to_string(world.path("calls")).unwrap();
    fs::remove_file(world.path("calls")).unwrap();
    let home = format!("{}/", world.home().display());
    let mut calls: Vec<String> = traced
        .lines()
        .filter_map(|line| line.trim_start().split_once(' '))
        .filter_map(|(_, call)| call.trim_start().split_once('('))
        .filter(|(name, rest)| {
            let passed_over = ["brk", "mmap", "munmap", "mremap", "madvise", "geteuid"];
            !passed_over.contains(name) && !rest.contains("F_GETFD")
        })
        .map(|(name, rest)| {
            let name = match name {
                "open" => "openat",
                "fstat" | "newfstatat" => "statx",
                "ppoll" => "poll",
                name => name,
            };
            let place = rest.split([',', ')']).next().unwrap();
            let file = match rest.split_once(&home) {
                Some((_, path)) => path.split(['"', '>']).next().unwrap(),
                // A descriptor that is not one of our files: stdin, stdout.
                None => place.split('<').next().unwrap(),
            };
            format!("{name} {file}")
        })
        .collect();
    // Remove the startup of a process that is linked for tests, and its exit.
    let is_first = |call: &String| call.ends_with("config.toml") || call == "ioctl 0";
    let first = calls.iter().position(is_first).expect("it began");
    calls.drain(..first);
    let last = calls.iter().position(|call| call.starts_with("write "));
    calls.truncate(last.expect("it answered") + 1);
    calls
}

/// Opens a file, gets its status, reads all of it at once, and closes it.
fn one_read(file: &str) -> [String; 4] {
    ["openat", "statx", "read", "close"].map(|call| format!("{call} {file}"))
}

/// The calls that a cached token needs: the configuration, the entry, the secret (because it may
/// have changed), and one write.
fn needed(world: &World) -> Vec<String> {
    let (entry, _) = world.entry();
    let entry = entry.file_name().unwrap().to_str().unwrap();
    let mut needed = Vec::new();
    for file in [
        "config/cloudconnexa-auth/config.toml",
        &format!("cache/cloudconnexa-auth/{entry}"),
        "config/cloudconnexa-auth/prod.secret",
    ] {
        needed.extend(one_read(file));
    }
    needed.push("write 1".to_owned());
    needed
}

#[test]
fn a_warm_call_reads_three_files_once_each_writes_once_and_asks_for_nothing_else() {
    let world = warm();
    for arguments in ["token", "header", "kubectl", "token --json"] {
        assert_eq!(calls(&world, arguments, ""), needed(&world), "{arguments}");
    }
}

#[test]
fn a_tool_that_sends_a_request_costs_the_reading_of_it_and_no_more() {
    let world = warm();
    // All three profiles have this host; the default profile provides the token.
    let base_url = world.sandbox.base_url();
    let (_, authority) = base_url.split_once("://").unwrap();
    let bazel = json!({ "uri": base_url }).to_string();
    let git = format!("protocol=https\nhost={authority}\n\n");
    // The check that stdin is not a terminal, the request, and the end of the request.
    let mut expected = vec!["ioctl 0"];
    expected.extend(["poll [{fd=0", "read 0"].repeat(2));
    let needed = needed(&world);
    expected.extend(needed.iter().map(String::as_str));
    for (arguments, request) in [("get", &bazel), ("git get", &git)] {
        assert_eq!(calls(&world, arguments, request), expected, "{arguments}");
    }
}

#[test]
fn what_others_have_configured_and_cached_costs_a_warm_call_nothing() {
    let world = warm();
    let text = fs::read_to_string(world.config()).unwrap();
    let others = (0..100).map(|number| {
        format!(
            "[profiles.other-{number}]\ncloud_id = \"other-{number}\"\n\
             client_id = \"id.other-{number}\"\nclient_secret = {{ env = \"OTHER\" }}\n"
        )
    });
    let others: Vec<String> = others.collect();
    let expected = needed(&world);
    world.write_config(&(text + &others.concat()));
    for number in 0..100 {
        fs::write(world.cache().join(format!("{number:064x}.json")), "").unwrap();
    }

    let calls = calls(&world, "token", "");

    assert_eq!(
        calls, expected,
        "no directory and no file of another profile is read"
    );
}
