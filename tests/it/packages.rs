//! The files that `make install` and the Debian package install, and that removal deletes all of
//! them. These tests use the test binary; `make package-test` does the same with a release build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloudconnexa_sandbox::Sandbox;
use tempfile::TempDir;

use crate::clients::{client, preinstalled, run, tool};
use crate::harness::{PROGRAM, World};

const LINKS: [&str; 4] = [
    "cargo-credential-cloudconnexa",
    "docker-credential-cloudconnexa",
    "git-credential-cloudconnexa",
    "pnpm-credential-cloudconnexa",
];

/// A world, and a directory outside of it. All files of a world are searched for secrets after each
/// process, and binaries are large.
fn world() -> (World, TempDir) {
    let world = World::without_profile(Sandbox::builder());
    // dpkg requires ldconfig.
    let path = std::env::var("PATH").unwrap();
    world.set("PATH", &format!("{path}:/usr/sbin:/sbin"));
    (world, TempDir::new().unwrap())
}

fn make(world: &World, folder: &Path, target: &str, settings: &[String]) {
    let mut make = client(world, tool("make"));
    make.args(["--directory", env!("CARGO_MANIFEST_DIR"), target])
        .args(settings)
        .env("CARGO_TARGET_DIR", folder.join("target"));
    run(world, &mut make).succeeds();
}

/// The paths of all files below a directory, relative to it.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                let inside = path.strip_prefix(folder).unwrap();
                found.insert(inside.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// The installed files below the prefix. `gz` is the suffix of a manual page, and `zsh` the
/// directory of zsh's functions.
fn expected(world: &World, gz: &str, zsh: &str) -> BTreeSet<String> {
    let help = world.run(["--help"]).succeeds();
    let part = help.split("\nCommands:\n").nth(1).unwrap();
    let part = part.split("\n\n").next().unwrap();
    let commands = part.lines().filter_map(|line| {
        let line = line
            .strip_prefix("  ")
            .filter(|line| !line.starts_with(' '));
        line?.split(' ').next()
    });
    let pages = commands.map(|name| format!("cloudconnexa-auth-{name}"));
    let names = ["cloudconnexa-auth"].into_iter().chain(LINKS);
    let pages = pages.chain(names.clone().map(str::to_owned));
    let mut all: BTreeSet<String> = pages
        .map(|name| format!("share/man/man1/{name}.1{gz}"))
        .collect();
    assert!(all.len() > 20, "{all:?}");
    all.extend(names.map(|name| format!("bin/{name}")));
    all.extend([
        "share/bash-completion/completions/cloudconnexa-auth".to_owned(),
        format!("share/zsh/{zsh}/_cloudconnexa-auth"),
        "share/fish/vendor_completions.d/cloudconnexa-auth.fish".to_owned(),
    ]);
    all
}

/// Checks that the program and each of its links below a prefix work, and that man finds all pages.
fn check(world: &World, prefix: &Path) {
    let mut program = client(world, prefix.join("bin/cloudconnexa-auth"));
    let version = run(world, program.arg("--version")).succeeds();
    let expected = concat!("cloudconnexa-auth ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(version, expected);
    let mut git = client(world, prefix.join("bin/git-credential-cloudconnexa"));
    let capability = run(world, git.arg("capability")).succeeds();
    assert_eq!(capability, "version 0\ncapability authtype\n");
    for name in LINKS.into_iter().chain(["cloudconnexa-auth-terraform"]) {
        let mut man = client(world, tool("man"));
        man.arg("-M").arg(prefix.join("share/man"));
        let page = run(world, man.args(["1", name])).succeeds();
        assert!(page.contains("cloudconnexa-auth"), "{name}: {page}");
    }
}

#[test]
fn make_uninstall_takes_away_what_make_install_has_put_there_and_nothing_else() {
    let (world, folder) = world();
    let folder = folder.path();
    let root = folder.join("a root");
    let prefix = root.join("opt/tools");
    let foreign = prefix.join("share/man/man1/other.1");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "").unwrap();
    let settings = [
        format!("DESTDIR={}", root.display()),
        "PREFIX=/opt/tools".to_owned(),
        format!("PREBUILT={PROGRAM}"),
    ];

    make(&world, folder, "install", &settings);
    // Install again over the existing files.
    make(&world, folder, "install", &settings);

    let mut installed = files(&prefix);
    assert!(installed.remove("share/man/man1/other.1"));
    assert_eq!(installed, expected(&world, "", "site-functions"));
    check(&world, &prefix);

    make(&world, folder, "uninstall", &settings);
    assert_eq!(
        files(&root).into_iter().collect::<Vec<_>>(),
        ["opt/tools/share/man/man1/other.1"]
    );
}

/// Adds the cargo settings to a script that asks cargo for the linked packages, without a network.
/// The home of a test has no rustup, and the packages that cargo has fetched are in the real home.
fn with_cargo(command: &mut Command) -> &mut Command {
    let home = std::env::var("CARGO_HOME").or_else(|_| Ok(std::env::var("HOME")? + "/.cargo"));
    let home: Result<String, std::env::VarError> = home;
    let rustc = Path::new(env!("CARGO")).with_file_name("rustc");
    if rustc.exists() {
        command.env("RUSTC", rustc);
    }
    command
        .env("CARGO", env!("CARGO"))
        .env("CARGO_HOME", home.unwrap())
        .env("CARGO_NET_OFFLINE", "true")
}

/// A Debian package of the test binary without its symbols.
fn package(world: &World, folder: &Path) -> PathBuf {
    let stripped = folder.join("cloudconnexa-auth");
    let mut strip = client(world, tool("strip"));
    run(world, strip.arg("-o").arg(&stripped).arg(PROGRAM)).succeeds();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/debian/build.sh");
    let mut build = client(world, script);
    build
        .args([&stripped, folder])
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("SOURCE_DATE_EPOCH", "1790000000");
    PathBuf::from(run(world, with_cargo(&mut build)).succeeds().trim_end())
}

/// dpkg with its own root directory. It needs neither root nor a chroot, because the package runs
/// no scripts.
fn dpkg(world: &World, folder: &Path, program: &Path) -> Command {
    let root = folder.join("root");
    let state = root.join("var/lib/dpkg");
    fs::create_dir_all(state.join("info")).unwrap();
    fs::create_dir_all(state.join("updates")).unwrap();
    if !state.join("status").exists() {
        fs::write(state.join("status"), "").unwrap();
    }
    let mut dpkg = client(world, program);
    dpkg.arg("--force-not-root")
        .arg(format!("--root={}", root.display()))
        .arg(format!("--log={}", folder.join("dpkg.log").display()));
    dpkg
}

#[test]
fn the_debian_package_is_installed_and_removed_without_a_trace() {
    let Some(program) = preinstalled("dpkg") else {
        return;
    };
    let (world, folder) = world();
    let folder = folder.path();
    let package = package(&world, folder);

    let mut install = dpkg(&world, folder, &program);
    // This root has no C library for a dynamic binary.
    install.arg("--force-depends");
    run(&world, install.arg("--install").arg(&package)).succeeds();

    let prefix = folder.join("root/usr");
    let mut installed = files(&prefix);
    for name in [
        "copyright",
        "THIRD-PARTY.txt.gz",
        "changelog.gz",
        "changelog.Debian.gz",
    ] {
        assert!(installed.remove(&format!("share/doc/cloudconnexa-auth/{name}")));
    }
    assert!(installed.remove("share/lintian/overrides/cloudconnexa-auth"));
    assert_eq!(installed, expected(&world, ".gz", "vendor-completions"));
    check(&world, &prefix);
    let mut verify = dpkg(&world, folder, &program);
    let changed = run(&world, verify.args(["--verify", "cloudconnexa-auth"])).succeeds();
    assert_eq!(
        changed, "",
        "every file matches the checksum of the package"
    );

    let mut purge = dpkg(&world, folder, &program);
    run(&world, purge.args(["--purge", "cloudconnexa-auth"])).succeeds();
    assert!(!prefix.exists(), "{:?}", files(&prefix));
}

#[test]
fn lintian_has_nothing_to_say_and_the_same_binary_gives_the_same_package() {
    if preinstalled("dpkg-deb").is_none() {
        return;
    }
    let (world, folder) = world();
    let package = package(&world, folder.path());
    let mut lintian = client(&world, tool("lintian"));
    lintian.args(["--allow-root", "--fail-on", "error,warning"]);
    let said = run(&world, lintian.arg(&package));
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), ""),
        "{}",
        said.story()
    );

    let bytes = fs::read(&package).unwrap();
    fs::remove_file(&package).unwrap();
    assert_eq!(self::package(&world, folder.path()), package);
    assert!(
        fs::read(&package).unwrap() == bytes,
        "a person who builds it can compare"
    );
}

#[test]
fn an_archive_has_all_that_a_release_is_made_of_and_the_formula_finds_it_there() {
    let (world, folder) = world();
    let folder = folder.path();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let papers = folder.join("papers");
    let mut generate = client(&world, root.join("packaging/generate.sh"));
    run(&world, generate.args([Path::new(PROGRAM), &papers])).succeeds();

    let mut sums = String::new();
    for target in [
        "aarch64-apple-darwin",
        "x86_64-apple-darwin",
        "aarch64-unknown-linux-musl",
        "x86_64-unknown-linux-musl",
    ] {
        // Any file can replace the program.
        let program = root.join("LICENSE-MIT");
        let mut archive = client(&world, root.join("packaging/archive.sh"));
        archive
            .arg(program)
            .arg(target)
            .args([&papers, folder])
            .env("SOURCE_DATE_EPOCH", "1790000000");
        let archive = run(&world, with_cargo(&mut archive)).succeeds();
        let archive = PathBuf::from(archive.trim_end());
        let mut sum = client(&world, tool("sha256sum"));
        sum.arg(archive.file_name().unwrap()).current_dir(folder);
        sums.push_str(&run(&world, &mut sum).succeeds());
    }
    let name = concat!(
        "cloudconnexa-auth-",
        env!("CARGO_PKG_VERSION"),
        "-x86_64-unknown-linux-musl"
    );
    let mut tar = client(&world, tool("tar"));
    let archive = folder.join(format!("{name}.tar.gz"));
    run(&world, tar.arg("-xzf").arg(&archive).arg("-C").arg(folder)).succeeds();
    let found = files(&folder.join(name));
    for file in [
        "cloudconnexa-auth",
        "README.md",
        "LICENSE-APACHE",
        "THIRD-PARTY.txt",
        "man1/cloudconnexa-auth-token.1",
        "man1/git-credential-cloudconnexa.1",
        "completions/_cloudconnexa-auth.ps1",
        "completions/cloudconnexa-auth.bash",
    ] {
        assert!(found.contains(file), "{file} is not in {found:?}");
    }

    let list = folder.join("SHA256SUMS");
    fs::write(&list, &sums).unwrap();
    let mut render = client(&world, root.join("packaging/homebrew/render.sh"));
    let url = "https://forge.test/cloudconnexa-auth";
    render.args([env!("CARGO_PKG_VERSION"), url]).arg(list);
    let formula = run(&world, &mut render).succeeds();
    assert!(
        !formula.contains('@'),
        "all placeholders are replaced: {formula}"
    );
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let place =
            format!("url \"{url}/releases/download/v{version}/{file}\"\n      sha256 \"{sum}\"\n");
        assert!(formula.contains(&place), "{place}{formula}");
    }
    for file in found.iter().filter(|file| file.starts_with("completions/")) {
        let is_installed = formula.contains(file.as_str());
        // Homebrew has PowerShell on macOS and Linux too, but no directory from which it loads
        // completions.
        assert_eq!(is_installed, !file.ends_with(".ps1"), "{file}");
    }
}

#[test]
fn the_licence_of_everything_that_is_linked_goes_with_the_packages() {
    let (world, _folder) = world();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for target in [
        "aarch64-apple-darwin",
        "x86_64-pc-windows-msvc",
        "x86_64-unknown-linux-musl",
    ] {
        let mut notices = client(&world, root.join("packaging/notices.py"));
        let notices = run(&world, with_cargo(notices.arg(target))).succeeds();

        let mut tree = client(&world, env!("CARGO"));
        tree.args(["tree", "--locked", "--package", "cloudconnexa-auth"])
            .args(["--edges", "normal,no-proc-macro", "--target", target])
            .args(["--prefix", "none", "--format", "{p}"])
            .current_dir(root);
        let tree = run(&world, with_cargo(&mut tree)).succeeds();
        let linked = tree.lines().skip(1);
        for (name, version) in linked.filter_map(|line| line.split_once(" v")) {
            let version = version.split(' ').next().unwrap();
            let title = format!("\n{name} {version}: ");
            assert!(notices.contains(&title), "{name} {version} on {target}");
        }
        for text in [
            "Permission is hereby granted, free of charge",
            "Permission to use, copy, modify, and/or distribute",
            "Redistribution and use in source and binary forms",
            "musl (in static binaries for Linux): MIT",
            "the Rust standard library: MIT OR Apache-2.0",
        ] {
            assert!(notices.contains(text), "{text} on {target}");
        }
    }
}
