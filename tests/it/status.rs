//! `status` for users and for programs, and the warning that the credential expires.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use cloudconnexa_sandbox::Sandbox;
use serde_json::json;
use time::OffsetDateTime;

use crate::harness::World;
use crate::helper::validate;

/// The date in `days` days, UTC.
fn in_days(days: i64) -> String {
    let day = OffsetDateTime::now_utc().date() + time::Duration::days(days);
    day.to_string()
}

/// A world with a profile `prod` whose credential expires in `days` days.
fn ending_in(days: i64) -> World {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("prod");
    world.write_config(&format!("{text}secret_expires = {}\n", in_days(days)));
    world
}

/// The files that record the time of a reminder.
fn notes(world: &World) -> Vec<PathBuf> {
    let files = fs::read_dir(world.cache()).into_iter().flatten().flatten();
    let notes = files.map(|file| file.path());
    notes
        .filter(|path| path.extension().is_some_and(|end| end == "reminded"))
        .collect()
}

#[test]
fn a_page_tells_a_person_all_at_a_glance() {
    let world = ending_in(180);
    world.token();
    let page = world.run(["status"]).succeeds();
    let names: Vec<&str> = page
        .lines()
        .skip(1)
        .filter_map(|line| line.get(2..13))
        .map(str::trim_end)
        .collect();
    let expected = [
        "server",
        "client ID",
        "secret",
        "credential",
        "token",
        "refresh",
    ];
    assert_eq!(names, expected, "{page}");
    for words in [
        "prod (default)\n",
        "180 days left\n",
        "  token      good, 12h left (until 2",
        "  refresh    in 9h36m (from 2",
    ] {
        assert!(page.contains(words), "{words:?} is not in\n{page}");
    }
    world.advance(Duration::from_secs(36_000));
    let page = world.run(["status"]).succeeds();
    assert!(
        page.contains("  refresh    with the next call (from 2"),
        "{page}"
    );
}

#[test]
fn several_profiles_are_a_table_and_what_is_wrong_stands_below() {
    let world = ending_in(3);
    world.run(["token"]).outcome().succeeds_with_stderr();
    let prod = fs::read_to_string(world.config()).unwrap();
    let lab = world.profile_text("lab");
    let base_url = world.sandbox.base_url().to_owned();
    let other = lab.replace(&base_url, &base_url.replace("127.0.0.1", "localhost"));
    world.write_config(&format!("default_profile = \"prod\"\n{prod}{other}"));
    world.sandbox.enable_api(false);
    world.run(["token", "--profile", "lab"]).fails(4);

    let table = world.run(["status"]).succeeds();

    let lines: Vec<&str> = table.lines().collect();
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        squeeze(lines[0]),
        "PROFILE TOKEN REFRESH COOL-DOWN CREDENTIAL SECRET"
    );
    let prod = "prod (default) good, 12h left in 9h36m - 3 days left file ";
    assert!(squeeze(lines[2]).starts_with(prod), "{table}");
    assert!(
        squeeze(lines[1]).starts_with("lab none - 30s, refused - file "),
        "{table}"
    );
    let column = lines[0].find("COOL-DOWN").unwrap();
    assert!(
        lines[1].get(column..).unwrap().starts_with("30s"),
        "{table}"
    );
    assert_eq!(lines[3], "");
    assert_eq!(lines[5], "prod: warning: the API credential ends in 3 days");
    let why = "lab: cool-down: the token endpoint refused the credentials of profile `lab`";
    assert!(lines[4].starts_with(why), "{table}");
    assert_eq!(lines.len(), 6, "{table}");
}

#[test]
fn the_json_of_every_state_fits_its_schema() {
    let world = ending_in(10);
    let told =
        || validate("status", &world.run(["status", "--json"]).succeeds())["profiles"][0].clone();
    let before = told();
    assert_eq!(before["secret_days_left"], 10);
    assert_eq!(
        before["warnings"],
        json!(["the API credential ends in 10 days"])
    );
    world.run(["token"]).outcome().succeeds_with_stderr();
    let held = told();
    assert!(
        held["refresh_at"].as_str() < held["expires_at"].as_str(),
        "{held}"
    );
    world.sandbox.enable_api(false);
    world.run(["token", "--refresh"]).fails(4);
    assert_eq!(told()["cooldown"]["reason"], "refused");
    assert_eq!(
        world.sandbox.requests().len(),
        2,
        "`status` sent no request"
    );
}

#[test]
fn people_are_warned_once_a_day_that_the_credential_ends() {
    let world = ending_in(14);
    let warned = |arguments: &[&str]| {
        let (_, stderr) = world.run_all(arguments).outcome().succeeds_with_stderr();
        stderr
    };
    let told = warned(&["token"]);
    let expected = format!(
        "cloudconnexa-auth: warning: profile `prod`: the API credential ends in 14 days (until {})\n",
        in_days(14)
    );
    assert_eq!(
        told, expected,
        "also if stderr is not a terminal: CI is warned too"
    );
    for arguments in [
        &["token"][..],
        &["header"],
        &["list"],
        &["exec", "--", "true"],
    ] {
        assert_eq!(warned(arguments), "", "{arguments:?}: once a day");
    }
    let note = notes(&world).remove(0);
    assert_eq!(note.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    for arguments in [
        &["token"][..],
        &["header"],
        &["list"],
        &["exec", "--", "true"],
    ] {
        fs::write(&note, in_days(-1)).unwrap();
        assert_eq!(warned(arguments), expected, "{arguments:?}: the next day");
    }
}

#[test]
fn tools_are_not_warned_and_nobody_is_before_the_time() {
    let world = ending_in(2);
    let uri = format!("{}/api/v1/networks", world.sandbox.base_url());
    let request = json!({ "uri": uri }).to_string();
    world.run(["get"]).stdin(request).succeeds();
    world.run(["pnpm"]).succeeds();
    world.run(["status"]).succeeds();
    assert!(notes(&world).is_empty());
    let (_, stderr) = world.run(["token"]).outcome().succeeds_with_stderr();
    assert!(stderr.contains("ends in 2 days"), "{stderr}");

    let world = ending_in(15);
    world.run(["token"]).succeeds();
    assert!(
        notes(&world).is_empty(),
        "nothing to record, nothing searched for"
    );
}

#[test]
fn a_reminder_that_cannot_be_noted_is_no_trouble() {
    let world = ending_in(0);
    for flags in [&["token", "--no-cache"][..], &["token", "--no-cache"]] {
        let (_, stderr) = world.run_all(flags).outcome().succeeds_with_stderr();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("ends today"), "{stderr}");
    }
}

#[test]
fn whoever_wants_no_warnings_does_not_take_the_days_from_others() {
    let world = ending_in(5);
    let quiet = world.run(["token"]).set("CLOUDCONNEXA_AUTH_LOG", "error");
    quiet.succeeds();
    assert!(notes(&world).is_empty(), "no user was reminded");
    let (_, stderr) = world.run(["token"]).outcome().succeeds_with_stderr();
    assert!(stderr.contains("ends in 5 days"), "{stderr}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_credential_that_lasts_costs_the_hot_path_no_system_call() {
    let calls = |world: &World| {
        world.run(["token"]).succeeds();
        let trace = world.path("trace");
        let script = format!("strace -f -o '{}' \"$0\" token", trace.display());
        world.run(["-c", &script]).through_shell().succeeds();
        let text = fs::read_to_string(trace).unwrap();
        let names = text.lines().filter_map(|line| {
            let call = line.split_whitespace().nth(1)?;
            Some(call.split('(').next()?.to_owned())
        });
        // Calls of the allocator do not count.
        let names = names.filter(|name| !["brk", "mmap", "munmap"].contains(&name.as_str()));
        names.collect::<Vec<_>>()
    };
    let unset = World::without_profile(Sandbox::builder());
    unset.write_config(&unset.profile_text("prod"));
    assert_eq!(calls(&ending_in(180)), calls(&unset));
}
