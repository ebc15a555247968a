//! Manual pages: they match the help pages, and the programs that display them report no warnings.

use std::collections::BTreeSet;
use std::fs;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::{client, run, run_with_stdin, tool};
use crate::harness::World;

fn world() -> World {
    let world = World::without_profile(Sandbox::builder());
    // Otherwise the output of man and groff depends on the width and the character set of the
    // terminal.
    for (name, value) in [("MANWIDTH", "80"), ("LC_ALL", "C"), ("MANPAGER", "cat")] {
        world.set(name, value);
    }
    world
}

/// The commands in the help page.
fn commands(world: &World) -> Vec<String> {
    let help = world.run(["--help"]).succeeds();
    let part = help.split("\nCommands:\n").nth(1).unwrap();
    let part = part.split("\n\n").next().unwrap();
    let names = part.lines().filter_map(|line| {
        // For a nested command, a summary follows the name.
        let line = line
            .strip_prefix("  ")
            .filter(|line| !line.starts_with(' '));
        line?.split(' ').next()
    });
    names.map(str::to_owned).collect()
}

/// The manual page of a command (`None`: of the program), as mandoc prints it, without
/// overstriking.
fn printed(world: &World, command: Option<&str>) -> String {
    let page = page(world, command);
    let mut mandoc = client(world, tool("mandoc"));
    mandoc.args(["-T", "ascii", "-O", "width=1000"]);
    let printed = run_with_stdin(world, &mut mandoc, &page).stdout;
    let mut plain = String::new();
    for c in printed.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    plain
}

fn page(world: &World, command: Option<&str>) -> String {
    let arguments: Vec<&str> = ["man"].into_iter().chain(command).collect();
    world.run_all(&arguments).succeeds()
}

/// The words of a text that are flags.
fn flags(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let flags = words.filter(|word| word.len() > 2 && word.starts_with("--"));
    flags.map(str::to_owned).collect()
}

#[test]
fn every_page_has_what_the_help_page_has() {
    let world = world();
    let codes = world.run(["--help"]).succeeds();
    let codes = codes.split("Exit codes:\n").nth(1).unwrap();
    let codes: Vec<&str> = codes
        .lines()
        .filter(|line| line.starts_with("  "))
        .collect();
    assert!(codes.len() >= 8, "{codes:?}");
    let commands = commands(&world);
    assert!(commands.contains(&"token".to_owned()), "{commands:?}");
    let all = commands.iter().map(|name| Some(name.as_str()));
    for command in all.chain([None]) {
        let arguments: Vec<&str> = command.into_iter().chain(["--help"]).collect();
        let help = world.run_all(&arguments).succeeds();
        let page = printed(&world, command);
        let tell = |what: &str| format!("{command:?}: the page does not tell of {what}\n{page}");

        for flag in flags(&help) {
            assert!(page.contains(&flag), "{}", tell(&flag));
        }
        let usage = help
            .lines()
            .find(|line| line.starts_with("Usage:"))
            .unwrap();
        let operands = usage
            .split(['<', '>', '[', ']', ' '])
            .filter(|word| word.len() > 2)
            .skip(2)
            .map(|word| word.trim_end_matches('.'));
        for operand in operands {
            assert!(page.contains(operand), "{}", tell(operand));
        }
        for code in &codes {
            let (code, meaning) = code.trim_start().split_once("  ").unwrap();
            // It is bold in the manual page.
            let meaning = meaning.replace('`', "");
            // A wide name has a line of its own.
            let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
            let item = format!(" {code} {meaning} ");
            assert!(words.contains(&item), "{}", tell(code));
        }
        if let Some(examples) = help.split("\nExamples:\n").nth(1) {
            for example in examples.lines() {
                assert!(page.contains(example.trim_start()), "{}", tell(example));
            }
        }
    }
    let page = printed(&world, None);
    for command in &commands {
        let words = format!("cloudconnexa-auth-{command}(1)");
        assert_eq!(
            page.matches(&words).count(),
            2,
            "{words}: COMMANDS and SEE ALSO"
        );
    }
}

#[test]
fn help_fits_a_hundred_columns_and_says_the_same() {
    let world = world();
    let commands = commands(&world);
    let all = commands.iter().map(|name| Some(name.as_str()));
    for command in all.chain([None]) {
        let arguments: Vec<&str> = command.into_iter().chain(["--help"]).collect();
        let help = world.run_all(&arguments).succeeds();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{command:?}: {line}");
            assert_eq!(line, line.trim_end(), "{command:?}");
        }
    }
    let help = world.run(["exec", "--help"]).succeeds();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let env = "{header}, {base_url}, {cloud_id}, {expires_at}; may be given several times";
    assert!(help.contains(env), "{help}");
}

#[test]
fn every_page_has_every_section() {
    let world = world();
    let commands = commands(&world);
    let all = commands.iter().map(|name| Some(name.as_str()));
    for command in all.chain([None]) {
        let page = page(&world, command);
        let sections: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .filter(|section| *section != "COMMANDS")
            .collect();
        assert_eq!(
            sections,
            [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXIT STATUS",
                "ENVIRONMENT",
                "FILES",
                "EXAMPLES",
                "SEE ALSO"
            ],
            "{command:?}"
        );
    }
}

#[test]
fn no_reader_of_pages_has_a_complaint() {
    let world = world();
    let commands = commands(&world);
    let all = commands.iter().map(|name| Some(name.as_str()));
    for command in all.chain([None]) {
        let page = page(&world, command);
        let file = world.path("page.1");
        fs::write(&file, &page).unwrap();
        for (program, arguments) in [
            ("mandoc", &["-T", "lint"][..]),
            ("groff", &["-man", "-ww", "-z"]),
            ("man", &["--warnings=w", "-l"]),
        ] {
            let mut reader = client(&world, tool(program));
            let ended = run(&world, reader.args(arguments).arg(&file));
            assert_eq!(
                (ended.code, ended.stderr.as_str()),
                (Some(0), ""),
                "{program} of {command:?}: {}",
                ended.stdout
            );
            if program == "mandoc" {
                assert_eq!(ended.stdout, "", "mandoc of {command:?}");
            }
        }
    }
}

#[test]
fn every_variable_that_is_documented_is_on_the_page() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let docs = fs::read_to_string(docs).unwrap();
    let part = docs.split("## Environment variables").nth(1).unwrap();
    let part = part.split("\n## ").next().unwrap();
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `"));
    let names: Vec<&str> = rows
        .filter_map(|row| row.split(" | ").next())
        .flat_map(|cell| cell.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 15, "{names:?}");
    let page = printed(&world(), None);
    let page = page.split("ENVIRONMENT").nth(1).unwrap();
    let page = page.split("FILES").next().unwrap();
    for name in names {
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn the_date_of_the_pages_is_that_of_the_release() {
    let changelog = concat!(env!("CARGO_MANIFEST_DIR"), "/CHANGELOG.md");
    let changelog = fs::read_to_string(changelog).unwrap();
    let page = page(&world(), None);
    let date = page.split('"').nth(5).unwrap();
    let is_date = date.len() == 10 && date.split('-').all(|part| part.parse::<u32>().is_ok());
    assert!(is_date, "{date}");
    let heading = concat!("## [", env!("CARGO_PKG_VERSION"), "] - ");
    if let Some(released) = changelog.split(heading).nth(1) {
        assert!(
            released.starts_with(date),
            "DATE in src/cli/man.rs is {date}"
        );
    }
}

#[test]
fn a_command_that_is_not_there_has_no_page() {
    let stderr = world().run(["man", "tokn"]).fails(2);
    assert!(stderr.contains("did you mean `token`?"), "{stderr}");
}
