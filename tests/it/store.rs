//! `store`: writes a profile and its secret into the configuration, and changes nothing else.

use std::fs;

use cloudconnexa_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::harness::World;

fn bare() -> World {
    World::without_profile(Sandbox::builder())
}

fn request(world: &World, name: &str) -> Value {
    let credential = world.sandbox.credential();
    json!({
        "profile": name,
        "base_url": world.sandbox.base_url(),
        "client_id": credential.client_id,
        "client_secret": credential.client_secret,
    })
}

fn store(world: &World, request: &Value) {
    let name = request["profile"].as_str().unwrap();
    let answer = world.run(["store"]).stdin(request.to_string()).succeeds();
    assert_eq!(answer, format!("{{\"profile\":\"{name}\"}}\n"));
}

#[test]
fn from_nothing_to_a_token_in_one_command() {
    let world = bare();
    store(&world, &request(&world, "prod"));
    world.token();
    let config = fs::read_to_string(world.config()).unwrap();
    assert!(config.contains("[profiles.prod]\nbase_url = "), "{config}");
    assert!(
        config.contains("client_secret = { file = \"prod.secret\" }"),
        "{config}"
    );
    assert!(
        !config.contains("[profiles]\n"),
        "no empty table is left behind: {config}"
    );
}

#[test]
fn a_file_is_named_without_its_folder_too() {
    let world = bare();
    let request = request(&world, "prod").to_string();
    world
        .run(["store", "--config", "own.toml"])
        .stdin(request)
        .succeeds();
    world.run(["token", "--config", "own.toml"]).succeeds();
}

#[test]
fn comments_order_and_spacing_survive() {
    let world = bare();
    let before = "# the team's tenants\ndefault_profile = \"zeta\"   # mine\n\n\
        [profiles.zeta] # first\nclient_id = \"x.zeta\"    # whole\ncloud_id = \"zeta\"\n\
        client_secret = { env = \"ZETA\" }\nsecret_expires = 2999-01-01 # ask Ana\n\n\
        # the second\n[profiles.alpha]\ncloud_id = \"alpha\"\nclient_id = \"y.alpha\"\n\
        client_secret = { command = [\"op\", \"read\"] }\n# the end\n";
    world.write_config(before);

    store(&world, &request(&world, "new"));

    let after = fs::read_to_string(world.config()).unwrap();
    assert!(after.starts_with(before), "byte for byte: {after}");
    assert!(after.contains("[profiles.new]\n"), "{after}");
}

#[test]
fn a_profile_that_is_there_is_changed_and_keeps_what_was_not_said() {
    let world = bare();
    world.write_config(
        "[profiles.prod]\n# who\nclient_id = \"old.acme\" # whole\ncloud_id = \"acme\" # tenant\n\
         client_secret = { env = \"OLD\" } # where\nmin_ttl = \"2m\" # long applies\n\
         secret_expires = 2999-01-01\n",
    );
    store(&world, &request(&world, "prod"));

    let credential = world.sandbox.credential();
    let after = fs::read_to_string(world.config()).unwrap();
    for line in [
        "# who".to_owned(),
        format!("client_id = \"{}\" # whole", credential.client_id),
        "client_secret = { file = \"prod.secret\" } # where".to_owned(),
        "min_ttl = \"2m\" # long applies".to_owned(),
        format!("base_url = \"{}\"", world.sandbox.base_url()),
    ] {
        assert!(
            after.lines().any(|found| found == line),
            "{line} is not in\n{after}"
        );
    }
    assert!(
        !after.contains("cloud_id"),
        "the new server replaced the old one: {after}"
    );
    assert!(
        !after.contains("secret_expires"),
        "the expiry date of the old secret is removed: {after}"
    );
    world.token();
}

#[test]
fn a_file_of_inline_tables_takes_another_profile() {
    let world = bare();
    let inline = "profiles = { a = { cloud_id = \"a\", client_id = \"x.a\", client_secret = { env = \"S\" } } } # mine\n";
    world.write_config(inline);
    store(&world, &request(&world, "prod"));
    let after = fs::read_to_string(world.config()).unwrap();
    assert!(
        after.contains("a = { cloud_id") && after.ends_with("# mine\n"),
        "{after}"
    );
    world.run(["token", "--profile", "prod"]).succeeds();
}

#[test]
fn the_line_endings_of_the_file_are_kept() {
    let world = bare();
    world.write_config("# mine\r\n");
    store(&world, &request(&world, "prod"));
    let after = fs::read_to_string(world.config()).unwrap();
    assert_eq!(
        after.matches('\n').count(),
        after.matches("\r\n").count(),
        "{after:?}"
    );
}

#[test]
fn storing_twice_is_storing_once() {
    let world = bare();
    store(&world, &request(&world, "prod"));
    let first = fs::read_to_string(world.config()).unwrap();
    store(&world, &request(&world, "prod"));
    assert_eq!(fs::read_to_string(world.config()).unwrap(), first);
}

#[test]
fn a_lifetime_becomes_the_day_on_which_the_credential_ends() {
    let world = bare();
    let mut request = request(&world, "prod");
    request["lifetime"] = json!("2031-05-22");
    store(&world, &request);
    let config = fs::read_to_string(world.config()).unwrap();
    assert!(config.contains("secret_expires = 2031-05-22\n"), "{config}");

    request["lifetime"] = json!("6mo");
    store(&world, &request);
    let status: Value = serde_json::from_str(&world.run(["status", "--json"]).succeeds()).unwrap();
    let days = status["profiles"][0]["secret_days_left"].as_i64().unwrap();
    assert!((180..=185).contains(&days), "{days}");

    request["lifetime"] = json!("3 weeks");
    let stderr = world.run(["store"]).stdin(request.to_string()).fails(2);
    assert!(stderr.contains("`2w`, `1mo`, `6mo` and `1y`"), "{stderr}");
}

#[test]
fn what_a_later_run_would_refuse_is_refused_now_and_nothing_is_lost() {
    let world = bare();
    store(&world, &request(&world, "prod"));
    let config = fs::read_to_string(world.config()).unwrap();
    let token = world.token();
    for (name, value, says) in [
        ("profile", json!("env"), "kept for the profile"),
        ("profile", json!("../../x"), "not a name"),
        ("profile", json!("a\u{0}b"), "not a name"),
        ("client_id", json!("a\nb"), "`client_id`"),
        ("client_id", json!(""), "`client_id`"),
        ("client_secret", json!(""), "`client_secret`"),
        (
            "client_secret",
            json!("two\nlines-of-secret"),
            "`client_secret`",
        ),
        ("base_url", json!("http://acme.test"), "loopback only"),
        (
            "auth_method",
            json!("magic"),
            "`magic` is not an `auth_method`",
        ),
        ("min_ttl", json!("1 hour"), "not a duration"),
        ("client_secret", Value::Null, "no `client_secret`"),
        ("base_url", Value::Null, "no `cloud_id`"),
        ("clientid", json!("x"), "did you mean `client_id`?"),
        ("client_id", json!(7), "must be a text"),
    ] {
        let mut request = request(&world, "prod");
        request[name] = value;
        let stderr = world.run(["store"]).stdin(request.to_string()).fails(2);
        assert!(
            stderr.contains(says),
            "{name}: {says:?} is not in\n{stderr}"
        );
    }
    assert_eq!(fs::read_to_string(world.config()).unwrap(), config);
    assert_eq!(
        world.run(["token", "--refresh"]).succeeds().len(),
        token.len() + 1
    );
}

#[test]
fn a_broken_file_is_not_written_over() {
    let world = bare();
    world.write_config("[profiles.prod\n");
    let stderr = world
        .run(["store"])
        .stdin(request(&world, "prod").to_string())
        .fails(3);
    assert!(stderr.contains("config.toml:1:15"), "{stderr}");
    assert_eq!(
        fs::read_to_string(world.config()).unwrap(),
        "[profiles.prod\n"
    );
    assert!(!world.config_folder().join("prod.secret").exists());
}

#[test]
fn twenty_at_once_lose_none() {
    let world = bare();
    let requests: Vec<String> = (0..20)
        .map(|number| request(&world, &format!("p{number}")).to_string())
        .collect();
    let running = requests
        .iter()
        .map(|request| world.run(["store"]).stdin(request.as_str()).start());
    for outcome in world.outcomes(running.collect()) {
        outcome.succeeds();
    }
    let list: Value = serde_json::from_str(&world.run(["list"]).succeeds()).unwrap();
    assert_eq!(list["profiles"].as_array().unwrap().len(), 20);
}

#[test]
fn a_new_secret_counts_at_once() {
    let world = bare();
    store(&world, &request(&world, "prod"));
    let first = world.token();
    let rotated = world
        .sandbox
        .rotate_secret(&world.sandbox.credential().client_id);
    world.watch(&rotated.client_secret);
    store(&world, &request(&world, "prod"));
    assert_ne!(world.token(), first, "without a logout, a clean or a wait");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::{World, bare, fs, request, store};

    fn mode(world: &World, name: &str) -> u32 {
        let path = world.config_folder().join(name);
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_synced_does_not_cost_the_secret() {
        let world = bare();
        fs::write(
            world.path("request.secret"),
            request(&world, "prod").to_string(),
        )
        .unwrap();
        let script = "exec strace -f -qq -o /dev/null -e inject=fsync:error=EINVAL:when=2+2 \
                      \"$0\" store < request.secret";
        world.run(["-c", script]).through_shell().succeeds();
        world.token();
    }

    #[test]
    fn the_secret_is_for_its_user_alone() {
        let world = bare();
        store(&world, &request(&world, "prod"));
        assert_eq!(mode(&world, "prod.secret"), 0o600);
        assert_eq!(mode(&world, "config.toml"), 0o600);
        assert_eq!(mode(&world, ""), 0o700);
    }

    #[test]
    fn the_files_mode_and_a_link_to_it_survive() {
        let world = bare();
        world.write_config("# mine\n");
        let real = world.path("dotfiles.toml");
        fs::rename(world.config(), &real).unwrap();
        symlink(&real, world.config()).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();

        let mut request = request(&world, "prod");
        request["client_secret"] = world.sandbox.credential().client_secret.into();
        store(&world, &request);

        assert!(world.config().symlink_metadata().unwrap().is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("\n# mine\n"));
        let mode = fs::metadata(&real).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o644);
        world.token();
    }
}
