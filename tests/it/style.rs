//! Output that a terminal gets and a pipe does not, tested with a real pseudo-terminal.

use std::fs::File;
use std::io::Read as _;
use std::process::{Child, Command};
use std::time::Duration;

use cloudconnexa_sandbox::{Fault, Sandbox};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::harness::{PROGRAM, World};

/// A process whose three streams are one terminal.
struct OnTerminal {
    terminal: File,
    child: Child,
    shown: String,
}

impl OnTerminal {
    fn start(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap();
        let end = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let end = File::from(end);
        let child = Command::new(PROGRAM)
            .args(arguments)
            .env_clear()
            .envs(world.variables())
            .env("TERM", "xterm")
            .envs(variables.iter().copied())
            .stdin(end.try_clone().unwrap())
            .stdout(end.try_clone().unwrap())
            .stderr(end)
            .spawn()
            .unwrap();
        Self {
            terminal: File::from(terminal),
            child,
            shown: String::new(),
        }
    }

    /// Reads more output; returns `false` if the terminal is closed.
    fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        // On Linux, reading fails if no process has the terminal open any more.
        let count = self.terminal.read(&mut bytes).unwrap_or(0);
        self.shown
            .push_str(&String::from_utf8_lossy(&bytes[..count]));
        count > 0
    }

    /// Reads until the terminal shows this text.
    #[track_caller]
    fn wait_for(&mut self, words: &str) {
        while !self.shown.contains(words) {
            assert!(self.read(), "{words:?} is not in {:?}", self.shown);
        }
    }

    /// Waits for the end; returns the exit code and all output.
    fn end(mut self) -> (Option<i32>, String) {
        while self.read() {}
        (self.child.wait().unwrap().code(), self.shown)
    }
}

fn shown(world: &World, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    OnTerminal::start(world, arguments, variables).end().1
}

fn world() -> World {
    let world = World::without_profile(Sandbox::builder());
    world.write_config(&world.profile_text("prod"));
    world
}

#[test]
fn a_terminal_has_colour_unless_its_owner_wants_none() {
    let world = world();
    for (arguments, green, plain) in [
        (&["doctor"][..], "\x1b[32m✓\x1b[0m  token ", "✓  token "),
        (
            &["status"],
            "\x1b[32mgood, 12h left",
            "token      good, 12h left",
        ),
    ] {
        let page = shown(&world, arguments, &[]);
        assert!(page.contains(green), "{page:?}");
        let page = shown(&world, arguments, &[("NO_COLOR", "1")]);
        assert!(page.contains(plain) && !page.contains('\x1b'), "{page:?}");
        let page = shown(&world, arguments, &[("TERM", "dumb")]);
        let is_plain = !page.contains('\x1b') && !page.contains('✓');
        assert!(is_plain, "{page:?}");
        let page = world.run_all(arguments).set("TERM", "xterm").succeeds();
        let is_plain = !page.contains('\x1b') && !page.contains('✓');
        assert!(is_plain, "a pipe is not a terminal: {page:?}");
    }
}

#[test]
fn an_error_is_red_on_a_terminal_and_reads_the_same() {
    let world = world();
    let told = shown(&world, &["token", "--profile", "none"], &[]);
    assert!(
        told.starts_with("cloudconnexa-auth: \x1b[1;31merror:\x1b[0m profile `none`"),
        "{told:?}"
    );
    let plain = shown(
        &world,
        &["token", "--profile", "none"],
        &[("NO_COLOR", "1")],
    );
    let piped = world.run(["token", "--profile", "none"]).fails(3);
    assert_eq!(plain.replace("\r\n", "\n"), piped);
}

#[test]
fn who_waits_at_a_terminal_is_told_what_for_and_the_line_goes_away() {
    for (command, answer) in [("token", ""), ("doctor", "✓  configuration  ")] {
        let world = world();
        let gate = world.sandbox.gate();
        let mut run = OnTerminal::start(&world, &[command], &[("NO_COLOR", "1")]);
        let url = world.sandbox.base_url();
        run.wait_for(&format!("cloudconnexa-auth: asking {url} for a token …"));
        gate.release();
        let (code, shown) = run.end();
        assert_eq!(code, Some(0));
        let (_, rest) = shown.split_once('…').unwrap();
        let answer = match answer {
            "" => format!("{}\r\n", world.token()),
            answer => answer.to_owned(),
        };
        let expected = format!("\r\x1b[2K{answer}");
        assert!(rest.starts_with(&expected), "{command}: {rest:?}");
    }
}

#[test]
fn nobody_else_sees_that_line() {
    let world = world();
    world
        .sandbox
        .always(Some(Fault::Latency(Duration::from_millis(1500))));
    world.run(["token"]).succeeds();
    let of_tool = shown(&world, &["pnpm", "--refresh"], &[]);
    let token = world.token();
    assert_eq!(of_tool, format!("Bearer {token}\r\n"), "a tool's protocol");
}
