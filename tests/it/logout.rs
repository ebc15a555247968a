//! `logout`: removes everything that a login has created, and nothing else.

use std::fs;

use crate::login::{acme, files, login, nothing_is_saved};
use crate::terminal::Terminal;

#[test]
fn a_logout_leaves_the_files_as_they_were_before_the_login() {
    for text in [
        None,
        Some("# mine, and no line feed at the end"),
        Some(
            "# mine\r\n[profiles.other]\r\ncloud_id = \"o\"\r\nclient_id = \"x.o\"\r\nclient_secret = { env = \"O\" }\r\n",
        ),
        Some(
            "default_profile = \"o\" # mine\n\n[profiles.o] # o\ncloud_id = \"o\"\nclient_id = \"x.o\"\nclient_secret = { env = \"O\" }\n\n\n",
        ),
    ] {
        let world = acme();
        if let Some(text) = text {
            world.write_config(text);
        }
        let before = files(&world);
        login(&world, &["--lifetime", "6mo"])
            .outcome()
            .succeeds_with_stderr();
        world.run(["token", "--profile", "acme"]).succeeds();
        assert_ne!(files(&world), before);

        let run = world.run(["logout", "--profile", "acme"]);
        let (stdout, stderr) = run.outcome().succeeds_with_stderr();

        assert_eq!(stdout, "");
        assert!(
            stderr.contains("removed profile `acme` and its secret (file "),
            "{stderr}"
        );
        assert_eq!(files(&world), before, "{text:?}");
        let stderr = world.run(["token", "--profile", "acme"]).fails(3);
        assert!(stderr.contains("profile"), "{stderr}");
    }
}

#[test]
fn a_logout_takes_what_it_was_told_and_no_more() {
    let world = acme();
    login(&world, &["--profile", "a"])
        .outcome()
        .succeeds_with_stderr();
    login(&world, &["--profile", "b"])
        .outcome()
        .succeeds_with_stderr();
    let config = fs::read_to_string(world.config()).unwrap();
    let default = "default_profile = \"a\"\n";
    assert!(config.starts_with(default), "{config}");
    world.write_config(&config.replacen(default, "default_profile = \"b\" # mine\n# then\n", 1));

    let stderr = world.run(["logout", "--profile", "bb"]).fails(3);
    assert!(
        stderr.contains("profile `bb` does not exist") && stderr.contains("did you mean `b`?"),
        "{stderr}"
    );
    let logout = world.run(["logout", "--yes"]).outcome();
    let (_, stderr) = logout.succeeds_with_stderr();
    assert!(
        stderr.contains("no profile is the default now")
            && stderr.contains("`cloudconnexa-auth use NAME`"),
        "{stderr}"
    );

    let left = fs::read_to_string(world.config()).unwrap();
    let start = "default_profile = \"\" # mine\n# then\n\n[profiles.a]\n";
    assert!(left.starts_with(start), "{left}");
    assert!(!left.contains("profiles.b"), "{left}");
    assert!(!world.config_folder().join("b.secret").exists());
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.contains("1 profile is set up and it is not the default")
            && stderr.contains("`cloudconnexa-auth use NAME`"),
        "{stderr}"
    );
    world.run(["use", "a"]).outcome().succeeds_with_stderr();
    world.token();

    let stderr = world.run(["logout", "--profile", "b"]).fails(3);
    assert!(stderr.contains("profile `b` does not exist"), "{stderr}");
}

#[test]
fn a_secret_that_is_somebody_elses_stays() {
    let world = acme();
    world.write_secret("mine.secret", "of a file that I wrote");
    let source = "client_secret = { file = \"mine.secret\" }\n";
    world.write_config(&format!(
        "[profiles.p]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n{source}"
    ));
    let (_, stderr) = world.run(["logout"]).outcome().succeeds_with_stderr();
    assert!(
        stderr.contains("its secret is not kept by this program (file "),
        "{stderr}"
    );
    assert!(world.config_folder().join("mine.secret").exists());
    assert!(!world.config().exists());

    world.set("CLOUDCONNEXA_CLOUD_ID", "acme");
    world.set("CLOUDCONNEXA_CLIENT_ID", "x.acme");
    world.set("CLOUDCONNEXA_CLIENT_SECRET", "s");
    let stderr = world.run(["logout"]).fails(3);
    assert!(
        stderr.contains("profile `env` is made of environment variables"),
        "{stderr}"
    );
}

#[test]
fn a_file_that_another_profile_names_in_another_way_stays() {
    let world = acme();
    login(&world, &["--store", "file"])
        .outcome()
        .succeeds_with_stderr();
    let config = fs::read_to_string(world.config()).unwrap();
    let folder = world.config_folder();
    std::os::unix::fs::symlink("acme.secret", folder.join("link")).unwrap();
    fs::create_dir(folder.join("sub")).unwrap();
    for other in ["sub/../acme.secret", "link"] {
        world.write_config(&format!(
            "{config}\n[profiles.q]\ncloud_id = \"acme\"\nclient_id = \"x.acme\"\n\
             client_secret = {{ file = \"{other}\" }}\n"
        ));
        let run = world.run(["logout", "--profile", "acme", "--yes"]);
        let (_, stderr) = run.outcome().succeeds_with_stderr();
        assert!(
            stderr.contains("stays, for another profile uses it"),
            "{stderr}"
        );
        assert!(folder.join("acme.secret").exists(), "{other}");
    }
}

#[test]
fn a_person_is_asked_before_anything_is_removed() {
    let world = acme();
    login(&world, &[]).outcome().succeeds_with_stderr();
    let before = files(&world);
    let question = "Remove profile `acme` (client ID ";
    for (keys, code) in [("n\n", 1), ("\n", 1), ("\x03", 130), ("\x04", 1)] {
        let mut terminal = Terminal::run(&world, &["logout"]);
        terminal.expect(question).expect("[y/N]: ").send(keys);
        let ended = terminal.end();
        assert_eq!(ended.code, code, "{keys:?}: {}", ended.screen);
        assert_eq!(files(&world), before);
    }
    let mut terminal = Terminal::run(&world, &["logout"]);
    terminal.answer("[y/N]: ", "yes");
    assert_eq!(terminal.end().code, 0);
    nothing_is_saved(&world);

    login(&world, &[]).outcome().succeeds_with_stderr();
    let ended = Terminal::run(&world, &["logout", "--yes"]).end();
    assert_eq!(ended.code, 0);
    assert!(!ended.screen.contains("[y/N]"), "{}", ended.screen);
    nothing_is_saved(&world);
}

#[test]
fn a_link_in_the_place_of_the_file_stays_when_nothing_is_left_in_it() {
    let world = acme();
    let real = world.path("dotfiles.toml");
    fs::create_dir_all(world.config_folder()).unwrap();
    fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, world.config()).unwrap();
    login(&world, &[]).outcome().succeeds_with_stderr();
    assert!(!fs::read_to_string(&real).unwrap().is_empty());

    world.run(["logout"]).outcome().succeeds_with_stderr();

    assert!(world.config().symlink_metadata().unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "");
}

#[test]
fn logout_of_one_of_two_never_selects_the_other() {
    let world = acme();
    for name in ["a", "b"] {
        let run = login(&world, &["--profile", name]);
        run.outcome().succeeds_with_stderr();
    }
    // As if written by hand: two profiles and no default.
    let config = fs::read_to_string(world.config()).unwrap();
    world.write_config(config.strip_prefix("default_profile = \"a\"\n").unwrap());
    world.run(["token"]).fails(3);

    let logout = world.run(["logout", "--profile", "a", "--yes"]);
    let (_, stderr) = logout.outcome().succeeds_with_stderr();
    assert!(stderr.contains("no profile is the default now"), "{stderr}");
    world.run(["token"]).fails(3);
    world.run(["token", "--profile", "b"]).succeeds();

    let logout = world.run(["logout", "--profile", "b", "--yes"]);
    let (_, stderr) = logout.outcome().succeeds_with_stderr();
    assert!(!stderr.contains("default"), "no profile is left: {stderr}");
}

#[test]
fn logout_of_another_profile_keeps_the_default() {
    let world = acme();
    for name in ["a", "b"] {
        let run = login(&world, &["--profile", name]);
        run.outcome().succeeds_with_stderr();
    }
    let logout = world.run(["logout", "--profile", "b", "--yes"]);
    let (_, stderr) = logout.outcome().succeeds_with_stderr();
    assert!(!stderr.contains("default"), "{stderr}");
    world.token();
}
