//! The docs are correct: the commands of the README are executed unchanged, except for the
//! credentials, which are the sandbox's. A proxy leads to the sandbox. A login is typed on a
//! terminal.

use std::fs;
use std::path::Path;
use std::process::Command;

use cloudconnexa_sandbox::Sandbox;

use crate::harness::{PROGRAM, World};
use crate::login::acme;
use crate::login_keychains::Session;
use crate::terminal::Terminal;

fn paper(name: &str) -> String {
    fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The fenced blocks after a marker comment, each with the text of the comment.
fn marked_blocks(text: &str, mark: &str) -> Vec<(String, String)> {
    let opening = format!("<!-- {mark}");
    let block = |part: &str| {
        let (says, rest) = part.split_once("-->").unwrap();
        let fence = rest.trim_start();
        let inside = fence
            .split_once('\n')
            .unwrap()
            .1
            .split_once("\n```")
            .unwrap()
            .0;
        (
            says.trim_start_matches(':').trim().to_owned(),
            format!("{inside}\n"),
        )
    };
    text.split(&opening).skip(1).map(block).collect()
}

/// A world in which README's commands work: with the program on PATH, its host and credentials.
struct Reader {
    world: World,
    /// Whether the sandbox's address replaces the tenant's; otherwise a proxy leads to the sandbox.
    is_direct: bool,
}

impl Reader {
    fn new() -> Self {
        Self::in_world(acme(), false)
    }

    fn direct() -> Self {
        Self::in_world(World::without_profile(Sandbox::builder()), true)
    }

    fn in_world(world: World, is_direct: bool) -> Self {
        let folder = Path::new(PROGRAM).parent().unwrap().to_str().unwrap();
        let path = std::env::var("PATH").unwrap();
        world.set("PATH", &format!("{folder}:{path}"));
        world.set("CURL_CA_BUNDLE", world.path("ca.pem").to_str().unwrap());
        Self { world, is_direct }
    }

    fn translate(&self, text: &str) -> String {
        let credential = self.world.sandbox.credential();
        let text = text
            .replace("CLIENT_ID.acme", &credential.client_id)
            .replace("CLIENT_SECRET", &credential.client_secret);
        if self.is_direct {
            text.replace(
                "https://acme.api.openvpn.com",
                self.world.sandbox.base_url(),
            )
        } else {
            text
        }
    }

    /// Types the answers of a transcript, and the secret, which the transcript does not show;
    /// returns the output.
    fn type_in(&self, arguments: &str, transcript: &str) -> String {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let secret = self.world.sandbox.credential().client_secret;
        let mut terminal = Terminal::run(&self.world, &arguments);
        for line in transcript.lines() {
            let Some((question, answer)) = line.split_once(':') else {
                continue;
            };
            let offers = ["Cloud ID [", "Profile name ["];
            let is_question = ["Client ID", "Lifetime"].contains(&question)
                || offers.iter().any(|start| question.starts_with(start));
            if question == "Client secret (not shown)" {
                terminal.answer(question, &secret);
            } else if is_question {
                terminal.answer(&format!("{question}: "), answer.trim());
            }
        }
        let ended = terminal.end();
        assert_eq!(ended.code, 0, "{}", ended.screen);
        let lines: Vec<&str> = ended.screen.lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// Runs a shell script; returns both streams as one text.
    fn shell(&self, script: &str) -> String {
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("exec 2>&1\n{script}"));
        command
            .env_clear()
            .envs(self.world.variables())
            .current_dir(self.world.path(""));
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the commands of a block, each in a shell of its own, and compares their output.
    #[track_caller]
    fn follow(&self, block: &str) {
        let block = self.translate(block);
        let mut before = ":;".to_owned();
        for step in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            let printed = match command.strip_prefix("cloudconnexa-auth login") {
                Some(flags) => self.type_in(&format!("login{flags}"), expected),
                None => self.shell(&format!("{{ {before} }} > /dev/null\n{command}")),
            };
            // An API answer is shown as `{…}`, whatever it contains.
            let expected = if expected.trim() == "{…}" {
                "{…}"
            } else {
                expected
            };
            assert!(
                fits(&printed, expected),
                "{command}\nprinted\n{printed}instead of\n{expected}"
            );
            // Later lines of the block depend on this one.
            if command.contains(" || exit") {
                before = format!("{before} {command};");
            }
        }
    }
}

/// Whether a text is as expected; `…` matches the rest of its line.
fn fits(found: &str, expected: &str) -> bool {
    let found: Vec<&str> = found.lines().collect();
    let expected: Vec<&str> = expected.lines().collect();
    found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| line_fits(f, e))
}

fn line_fits(found: &str, expected: &str) -> bool {
    let Some((head, tail)) = expected.split_once('…') else {
        return found == expected;
    };
    let Some(rest) = found.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| line_fits(rest, tail)))
}

#[test]
fn the_readmes_commands_do_what_it_says() {
    let reader = Reader::new();
    let _desktop = Session::start(&reader.world);
    let readme = paper("README.md");
    let blocks = marked_blocks(&readme, "run");
    assert!(blocks.len() >= 4, "the markers are found");
    for (says, block) in blocks {
        if !says.is_empty() {
            fs::write(reader.world.path("Makefile"), reader.translate(&block)).unwrap();
            let printed = reader.shell(&says);
            assert!(
                printed.starts_with("{\"content\":[{") && printed.contains("office"),
                "{says}: {printed}"
            );
            continue;
        }
        reader.follow(&block);
    }
    reader.world.check_files();
}

#[test]
fn the_pages_of_protocols_and_commands_show_what_is_answered() {
    let reader = Reader::new();
    let config = paper("integrations/config.toml");
    reader.world.write_config(&reader.translate(&config));
    let secret = reader.world.sandbox.credential().client_secret;
    reader.world.write_secret("prod.secret", &secret);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let protocols = fs::read_dir(docs.join("protocols")).unwrap();
    let pages = protocols.map(|page| page.unwrap().path());
    for page in pages.chain(["exec.md", "curl.md", "exit-codes.md"].map(|page| docs.join(page))) {
        let blocks = marked_blocks(&fs::read_to_string(&page).unwrap(), "run");
        assert!(!blocks.is_empty(), "{} has an example", page.display());
        for (_, block) in blocks {
            reader.follow(&block);
        }
    }
    reader.world.check_files();
}

#[test]
fn guides_show_what_is_answered() {
    let reader = Reader::new();
    let config = paper("integrations/config.toml");
    reader.world.write_config(&reader.translate(&config));
    let secret = reader.world.sandbox.credential().client_secret;
    reader.world.write_secret("prod.secret", &secret);
    let guides = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides");
    let mut count = 0;
    for page in fs::read_dir(guides).unwrap() {
        let text = fs::read_to_string(page.unwrap().path()).unwrap();
        for (command, block) in marked_blocks(&text, "run") {
            count += 1;
            if command.is_empty() {
                reader.follow(&block);
                continue;
            }
            fs::write(reader.world.path("Makefile"), reader.translate(&block)).unwrap();
            let printed = reader.shell(&command);
            assert!(printed.contains("office"), "{command}: {printed}");
        }
    }
    assert!(count >= 3, "the marked blocks are found");
    reader.world.check_files();
}

#[test]
fn the_troubleshooting_page_shows_what_doctor_says() {
    let reader = Reader::direct();
    let text = reader.world.profile_text("prod");
    let cloud_id = reader.world.sandbox.cloud_id().to_owned();
    reader.world.write_config(&format!(
        "{text}cloud_id = \"{cloud_id}\"\nsecret_expires = 2999-01-01\n"
    ));
    let blocks = marked_blocks(&paper("docs/troubleshooting.md"), "run");
    assert_eq!(blocks.len(), 1);
    reader.follow(&blocks[0].1);
    reader.world.check_files();
}

/// A user who searches for a message of the program must find it.
#[test]
fn the_symptoms_of_the_troubleshooting_page_are_the_programs_own_words() {
    let mut code = String::new();
    for source in crate::tidy::sources() {
        code.push_str(&fs::read_to_string(source).unwrap());
    }
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = squeeze(&code.replace("\\\n", " "));
    let mut count = 0;
    for name in ["docs/troubleshooting.md", "README.md"] {
        let page = squeeze(&paper(name).replace("**", ""));
        let page = page.split(" Troubleshooting ").nth(1).unwrap();
        let page = page.split("## When not").next().unwrap();
        for symptom in page.split('*').skip(1).step_by(2) {
            for words in symptom
                .split('…')
                .map(str::trim)
                .filter(|words| words.len() > 3)
            {
                // A name in backticks may be a parameter.
                assert!(
                    code.contains(words),
                    "{name}: the program never prints {words:?}"
                );
                count += 1;
            }
        }
    }
    assert!(count > 20, "the symptoms are found: {count}");
}

#[test]
fn what_replaces_the_curl_line_and_restish_does_what_it_says() {
    for name in [
        "docs/migrating-from-curl.md",
        "docs/migrating-from-restish.md",
    ] {
        let reader = Reader::new();
        let config = paper("integrations/config.toml");
        reader.world.write_config(&reader.translate(&config));
        let secret = reader.world.sandbox.credential().client_secret;
        reader.world.write_secret("prod.secret", &secret);
        let blocks = marked_blocks(&paper(name), "run");
        assert!(!blocks.is_empty(), "{name} has an example");
        for (says, block) in blocks {
            if says.is_empty() {
                reader.follow(&block);
                continue;
            }
            fs::write(reader.world.path("Makefile"), reader.translate(&block)).unwrap();
            let printed = reader.shell(&says);
            assert!(printed.contains("office"), "{name}: {says}: {printed}");
        }
        reader.world.check_files();
    }
}

#[test]
fn what_a_page_quotes_from_a_ready_file_stands_there() {
    let page = paper("docs/migrating-from-curl.md");
    let quotes = marked_blocks(&page, "from");
    assert_eq!(quotes.len(), 2, "CI and Ansible");
    for (file, quote) in quotes {
        let text = paper(&file);
        let mut lines = text.lines();
        for line in quote.lines() {
            assert!(
                lines.any(|found| found == line),
                "{file} has, in this order, no line {line:?}"
            );
        }
    }
}

/// Every test that a page names must exist, in the file that the page links to.
#[test]
fn every_test_that_a_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, at_least) in [
        ("docs/threat-model.md", 80),
        ("docs/cves.md", 40),
        ("docs/mutation.md", 0),
    ] {
        let text = paper(page);
        let mut count = 0;
        for link in text.split("[`").skip(1) {
            let Some((name, rest)) = link.split_once("`](../") else {
                panic!("{page}: {link} is no link to a test");
            };
            let (file, _) = rest.split_once(')').unwrap();
            let code = fs::read_to_string(root.join(file)).unwrap_or_default();
            let opening = format!("fn {name}() {{");
            let (before, _) = code
                .split_once(&opening)
                .unwrap_or_else(|| panic!("{page}: {file} has no test {name}"));
            let attributes = before.rsplit("\n\n").next().unwrap();
            assert!(
                attributes.contains("#[test]"),
                "{page}: {name} is not a test"
            );
            count += 1;
        }
        assert!(count >= at_least, "{page} names {count} tests");
    }
}

#[test]
fn every_page_is_in_the_index_of_its_folder() {
    let index = paper("docs/README.md");
    for page in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        assert!(
            name == "README.md" || index.contains(&format!("]({name}")),
            "docs/README.md has no row for {name}"
        );
    }
}

#[test]
fn the_page_of_setup_shows_what_is_done() {
    let reader = Reader::new();
    let world = &reader.world;
    world.write_config(&paper("integrations/config.toml"));
    // Links must not be created beside the program that all tests use.
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(PROGRAM, bin.join("cloudconnexa-auth")).unwrap();
    world.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    let blocks = marked_blocks(&paper("docs/setup.md"), "run");
    for (_, block) in &blocks {
        // Each line depends on the lines before it.
        for step in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap();
            let printed = reader.shell(command);
            assert!(fits(&printed, expected), "{command}\nprinted\n{printed}");
        }
    }
    assert_eq!(blocks.len(), 1);
    let path = world.home().join(".gitconfig");
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        "",
        "everything is undone"
    );
}

#[test]
fn the_make_recipe_stops_where_there_is_no_token() {
    let reader = Reader::new();
    let recipe = marked_blocks(&paper("README.md"), "run: make networks")
        .remove(0)
        .1;
    fs::write(reader.world.path("Makefile"), reader.translate(&recipe)).unwrap();
    let printed = reader.shell("make networks; echo \"code $?\"");
    assert!(
        printed.contains("no profile is set up"),
        "with the reason: {printed}"
    );
    assert!(printed.ends_with("code 2\n"), "{printed}");
}

#[test]
fn every_configuration_that_is_shown_is_one() {
    let world = World::without_profile(Sandbox::builder());
    let readme = marked_blocks(&paper("README.md"), "config").remove(0).1;
    let docs = paper("docs/configuration.md");
    let shown = docs
        .split("```toml\n")
        .skip(1)
        .map(|part| part.split("```").next().unwrap());
    let mut count = 0;
    for text in shown.chain([readme.as_str()]).flat_map(alternatives) {
        let text = if text.contains("[profiles.") {
            text.clone()
        } else {
            let server = if text.contains("cloud_id =") || text.contains("_url =") {
                ""
            } else {
                "cloud_id = \"a\"\n"
            };
            let id = if text.contains("client_id =") {
                ""
            } else {
                "client_id = \"x.a\"\n"
            };
            let secret = if text.contains("client_secret =") {
                ""
            } else {
                "client_secret = { env = \"S\" }\n"
            };
            format!("[profiles.p]\n{server}{id}{secret}{text}")
        };
        world.write_config(&text);
        let outcome = world.run(["list"]).outcome();
        assert_eq!(outcome.code, Some(0), "{text}\n{}", outcome.stderr);
        count += 1;
    }
    assert!(count >= 5, "the blocks are found");
}

/// A block that shows several forms of one key is several configurations.
fn alternatives(block: &str) -> Vec<String> {
    if block.matches("client_secret =").count() > 1 && !block.contains("[profiles.") {
        return block.lines().map(str::to_owned).collect();
    }
    vec![block.to_owned()]
}

#[test]
fn every_variable_and_every_key_is_told_of() {
    let docs = paper("docs/configuration.md");
    let mut names: Vec<String> = Vec::new();
    for source in crate::tidy::sources() {
        let text = fs::read_to_string(source).unwrap();
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        names.extend(
            words
                .filter(|word| word.starts_with("CLOUDCONNEXA_"))
                .map(str::to_owned),
        );
    }
    let file = fs::read_to_string(format!("{}/src/config/file.rs", env!("CARGO_MANIFEST_DIR")));
    let file = file.unwrap();
    let keys = file
        .split("const PROFILE_KEYS")
        .nth(1)
        .unwrap()
        .split("];")
        .next()
        .unwrap();
    names.extend(keys.split('"').skip(1).step_by(2).map(str::to_owned));
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(
            docs.contains(&name),
            "docs/configuration.md does not describe {name}"
        );
    }
}

#[test]
fn exit_codes_page_help_and_code_agree() {
    let readme = paper("docs/exit-codes.md");
    let help = World::new().run(["--help"]).succeeds();
    for code in 0..=7 {
        let row = format!("\n| {code} | ");
        assert_eq!(
            readme.matches(&row).count(),
            1,
            "docs/exit-codes.md has one row for {code}"
        );
        assert!(
            help.contains(&format!("\n  {code}  ")),
            "--help has a line for {code}"
        );
    }
    assert_eq!(readme.matches("\n| 126, 127 | ").count(), 1);
    assert!(help.contains("\n  126, 127  "), "{help}");
}

#[test]
fn this_version_has_its_heading_in_the_changelog() {
    let heading = concat!("## [", env!("CARGO_PKG_VERSION"), "]");
    let unreleased = "## [Unreleased]";
    let changelog = paper("CHANGELOG.md");
    assert_eq!(
        changelog.matches(heading).count() + changelog.matches(unreleased).count(),
        1
    );
}
