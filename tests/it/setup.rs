//! Edge cases of `setup`: which file, which hosts, which link, and what stays unchanged. The tests
//! in `clients/setup.rs` show that the tools then use it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::find;
use crate::harness::{PROGRAM, World, copy_program};
use crate::helper::validate;

const TOOLS: [&str; 10] = [
    "git",
    "docker",
    "terraform",
    "kubectl",
    "bazel",
    "cargo",
    "go",
    "pnpm",
    "make",
    "ansible",
];

/// A world with the published profile, and the program under its own name in a directory on PATH.
fn world() -> World {
    let world = World::without_profile(Sandbox::builder());
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/integrations/config.toml");
    world.write_config(&fs::read_to_string(config).unwrap());
    world.unset("XDG_CONFIG_HOME");
    let usual = world.home().join(".config/cloudconnexa-auth");
    fs::create_dir_all(usual.parent().unwrap()).unwrap();
    fs::rename(world.config_folder(), &usual).unwrap();
    fs::create_dir(bin(&world)).unwrap();
    symlink(PROGRAM, bin(&world).join("cloudconnexa-auth")).unwrap();
    fs::create_dir(world.path("tools")).unwrap();
    for name in ["git", "kubectl", "go"] {
        if let Some(program) = find(name, |_| true) {
            symlink(program, world.path("tools").join(name)).unwrap();
        }
    }
    world.set("PATH", &path(&world, &bin(&world)));
    world
}

/// PATH: this directory, the tools, the system's programs.
fn path(world: &World, first: &Path) -> String {
    let (first, tools) = (first.display(), world.path("tools"));
    format!("{first}:{}:/usr/bin:/bin", tools.display())
}

fn bin(world: &World) -> PathBuf {
    world.path("bin")
}

/// Runs `setup` and returns its output.
#[track_caller]
fn set_up(world: &World, words: &[&str]) -> String {
    let words = [&["setup"], words].concat();
    let (stdout, stderr) = world.run_all(&words).outcome().succeeds_with_stderr();
    assert!(stdout.starts_with("set up: "), "{stdout}{stderr}");
    stderr
}

#[track_caller]
fn refused(world: &World, words: &[&str]) -> String {
    world.run_all(&[&["setup"], words].concat()).fails(3)
}

/// Writes a file of the home.
fn write(world: &World, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = world.home().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

fn state(world: &World, tool: &str) -> (String, String) {
    let listed = world.run(["setup", "--list", "--json"]).succeeds();
    let listed = validate("setup-list", &listed);
    let mut tools = listed["tools"].as_array().unwrap().iter();
    let found = tools.find(|it| it["tool"] == tool).unwrap();
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("note"))
}

#[test]
fn the_list_says_how_it_is_with_every_tool() {
    let world = world();
    let table = world.run(["setup", "--list"]).succeeds();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), TOOLS.len() + 1, "{table}");
    assert!(rows[0].starts_with("TOOL "), "{table}");
    for (row, tool) in rows[1..].iter().zip(TOOLS) {
        let row: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(row[..2], [tool, "not"], "{table}");
        assert_eq!(state(&world, tool), ("not".into(), String::new()));
    }

    for tool in TOOLS {
        set_up(&world, &[tool]);
        assert_eq!(
            state(&world, tool),
            ("set_up".into(), String::new()),
            "{tool}"
        );
    }
    let table = world.run(["setup", "--list"]).succeeds();
    assert_eq!(table.matches(" set up ").count(), TOOLS.len(), "{table}");
    let gitconfig = world.home().join(".gitconfig");
    assert!(table.contains(gitconfig.to_str().unwrap()), "{table}");
}

#[test]
fn what_is_half_there_is_listed_as_such() {
    let world = world();
    set_up(&world, &["git", "--host", "git.acme.internal"]);
    let (state_of_git, note) = state(&world, "git");
    assert_eq!(state_of_git, "partly", "the profile has more hosts");
    assert!(note.contains("`setup git` would change it"), "{note}");
    set_up(&world, &["git"]);

    fs::remove_file(bin(&world).join("git-credential-cloudconnexa")).unwrap();
    assert_eq!(
        state(&world, "git"),
        ("partly".into(), "its link is missing".into())
    );
    let shown = set_up(&world, &["git"]);
    assert!(
        shown.starts_with("+ link "),
        "only the link is created: {shown}"
    );

    set_up(&world, &["pnpm"]);
    let path = world.home().join(".npmrc");
    fs::write(&path, read(&path).replace("npm.acme", "x.acme")).unwrap();
    let (state_of_pnpm, note) = state(&world, "pnpm");
    assert_eq!(state_of_pnpm, "partly");
    assert!(note.contains("was changed since"), "{note}");

    let path = world.home().join(".gitconfig");
    fs::remove_file(&path).unwrap();
    assert_eq!(
        state(&world, "git"),
        ("partly".into(), "only its link is there".into())
    );
    write(&world, ".gitconfig", "[user\n");
    let (state_of_git, note) = state(&world, "docker");
    assert_eq!(
        (state_of_git.as_str(), note.as_str()),
        ("not", ""),
        "the others are still listed"
    );
}

#[test]
fn without_a_profile_there_is_nothing_to_set_up_and_the_list_is_there_all_the_same() {
    let world = world();
    set_up(&world, &["git"]);
    fs::remove_file(world.home().join(".config/cloudconnexa-auth/config.toml")).unwrap();

    assert_eq!(state(&world, "git").0, "set_up");
    let stderr = refused(&world, &["docker"]);
    assert!(stderr.contains("no profile is set up"), "{stderr}");
    assert!(!world.home().join(".docker").exists());
    world
        .run(["setup", "git", "--undo"])
        .outcome()
        .succeeds_with_stderr();
    let path = world.home().join(".gitconfig");
    assert_eq!(read(path), "", "`--undo` needs no profile");
}

#[test]
fn words_that_are_not_understood_change_nothing() {
    let world = world();
    for (words, says) in [
        (&["gti"][..], "did you mean `git`?"),
        (&["emacs"], "it knows git, docker, terraform"),
        (&[], "`setup` needs a TOOL"),
        (&["git", "docker"], "takes no further argument"),
        (&["--list", "git"], "exclude each other"),
        (&["--list", "--undo"], "exclude each other"),
        (&["--list", "--print"], "exclude each other"),
        (
            &["git", "--undo", "--host", "git.acme.internal"],
            "exclude each other",
        ),
        (&["git", "--json"], "it goes with `--list`"),
        (
            &["git", "--host", "https://git.acme.internal"],
            "not a plain name",
        ),
    ] {
        let mut run = vec!["setup"];
        run.extend(words);
        let outcome = world.run_all(&run).outcome();
        let (code, stderr) = (outcome.code, outcome.stderr);
        assert!(stderr.contains(says), "{words:?}: {stderr}");
        assert_eq!(code, Some(2), "{words:?}: {stderr}");
    }
    assert!(!world.home().join(".gitconfig").exists());
}

#[test]
fn only_hosts_of_the_profile_are_wired() {
    let world = world();
    let stderr = refused(&world, &["git", "--host", "git.example.com"]);
    assert!(stderr.contains("git.example.com"), "{stderr}");
    let both = [
        "git",
        "--host",
        "git.acme.internal",
        "--host",
        "git.example.com",
    ];
    refused(&world, &both);
    refused(&world, &["git", "--host", "git.acme.internal:8443"]);
    refused(
        &world,
        &["git", "--profile", "prod", "--host", "git.example.com"],
    );
    assert!(!world.home().join(".gitconfig").exists());

    set_up(&world, &["git", "--host", "git.acme.internal"]);
    let text = read(world.home().join(".gitconfig"));
    assert_eq!(text.matches("[credential ").count(), 1, "{text}");
    set_up(&world, &["git", "--host", "npm.acme.internal"]);
    let text = read(world.home().join(".gitconfig"));
    assert_eq!(
        text.matches("[credential ").count(),
        2,
        "one is added: {text}"
    );
}

#[test]
fn the_file_is_the_one_that_the_tool_reads() {
    let world = world();
    let at = |name: &str| world.path(name).to_str().unwrap().to_owned();
    let (first, second) = (at("kube/first"), at("kube/second"));
    fs::create_dir(world.path("kube")).unwrap();
    fs::write(&second, "kind: Config\n").unwrap();
    for (tool, variable, value, file) in [
        ("git", "GIT_CONFIG_GLOBAL", at("gitconfig"), at("gitconfig")),
        (
            "docker",
            "DOCKER_CONFIG",
            at("docker"),
            at("docker/config.json"),
        ),
        (
            "terraform",
            "TF_CLI_CONFIG_FILE",
            at("terraformrc"),
            at("terraformrc"),
        ),
        (
            "kubectl",
            "KUBECONFIG",
            format!("{first}:{second}"),
            second.clone(),
        ),
        ("cargo", "CARGO_HOME", at("cargo"), at("cargo/config.toml")),
        ("go", "GOENV", at("goenv"), at("goenv")),
        ("go", "XDG_CONFIG_HOME", at("xdg"), at("xdg/go/env")),
        ("pnpm", "NPM_CONFIG_USERCONFIG", at("npmrc"), at("npmrc")),
    ] {
        let config = world.home().join(".config/cloudconnexa-auth/config.toml");
        let run = world.run(["setup", tool]).set(variable, &value);
        let run = run.set("CLOUDCONNEXA_AUTH_CONFIG", config.to_str().unwrap());
        let (stdout, _) = run.outcome().succeeds_with_stderr();
        assert_eq!(stdout, format!("set up: {file}\n"));
        assert!(Path::new(&file).exists(), "{tool}");
        let run = world.run(["setup", tool, "--undo"]).set(variable, &value);
        run.outcome().succeeds_with_stderr();
    }
    let off = world.run(["setup", "go"]).set("GOENV", "off").fails(3);
    assert!(off.contains("GOENV is `off`"), "{off}");

    // The rules of git and of Cargo.
    let path = write(&world, ".config/git/config", "");
    set_up(&world, &["git"]);
    assert!(
        read(&path).contains("cloudconnexa"),
        "~/.gitconfig does not exist"
    );
    assert!(!world.home().join(".gitconfig").exists());
    let path = write(&world, ".cargo/config", "");
    set_up(&world, &["cargo"]);
    assert!(
        read(&path).contains("cloudconnexa"),
        "the old name has priority"
    );
    // `setup` still finds its own settings, although git would now write to the other file.
    write(&world, ".gitconfig", "");
    world
        .run(["setup", "git", "--undo"])
        .outcome()
        .succeeds_with_stderr();
    assert_eq!(read(world.home().join(".config/git/config")), "");
}

#[test]
fn a_file_that_is_not_understood_is_left_as_it_is() {
    let world = world();
    for (tool, name, text, place) in [
        ("git", ".gitconfig", &b"[user\n"[..], "`git config "),
        (
            "docker",
            ".docker/config.json",
            b"{\n  \"auths\": {,}\n}",
            ":2:13: ",
        ),
        ("terraform", ".terraformrc", b"a {\n", ":1:3: "),
        (
            "kubectl",
            ".kube/config",
            b"{\"users\": [",
            "`kubectl config ",
        ),
        ("cargo", ".cargo/config.toml", b"[net\n", ":1:5: "),
        ("pnpm", ".npmrc", b"[a]\n", ":1:1: "),
        ("bazel", ".bazelrc", b"build \\", ":1:1: "),
        ("pnpm", ".npmrc", b"a=\xff\n", "not UTF-8"),
    ] {
        let path = write(&world, name, text);
        let stderr = refused(&world, &[tool]);
        assert!(
            stderr.contains(place) && stderr.contains(name),
            "{tool}: {stderr}"
        );
        assert_eq!(fs::read(&path).unwrap(), text, "{tool}");
    }
    assert_eq!(
        fs::read_dir(bin(&world)).unwrap().count(),
        1,
        "no link is created either"
    );
}

#[test]
fn what_is_no_file_is_not_replaced_by_one() {
    let world = world();
    let path = world.home().join(".npmrc");
    symlink("nowhere", &path).unwrap();
    let stderr = refused(&world, &["pnpm"]);
    assert!(stderr.contains("a link that leads nowhere"), "{stderr}");
    fs::create_dir(world.home().join(".bazelrc")).unwrap();
    refused(&world, &["bazel"]);
    let null = world
        .run(["setup", "git"])
        .set("GIT_CONFIG_GLOBAL", "/dev/null");
    let stderr = null.fails(3);
    assert!(stderr.contains("not a regular file"), "{stderr}");
    assert_eq!(fs::read_link(&path).unwrap(), Path::new("nowhere"));
}

#[test]
fn another_helper_keeps_its_place() {
    let world = world();
    let text = "[credential \"https://git.acme.internal\"]\n\thelper = manager\n";
    let path = write(&world, ".gitconfig", text);
    let stderr = refused(&world, &["git"]);
    assert!(
        stderr.contains("`https://git.acme.internal` has another helper"),
        "{stderr}"
    );
    assert_eq!(read(&path), text);
    let (state_of_git, note) = state(&world, "git");
    assert_eq!(state_of_git, "not");
    assert!(note.contains("has another helper"), "{note}");

    set_up(&world, &["git", "--host", "npm.acme.internal"]);
    assert!(read(&path).starts_with(text), "other hosts are unchanged");
}

#[test]
fn lines_of_ours_that_were_changed_are_not_taken_out() {
    let world = world();
    set_up(&world, &["pnpm"]);
    let path = world.home().join(".npmrc");
    let changed = read(&path).replace("npm.acme", "nmp.acme");
    fs::write(&path, &changed).unwrap();

    for words in [&["pnpm", "--undo"][..], &["pnpm"]] {
        let stderr = refused(&world, words);
        assert!(
            stderr.contains("was changed since") && stderr.contains("line 1"),
            "{stderr}"
        );
    }
    assert_eq!(read(&path), changed);
    assert!(
        bin(&world)
            .join("pnpm-credential-cloudconnexa")
            .is_symlink()
    );
}

#[test]
fn what_others_may_not_see_is_not_shown() {
    let world = world();
    let auth = "{\"auths\":{\"a.test\":{\"auth\":\"aHVudGVyMg==\"}}}";
    write(&world, ".docker/config.json", auth);
    write(&world, ".npmrc", "//a.test/:_authToken=aHVudGVyMg==\n");
    for tool in ["docker", "pnpm"] {
        let printed = world.run(["setup", tool, "--print"]).succeeds();
        let shown = set_up(&world, &[tool]);
        let undone = world
            .run(["setup", tool, "--undo"])
            .outcome()
            .succeeds_with_stderr();
        for text in [printed, shown, undone.0, undone.1] {
            assert!(!text.contains("aHVudGVyMg"), "{tool}: {text}");
        }
    }
    assert_eq!(read(world.home().join(".docker/config.json")), auth);
}

#[test]
fn new_files_of_the_home_are_the_users_alone_and_nothing_is_left_beside_them() {
    let world = world();
    set_up(&world, &["docker"]);
    let folder = world.home().join(".docker");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(
        mode(&folder.join("config.json")),
        0o600,
        "docker may put passwords there"
    );
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn a_file_stays_its_owners() {
    let world = world();
    let path = write(&world, ".bazelrc", "build --jobs=4\n");
    // Only root can change the owner of a file; other users keep it.
    drop(chown(&path, Some(65534), Some(65534)));
    let owner = |path: &Path| fs::metadata(path).map(|it| (it.uid(), it.gid())).unwrap();
    let before = owner(&path);

    set_up(&world, &["bazel"]);

    assert_eq!(owner(&path), before);
}

#[test]
fn where_the_file_cannot_be_written_no_link_is_left() {
    let world = world();
    // No user can write there, not even root.
    let run = world
        .run(["setup", "docker"])
        .set("DOCKER_CONFIG", "/proc/docker");
    let outcome = run.outcome();
    let stderr = outcome.stderr;
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(3), ""),
        "{stderr}"
    );
    assert!(
        stderr.contains("`/proc/docker/config.json` cannot be written"),
        "{stderr}"
    );
    assert!(stderr.contains("hint: it is as it was"), "{stderr}");
    assert_eq!(fs::read_dir(bin(&world)).unwrap().count(), 1);
}

#[test]
fn a_link_that_is_there_is_used_and_outlives_undo() {
    let world = world();
    // As `make install` creates it.
    let link = bin(&world).join("git-credential-cloudconnexa");
    symlink("cloudconnexa-auth", &link).unwrap();

    let shown = set_up(&world, &["git"]);
    assert!(!shown.contains("link"), "{shown}");
    world
        .run(["setup", "git", "--undo"])
        .outcome()
        .succeeds_with_stderr();

    assert!(link.is_symlink(), "setup did not create it");
}

#[test]
fn a_stale_link_of_ours_is_made_anew_and_a_strangers_file_is_not() {
    let world = world();
    let name = "docker-credential-cloudconnexa";
    let link = bin(&world).join(name);
    symlink("/nowhere/./cloudconnexa-auth", &link).unwrap();
    set_up(&world, &["docker"]);
    assert!(link.exists(), "it points to the program again");
    world
        .run(["setup", "docker", "--undo"])
        .outcome()
        .succeeds_with_stderr();

    fs::write(&link, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&link, fs::Permissions::from_mode(0o755)).unwrap();
    let shown = set_up(&world, &["docker"]);
    let own = world.home().join(".local/bin").join(name);
    assert!(own.exists(), "nothing can be created beside the program");
    assert!(shown.contains("in front of PATH"), "{shown}");
    assert_eq!(read(&link), "#!/bin/sh\n");
    world
        .run(["setup", "docker", "--undo"])
        .outcome()
        .succeeds_with_stderr();
    assert!(!own.is_symlink());

    fs::create_dir_all(world.home().join(".terraform.d/plugins")).unwrap();
    let taken = world
        .home()
        .join(".terraform.d/plugins/terraform-credentials-cloudconnexa");
    fs::write(&taken, "").unwrap();
    let stderr = refused(&world, &["terraform"]);
    assert!(
        stderr.contains("is there and is not this program"),
        "{stderr}"
    );
    assert!(!world.home().join(".terraformrc").exists());
}

#[test]
fn what_path_does_not_find_is_named_by_its_path() {
    let world = world();
    // Every test would see links beside the program under test.
    let name = "git-credential-cloudconnexa";
    fs::create_dir_all(world.home().join(".local/bin")).unwrap();
    let link = world.home().join(".local/bin").join(name);
    symlink(PROGRAM, &link).unwrap();
    world.set("PATH", &path(&world, Path::new("/usr/bin")));

    let shown = set_up(&world, &["git"]);
    let text = read(world.home().join(".gitconfig"));
    assert!(
        text.contains(&format!("helper = {}\n", link.display())),
        "{text}"
    );
    assert!(shown.contains("in front of PATH"), "{shown}");
    set_up(&world, &["go"]);
    let text = read(world.home().join(".config/go/env"));
    let program = fs::canonicalize(PROGRAM).unwrap();
    assert!(
        text.contains(&format!("GOAUTH={} go;netrc", program.display())),
        "{text}"
    );
}

#[test]
fn a_program_whose_path_holds_a_line_feed_is_written_nowhere() {
    let world = world();
    let folder = world.home().join("a\nb");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("cloudconnexa-auth");
    copy_program(&program);
    for tool in ["git", "kubectl", "bazel", "go"] {
        let output = Command::new(&program)
            .args(["setup", tool])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", world.home())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{tool}: {stderr}");
        assert!(stderr.contains("is not plain text"), "{tool}: {stderr}");
        assert_eq!(stderr.lines().count(), 2, "{tool}: {stderr}");
    }
    assert!(!folder.join("git-credential-cloudconnexa").exists());
}

#[test]
fn edits_at_the_same_time_are_made_or_refused_and_never_lost() {
    let world = world();
    let config = world.home().join(".config/cloudconnexa-auth/config.toml");
    let mut text = read(&config);
    for number in 0..6 {
        writeln!(
            text,
            "[profiles.p{number}]\ncloud_id = \"c{number}\"\nclient_id = \"x.c{number}\"\n\
             client_secret = {{ env = \"S\" }}"
        )
        .unwrap();
    }
    fs::write(&config, text).unwrap();
    let file = write(&world, ".gitconfig", "[user]\n\tname = Ana\n");

    let ended: Vec<bool> = thread::scope(|scope| {
        let run = |number: u32| {
            let (home, path) = (world.home(), path(&world, &bin(&world)));
            scope.spawn(move || {
                let mut command = Command::new(PROGRAM);
                let command = command.args(["setup", "git", "--profile", &format!("p{number}")]);
                let command = command.env_clear().env("HOME", home).env("PATH", path);
                command.output().unwrap().status.success()
            })
        };
        let started: Vec<_> = (0..6).map(run).collect();
        started.into_iter().map(|it| it.join().unwrap()).collect()
    });

    let text = read(&file);
    for (number, is_set_up) in ended.into_iter().enumerate() {
        let section = format!("[credential \"https://c{number}.api.openvpn.com\"]");
        assert_eq!(text.contains(&section), is_set_up, "p{number} in\n{text}");
    }
    assert!(!world.home().join(".gitconfig.lock").exists());
}

#[test]
fn the_profile_is_named_where_the_tool_would_not_find_it() {
    let world = world();
    let config = world.home().join(".config/cloudconnexa-auth/config.toml");
    let lab = "[profiles.lab]\ncloud_id = \"lab\"\nclient_id = \"x.lab\"\n\
               client_secret = { env = \"S\" }\nhosts = [\"git.acme.internal\"]\n";
    fs::write(&config, format!("{}{lab}", read(&config))).unwrap();

    set_up(&world, &["go", "--profile", "lab"]);
    let text = read(world.home().join(".config/go/env"));
    assert!(
        text.contains("cloudconnexa-auth go --profile lab;"),
        "{text}"
    );
    let stderr = refused(&world, &["pnpm", "--profile", "lab"]);
    assert!(stderr.contains("`lab` is not the default one"), "{stderr}");
    set_up(
        &world,
        &["git", "--profile", "lab", "--host", "git.acme.internal"],
    );
    let text = read(world.home().join(".gitconfig"));
    assert!(
        text.contains("helper = cloudconnexa --profile lab"),
        "two have it: {text}"
    );
    set_up(
        &world,
        &[
            "kubectl",
            "--profile",
            "lab",
            "--host",
            "lab.api.openvpn.com",
        ],
    );
    let text = read(world.home().join(".kube/config"));
    assert!(
        text.contains("- kubectl\n") && !text.contains("lab"),
        "kubectl passes the host: {text}"
    );
}

#[test]
fn a_variable_that_wins_over_the_file_is_warned_of() {
    let world = world();
    world.set("GOAUTH", "netrc");
    let shown = set_up(&world, &["go"]);
    assert!(
        shown.contains("GOAUTH is set in the environment"),
        "{shown}"
    );
}

#[test]
fn a_file_of_ours_that_became_a_link_is_emptied() {
    let world = world();
    set_up(&world, &["bazel"]);
    let (file, real) = (world.home().join(".bazelrc"), world.path("dotfile"));
    fs::rename(&file, &real).unwrap();
    symlink(&real, &file).unwrap();

    world
        .run(["setup", "bazel", "--undo"])
        .outcome()
        .succeeds_with_stderr();

    assert!(file.is_symlink(), "it was not created by setup");
    assert_eq!(read(&real), "");
}

#[test]
fn a_configuration_that_the_tool_will_not_be_told_of_is_warned_of() {
    let world = world();
    let config = world.home().join(".config/cloudconnexa-auth/config.toml");
    let shown = set_up(&world, &["git", "--config", config.to_str().unwrap()]);
    assert!(shown.contains("set CLOUDCONNEXA_AUTH_CONFIG"), "{shown}");
}

#[test]
fn tool_that_is_not_installed_gets_text_to_paste() {
    let world = world();
    world.set("PATH", bin(&world).to_str().unwrap());
    for (tool, file, text) in [
        ("git", ".gitconfig", "\thelper = \"cloudconnexa\"\n"),
        ("kubectl", ".kube/config", "- name: cloudconnexa\n"),
        (
            "go",
            ".config/go/env",
            "GOAUTH=cloudconnexa-auth go;netrc\n",
        ),
    ] {
        let outcome = world.run(["setup", tool]).outcome();
        let stderr = outcome.stderr;
        assert_eq!(outcome.code, Some(3), "{tool}: {stderr}");
        assert!(stderr.contains("is not installed"), "{tool}: {stderr}");
        assert!(stderr.contains(text), "{tool}: {stderr}");
        let path = world.home().join(file);
        assert!(stderr.contains(path.to_str().unwrap()), "{tool}: {stderr}");
        assert!(!path.exists(), "{tool}");
        let (state, note) = state(&world, tool);
        assert_eq!(state, "not");
        assert!(note.contains("is not installed"), "{tool}: {note}");
    }
    assert_eq!(fs::read_dir(bin(&world)).unwrap().count(), 1, "no link");
}

#[test]
fn relative_path_entry_runs_no_tool() {
    let world = world();
    let fake = write(&world, "git", "#!/bin/sh\ntouch ran\n");
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    for path in [":", ".", "relative:"] {
        let run = world.run(["setup", "git"]).set("PATH", path);
        let stderr = run.outcome().stderr;
        assert!(stderr.contains("is not installed"), "{stderr}");
    }
    assert!(!world.home().join("ran").exists());
}

#[test]
fn tool_gets_no_variable_that_can_hold_a_secret() {
    let world = world();
    let fake = bin(&world).join("git");
    fs::write(&fake, "#!/bin/sh\nenv > \"$HOME/seen\"\nexit 1\n").unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["CLOUDCONNEXA_CLIENT_SECRET", "ACME_SECRET"] {
        world.set(name, "hunter2hunter2");
    }
    assert_eq!(world.run(["setup", "git"]).outcome().code, Some(3));
    let seen = read(world.home().join("seen"));
    assert!(seen.contains("HOME="), "{seen}");
    assert!(!seen.contains("hunter2"), "{seen}");
}

#[test]
fn git_helper_of_included_file_is_respected() {
    let world = world();
    let other = "[credential \"https://git.acme.internal\"]\n\thelper = manager\n";
    let included = write(&world, "included", other);
    let text = format!("[include]\n\tpath = {}\n", included.display());
    let path = write(&world, ".gitconfig", &text);
    let stderr = refused(&world, &["git", "--host", "git.acme.internal"]);
    assert!(stderr.contains("has another helper"), "{stderr}");
    assert_eq!(read(&path), text);

    fs::write(&included, other.replace("manager", "cloudconnexa")).unwrap();
    symlink(PROGRAM, bin(&world).join("git-credential-cloudconnexa")).unwrap();
    let run = world.run(["setup", "git", "--host", "git.acme.internal"]);
    assert!(run.succeeds().starts_with("already set up"));
    assert_eq!(read(&path), text);
}

#[test]
fn kubeconfig_may_be_json_or_flow_style() {
    let world = world();
    for text in [
        "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"users\":[{\"name\":\"ana\",\"user\":{\"token\":\"hunter2hunter2\"}}]}",
        "{apiVersion: v1, kind: Config, users: [{name: ana, user: {token: hunter2hunter2}}]}\n",
    ] {
        let path = write(&world, ".kube/config", text);
        let shown = set_up(&world, &["kubectl"]);
        assert!(!shown.contains("hunter2"), "{shown}");
        let with = read(&path);
        assert!(with.contains("command: cloudconnexa-auth"), "{with}");
        let undone = world.run(["setup", "kubectl", "--undo"]).outcome();
        let (_, shown) = undone.succeeds_with_stderr();
        assert!(!shown.contains("hunter2"), "{shown}");
        let without = read(&path);
        assert!(without.contains("token: hunter2hunter2"), "{without}");
        assert!(!without.contains("cloudconnexa"), "{without}");
    }
}

#[test]
fn other_value_of_goauth_is_neither_shown_nor_copied() {
    let world = world();
    let text = "GOAUTH=/opt/helper --password=hunter2hunter2\n";
    let path = write(&world, ".config/go/env", text);
    for words in [&["go"][..], &["go", "--print"]] {
        let stderr = refused(&world, words);
        assert!(stderr.contains("GOAUTH has another value"), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    assert_eq!(read(&path), text);
}
