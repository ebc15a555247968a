//! Colours and symbols, on terminals only. There are no colours if `NO_COLOR` is set
//! (<https://no-color.org>). Output for programs has neither.

use crate::system::environment::Environment;

/// The meaning of a text, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// No problem.
    Good,
    /// A possible problem.
    Warning,
    /// A failure.
    Bad,
    /// A less important detail.
    Dim,
    /// The most important text.
    Strong,
}

/// Which formatting a stream supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    has_symbols: bool,
    has_colour: bool,
}

impl Style {
    /// Plain text only.
    pub(crate) const PLAIN: Self = Self {
        has_symbols: false,
        has_colour: false,
    };

    /// The style of a stream. A dumb terminal (the shell of emacs) does not count as a terminal,
    /// nor does a Windows console that does not report its features.
    pub(crate) fn of(environment: &Environment, is_terminal: bool) -> Self {
        let is_able = match environment.text("TERM").as_deref() {
            Some("dumb") => false,
            None if cfg!(windows) => environment.raw("WT_SESSION").is_some(),
            _ => true,
        };
        if !(is_terminal && is_able) {
            return Self::PLAIN;
        }
        Self {
            has_symbols: true,
            has_colour: environment.raw("NO_COLOR").is_none(),
        }
    }

    /// Whether the stream is a terminal that can erase a line.
    pub(crate) fn is_terminal(self) -> bool {
        self.has_symbols
    }

    /// The text in the colour of its severity.
    pub(crate) fn paint(self, tone: Severity, text: &str) -> String {
        if !self.has_colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Severity::Good => "32",
            Severity::Warning => "33",
            Severity::Bad => "1;31",
            Severity::Dim => "2",
            Severity::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// The symbol of a severity in its colour; without symbols, the word.
    pub(crate) fn mark(self, tone: Severity, word: &str) -> String {
        if !self.has_symbols {
            return word.to_owned();
        }
        let symbol = match tone {
            Severity::Good => "✓",
            Severity::Warning => "!",
            Severity::Bad => "✗",
            Severity::Dim | Severity::Strong => "-",
        };
        self.paint(tone, symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::{Severity, Style};
    use crate::system::environment::Environment;

    fn shown(variables: &[(&str, &str)], is_terminal: bool) -> (String, String) {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let style = Style::of(&Environment::Given(owned.collect()), is_terminal);
        (
            style.paint(Severity::Good, "text"),
            style.mark(Severity::Good, "ok"),
        )
    }

    #[test]
    fn colour_is_for_terminals_whose_owner_wants_it() {
        let both = |text: &str, mark: &str| (text.to_owned(), mark.to_owned());
        let term = ("TERM", "xterm");
        let coloured = both("\x1b[32mtext\x1b[0m", "\x1b[32m✓\x1b[0m");
        assert_eq!(shown(&[term], true), coloured);
        assert_eq!(shown(&[term, ("NO_COLOR", "")], true), coloured);
        assert_eq!(shown(&[term, ("NO_COLOR", "1")], true), both("text", "✓"));
        for (variables, is_terminal) in [(&[term][..], false), (&[("TERM", "dumb")], true)] {
            assert_eq!(shown(variables, is_terminal), both("text", "ok"));
        }
    }
}
