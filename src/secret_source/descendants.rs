//! Ending what a program has started, on Linux.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use crate::system::file::{self, Trust};

/// More than fifty numbers and a short name need, in bytes.
const LONGEST_STAT: u64 = 4096;

/// Kills all that `program` has started, and what those have, but for daemons: who has gone into a
/// process group of its own (gpg-agent) is there for others too. The program itself is stopped.
pub(super) fn kill(program: u32) {
    let mut family = Vec::new();
    let mut next = i32::try_from(program).map_or(Vec::new(), |program| vec![program]);
    // Each is stopped before its children are looked for, so that it gets no more of them.
    while let Some(parent) = next.pop() {
        signal(parent, Signal::STOP);
        family.push(parent);
        next.extend(children(parent));
    }
    for process in family.iter().skip(1) {
        signal(*process, Signal::KILL);
    }
}

/// It may have ended by itself.
fn signal(process: i32, signal: Signal) {
    if let Some(process) = Pid::from_raw(process) {
        kill_process(process, signal).ok();
    }
}

fn children(parent: i32) -> Vec<i32> {
    // Not getpgrp(2): if the group's leader is outside of this process namespace, the group is 0, which
    // is not a `Pid`.
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

/// Two fields behind the name, which stands in brackets and may hold anything (`proc_pid_stat(5)`).
fn parent_and_group(process: &str) -> Option<(i32, i32)> {
    let path = format!("/proc/{process}/stat");
    let stat = file::read(Path::new(&path), LONGEST_STAT, Trust::Anything).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    let mut number = || fields.next()?.parse().ok();
    Some((number()?, number()?))
}
