//! Removes the token from the output of another program while the output is streamed.

use zeroize::Zeroizing;

use crate::types::secret::Secret;

/// The text that replaces the token.
const SHOWN: &[u8] = b"[token]";

/// The length of the token prefix that is treated like the whole token, in bytes.
const HEAD: usize = 32;

/// A filter for one stream. It contains a part of the token, so it has no `Debug`.
pub(crate) struct Redactor {
    token: Secret,
    /// Bytes that may be the beginning of the token.
    kept: Zeroizing<Vec<u8>>,
}

impl Redactor {
    /// Creates a filter that hides this token.
    pub(crate) fn new(token: Secret) -> Self {
        Self {
            token,
            kept: Zeroizing::default(),
        }
    }

    /// Returns the part that can be shown now.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let token = self.token.expose().as_bytes();
        let head = head(token);
        let mut rest = Zeroizing::new(Vec::with_capacity(self.kept.len() + bytes.len()));
        rest.extend_from_slice(&self.kept);
        rest.extend_from_slice(bytes);
        let mut shown = Vec::with_capacity(rest.len());
        while let Some(at) = find(&rest, head) {
            let found = Zeroizing::new(rest.split_off(at));
            shown.append(&mut rest);
            let same = found
                .iter()
                .zip(token)
                .take_while(|(one, other)| one == other);
            let length = same.count();
            if length == found.len() && length < token.len() {
                self.kept = found;
                return shown;
            }
            shown.extend_from_slice(SHOWN);
            rest = Zeroizing::new(found.get(length..).unwrap_or_default().to_vec());
        }
        let begun = (1..head.len())
            .rev()
            .find(|length| head.get(..*length).is_some_and(|it| rest.ends_with(it)));
        let begun = rest.len().saturating_sub(begun.unwrap_or(0));
        self.kept = Zeroizing::new(rest.split_off(begun));
        shown.append(&mut rest);
        shown
    }

    /// Returns the remaining bytes at the end of the stream.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let kept = std::mem::take(&mut self.kept);
        if kept.starts_with(head(self.token.expose().as_bytes())) {
            return SHOWN.to_vec();
        }
        kept.to_vec()
    }
}

/// The prefix of the token that is hidden even if the remainder is missing. curl cuts its own lines
/// at 2 KiB.
fn head(token: &[u8]) -> &[u8] {
    token.get(..HEAD).unwrap_or(token)
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len().max(1))
        .position(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use crate::types::secret::Secret;

    #[test]
    fn the_token_is_hidden_however_the_stream_is_cut() {
        let text = "> Authorization: Bearer aabaac\r\n> aabaabaac aab\naabaacaabaac aa";
        let expected = "> Authorization: Bearer [token]\r\n> aab[token] aab\n[token][token] aa";
        for size in 1..=text.len() {
            let mut redactor = Redactor::new(Secret::new("aabaac".to_owned()));
            let mut shown = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                shown.extend(redactor.pass(chunk));
            }
            shown.extend(redactor.end());
            assert_eq!(
                String::from_utf8(shown).unwrap(),
                expected,
                "chunk size {size}"
            );
        }
    }

    #[test]
    fn a_long_token_is_hidden_where_it_is_cut_off_too() {
        let token: String = ('a'..='z').cycle().take(300).collect();
        let (cut, short) = (token.get(..200).unwrap(), token.get(..31).unwrap());
        let text = format!("* h2h3 [authorization: Bearer {cut}\n{token}.{short}-\n{cut}");
        let expected = format!("* h2h3 [authorization: Bearer [token]\n[token].{short}-\n[token]");
        for size in [1, 2, 31, 32, 33, 199, 200, 201, text.len()] {
            let mut redactor = Redactor::new(Secret::new(token.clone()));
            let mut shown = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                shown.extend(redactor.pass(chunk));
            }
            shown.extend(redactor.end());
            assert_eq!(String::from_utf8(shown).unwrap(), expected, "{size}");
        }
    }

    #[test]
    fn a_line_without_the_token_is_shown_at_once() {
        let mut redactor = Redactor::new(Secret::new("aabaac".to_owned()));
        assert_eq!(redactor.pass(b"* Connected\n"), b"* Connected\n");
    }
}
