//! The result of a check, and its output as text and JSON. No I/O.

use serde::Serialize;

use crate::diagnostics::error::Code;
use crate::diagnostics::style::{Severity, Style};
use crate::protocol::json_line;
use crate::types::diagnostic::Diagnostic;

use super::super::Output;

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    Warning,
    /// Failed, with this exit code.
    Failed(Code),
    /// The check was not possible or does not apply.
    Skipped,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
        }
    }

    fn tone(self) -> Severity {
        match self {
            Self::Ok => Severity::Good,
            Self::Warning => Severity::Warning,
            Self::Failed(_) => Severity::Bad,
            Self::Skipped => Severity::Dim,
        }
    }
}

/// The result of a check. It contains no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The name of the check; part of the JSON schema.
    pub(super) name: &'static str,
    pub(super) state: State,
    /// The result as text.
    pub(super) what: String,
    /// How to fix the problem.
    pub(super) fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self::of(name, State::Ok, what.into(), None)
    }

    pub(super) fn warning(
        name: &'static str,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self::of(name, State::Warning, what.into(), Some(fix.into()))
    }

    pub(super) fn failed(
        name: &'static str,
        code: Code,
        what: impl Into<String>,
        fix: Option<String>,
    ) -> Self {
        Self::of(name, State::Failed(code), what.into(), fix)
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self::of(name, State::Skipped, why.into(), None)
    }

    /// A failure with the diagnostic of another command's error.
    pub(super) fn of_error(name: &'static str, code: Code, told: Diagnostic) -> Self {
        let Diagnostic { what, cause, hint } = told;
        let what = match cause {
            Some(cause) => format!("{what}: {cause}"),
            None => what,
        };
        // The hint suggests `doctor`, which is already running.
        let hint = hint.map(|hint| hint.replace(crate::token_provider::SEE_DOCTOR, ""));
        Self::failed(name, code, what, hint)
    }

    fn of(name: &'static str, state: State, what: String, fix: Option<String>) -> Self {
        Self {
            name,
            state,
            what,
            fix,
        }
    }
}

/// The exit code of `doctor`: that of the first failure, or 0.
pub(super) fn code_of(findings: &[Finding]) -> u8 {
    let code = findings.iter().find_map(|finding| match finding.state {
        State::Failed(code) => Some(code as u8),
        _ => None,
    });
    code.unwrap_or(0)
}

/// The text output: one line per check, its fix in the next line, and a summary.
pub(super) fn page(findings: &[Finding], style: Style) -> String {
    let width = |text: &str| text.chars().count();
    let names = findings.iter().map(|finding| width(&shown(finding.name)));
    let names = names.max().unwrap_or(0);
    let marks = if style.is_terminal() { 1 } else { 7 };
    let line = |finding: &Finding| {
        let state = finding.state;
        let mark = style.mark(state.tone(), state.name());
        let blank = if style.is_terminal() {
            String::new()
        } else {
            " ".repeat(marks - width(state.name()))
        };
        let name = format!("{:<names$}", shown(finding.name));
        let what = match state {
            State::Ok => finding.what.clone(),
            _ => style.paint(state.tone(), &finding.what),
        };
        let fix = finding.fix.as_ref().map(|fix| {
            let indent = " ".repeat(marks + names + 4);
            format!("{indent}{} {fix}\n", style.paint(Severity::Strong, "fix:"))
        });
        format!("{mark}{blank}  {name}  {what}\n{}", fix.unwrap_or_default())
    };
    let lines: String = findings.iter().map(line).collect();
    format!("{lines}\n{}\n", sum(findings))
}

/// The name of a check in the text output.
fn shown(name: &str) -> String {
    match name {
        "client_id" => "client ID".to_owned(),
        "dns" | "tcp" | "tls" | "http" | "api" => name.to_ascii_uppercase(),
        _ => name.replace('_', " "),
    }
}

fn sum(findings: &[Finding]) -> String {
    let count = |name: &str| {
        let of_it = findings.iter().filter(|it| it.state.name() == name);
        of_it.count()
    };
    let (failed, warnings) = (count("failed"), count("warning"));
    let plural = if warnings == 1 { "" } else { "s" };
    match (failed, warnings) {
        (0, 0) => "all checks passed".to_owned(),
        (0, _) => format!("{warnings} warning{plural}"),
        (_, 0) => format!("{failed} failed"),
        _ => format!("{failed} failed, {warnings} warning{plural}"),
    }
}

/// The JSON output (`integrations/schemas/doctor.json`).
pub(super) fn json(findings: &[Finding], profile: Option<&str>) -> Output {
    let checks = findings.iter().map(|finding| WireFinding {
        name: finding.name,
        state: finding.state.name(),
        what: &finding.what,
        fix: finding.fix.as_deref(),
    });
    json_line(&WireDoctor {
        version: env!("CARGO_PKG_VERSION"),
        profile,
        exit_code: code_of(findings),
        checks: checks.collect(),
    })
}

#[derive(Serialize)]
struct WireDoctor<'a> {
    version: &'static str,
    profile: Option<&'a str>,
    exit_code: u8,
    checks: Vec<WireFinding<'a>>,
}

#[derive(Serialize)]
struct WireFinding<'a> {
    name: &'static str,
    state: &'static str,
    what: &'a str,
    fix: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::{Code, Finding, code_of, page};
    use crate::diagnostics::style::Style;

    #[test]
    fn the_first_failure_says_how_the_run_ends() {
        let fails = |code| Finding::failed("x", code, "", None);
        let warned = Finding::warning("x", "", "");
        assert_eq!(code_of(&[]), 0);
        assert_eq!(code_of(&[Finding::ok("x", ""), warned.clone()]), 0);
        let both = [warned, fails(Code::NotSetUp), fails(Code::Unavailable)];
        assert_eq!(code_of(&both), 3, "later failures may follow from it");
    }

    #[test]
    fn a_page_has_a_line_a_check_and_what_to_do_below_it() {
        let findings = [
            Finding::ok("dns", "found"),
            Finding::warning("rate_limit", "none is left", "wait"),
        ];
        let expected = "ok       DNS         found\n\
                        warning  rate limit  none is left\n\
                        \u{20}                    fix: wait\n\n\
                        1 warning\n";
        assert_eq!(page(&findings, Style::PLAIN), expected);
    }
}
