//! Checks that each name under which tools look for this program leads to this program.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::finding::Finding;
use crate::commands::Context;
use crate::protocol::PROTOCOLS;
use crate::system::environment::Environment;

const NAME: &str = "links";

const PROGRAM: &str = "cloudconnexa-auth";

/// Checks the names on `PATH` and in Terraform's plugin directories.
pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let Ok(this) = std::env::current_exe().and_then(fs::canonicalize) else {
        return vec![Finding::skipped(
            NAME,
            "this program does not know its path",
        )];
    };
    let mut findings = Vec::new();
    let mut count = 0;
    for name in names() {
        // A file further back on `PATH` is never started.
        let mut is_taken = false;
        for path in places(context.environment, name) {
            match judge(&path, &this, is_taken) {
                Some(finding) => findings.push(finding),
                None => count += usize::from(!is_taken),
            }
            is_taken = is_taken || path.exists();
        }
    }
    if findings.is_empty() {
        let what = match count {
            0 => return vec![Finding::skipped(NAME, "none on PATH")],
            1 => "1 name on PATH leads here".to_owned(),
            count => format!("{count} names on PATH lead here"),
        };
        findings.push(Finding::ok(NAME, what));
    }
    findings
}

/// Whether a tool that looks for this name finds a file.
pub(super) fn is_found(environment: &Environment, name: &str) -> bool {
    places(environment, name).iter().any(|path| path.exists())
}

fn names() -> impl Iterator<Item = &'static str> {
    let helpers = PROTOCOLS
        .into_iter()
        .filter_map(|protocol| protocol.program);
    std::iter::once(PROGRAM).chain(helpers)
}

/// All files with this name in the order of the search, including broken links.
fn places(environment: &Environment, name: &str) -> Vec<PathBuf> {
    let path = environment.raw("PATH").unwrap_or_default();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let mut places: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(&file))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    if name.starts_with("terraform-") {
        places.extend(plugins(environment, name));
    }
    places.dedup();
    places
}

/// Terraform searches `~/.terraform.d/plugins` and its subdirectory for the platform. It accepts a
/// version after the name.
fn plugins(environment: &Environment, name: &str) -> Vec<PathBuf> {
    let Some(home) = environment.home() else {
        return Vec::new();
    };
    let list = |folder: &Path| -> Vec<PathBuf> {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.map(|file| file.path()).collect()
    };
    let inside = list(&home.join(".terraform.d/plugins"));
    let below = inside.iter().filter(|path| path.is_dir());
    let below: Vec<PathBuf> = below.flat_map(|folder| list(folder)).collect();
    let is_it = |path: &PathBuf| {
        let file = path.file_name().and_then(|file| file.to_str());
        file.is_some_and(|file| file.starts_with(name))
    };
    inside.into_iter().chain(below).filter(is_it).collect()
}

fn judge(path: &Path, this: &Path, is_taken: bool) -> Option<Finding> {
    let (shown, here) = (
        crate::types::quote::path(path),
        crate::types::quote::path(this),
    );
    let again = format!("ln -sf '{here}' '{shown}', or remove it");
    let Ok(target) = fs::canonicalize(path) else {
        let target = fs::read_link(path).unwrap_or_default();
        let what = format!(
            "{shown} leads nowhere (to {})",
            crate::types::quote::path(&target)
        );
        return Some(Finding::warning(NAME, what, again));
    };
    let is_other = target != this && !is_taken && !is_same(&target, this).unwrap_or(false);
    is_other.then(|| {
        let target = crate::types::quote::path(&target);
        let what = format!("{shown} is another program than this one ({target}, not {here})");
        Finding::warning(NAME, what, again)
    })
}

/// Whether one file is a copy of the other.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let (here, there) = (fs::metadata(one)?, fs::metadata(other)?);
    // Opening a pipe that has no writer would block forever.
    if !here.is_file() || !there.is_file() || here.len() != there.len() {
        return Ok(false);
    }
    let (one, other) = (File::open(one)?, File::open(other)?);
    let (mut one, mut other) = (
        io::BufReader::new(one).bytes(),
        io::BufReader::new(other).bytes(),
    );
    loop {
        match (one.next().transpose()?, other.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left != right => return Ok(false),
            _ => {}
        }
    }
}
