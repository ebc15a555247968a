//! The name of an identity in the cache.

use std::fmt;

use hmac_sha256::Hash;

use crate::types::hex::hex;

/// The identity of a token: all parameters that distinguish two tokens. Contains no secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    /// The URL of the token endpoint.
    pub(crate) token_url: &'a str,
    pub(crate) client_id: &'a str,
    /// The requested scope.
    pub(crate) scope: Option<&'a str>,
    /// The requested audience.
    pub(crate) audience: Option<&'a str>,
}

/// SHA-256 of the canonical form of an identity, as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key(String);

impl Key {
    /// Returns the key of an identity. The canonical form has a version. Each field is preceded by
    /// its length, so no two identities have the same form.
    pub(crate) fn of(identity: &Identity<'_>) -> Self {
        let mut hash = Hash::new();
        hash.update(b"cloudconnexa-auth identity v1\n");
        for field in [
            Some(identity.token_url),
            Some(identity.client_id),
            identity.scope,
            identity.audience,
        ] {
            match field {
                Some(text) => {
                    hash.update((text.len() as u64).to_be_bytes());
                    hash.update(text);
                }
                None => hash.update(u64::MAX.to_be_bytes()),
            }
        }
        Self(hex(&hash.finalize()))
    }

    /// The hexadecimal digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, Key};

    #[test]
    fn every_field_counts_and_none_runs_into_the_next() {
        let base = Identity {
            token_url: "u",
            client_id: "ab",
            scope: None,
            audience: None,
        };
        let others = [
            Identity {
                token_url: "ua",
                client_id: "b",
                ..base
            },
            Identity {
                scope: Some(""),
                ..base
            },
            Identity {
                scope: Some("x"),
                ..base
            },
            Identity {
                audience: Some("x"),
                ..base
            },
        ];
        for other in &others {
            assert_ne!(Key::of(&base), Key::of(other), "{other:?}");
        }
        assert_eq!(Key::of(&base), Key::of(&base.clone()));
        assert_eq!(Key::of(&base).as_str().len(), 64);
    }

    /// Another version of this program must find the entries of this version.
    #[test]
    fn the_form_is_the_one_that_its_version_says() {
        let key = Key::of(&Identity {
            token_url: "https://acme.test/token",
            client_id: "id.acme",
            scope: Some("read"),
            audience: None,
        });
        assert_eq!(
            key.to_string(),
            "b9653f079d3bb36556f4f10d42d0ea007c03c035280fa72a27fb6b6e036263f4"
        );
    }
}
