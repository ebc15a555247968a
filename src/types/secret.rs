//! A secret value.

use std::fmt;

use zeroize::Zeroizing;

/// A client secret or an access token. It is never printed, and its memory is wiped when it is
/// dropped.
///
/// It has no `Display`, and its `Debug` prints `REDACTED`. The text is only available through
/// [`expose`], so a search for that name finds every use.
///
/// [`expose`]: Secret::expose
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the text; the caller keeps no copy.
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Any value that is built from it must be a secret too.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Joins the parts into a text that is wiped when dropped. It is allocated once: a text that grows
/// leaves copies of its beginning in memory.
pub(crate) fn joined(parts: &[&str]) -> Zeroizing<String> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut text = Zeroizing::new(String::with_capacity(length));
    for part in parts {
        text.push_str(part);
    }
    text
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(REDACTED)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, joined};

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let shown = format!("{:?}", Secret::new("s3cret".to_owned()));
        assert_eq!(
            shown, "Secret(REDACTED)",
            "Debug ends up in logs and panics"
        );
    }

    #[test]
    fn a_text_with_a_secret_in_it_never_grows() {
        let text = joined(&["Bearer ", "t-1", "", "\n"]);
        assert_eq!(text.as_str(), "Bearer t-1\n");
        assert_eq!(text.capacity(), text.len());
    }
}
