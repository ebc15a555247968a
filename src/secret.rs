//! A value that must not be seen.

use std::fmt;

use zeroize::Zeroizing;

/// A client secret or an access token: never printed, wiped from memory when dropped.
///
/// It has no `Display`, its `Debug` says `REDACTED`, and the one way to the text is [`expose`],
/// so that a search for that word finds every use.
///
/// [`expose`]: Secret::expose
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. What is made of it must be a secret again.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(REDACTED)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let shown = format!("{:?}", Secret::new("s3cret".to_owned()));
        assert_eq!(
            shown, "Secret(REDACTED)",
            "Debug ends up in logs and panics"
        );
    }
}
