//! Values that only the holder of the client secret can make or open, and names that tell nobody
//! else whose they are. XChaCha20-Poly1305 with a key by HKDF-SHA-256; docs/fleet.md has the format
//! and its test vectors. No I/O.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac_sha256::HKDF;
use zeroize::Zeroizing;

use super::LARGEST_VALUE;
use crate::hex::hex;
use crate::secret::Secret;

/// The first byte of every value.
const VERSION: u8 = 1;

/// What the key of a value is derived for.
const SEAL_INFO: &[u8] = b"cloudconnexa-auth shared store v1 seal";

/// What a name is derived for; the identity follows.
const NAME_INFO: &[u8] = b"cloudconnexa-auth shared store v1 name\n";

/// What is authenticated with every value; kind and identity follow.
const AUTHENTICATED: &str = "cloudconnexa-auth shared store v1";

const SALT: usize = 32;
const NONCE: usize = 24;
const HEAD: usize = 1 + SALT + NONCE;

/// What a value is; one kind does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A token.
    Token,
    /// When not to ask, and why.
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

/// The names of one identity in the store. All have one hash tag, so that a cluster keeps them on
/// one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The sealed token.
    pub(crate) token: String,
    /// The sealed cool-down.
    pub(crate) cooldown: String,
    /// Who asks for a token.
    pub(crate) lease: String,
    /// Who looks for the next token, and for how long nobody else does.
    pub(crate) refresh: String,
}

/// Seals and opens what is shared of one identity.
pub(crate) struct Sealer<'a> {
    secret: &'a Secret,
    identity: &'a str,
}

impl<'a> Sealer<'a> {
    /// `identity` is the key of the identity in the cache: it tells apart token endpoint, client
    /// ID, scope and audience.
    pub(crate) fn new(secret: &'a Secret, identity: &'a str) -> Self {
        Self { secret, identity }
    }

    /// The names under which the identity stands.
    pub(crate) fn names(&self, prefix: &str) -> Names {
        let mut tag = [0; 16];
        let info = [NAME_INFO, self.identity.as_bytes()].concat();
        self.derive(&[], &info, &mut tag);
        let tag = hex(&tag);
        let name = |what: &str| format!("{prefix}{{{tag}}}:{what}");
        Names {
            token: name("token"),
            cooldown: name("cooldown"),
            lease: name("lease"),
            refresh: name("refresh"),
        }
    }

    /// Seals with fresh salt and nonce; `None` where the system gives no random bytes, or the
    /// value would be too large.
    pub(crate) fn seal(&self, kind: Kind, plain: &[u8]) -> Option<Vec<u8>> {
        let mut random = [0; SALT + NONCE];
        getrandom::fill(&mut random).ok()?;
        self.seal_with(kind, plain, &random)
    }

    fn seal_with(&self, kind: Kind, plain: &[u8], random: &[u8; SALT + NONCE]) -> Option<Vec<u8>> {
        let (salt, nonce) = random.split_at(SALT);
        let authenticated = self.authenticated(kind);
        let payload = Payload {
            msg: plain,
            aad: authenticated.as_bytes(),
        };
        let nonce = XNonce::try_from(nonce).ok()?;
        let sealed = self.cipher(salt).encrypt(&nonce, payload).ok()?;
        let mut value = Vec::with_capacity(HEAD + sealed.len());
        value.push(VERSION);
        value.extend_from_slice(random);
        value.extend_from_slice(&sealed);
        Some(value).filter(|value| value.len() <= LARGEST_VALUE)
    }

    /// Opens; `None` where it was sealed with another secret, for another identity, as another
    /// kind, in another version, or was changed.
    pub(crate) fn open(&self, kind: Kind, value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (head, sealed) = value.split_at_checked(HEAD)?;
        let (&VERSION, random) = head.split_first()? else {
            return None;
        };
        let (salt, nonce) = random.split_at_checked(SALT)?;
        let authenticated = self.authenticated(kind);
        let payload = Payload {
            msg: sealed,
            aad: authenticated.as_bytes(),
        };
        let nonce = XNonce::try_from(nonce).ok()?;
        let plain = self.cipher(salt).decrypt(&nonce, payload).ok()?;
        Some(Zeroizing::new(plain))
    }

    fn cipher(&self, salt: &[u8]) -> XChaCha20Poly1305 {
        let mut key = Zeroizing::new([0; 32]);
        self.derive(salt, SEAL_INFO, &mut *key);
        let key: &Key = (&*key).into();
        XChaCha20Poly1305::new(key)
    }

    /// HKDF-SHA-256 (RFC 5869) from the client secret.
    fn derive(&self, salt: &[u8], info: &[u8], out: &mut [u8]) {
        let key = Zeroizing::new(HKDF::extract(salt, self.secret.expose()));
        HKDF::expand(out, *key, info);
    }

    fn authenticated(&self, kind: Kind) -> String {
        format!("{AUTHENTICATED}\n{}\n{}\n", kind.name(), self.identity)
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, Kind, LARGEST_VALUE, Sealer};
    use crate::hex::hex;
    use crate::secret::Secret;

    const IDENTITY: &str = "8c1f0f3a5d7be2960c4a1e8d3f5b7a9c0e2d4f6a8b1c3d5e7f9a0b2c4d6e8f01";

    #[test]
    fn the_test_vectors_of_the_document_hold() {
        let document = include_str!("../../docs/fleet.md");
        let row = |name: &str| {
            let start = format!("| {name} | `");
            let line = document.lines().find(|line| line.starts_with(&start));
            let value = line.and_then(|line| line.strip_prefix(&start)?.strip_suffix("` |"));
            value.unwrap_or_else(|| panic!("docs/fleet.md has no {name}"))
        };
        let secret = Secret::new(row("client secret").to_owned());
        let sealer = Sealer::new(&secret, row("identity"));
        let mut random = [0; 56];
        for (byte, number) in random.iter_mut().zip(0..) {
            *byte = number;
        }
        assert_eq!(hex(&random), row("salt and nonce"));
        for (kind, name) in [(Kind::Token, "token"), (Kind::Cooldown, "cooldown")] {
            let plain = row(&format!("{name}, plain"));
            let value = sealer.seal_with(kind, plain.as_bytes(), &random).unwrap();
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
    fn only_the_same_secret_identity_and_kind_open_a_value() {
        let (secret, other) = (Secret::new("one".to_owned()), Secret::new("two".to_owned()));
        let sealer = Sealer::new(&secret, IDENTITY);
        let value = sealer.seal(Kind::Token, b"t-1").unwrap();
        let opens = |sealer: &Sealer<'_>, kind| sealer.open(kind, &value).is_some();
        assert!(opens(&sealer, Kind::Token));
        assert!(!opens(&sealer, Kind::Cooldown), "kinds cannot be swapped");
        assert!(
            !opens(&Sealer::new(&other, IDENTITY), Kind::Token),
            "a rotated secret misses"
        );
        let swapped = Sealer::new(&secret, &IDENTITY[1..]);
        assert!(!opens(&swapped, Kind::Token), "nor identities");
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_a_miss() {
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
    fn two_values_of_one_text_have_nothing_in_common() {
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
    fn the_names_of_an_identity_share_one_hash_tag_and_tell_nothing() {
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
            "nobody can try client IDs"
        );
    }
}
