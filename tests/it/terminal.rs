//! A user at a terminal: the program runs in its own session on a pseudo-terminal. The shell that
//! starts it continues after it, so that the tests can check what the program leaves behind.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::harness::{PROGRAM, World};
use crate::leaks::Allowed;

/// A time limit that is longer than any step takes; a test that reaches it fails.
const HANGING: Duration = Duration::from_secs(120);

/// The shell's script: it records the state of the terminal before and after, and the exit code of
/// the program. It is in the program's process group, so Ctrl-C reaches both.
const SCRIPT: &str = "/bin/stty -g > before; trap : INT; \"$@\" > stdout; echo $? > code; \
                      /bin/stty -g > after";

/// A terminal, and the program that runs on it.
pub(crate) struct Terminal<'a> {
    world: &'a World,
    master: File,
    screen: Arc<Screen>,
    reader: Option<JoinHandle<()>>,
    shell: Child,
    seen: usize,
}

#[derive(Default)]
struct Screen {
    bytes: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

/// The result of a dialog.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// The program's exit code, as a shell reports it: 130 for SIGINT.
    pub(crate) code: i32,
    /// All output on the terminal, without carriage returns.
    pub(crate) screen: String,
    pub(crate) stdout: String,
}

impl<'a> Terminal<'a> {
    /// Starts the program.
    pub(crate) fn run(world: &'a World, arguments: &[&str]) -> Self {
        Self::run_script(world, SCRIPT, arguments)
    }

    /// Starts it with another script.
    pub(crate) fn run_script(world: &'a World, script: &str, arguments: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master: OwnedFd = master.unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags_no_tty()
            .open(Path::new(name.to_str().unwrap()))
            .unwrap();
        let stream = || Stdio::from(slave.try_clone().unwrap());
        // A caller of the tests may ignore signals, and the shell would inherit that.
        let shell = Command::new("/usr/bin/env")
            .arg("--default-signal=INT,QUIT,HUP")
            .args([
                "/usr/bin/setsid",
                "--ctty",
                "--wait",
                "/bin/sh",
                "-c",
                script,
                "sh",
                PROGRAM,
            ])
            .args(arguments)
            .env_clear()
            // These tests check the text; `style` tests the colours.
            .env("NO_COLOR", "1")
            .envs(world.variables())
            .current_dir(world.path(""))
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .unwrap();
        drop(slave);
        let master = File::from(master);
        let screen = Arc::new(Screen::default());
        let reader = thread::spawn({
            let (mut from, screen) = (master.try_clone().unwrap(), Arc::clone(&screen));
            move || screen.show(&mut from)
        });
        Self {
            world,
            master,
            screen,
            reader: Some(reader),
            shell,
            seen: 0,
        }
    }

    /// Waits until this text is shown, after the text of the previous call.
    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> &mut Self {
        self.seen = self.screen.wait_for(text, self.seen);
        self
    }

    /// Types these keys.
    pub(crate) fn send(&mut self, keys: &str) -> &mut Self {
        self.master.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Answers a question with a line.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &str, line: &str) -> &mut Self {
        self.expect(question).send(&format!("{line}\n"))
    }

    /// Whether the terminal echoes input.
    pub(crate) fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.master).unwrap().local_modes;
        modes.contains(LocalModes::ECHO)
    }

    /// Waits until Ctrl-C no longer sends a signal.
    #[track_caller]
    pub(crate) fn wait_for_no_signals(&self) {
        let began = Instant::now();
        let modes = || tcgetattr(&self.master).unwrap().local_modes;
        while modes().contains(LocalModes::ISIG) {
            assert!(began.elapsed() < HANGING, "Ctrl-C still sends a signal");
            thread::yield_now();
        }
    }

    /// Waits for the end. The state of the terminal must be restored, and it must show no secret
    /// and no token.
    #[track_caller]
    pub(crate) fn end(mut self) -> Dialogue {
        self.shell.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let screen = self.screen.bytes.lock().unwrap().0.clone();
        let canaries = self.world.canaries();
        canaries.check("the terminal", &screen, Allowed::Nothing);
        self.world.check_files();
        let read = |name| fs::read_to_string(self.world.path(name)).unwrap();
        assert_eq!(
            read("before"),
            read("after"),
            "the state of the terminal is restored"
        );
        let stdout = read("stdout");
        for name in ["before", "after", "stdout"] {
            fs::remove_file(self.world.path(name)).unwrap();
        }
        let code = read("code").trim().parse().unwrap();
        fs::remove_file(self.world.path("code")).unwrap();
        let screen = String::from_utf8(screen).unwrap().replace('\r', "");
        Dialogue {
            code,
            screen,
            stdout,
        }
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // After a failed test no input comes; closing the master side sends SIGHUP to the session.
        if self.reader.is_some() {
            drop(self.shell.kill());
            drop(self.shell.wait());
        }
    }
}

impl Screen {
    /// Waits until this text is shown after the first `seen` bytes; returns the position behind it.
    #[track_caller]
    fn wait_for(&self, text: &str, seen: usize) -> usize {
        let mut shown = self.bytes.lock().unwrap();
        loop {
            let after = String::from_utf8_lossy(&shown.0[seen..]).into_owned();
            if let Some(at) = after.find(text) {
                return seen + at + text.len();
            }
            assert!(!shown.1, "{text:?} is not shown; the end is {after:?}");
            let waited = self.changed.wait_timeout(shown, HANGING).unwrap();
            assert!(!waited.1.timed_out(), "{text:?} is not shown but {after:?}");
            shown = waited.0;
        }
    }

    /// Collects all output until the session ends (on Linux: until EIO).
    fn show(&self, from: &mut File) {
        let mut chunk = [0; 4096];
        loop {
            let count = from.read(&mut chunk).unwrap_or(0);
            let mut shown = self.bytes.lock().unwrap();
            shown.0.extend_from_slice(&chunk[..count]);
            shown.1 = count == 0;
            self.changed.notify_all();
            if count == 0 {
                return;
            }
        }
    }
}

/// Opening a terminal must not make it the controlling terminal of this process.
trait NoTty {
    fn custom_flags_no_tty(&mut self) -> &mut Self;
}

impl NoTty for OpenOptions {
    fn custom_flags_no_tty(&mut self) -> &mut Self {
        use std::os::unix::fs::OpenOptionsExt as _;
        self.custom_flags(OpenptFlags::NOCTTY.bits().cast_signed())
    }
}
