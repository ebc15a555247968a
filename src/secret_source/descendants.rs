//! Kills the descendants of a program, on Linux.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::system::file::{self, Trust};

/// The maximum size of a stat file, in bytes: more than fifty numbers and a short name need.
const LONGEST_STAT: u64 = 4096;

/// Kills all descendants of `program`, except daemons: a process in a process group of its own
/// (such as gpg-agent) also serves other programs. The program itself is only stopped.
pub(super) fn kill(program: u32) {
    let mut family = Vec::new();
    let mut next = i32::try_from(program).map_or(Vec::new(), |program| vec![program]);
    // Stop each process before its children are listed, so that it cannot start more.
    while let Some(parent) = next.pop() {
        signal(parent, Signal::STOP);
        family.push(parent);
        next.extend(children(parent));
    }
    for process in family.iter().skip(1) {
        signal(*process, Signal::KILL);
    }
}

/// Sends a signal. The process may have exited already.
fn signal(process: i32, signal: Signal) {
    if let Some(process) = Pid::from_raw(process) {
        kill_process(process, signal).ok();
    }
}

fn children(parent: i32) -> Vec<i32> {
    // getpgrp(2) is not used: it returns 0 if the group's leader is outside of this PID namespace,
    // and 0 is not a `Pid`.
    let Some((_, group)) = parent_and_group("self") else {
        return Vec::new();
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|it| {
        let name = it.file_name();
        let id = name.to_str()?;
        (parent_and_group(id)? == (parent, group)).then(|| id.parse().ok())?
    });
    ids.collect()
}

/// Reads the two fields after the name. The name is in parentheses and may contain any character
/// (`proc_pid_stat(5)`).
fn parent_and_group(process: &str) -> Option<(i32, i32)> {
    let path = format!("/proc/{process}/stat");
    let stat = file::read(Path::new(&path), LONGEST_STAT, Trust::Anything).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    let mut number = || fields.next()?.parse().ok();
    Some((number()?, number()?))
}
