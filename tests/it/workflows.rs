//! The workflows of this repository are valid YAML, and a job has read access to the sources only.
//! The only exception is the job that creates a release. Pull requests can change workflows.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::clients::tool;

/// A workflow as lines with their indentation.
struct Workflow {
    name: String,
    lines: Vec<String>,
}

fn workflows() -> Vec<Workflow> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        found.push(Workflow {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            lines: text.lines().map(without_comment).collect(),
        });
    }
    assert!(found.len() >= 2, "CI and release");
    found
}

/// A line without its comment, except for the comment of a pinned action, which names its version.
fn without_comment(line: &str) -> String {
    if line.contains("uses:") {
        return line.to_owned();
    }
    let is_comment = |at: &usize| *at == 0 || line.as_bytes()[at - 1] == b' ';
    let start = line.match_indices('#').map(|(at, _)| at).find(is_comment);
    line[..start.unwrap_or(line.len())].trim_end().to_owned()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

impl Workflow {
    /// The lines of the block that a line opens: all that are indented deeper.
    fn block(&self, opening: usize) -> &[String] {
        let line = &self.lines[opening];
        let is_item = line.trim_start().starts_with("- ");
        let depth = indentation(line) + if is_item { 2 } else { 0 };
        let inside = &self.lines[opening + 1..];
        let is_out = |line: &String| !line.is_empty() && indentation(line) <= depth;
        &inside[..inside.iter().position(is_out).unwrap_or(inside.len())]
    }

    /// The indices of the lines that start with this text, without indentation and list marker.
    fn find(&self, text: &str) -> Vec<usize> {
        let is_it = |line: &String| line.trim_start().trim_start_matches("- ").starts_with(text);
        let lines = self.lines.iter().enumerate();
        lines
            .filter(|(_, line)| is_it(line))
            .map(|(at, _)| at)
            .collect()
    }

    /// The jobs: names and lines.
    fn jobs(&self) -> Vec<(&str, &[String])> {
        let opening = self.lines.iter().position(|line| line == "jobs:").unwrap();
        let first = opening + 1;
        let named = self.block(opening).iter().enumerate();
        let named = named.filter(|(_, line)| indentation(line) == 2 && line.ends_with(':'));
        named
            .map(|(at, line)| (line.trim().trim_end_matches(':'), self.block(first + at)))
            .collect()
    }
}

#[test]
fn every_workflow_is_valid_yaml_with_jobs() {
    const CHECK: &str = "import sys, yaml\n\
        for path in sys.argv[1:]:\n    \
        jobs = yaml.safe_load(open(path, encoding='utf-8'))['jobs']\n    \
        for name, job in jobs.items(): print(name, len(job['steps']))\n";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let names = workflows().into_iter().map(|it| folder.join(it.name));
    let mut python = Command::new(tool("python3"));
    let output = python.args(["-c", CHECK]).args(names).output().unwrap();
    let (jobs, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stderr}");
    let count: usize = workflows().iter().map(|it| it.jobs().len()).sum();
    let jobs = String::from_utf8(jobs).unwrap();
    assert_eq!(jobs.lines().count(), count, "each job has steps: {jobs}");
}

#[test]
fn every_action_is_the_one_that_was_looked_at() {
    let mut count = 0;
    for workflow in workflows() {
        for at in workflow.find("uses:") {
            let line = &workflow.lines[at];
            let (_, pin) = line.split_once('@').unwrap_or_else(|| panic!("{line}"));
            let (commit, version) = pin.split_once(" # v").unwrap_or((pin, ""));
            let is_commit = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(
                is_commit && !version.is_empty(),
                "{}: {line}",
                workflow.name
            );
            count += 1;
        }
    }
    assert!(count >= 10, "{count} actions");
}

#[test]
fn a_job_may_read_the_sources_and_only_the_release_may_write() {
    for workflow in workflows() {
        let none = "permissions: {}".to_owned();
        assert!(workflow.lines.contains(&none), "{}", workflow.name);
        let jobs = workflow.jobs();
        assert!(jobs.len() >= 3, "the jobs of {} are found", workflow.name);
        for (job, lines) in jobs {
            let place = format!("{job} of {}", workflow.name);
            let opening = lines.iter().position(|line| line.trim() == "permissions:");
            let rights = &lines[opening.unwrap_or_else(|| panic!("{place} says no rights")) + 1..];
            let rights = rights.iter().take_while(|line| indentation(line) == 6);
            let rights: Vec<&str> = rights.map(|line| line.trim()).collect();
            if job == "release" {
                let its = ["contents: write", "id-token: write", "attestations: write"];
                assert_eq!(rights, its, "{place}");
                let condition = "    if: github.event_name == 'push' && github.ref_type == 'tag'";
                assert!(lines.contains(&condition.to_owned()), "{place}");
            } else {
                assert_eq!(rights, ["contents: read"], "{place}");
                let secrets = ["secrets.", "github.token", "GITHUB_TOKEN"];
                let is_told = |line: &String| secrets.iter().any(|secret| line.contains(secret));
                assert!(!lines.iter().any(is_told), "{place} gets a secret");
            }
            let ends = lines.iter().any(|line| line.contains("timeout-minutes:"));
            assert!(ends, "{place} has a time limit");
        }
    }
}

#[test]
fn no_change_that_is_not_ours_runs_with_our_rights() {
    for workflow in workflows() {
        for event in ["pull_request_target", "workflow_run", "issue_comment"] {
            let found = workflow.lines.iter().any(|line| line.contains(event));
            assert!(!found, "{} runs on {event}", workflow.name);
        }
        for at in workflow.find("uses: actions/checkout@") {
            let step = workflow.lines[at..].iter().take(4);
            let keeps_none = step
                .clone()
                .any(|line| line.trim() == "persist-credentials: false");
            assert!(keeps_none, "{}: {}", workflow.name, workflow.lines[at]);
        }
    }
}

/// The shell would execute text of an event (a title, the name of a branch) as code.
#[test]
fn nothing_is_pasted_into_a_script() {
    let mut count = 0;
    for workflow in workflows() {
        for at in workflow.find("run:") {
            let script = [
                std::slice::from_ref(&workflow.lines[at]),
                workflow.block(at),
            ]
            .concat();
            let is_pasted = script.iter().any(|line| line.contains("${{"));
            assert!(!is_pasted, "{}: {script:?}", workflow.name);
            count += 1;
        }
    }
    assert!(count >= 15, "{count} scripts");
}

/// Tools that a workflow installs have a fixed version, and are built with the lock file of their
/// authors.
#[test]
fn every_tool_of_a_pipeline_is_pinned() {
    let mut count = 0;
    for workflow in workflows() {
        for line in &workflow.lines {
            if line.contains("cargo install") {
                assert!(line.contains("--locked --version"), "{line}");
                count += 1;
            }
            assert!(
                !line.contains("curl "),
                "nothing is downloaded by hand: {line}"
            );
        }
    }
    assert!(count >= 1, "{count}");
}
