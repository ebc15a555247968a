//! Seals the values of the shared store and derives their keys in the store. Only a holder of the
//! client secret can do either, or open a value. The cipher is ChaCha20-Poly1305 (RFC 8439), with a
//! key from HKDF-SHA-256 (RFC 5869). docs/fleet.md has the format and its test vectors. No I/O.

use hmac_sha256::HKDF;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::LARGEST_VALUE;
use crate::types::hex::hex;
use crate::types::secret::Secret;

/// The first byte of every value.
const VERSION: u8 = 2;

/// The HKDF info for the encryption key of a value.
const SEAL_INFO: &[u8] = b"cloudconnexa-auth shared store v2 seal";

/// The HKDF info for a key in the store; the identity is appended.
const NAME_INFO: &[u8] = b"cloudconnexa-auth shared store v2 name\n";

/// The first line of the additional authenticated data; the kind and the identity follow.
const AUTHENTICATED: &str = "cloudconnexa-auth shared store v2";

const SALT: usize = 32;
const HEAD: usize = 1 + SALT;

/// The nonce of every value. It can be constant because each encryption key seals only one value:
/// the key is derived from a random salt of 32 bytes (docs/fleet.md).
const NONCE: [u8; 12] = [0; 12];

/// The kind of a value. A value of one kind cannot be opened as another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A token.
    Token,
    /// A cool-down: the time until which no token is requested, and the reason.
    Cooldown,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Cooldown => "cooldown",
        }
    }
}

/// The keys of one identity in the store. All have the same hash tag, so a cluster keeps them on
/// one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The key of the sealed token.
    pub(crate) token: String,
    /// The key of the sealed cool-down.
    pub(crate) cooldown: String,
    /// The key of the lease: its holder requests a token.
    pub(crate) lease: String,
    /// The key of the refresh lease: until it expires, only its holder refreshes the token.
    pub(crate) refresh: String,
}

/// Seals and opens the shared values of one identity.
pub(crate) struct Sealer<'a> {
    secret: &'a Secret,
    identity: &'a str,
}

impl<'a> Sealer<'a> {
    /// Creates a sealer. `identity` is the cache key of the identity: it covers the token endpoint,
    /// the client ID, the scope and the audience.
    pub(crate) fn new(secret: &'a Secret, identity: &'a str) -> Self {
        Self { secret, identity }
    }

    /// Returns the keys of the identity in the store.
    pub(crate) fn names(&self, prefix: &str) -> Keys {
        let mut tag = [0; 16];
        let info = [NAME_INFO, self.identity.as_bytes()].concat();
        self.derive(&[], &info, &mut tag);
        let tag = hex(&tag);
        let name = |what: &str| format!("{prefix}{{{tag}}}:{what}");
        Keys {
            token: name("token"),
            cooldown: name("cooldown"),
            lease: name("lease"),
            refresh: name("refresh"),
        }
    }

    /// Seals a value with a fresh salt. Returns `None` if the system gives no random bytes or the
    /// value would be larger than [`LARGEST_VALUE`].
    pub(crate) fn seal(&self, kind: Kind, plain: &[u8]) -> Option<Vec<u8>> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).ok()?;
        self.seal_with(kind, plain, &salt)
    }

    fn seal_with(&self, kind: Kind, plain: &[u8], salt: &[u8; SALT]) -> Option<Vec<u8>> {
        let mut sealed = plain.to_vec();
        let tag = self
            .key(salt)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(NONCE),
                self.authenticated(kind),
                &mut sealed,
            )
            .ok()?;
        let value = [&[VERSION], &salt[..], &sealed, tag.as_ref()].concat();
        Some(value).filter(|value| value.len() <= LARGEST_VALUE)
    }

    /// Opens a value. Returns `None` if the value was changed, or was sealed with another secret,
    /// for another identity, as another kind or in another version.
    pub(crate) fn open(&self, kind: Kind, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (head, sealed) = value.split_at_checked(HEAD)?;
        let (&VERSION, salt) = head.split_first()? else {
            return None;
        };
        let mut plain = Zeroizing::new(sealed.to_vec());
        let length = self
            .key(salt)?
            .open_in_place(
                Nonce::assume_unique_for_key(NONCE),
                self.authenticated(kind),
                &mut plain,
            )
            .ok()?
            .len();
        plain.truncate(length);
        Some(plain)
    }

    fn key(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let mut key = Zeroizing::new([0; 32]);
        self.derive(salt, SEAL_INFO, &mut *key);
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*key).ok()?;
        Some(LessSafeKey::new(key))
    }

    /// Derives a key from the client secret with HKDF-SHA-256 (RFC 5869).
    fn derive(&self, salt: &[u8], info: &[u8], out: &mut [u8]) {
        let key = Zeroizing::new(HKDF::extract(salt, self.secret.expose()));
        HKDF::expand(out, *key, info);
    }

    fn authenticated(&self, kind: Kind) -> Aad<String> {
        Aad::from(format!(
            "{AUTHENTICATED}\n{}\n{}\n",
            kind.name(),
            self.identity
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, Kind, LARGEST_VALUE, Sealer};
    use crate::types::hex::hex;
    use crate::types::secret::Secret;

    const IDENTITY: &str = "8c1f0f3a5d7be2960c4a1e8d3f5b7a9c0e2d4f6a8b1c3d5e7f9a0b2c4d6e8f01";

    #[test]
    fn document_test_vectors_match() {
        let document = include_str!("../../docs/fleet.md");
        let row = |name: &str| {
            let start = format!("| {name} | `");
            let line = document.lines().find(|line| line.starts_with(&start));
            let value = line.and_then(|line| line.strip_prefix(&start)?.strip_suffix("` |"));
            value.unwrap_or_else(|| panic!("docs/fleet.md has no {name}"))
        };
        let secret = Secret::new(row("client secret").to_owned());
        let sealer = Sealer::new(&secret, row("identity"));
        let salt = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(hex(&salt), row("salt"));
        for (kind, name) in [(Kind::Token, "token"), (Kind::Cooldown, "cooldown")] {
            let plain = row(&format!("{name}, plain"));
            let value = sealer.seal_with(kind, plain.as_bytes(), &salt).unwrap();
            assert_eq!(hex(&value), row(&format!("{name}, sealed")));
            assert_eq!(
                sealer.open(kind, &value).unwrap().as_slice(),
                plain.as_bytes()
            );
        }
        let names = sealer.names("cloudconnexa-auth:");
        assert_eq!(names.token, row("key of the token"));
    }

    #[test]
    fn other_secret_identity_or_kind_does_not_open() {
        let (secret, other) = (Secret::new("one".to_owned()), Secret::new("two".to_owned()));
        let sealer = Sealer::new(&secret, IDENTITY);
        let value = sealer.seal(Kind::Token, b"t-1").unwrap();
        let opens = |sealer: &Sealer<'_>, kind| sealer.open(kind, &value).is_some();
        assert!(opens(&sealer, Kind::Token));
        assert!(!opens(&sealer, Kind::Cooldown), "another kind");
        assert!(
            !opens(&Sealer::new(&other, IDENTITY), Kind::Token),
            "a rotated secret misses"
        );
        let swapped = Sealer::new(&secret, &IDENTITY[1..]);
        assert!(!opens(&swapped, Kind::Token), "another identity");
    }

    #[test]
    fn changed_or_truncated_value_does_not_open() {
        let secret = Secret::new("one".to_owned());
        let sealer = Sealer::new(&secret, IDENTITY);
        let value = sealer
            .seal(Kind::Token, b"{\"access_token\":\"t\"}")
            .unwrap();
        for bit in 0..value.len() * 8 {
            let mut changed = value.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(Kind::Token, &changed).is_none(), "bit {bit}");
        }
        for length in 0..value.len() {
            assert!(
                sealer.open(Kind::Token, &value[..length]).is_none(),
                "{length} bytes"
            );
        }
        let longer = [value.as_slice(), b"x"].concat();
        assert!(sealer.open(Kind::Token, &longer).is_none());
    }

    #[test]
    fn equal_texts_seal_differently() {
        let secret = Secret::new("one".to_owned());
        let sealer = Sealer::new(&secret, IDENTITY);
        let (one, two) = (
            sealer.seal(Kind::Token, b"t-1").unwrap(),
            sealer.seal(Kind::Token, b"t-1").unwrap(),
        );
        assert_eq!(one[0], two[0], "the version");
        assert_ne!(one[1..HEAD], two[1..HEAD]);
        assert_ne!(one[HEAD..], two[HEAD..]);
        assert!(
            sealer
                .seal(Kind::Token, &vec![b'x'; LARGEST_VALUE])
                .is_none()
        );
    }

    #[test]
    fn names_share_one_secret_hash_tag() {
        let (secret, other) = (Secret::new("one".to_owned()), Secret::new("two".to_owned()));
        let names = Sealer::new(&secret, IDENTITY).names("p:");
        let tag = |name: &str| name[name.find('{').unwrap()..=name.find('}').unwrap()].to_owned();
        assert_eq!(tag(&names.token).len(), 34);
        for name in [&names.cooldown, &names.lease, &names.refresh] {
            assert_eq!(
                tag(name),
                tag(&names.token),
                "a cluster keeps them on one node"
            );
        }
        let others = Sealer::new(&other, IDENTITY).names("p:");
        assert_ne!(
            tag(&others.token),
            tag(&names.token),
            "the tag needs the client secret"
        );
    }
}
