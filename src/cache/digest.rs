//! A salted digest. An entry stores it to recognise the secret of its token without revealing it.

use std::fmt;

use hmac_sha256::Hash;

use crate::types::hex::hex;
use crate::types::secret::Secret;

/// The salt (16 random bytes), followed by the SHA-256 of the salt and the secret. Hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretDigest(String);

const SALT_DIGITS: usize = 32;
const DIGEST_DIGITS: usize = 64;

impl SecretDigest {
    /// Digests a secret with a fresh salt. Returns `None` if the system provides no random bytes.
    pub(crate) fn of(secret: &Secret) -> Option<Self> {
        let mut salt = [0; SALT_DIGITS / 2];
        getrandom::fill(&mut salt).ok()?;
        let salt = hex(&salt);
        let digits = digits_of(&salt, secret);
        Some(Self(salt + &digits))
    }

    /// Parses a digest of an entry.
    pub(super) fn parse(text: String) -> Option<Self> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hex && text.len() == SALT_DIGITS + DIGEST_DIGITS).then_some(Self(text))
    }

    /// The text that is stored in an entry.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the digest of `secret`.
    pub(crate) fn is_of(&self, secret: &Secret) -> bool {
        let (salt, digits) = self.0.split_at_checked(SALT_DIGITS).unwrap_or_default();
        digits == digits_of(salt, secret)
    }
}

/// The digest without the salt, in hexadecimal.
fn digits_of(salt: &str, secret: &Secret) -> String {
    let mut hash = Hash::new();
    hash.update(salt);
    hash.update(secret.expose());
    hex(&hash.finalize())
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretDigest(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::SecretDigest;
    use crate::types::secret::Secret;

    #[test]
    fn a_digest_knows_its_secret_and_two_of_one_secret_differ() {
        let (one, two) = (Secret::new("one".to_owned()), Secret::new("two".to_owned()));
        let digest = SecretDigest::of(&one).unwrap();
        assert!(digest.is_of(&one) && !digest.is_of(&two));
        assert_ne!(digest, SecretDigest::of(&one).unwrap(), "random salt");
        assert!(
            SecretDigest::parse(digest.as_str().to_owned())
                .unwrap()
                .is_of(&one)
        );
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let digest = SecretDigest::of(&Secret::new("one".to_owned())).unwrap();
        assert_eq!(format!("{digest:?}"), "SecretDigest(…)");
    }
}
