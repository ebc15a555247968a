//! Profiles: what the file and the variables may contain, which of them has priority, and the error
//! messages for invalid values.

use cloudconnexa_sandbox::Sandbox;
use serde_json::Value;

use crate::harness::World;

fn bare() -> World {
    World::without_profile(Sandbox::builder())
}

fn names(world: &World) -> Vec<String> {
    let list: Value = serde_json::from_str(&world.run(["list"]).succeeds()).unwrap();
    let profiles = list["profiles"].as_array().unwrap();
    profiles
        .iter()
        .map(|profile| profile["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place_and_what_to_write() {
    let world = bare();
    let head = "[profiles.p]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n";
    let full = format!("{head}client_secret = {{ env = \"S\" }}\n");
    for (text, place, says, hint) in [
        ("a = [\n", ":1:6", "", ""),
        (
            "defualt_profile = \"p\"\n",
            ":1:1",
            "unknown key `defualt_profile`",
            "`default_profile`?",
        ),
        (
            "default_profile = \"p\"\n",
            ":1:19",
            "`p`, which is not here",
            "",
        ),
        (
            "profiles = 7\n",
            ":1:12",
            "must be a table, not an integer",
            "",
        ),
        (
            "[profiles.p]\ncloudid = \"acme\"\n",
            ":2:1",
            "unknown key `cloudid`",
            "`cloud_id`?",
        ),
        (
            "[profiles.p]\ncolour = \"x\"\n",
            ":2:1",
            "unknown key `colour`",
            "the keys here are",
        ),
        (
            "[profiles.p]\ndefault_profile = \"p\"\n",
            ":2:1",
            "unknown key `default_profile` in [profiles.p]",
            "`default_profile` belongs at the top of the file",
        ),
        ("[profiles.env]\n", ":1:11", "kept for the profile", ""),
        (
            "[profiles.\"a b\"]\n",
            ":1:11",
            "not a name for a profile",
            "",
        ),
        (
            "[profiles.\"../p\"]\n",
            ":1:11",
            "not a name for a profile",
            "",
        ),
        ("[profiles.p]\n", ":1:11", "names no server", "cloud_id"),
        (
            "[profiles.p]\ncloud_id = \"acme\"\n",
            ":1:11",
            "has no `client_id`",
            "client_id = ",
        ),
        (head, ":1:11", "has no `client_secret`", "file = "),
        (
            "[profiles.p]\ncloud_id = \"a.b\"\n",
            ":2:12",
            "not a Cloud ID",
            "",
        ),
        (
            "[profiles.p]\nbase_url = \"http://acme.test\"\n",
            ":2:12",
            "loopback only",
            "",
        ),
        (
            "[profiles.p]\nbase_url = \"https://u:p@acme.test\"\n",
            ":2:12",
            "user info",
            "",
        ),
        (
            "[profiles.p]\nbase_url = \"https://acme.test?x\"\n",
            ":2:12",
            "query",
            "",
        ),
    ] {
        world.write_config(text);
        let stderr = world.run(["token"]).fails(3);
        let place = format!("config.toml{place}: ");
        assert!(
            stderr.contains(&place),
            "{text:?}: {place} is not in\n{stderr}"
        );
        assert!(
            stderr.contains(says) && stderr.contains(hint),
            "{text:?}: {stderr}"
        );
    }
    for (line, says, hint) in [
        ("min_ttl = \"5\"\n", "is not a duration", ""),
        ("min_ttl = 5\n", "a text in quotes, not an integer", ""),
        ("timeout = \"0s\"\n", "more than nothing", ""),
        (
            "auth_method = \"bsic\"\n",
            "`bsic` is not an `auth_method`",
            "`basic`?",
        ),
        ("hosts = \"a\"\n", "a list of texts", ""),
        ("hosts = [\"https://a\"]\n", "not a host or host:port", ""),
        ("hosts = [\"a@b\"]\n", "user info", ""),
        (
            "secret_expires = \"soon\"\n",
            "a date such as 2027-05-22",
            "",
        ),
        ("scope = \"\"\n", "`scope`", ""),
        ("token_url = \"ftp://a\"\n", "`token_url` is not usable", ""),
    ] {
        world.write_config(&format!("{full}{line}"));
        let stderr = world.run(["token"]).fails(3);
        let column = line.find('=').unwrap() + 3;
        let is_list = line.contains("= [");
        let place = format!("config.toml:5:{}: ", column + usize::from(is_list));
        assert!(
            stderr.contains(&place),
            "{line:?}: {place} is not in\n{stderr}"
        );
        assert!(
            stderr.contains(says) && stderr.contains(hint),
            "{line:?}: {stderr}"
        );
    }
    for (source, says) in [
        ("{ }", "exactly one of"),
        ("{ env = \"A\", file = \"b\" }", "exactly one of"),
        ("{ fil = \"b\" }", "did you mean `file`?"),
        ("{ env = 7 }", "a text in quotes"),
        ("{ command = \"op read\" }", "a list of texts"),
        ("{ command = [] }", "a program and its arguments"),
        ("{ docker_helper = \"../x\" }", "docker-credential-NAME"),
        ("{ docker_helper = \"cloudconnexa\" }", "is this program"),
        ("{ systemd_credential = \"a/b\" }", "LoadCredential=NAME"),
        ("7", "a table such as"),
    ] {
        world.write_config(&format!("{head}client_secret = {source}\n"));
        let stderr = world.run(["token"]).fails(3);
        assert!(
            stderr.contains("config.toml:4:") && stderr.contains(says),
            "{source}: {stderr}"
        );
    }
}

#[test]
fn a_literal_secret_is_an_error_that_says_where_to_put_it_and_does_not_show_it() {
    let world = bare();
    world.watch("literal-secret-1234");
    world.write_config("[profiles.p]\nclient_secret = \"literal-secret-1234\"\n");
    // The test itself put the secret into the file, so only stderr is searched.
    let output = std::process::Command::new(crate::harness::PROGRAM)
        .args(["token", "--config", world.config().to_str().unwrap()])
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr.contains(":2:17: a client secret stands in the file itself"),
        "{stderr}"
    );
    assert!(
        stderr.contains("client_secret = { file = \"NAME.secret\" }"),
        "{stderr}"
    );
    assert!(!stderr.contains("literal-secret"), "{stderr}");
}

#[test]
fn the_place_of_a_byte_that_is_not_text_is_told() {
    let world = bare();
    world.write_config("");
    std::fs::write(world.config(), b"# caf\xe9\n").unwrap();
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.contains("config.toml:1:6: this is not UTF-8 text"),
        "{stderr}"
    );
}

#[test]
fn nothing_set_up_says_what_to_do() {
    let world = bare();
    let stderr = world.run(["token"]).fails(3);
    assert!(stderr.contains("no profile is set up"), "{stderr}");
    assert!(stderr.contains("cloudconnexa-auth login"), "{stderr}");
    assert!(stderr.contains("CLOUDCONNEXA_CLIENT_SECRET"), "{stderr}");

    let stderr = world
        .run(["token"])
        .set("CLOUDCONNEXA_CLIENT_ID", "x.acme")
        .fails(3);
    assert!(
        stderr.contains("CLOUDCONNEXA_CLIENT_SECRET and CLOUDCONNEXA_CLOUD_ID is not set")
            || stderr.contains("CLOUDCONNEXA_CLIENT_SECRET and CLOUDCONNEXA_CLOUD_ID are not set"),
        "the missing value is named: {stderr}"
    );
}

#[test]
fn a_file_that_was_named_has_to_be_there() {
    let world = World::new();
    let missing = world.path("missing.toml");
    let missing = missing.to_str().unwrap();
    for run in [
        world.run(["token", "--config", missing]),
        world
            .run(["token"])
            .set("CLOUDCONNEXA_AUTH_CONFIG", missing),
    ] {
        let stderr = run.fails(3);
        let expected = format!("there is no configuration file `{missing}`");
        assert!(stderr.contains(&expected), "{stderr}");
    }
}

#[test]
fn the_flag_wins_over_the_variable_and_the_variable_over_the_default() {
    let world = bare();
    let profiles: String = ["a", "b", "c"]
        .map(|name| world.profile_text(name))
        .concat();
    world.write_config(&format!("default_profile = \"c\"\n{profiles}"));
    let profile = |run: crate::harness::Run<'_>| {
        let answer: Value = serde_json::from_str(&run.succeeds()).unwrap();
        answer["profile"].as_str().unwrap().to_owned()
    };
    assert_eq!(profile(world.run(["token", "--json"])), "c");
    let set = world
        .run(["token", "--json"])
        .set("CLOUDCONNEXA_PROFILE", "b");
    assert_eq!(profile(set), "b");
    let both = world
        .run(["token", "--json", "--profile", "a"])
        .set("CLOUDCONNEXA_PROFILE", "b");
    assert_eq!(profile(both), "a");
    assert_eq!(names(&world), ["a", "b", "c"]);

    world.write_config(&profiles);
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.contains("3 profiles exist and none is the default"),
        "{stderr}"
    );
    assert!(stderr.contains("`a`, `b`, `c`"), "{stderr}");
    let stderr = world.run(["token", "--profile", "aa"]).fails(3);
    assert!(stderr.contains("profile `aa` does not exist"), "{stderr}");
}

#[test]
fn the_profile_of_the_environment_comes_before_the_file() {
    let world = World::new();
    world.write_config(&format!(
        "default_profile = \"a\"\n{}",
        world.profile_text("a")
    ));
    let answer: Value = serde_json::from_str(&world.run(["token", "--json"]).succeeds()).unwrap();
    assert_eq!(answer["profile"], "env");
    assert_eq!(names(&world), ["env", "a"]);
}

#[test]
fn a_cloud_id_is_the_tenants_host() {
    let world = World::new();
    world.unset("CLOUDCONNEXA_BASE_URL");
    let run = world.run(["list"]).set("CLOUDCONNEXA_CLOUD_ID", "Acme");
    assert!(run.succeeds().contains("\"https://acme.api.openvpn.com\""));
    let stderr = world
        .run(["list"])
        .set("CLOUDCONNEXA_CLOUD_ID", "a/b")
        .fails(3);
    assert!(
        stderr.contains("`CLOUDCONNEXA_CLOUD_ID` is not a Cloud ID"),
        "{stderr}"
    );
    let run = world
        .run(["list"])
        .set("CLOUDCONNEXA_BASE_URL", "https://u:pass-word@a.test");
    let stderr = run.fails(3);
    assert!(
        stderr.contains("CLOUDCONNEXA_BASE_URL") && !stderr.contains("pass-word"),
        "{stderr}"
    );
}

#[test]
fn durations_and_dates_of_the_example_are_read() {
    let world = bare();
    let text = world.profile_text("prod");
    world.write_config(&format!(
        "default_profile = \"prod\"\n\n{text}secret_expires = 2999-05-22\nmin_ttl = \"1m\"\n\
         auth_method = \"auto\"\nhosts = [\"proxy.acme.internal\"]\ntimeout = \"30s\"\n\
         description = \"the tenant of the example\"\n"
    ));
    world.token();
}

#[test]
fn unknown_log_level_is_a_warning_for_people_only() {
    let world = World::new();
    let with_level = |arguments: &[&str], level| {
        let run = world.run_all(arguments).set("CLOUDCONNEXA_AUTH_LOG", level);
        run.outcome().succeeds_with_stderr()
    };
    for level in ["info", "loud\u{1b}[31m"] {
        let (token, stderr) = with_level(&["token"], level);
        assert!(!token.is_empty());
        let line = "warning: CLOUDCONNEXA_AUTH_LOG is `";
        assert!(
            stderr.contains(line) && stderr.contains("`error`, `warn` or `debug`"),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(!stderr.contains('\u{1b}'), "{stderr:?}");
    }
    let (_, stderr) = with_level(&["pnpm"], "info");
    assert_eq!(
        stderr, "",
        "a tool may treat stderr as part of the response"
    );
    for level in ["debug", "DEBUG"] {
        let (_, stderr) = with_level(&["token"], level);
        assert!(stderr.contains("debug: "), "{stderr}");
    }
}

#[test]
fn a_path_may_begin_at_the_home() {
    let world = bare();
    let text = world.profile_text("prod");
    let secret = world.config_folder().join("prod.secret");
    std::fs::rename(secret, world.home().join("mine.secret")).unwrap();
    world.write_config(&text.replace("prod.secret", "~/mine.secret"));
    world.token();
}

#[test]
fn words_that_one_profile_left_are_told_to_another_under_its_own_name() {
    let world = bare();
    let text = format!(
        "{}{}",
        world.profile_text("first"),
        world.profile_text("second")
    );
    world.write_config(&text);
    world.sandbox.enable_api(false);
    world.run(["token", "--profile", "first"]).fails(4);
    let stderr = world.run(["token", "--profile", "second"]).fails(4);
    assert!(
        stderr.contains("profile `second`") && !stderr.contains("first"),
        "{stderr}"
    );
    assert_eq!(world.sandbox.token_requests(), 1, "both are one identity");
}

#[test]
fn a_flag_that_contradicts_the_input_is_not_passed_over() {
    let world = bare();
    world.write_config(&format!(
        "{}{}",
        world.profile_text("a"),
        world.profile_text("b")
    ));
    let erase = "{\"profile\":\"a\"}";
    let stderr = world.run(["erase", "--profile", "b"]).stdin(erase).fails(2);
    assert!(stderr.contains("differ"), "{stderr}");
    let store =
        "{\"profile\":\"a\",\"cloud_id\":\"x\",\"client_id\":\"y\",\"client_secret\":\"zz\"}";
    let stderr = world.run(["store", "--profile", "b"]).stdin(store).fails(2);
    assert!(stderr.contains("differ"), "{stderr}");
    world.run(["erase", "--no-cache"]).stdin(erase).fails(2);
}

#[test]
fn a_job_whose_secret_did_not_arrive_is_not_given_another_identitys_token() {
    let world = bare();
    world.write_config(&world.profile_text("prod"));
    let run = world
        .run(["token"])
        .set("CLOUDCONNEXA_CLIENT_ID", "x.other");
    let stderr = run.set("CLOUDCONNEXA_CLOUD_ID", "other").fails(3);
    assert!(
        stderr.contains("CLOUDCONNEXA_CLIENT_SECRET is not set"),
        "{stderr}"
    );
    let run = world.run(["token", "--profile", "prod"]);
    run.set("CLOUDCONNEXA_CLIENT_ID", "x.other").succeeds();
}

#[cfg(unix)]
#[test]
fn no_file_that_is_a_pipe_is_waited_for() {
    let world = World::new();
    let pipe = world.path("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let pipe = pipe.to_str().unwrap();
    let stderr = world.run(["token", "--config", pipe]).fails(3);
    assert!(stderr.contains("it is not a regular file"), "{stderr}");
    let text = world.profile_text("p");
    world.write_config(&format!("{text}ca_file = \"{pipe}\"\n"));
    let stderr = world.run(["token", "--profile", "p"]).fails(3);
    assert!(stderr.contains("it is not a regular file"), "{stderr}");
    world.run(["token", "--config", "/dev/null"]).succeeds();
}

#[test]
fn a_value_that_may_be_a_secret_in_the_wrong_place_is_not_shown() {
    let world = bare();
    let head = "[profiles.p]\ncloud_id = \"a\"\nclient_id = \"x.a\"\n";
    for line in [
        "client_secret = { env = \"pasted+secret/1234\" }\n",
        "client_secret = { env = \"S\" }\nhosts = [\"ana:pasted-secret@gw\"]\n",
    ] {
        world.write_config(&format!("{head}{line}"));
        let stderr = world.run(["token"]).fails(3);
        assert!(!stderr.contains("pasted"), "{stderr}");
    }
}

#[test]
fn of_five_thousand_profiles_a_person_is_told_ten() {
    let world = bare();
    let profile = |number| {
        format!(
            "[profiles.p{number}]\ncloud_id = \"a\"\nclient_id = \"x.a\"\n\
             client_secret = {{ env = \"S\" }}\n"
        )
    };
    let text = (0..5000).map(profile).collect::<Vec<String>>().concat();
    world.write_config(&text);
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.contains("and 4990 more") && stderr.len() < 1000,
        "{stderr}"
    );
}

#[cfg(not(feature = "shared-store"))]
#[test]
fn a_build_without_the_shared_store_says_so() {
    let world = World::without_profile(Sandbox::builder());
    let profile = world.profile_text("prod");
    world.write_config(&format!(
        "{profile}[profiles.prod.shared_store]\nurl = \"rediss://cache\"\n"
    ));
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.contains("config.toml:5:") && stderr.contains("feature `shared-store`"),
        "{stderr}"
    );
    world.write_config(&profile);
    let run = world
        .run(["token"])
        .set("CLOUDCONNEXA_AUTH_SHARED_STORE", "rediss://cache");
    let stderr = run.fails(3);
    assert!(stderr.contains("feature `shared-store`"), "{stderr}");
    world.run(["token"]).succeeds();
}
