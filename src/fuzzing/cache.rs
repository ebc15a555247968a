//! Properties of the parser of cache entries, for any content of the file.

use std::time::Duration;

use time::OffsetDateTime;

use super::entry::{Cooldown, Entry};
use super::{Identity, Key};
use crate::types::quote::clean;
use crate::types::token::{MinTtl, RefreshAhead};

/// Any bytes are a miss or a valid entry. A valid entry is written back unchanged, allows time
/// arithmetic at any time, and does not show its token. `KEY` is replaced with the key of the
/// identity.
pub(crate) fn entry(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let key = Key::of(&Identity {
        token_url: "https://acme.test/token",
        client_id: "i",
        scope: None,
        audience: None,
    });
    let text = text.replace("KEY", key.as_str());
    let Some(entry) = Entry::from_bytes(text.as_bytes(), &key) else {
        return;
    };
    let written = entry.to_bytes(&key);
    assert_eq!(
        Entry::from_bytes(&written, &key).as_ref(),
        Some(&entry),
        "{text}"
    );
    let other = Key::of(&Identity {
        token_url: "https://acme.test/token",
        client_id: "j",
        scope: None,
        audience: None,
    });
    assert_eq!(
        Entry::from_bytes(&written, &other),
        None,
        "an entry has one identity"
    );
    for cooldown in &entry.cooldowns {
        let words = [
            Some(&cooldown.message),
            cooldown.cause.as_ref(),
            cooldown.hint.as_ref(),
        ];
        for words in words.into_iter().flatten() {
            assert_eq!(clean(words), *words, "must be printable on a terminal");
        }
    }
    for seconds in [0, 1_700_000_000, 253_402_300_000] {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let in_force = |cooldown: &&Cooldown| cooldown.is_in_force(now);
        let mut bound = entry.cooldowns.iter().filter(in_force);
        assert!(bound.all(|cooldown| now < cooldown.until));
        let Some(held) = entry.token_for(None, now) else {
            continue;
        };
        let token = &held.token.as_of(now);
        assert!(token.obtained_at <= now);
        for min_ttl in [MinTtl::Default, MinTtl::AtLeast(Duration::from_secs(60))] {
            let is_fresh = token.is_fresh(now, min_ttl);
            assert!(
                !is_fresh || now < token.expires_at,
                "an expired token is never served"
            );
            assert!(!is_fresh || !token.time_left(now).is_zero());
            assert!(token.never_lasts(min_ttl) || token.life() > Duration::ZERO);
        }
        for ahead in [
            RefreshAhead::LastFifth,
            RefreshAhead::LastHalf,
            RefreshAhead::Never,
        ] {
            token.is_aging(now, ahead);
        }
    }
    for held in &entry.tokens {
        let token = held.token.access_token.expose();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        assert!(
            !token.is_empty() && token.bytes().all(allowed),
            "must be valid in a header"
        );
        let shown = format!("{entry:?}");
        let is_elsewhere = text.matches(token).count() > 1;
        assert!(
            token.len() < 16 || is_elsewhere || !shown.contains(token),
            "{shown}"
        );
    }
}
