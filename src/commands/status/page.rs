//! The text output of `status`: a page for one profile, or a table of several with their problems
//! below it. No I/O.

use std::time::Duration;

use super::State;
use crate::cache::Reason;
use crate::config::lifetime_warning;
use crate::diagnostics::style::{Severity, Style};
use crate::types::duration::show;

/// Formats the states of all profiles.
pub(super) fn write(states: &[State], style: Style) -> String {
    match states {
        [state] => page(state, style),
        states => table(states, style),
    }
}

/// A text and its severity. The colour is added after the text is padded to its width.
type Cell = (Severity, String);

fn page(state: &State, style: Style) -> String {
    let mark = if state.default { " (default)" } else { "" };
    let name = style.paint(Severity::Strong, &state.name);
    let mut lines = vec![format!("{name}{mark}")];
    let mut line = |name: &str, (tone, value): Cell| {
        let value = if tone == Severity::Dim {
            value
        } else {
            style.paint(tone, &value)
        };
        lines.push(format!("  {name:<11}{value}"));
    };
    let server = state.base_url.as_ref().unwrap_or(&state.token_url);
    line("server", (Severity::Dim, server.clone()));
    line("client ID", (Severity::Dim, state.client_id.clone()));
    line("secret", (Severity::Dim, state.secret_source.clone()));
    if let Some(date) = &state.secret_expires {
        let (tone, left) = credential(state);
        line("credential", (tone, format!("until {date}, {left}")));
    }
    let (tone, mut shown) = token(state);
    if let Some(at) = until(state) {
        shown = format!("{shown} (until {at})");
    }
    line("token", (tone, shown));
    if let (Some(in_time), Some(at)) = (refresh(state), &state.refresh_at) {
        line("refresh", (Severity::Dim, format!("{in_time} (from {at})")));
    }
    if state.auth_method.as_deref() == Some("query") {
        let shown = "query: the secret is in the URL; see `auth_method`".to_owned();
        line("request", (Severity::Warning, shown));
    }
    if let Some(store) = &state.shared_store {
        line("store", (Severity::Dim, format!("{store} (not asked)")));
    }
    if let Some(cooldown) = &state.cooldown {
        let left = show(Duration::from_secs(cooldown.seconds_left));
        let shown = format!("{left} left: {}", cooldown.message);
        line("cool-down", (Severity::Bad, shown));
    }
    for warning in &state.warnings {
        line("warning", (Severity::Warning, warning.clone()));
    }
    lines.join("\n") + "\n"
}

const COLUMNS: [&str; 6] = [
    "PROFILE",
    "TOKEN",
    "REFRESH",
    "COOL-DOWN",
    "CREDENTIAL",
    "SECRET",
];

fn table(states: &[State], style: Style) -> String {
    let none = || (Severity::Dim, "-".to_owned());
    let row = |state: &State| -> [Cell; 6] {
        let mark = if state.default { " (default)" } else { "" };
        [
            (Severity::Strong, format!("{}{mark}", state.name)),
            token(state),
            refresh(state).map_or_else(none, |text| (Severity::Dim, text)),
            cooldown(state).unwrap_or_else(none),
            credential(state),
            (Severity::Dim, state.secret_source.clone()),
        ]
    };
    let heading = COLUMNS.map(|name| (Severity::Dim, name.to_owned()));
    let rows: Vec<[Cell; 6]> = [heading]
        .into_iter()
        .chain(states.iter().map(row))
        .collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, (_, text)) in widths.iter_mut().zip(row) {
            *width = (*width).max(text.chars().count());
        }
    }
    let line = |row: &[Cell; 6]| {
        let cells = row.iter().zip(widths).map(|((tone, text), width)| {
            let blank = " ".repeat(width - text.chars().count());
            format!("{}{blank}", style.paint(*tone, text))
        });
        let line = cells.collect::<Vec<String>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let table: String = rows.iter().map(line).collect();
    let notes: String = states
        .iter()
        .flat_map(|state| notes(state, style))
        .collect();
    if notes.is_empty() {
        table
    } else {
        format!("{table}\n{notes}")
    }
}

/// Messages that do not fit into the table.
fn notes(state: &State, style: Style) -> Vec<String> {
    let cooldown = state.cooldown.as_ref().map(|cooldown| &cooldown.message);
    let note = |tone: Severity, kind: &str, text: &String| {
        let kind = style.paint(tone, kind);
        format!("{}: {kind} {text}\n", state.name)
    };
    let cooldown = cooldown.map(|message| note(Severity::Bad, "cool-down:", message));
    let warnings = state.warnings.iter();
    let warnings = warnings.map(|warning| note(Severity::Warning, "warning:", warning));
    cooldown.into_iter().chain(warnings).collect()
}

/// The expiry of the token, unless it has expired.
fn until(state: &State) -> Option<&str> {
    let expires_at = state.expires_at.as_deref();
    expires_at.filter(|_| state.token_state != "expired")
}

fn token(state: &State) -> Cell {
    let tone = match state.token_state {
        "good" | "aging" => Severity::Good,
        "stale" | "refused" | "expired" => Severity::Warning,
        _ => Severity::Dim,
    };
    let left = state.expires_in.filter(|_| until(state).is_some());
    let shown = match left {
        Some(seconds) => {
            let left = show(Duration::from_secs(seconds));
            format!("{}, {left} left", state.token_state)
        }
        None => state.token_state.to_owned(),
    };
    (tone, shown)
}

/// When the next token is requested, unless the token has expired.
fn refresh(state: &State) -> Option<String> {
    until(state)?;
    Some(match state.refresh_in? {
        Duration::ZERO => "with the next call".to_owned(),
        left => format!("in {}", show(left)),
    })
}

fn cooldown(state: &State) -> Option<Cell> {
    let cooldown = state.cooldown.as_ref()?;
    let left = show(Duration::from_secs(cooldown.seconds_left));
    let why = match cooldown.reason {
        Reason::RateLimited => "rate limited",
        Reason::Refused => "refused",
        Reason::Unavailable => "unavailable",
        Reason::NoSecret => "no secret",
    };
    Some((Severity::Bad, format!("{left}, {why}")))
}

fn credential(state: &State) -> Cell {
    let Some(days) = state.secret_days_left else {
        return (Severity::Dim, "-".to_owned());
    };
    if days < 0 {
        return (Severity::Bad, "over".to_owned());
    }
    let tone = match lifetime_warning(days) {
        Some(_) => Severity::Warning,
        None => Severity::Good,
    };
    let plural = if days == 1 { "" } else { "s" };
    (tone, format!("{days} day{plural} left"))
}
