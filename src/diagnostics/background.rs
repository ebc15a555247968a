//! Lines on stderr that never delay the caller, for events that are reported while a lock is held.
//!
//! A stopped terminal (Ctrl-S), a paused pager or a full pipe can block a write without limit. So a
//! separate thread writes, and a line is dropped if stderr does not accept it at that moment.

use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The pause between two checks of whether stderr accepts bytes.
const CHECK_PAUSE: Duration = Duration::from_millis(5);

/// The number of checks before a line is dropped.
const MOST_CHECKS: usize = 200;

static WRITER: Mutex<Option<Writer>> = Mutex::new(None);

/// The thread that writes, and the number of its pending lines.
#[derive(Debug)]
struct Writer {
    lines: Sender<String>,
    written: Receiver<()>,
    pending: usize,
}

/// Passes a line to the thread, or drops it if stderr would block.
pub(super) fn write(line: String) {
    if !is_writable() {
        return;
    }
    let mut writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    if writer.is_none() {
        *writer = start();
    }
    match writer.as_mut() {
        Some(writer) => {
            if writer.lines.send(line).is_ok() {
                writer.pending += 1;
            }
        }
        None => write_now(&line),
    }
}

/// Waits until the thread has written its lines, or until stderr accepts no more bytes. The caller
/// must hold no lock.
pub(super) fn flush() {
    let mut writer = WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(open) = writer.as_mut() else { return };
    while open.pending > 0 && is_received(&open.written) {
        open.pending -= 1;
    }
    if open.pending > 0 {
        *writer = None;
    }
}

/// Waits for a message or for the end of the sender while stderr accepts bytes. Returns whether it
/// came.
pub(super) fn is_received(receiver: &Receiver<()>) -> bool {
    for _ in 0..MOST_CHECKS {
        match receiver.recv_timeout(CHECK_PAUSE) {
            Ok(()) => return true,
            Err(RecvTimeoutError::Timeout) if is_writable() => {}
            Err(_) => return false,
        }
    }
    false
}

fn start() -> Option<Writer> {
    let (lines, to_write) = mpsc::channel::<String>();
    let (done, written) = mpsc::channel();
    let write_all = move || {
        for line in to_write {
            if is_writable() {
                write_now(&line);
            }
            if done.send(()).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().spawn(write_all).ok()?;
    Some(Writer {
        lines,
        written,
        pending: 0,
    })
}

/// Writes a line with one call, so that lines of several processes do not mix. A closed stderr
/// cannot be reported.
fn write_now(line: &str) {
    drop(io::stderr().lock().write_all(line.as_bytes()));
}

/// Whether stderr accepts bytes now. This is false if the terminal stops background jobs that write
/// (`stty tostop`).
#[cfg(unix)]
pub(super) fn is_writable() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{LocalModes, tcgetattr, tcgetpgrp};
    let stderr = io::stderr();
    let would_stop = tcgetattr(&stderr)
        .is_ok_and(|terminal| terminal.local_modes.contains(LocalModes::TOSTOP))
        && tcgetpgrp(&stderr).is_ok_and(|group| group != rustix::process::getpgrp());
    let mut polled = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // The write itself reports an error of the descriptor; it does not block then.
    !would_stop && poll(&mut polled, Some(&at_once)).map_or(true, |ready| ready > 0)
}

#[cfg(not(unix))]
pub(super) fn is_writable() -> bool {
    true
}
