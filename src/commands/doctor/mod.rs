//! `doctor`: checks every step up to an authorised API call. It prints one line per check, and how
//! to fix a problem. Each file contains one group of checks; `finding` contains their results and
//! the output.
//!
//! It requests one token at most, and none if a good one is cached. It creates the same files as
//! other commands: the cache directory, a lock, an entry.

mod cache;
mod connection_check;
mod finding;
mod links;
mod server;
mod setup;
mod shared_store;
mod tls_handshake;
mod tools;

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;

use super::Context;
use super::session::Session;
use crate::config::Profile;
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::Progress;
use crate::diagnostics::style::Style;
use crate::system::clock::Deadline;
use crate::system::stdout::print;

use finding::Finding;

/// The profile under test, and the context of its checks.
struct Case<'a> {
    context: &'a Context<'a>,
    session: &'a Session<'a>,
    profile: &'a Profile,
    deadline: Deadline,
    progress: RefCell<Option<Progress>>,
}

impl Case<'_> {
    /// Shows a progress message on a terminal.
    fn say(&self, what: &str) {
        self.progress.take();
        self.progress.replace(self.context.report.progress(what));
    }
}

#[cold]
pub(super) fn run(
    context: &Context<'_>,
    json: bool,
    stdout: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let mut findings = Vec::new();
    let session = setup::configuration(context, &mut findings);
    let profile = session
        .as_ref()
        .and_then(|session| setup::profile(session, context, &mut findings));
    if let Some((session, profile)) = session.as_ref().zip(profile) {
        let case = Case {
            context,
            session,
            profile,
            deadline: session.deadline(profile),
            progress: RefCell::default(),
        };
        examine(&case, &mut findings);
    } else {
        findings.extend(cache::check(context, None));
        let apart = ["links", "tools"];
        let unasked: Vec<Finding> = order()
            .filter(|name| !apart.contains(name))
            .filter(|name| !findings.iter().any(|it| it.name == *name))
            .map(|name| Finding::skipped(name, "not asked: no profile"))
            .collect();
        findings.extend(unasked);
    }
    findings.extend(links::check(context));
    findings.extend(tools::check(context));
    // Skipped checks appear in their usual position.
    findings.sort_by_key(|finding| order().position(|name| name == finding.name));

    let output = if json {
        finding::json(&findings, profile.map(|profile| profile.name.as_str()))
    } else {
        let style = Style::of(context.environment, io::stdout().is_terminal());
        finding::page(&findings, style).into_bytes().into()
    };
    print(stdout, &output).map_err(Error::Stdout)?;
    Ok(ExitCode::from(finding::code_of(&findings)))
}

/// The names of all checks in their order; each check may depend on the ones before it.
fn order() -> impl Iterator<Item = &'static str> {
    let first = [
        "configuration",
        "profile",
        "client_id",
        "secret",
        "credential",
        "cache",
        "shared_store",
    ];
    let last = ["links", "tools"];
    let all = first
        .into_iter()
        .chain(connection_check::NAMES)
        .chain(server::NAMES);
    all.chain(last)
}

fn examine(case: &Case<'_>, findings: &mut Vec<Finding>) {
    findings.push(setup::client_id(case));
    let (found, secret) = setup::secret(case);
    findings.push(found);
    findings.push(setup::credential(case));
    let slot = case.session.slot(case.profile);
    findings.extend(cache::check(case.context, slot.as_ref()));
    findings.push(shared_store::check(case, secret.as_ref()));
    let is_open = connection_check::check(case, findings);
    server::check(case, secret, is_open, findings);
    case.progress.take();
}
