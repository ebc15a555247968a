//! The token taken out of what another program says, as it flows by.

use crate::secret::Secret;

/// What stands in the token's place.
const SHOWN: &[u8] = b"[token]";

/// A filter for one stream.
#[derive(Debug)]
pub(crate) struct Veil {
    token: Secret,
    /// What may be the beginning of the token.
    kept: Vec<u8>,
}

impl Veil {
    /// Hides this token.
    pub(crate) fn new(token: Secret) -> Self {
        Self {
            token,
            kept: Vec::new(),
        }
    }

    /// What can be shown by now.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let token = self.token.expose().as_bytes();
        let mut rest = std::mem::take(&mut self.kept);
        rest.extend_from_slice(bytes);
        let mut shown = Vec::with_capacity(rest.len());
        while let Some(at) = find(&rest, token) {
            let behind = rest.split_off(at.saturating_add(token.len()));
            rest.truncate(at);
            shown.append(&mut rest);
            shown.extend_from_slice(SHOWN);
            rest = behind;
        }
        let begun = (1..token.len())
            .rev()
            .find(|length| token.get(..*length).is_some_and(|it| rest.ends_with(it)));
        self.kept = rest.split_off(rest.len().saturating_sub(begun.unwrap_or(0)));
        shown.append(&mut rest);
        shown
    }

    /// The rest, when the stream is at its end.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.kept)
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len().max(1))
        .position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::Veil;
    use crate::secret::Secret;

    #[test]
    fn the_token_is_hidden_however_the_stream_is_cut() {
        let text = "> Authorization: Bearer aabaac\r\n> aabaabaac aab\naabaacaabaac aa";
        let expected = "> Authorization: Bearer [token]\r\n> aab[token] aab\n[token][token] aa";
        for size in 1..=text.len() {
            let mut veil = Veil::new(Secret::new("aabaac".to_owned()));
            let mut shown = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                shown.extend(veil.pass(chunk));
            }
            shown.extend(veil.end());
            assert_eq!(
                String::from_utf8(shown).unwrap(),
                expected,
                "{size} at once"
            );
        }
    }

    #[test]
    fn a_line_without_the_token_is_shown_at_once() {
        let mut veil = Veil::new(Secret::new("aabaac".to_owned()));
        assert_eq!(veil.pass(b"* Connected\n"), b"* Connected\n");
    }
}
