//! The state of the cache directory. Problems here never fail a command, so they are warnings only.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::OffsetDateTime;

use super::finding::Finding;
use super::setup::chmod;
use crate::cache::Slot;
use crate::commands::Context;
use crate::system::file::{self, Attempt, FileStatus};

const NAME: &str = "cache";

/// The maximum age of a temporary file in use; an older one was left by a process that was killed.
const STALE: Duration = Duration::from_secs(60);

/// Checks the cache directory; `slot` is the profile's entry in it.
pub(super) fn check(context: &Context<'_>, slot: Option<&Slot>) -> Vec<Finding> {
    if context.options.no_cache {
        return vec![Finding::skipped(NAME, "not asked, with `--no-cache`")];
    }
    let elsewhere = "set CLOUDCONNEXA_AUTH_CACHE_DIR to a folder of your own";
    let Some(folder) = context.environment.cache_folder() else {
        let what = "there is no folder for it, so every call is a token request";
        return vec![Finding::warning(NAME, what, elsewhere)];
    };
    let shown = crate::types::quote::path(&folder);
    if let Err(error) = file::try_writing(&folder, context.environment.home().as_deref()) {
        let what = format!("{shown} cannot be used, so every call is a token request: {error}");
        let standing = FileStatus::of(&folder).ok();
        let is_open = standing
            .is_some_and(|it| !it.is_foreign && it.mode.is_some_and(|mode| mode & 0o022 != 0));
        let fix = if is_open {
            chmod("700", &folder)
        } else {
            elsewhere.to_owned()
        };
        return vec![Finding::warning(NAME, what, fix)];
    }
    let mut findings = Vec::new();
    if let Some(kind) = file::network_file_system(&folder) {
        let what = format!("{shown} is on a network file system ({kind}): its locks may not hold");
        let fix = "set CLOUDCONNEXA_AUTH_CACHE_DIR to a folder on a local disk";
        findings.push(Finding::warning(NAME, what, fix));
    }
    if let Some(Attempt::Unsupported(error)) = slot.map(lock).and_then(Result::ok) {
        let what = format!("{shown} cannot be locked, so several callers may ask at once: {error}");
        findings.push(Finding::warning(NAME, what, elsewhere));
    }
    let files = Files::of(&folder, context.clock.now());
    findings.extend(files.complaints());
    if findings.is_empty() {
        let entries = files.entries;
        let plural = if entries == 1 { "entry" } else { "entries" };
        findings.push(Finding::ok(NAME, format!("{shown}, {entries} {plural}")));
    }
    findings
}

fn lock(slot: &Slot) -> io::Result<Attempt> {
    file::try_exclusive(slot.lock_file())
}

/// The files in the cache directory.
#[derive(Debug, Default)]
struct Files {
    entries: usize,
    exposed: Vec<PathBuf>,
    stale: Vec<PathBuf>,
}

impl Files {
    fn of(folder: &Path, now: OffsetDateTime) -> Self {
        let mut files = Self::default();
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = file.path();
            match path.extension().and_then(|end| end.to_str()) {
                Some("json") => {
                    files.entries += 1;
                    let standing = FileStatus::of(&path).ok();
                    let is_exposed = standing.is_some_and(|it| {
                        it.is_foreign || it.mode.is_some_and(|mode| mode & 0o077 != 0)
                    });
                    if is_exposed {
                        files.exposed.push(path);
                    }
                }
                Some("new") => {
                    let changed = file.metadata().and_then(|it| it.modified());
                    let is_old = changed.is_ok_and(|at| OffsetDateTime::from(at) + STALE < now);
                    if is_old {
                        files.stale.push(path);
                    }
                }
                _ => {}
            }
        }
        files
    }

    fn complaints(&self) -> Vec<Finding> {
        let first = |paths: &[PathBuf]| match paths {
            [] => None,
            [one] => Some((one.clone(), crate::types::quote::path(one))),
            [one, more @ ..] => {
                let shown = format!("{} and {} more", crate::types::quote::path(one), more.len());
                Some((one.clone(), shown))
            }
        };
        let exposed = first(&self.exposed).map(|(path, shown)| {
            let what = format!("{shown}: others can read it, so it counts for nothing");
            let fix = format!(
                "{} (and have the token in it revoked, if others were there)",
                chmod("600", &path)
            );
            Finding::warning(NAME, what, fix)
        });
        let stale = first(&self.stale).map(|(_, shown)| {
            let what = format!("{shown}: left behind by a process that was killed");
            Finding::warning(NAME, what, "remove it")
        });
        exposed.into_iter().chain(stale).collect()
    }
}
