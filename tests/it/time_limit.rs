//! The time limit of a test. At the limit, the processes that the test has started are killed, so
//! the test fails and the others continue. If the test still does not end, the whole test process
//! exits.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The variable for other limits: two numbers of seconds, `LIMIT:GRACE`.
const VARIABLE: &str = "TEST_TIME_LIMIT";

/// Limits the time of the test that owns it. Every `World` has one.
pub(crate) struct TimeLimit {
    _running: Sender<()>,
    is_exceeded: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
struct Limits {
    limit: Duration,
    /// The time after the limit in which the test should fail.
    grace: Duration,
}

impl Limits {
    fn from_environment() -> Self {
        let seconds = |text: &str| Duration::from_secs(text.parse().unwrap());
        if let Ok(text) = std::env::var(VARIABLE) {
            let (limit, grace) = text.split_once(':').unwrap();
            return Self {
                limit: seconds(limit),
                grace: seconds(grace),
            };
        }
        // `make soak` repeats one test for up to an hour. In `make test` none takes five minutes.
        let minutes = if std::env::var_os("SOAK").is_some() {
            240
        } else {
            10
        };
        Self {
            limit: Duration::from_secs(minutes * 60),
            grace: Duration::from_secs(60),
        }
    }
}

impl TimeLimit {
    pub(crate) fn start() -> Self {
        let (running, ended) = channel();
        let is_exceeded = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_exceeded);
        let name = thread::current().name().unwrap_or("?").to_owned();
        let processes = ChildProcesses::of_this_thread();
        thread::spawn(move || watch(&name, &processes, &ended, &flag));
        Self {
            _running: running,
            is_exceeded,
        }
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        let is_exceeded = self.is_exceeded.load(Ordering::SeqCst);
        assert!(
            !is_exceeded || thread::panicking(),
            "the time limit of the test was exceeded"
        );
    }
}

#[allow(
    clippy::exit,
    reason = "a thread that is blocked forever cannot be ended otherwise"
)]
fn watch(name: &str, processes: &ChildProcesses, ended: &Receiver<()>, is_exceeded: &AtomicBool) {
    let has_ended = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Disconnected);
    let Limits { limit, grace } = Limits::from_environment();
    if has_ended(limit) {
        return;
    }
    is_exceeded.store(true, Ordering::SeqCst);
    print(&format!(
        "test {name} did not end within {limit:?}; its processes are killed"
    ));
    let start = Instant::now();
    while start.elapsed() < grace {
        processes.kill();
        if has_ended(Duration::from_secs(1).min(grace)) {
            return;
        }
    }
    print(&format!(
        "test {name} still runs, so the suite ends\ntest {name} ... FAILED"
    ));
    std::process::exit(101);
}

/// Prints a line. `eprintln!` would show it only if the test fails.
fn print(line: &str) {
    let _ = std::io::stderr().write_all(format!("\n{line}\n").as_bytes());
}

/// The processes that one thread has started, and their descendants. Known on Linux only.
struct ChildProcesses {
    /// The directory of the thread in /proc.
    #[cfg(target_os = "linux")]
    thread: std::path::PathBuf,
}

#[cfg(target_os = "linux")]
impl ChildProcesses {
    fn of_this_thread() -> Self {
        let thread = std::fs::read_link("/proc/thread-self").unwrap();
        Self {
            thread: std::path::Path::new("/proc").join(thread),
        }
    }

    fn kill(&self) {
        let mut all = Self::children(&self.thread);
        let mut next = 0;
        while let Some(id) = all.get(next) {
            let threads = std::fs::read_dir(format!("/proc/{id}/task"));
            for thread in threads.into_iter().flatten().flatten() {
                all.extend(Self::children(&thread.path()));
            }
            next += 1;
        }
        for id in all {
            // It may have ended in the meantime.
            if let Some(id) = rustix::process::Pid::from_raw(id) {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            }
        }
    }

    fn children(thread: &std::path::Path) -> Vec<i32> {
        let text = std::fs::read_to_string(thread.join("children")).unwrap_or_default();
        let ids = text.split_whitespace().map(|id| id.parse().unwrap());
        ids.collect()
    }
}

#[cfg(not(target_os = "linux"))]
impl ChildProcesses {
    fn of_this_thread() -> Self {
        Self {}
    }

    fn kill(&self) {}
}

#[cfg(target_os = "linux")]
mod tests {
    use std::process::Command;
    use std::thread;

    use super::VARIABLE;
    use crate::harness::World;

    /// Runs the calling test again in a process of its own, and `test` in there. Returns what that
    /// process has printed; it must fail.
    fn fails_in_own_process(limits: &str, test: impl FnOnce()) -> Option<String> {
        if std::env::var_os(VARIABLE).is_some() {
            test();
            return None;
        }
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", thread::current().name().unwrap(), "--nocapture"])
            .env(VARIABLE, limits)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(101));
        Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }

    #[test]
    fn test_with_a_hung_process_fails_and_is_named() {
        let printed = fails_in_own_process("1:600", || {
            let world = World::new();
            let _ = world
                .run(["-c", "sleep 900; true"])
                .through_shell()
                .outcome();
        });
        let Some(printed) = printed else { return };
        let name = thread::current().name().unwrap().to_owned();
        assert!(
            printed.contains(&format!("test {name} did not end within 1s")),
            "{printed}"
        );
        assert!(printed.contains("1 failed"), "{printed}");
    }

    #[test]
    fn test_that_waits_for_ever_ends_the_suite_and_is_named() {
        let printed = fails_in_own_process("1:1", || {
            let _world = World::new();
            loop {
                thread::park();
            }
        });
        let Some(printed) = printed else { return };
        let name = thread::current().name().unwrap().to_owned();
        assert!(
            printed.contains(&format!("test {name} still runs")),
            "{printed}"
        );
    }
}
