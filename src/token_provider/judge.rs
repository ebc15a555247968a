//! What an entry is worth to a caller right now.

use time::OffsetDateTime;

use super::cooldown::LONGEST_REFRESH_PAUSE;
use super::{ObtainError, TokenProvider, TokenRequest};
use crate::cache::{Cooldown, Entry, Reason};
use crate::types::secret::Secret;
use crate::types::token::Token;

/// What an entry is worth to a caller right now.
pub(super) enum CacheState {
    /// This token is the answer.
    Fresh(Token),
    /// This token is the answer, and it is time to look for the next one.
    NeedsRefresh(Token),
    /// A server refused this token: another one is asked for, and this one is the answer only
    /// while that cannot be had.
    RejectedByServer(Token),
    /// No token, and asking is forbidden for now.
    InCooldown(Box<Cooldown>),
    /// The token at hand is good, but no token of this server lasts as asked.
    TooShort(ObtainError),
    /// The endpoint has to be asked.
    Nothing,
}

impl CacheState {
    /// What a caller is told who looks for no better token; `None` where the endpoint has to be
    /// asked.
    pub(super) fn answer(self) -> Option<Result<Token, ObtainError>> {
        match self {
            Self::Fresh(token) | Self::NeedsRefresh(token) => Some(Ok(token)),
            Self::InCooldown(cooldown) => Some(Err(ObtainError::CoolingDown(cooldown))),
            Self::TooShort(error) => Some(Err(error)),
            Self::RejectedByServer(_) | Self::Nothing => None,
        }
    }
}

impl TokenProvider<'_> {
    /// Judges an entry by the clock of this moment.
    pub(super) fn judge(&self, entry: &Entry, ask: &TokenRequest) -> CacheState {
        let now = self.clock.now();
        // What is of later than now was noted before the clock was set back, and so before this call.
        // An entry tells whole milliseconds: what is of this call's first one came after it began.
        let is_since = |at: OffsetDateTime, start: OffsetDateTime| {
            (start.truncate_to_millisecond()..=now).contains(&at)
        };
        let is_new = |at| ask.not_before.is_none_or(|start| is_since(at, start));
        // Longer than any pause is a word from a clock that ran ahead.
        let is_over = |at| now >= at || at > now + LONGEST_REFRESH_PAUSE;
        let current = self.current_secret(entry);
        // That a program gave no secret binds those who waited for it, however long the disk took to
        // note it, and nobody who comes later: he may just have unlocked the vault.
        let binding = match &entry.cooldown {
            Some(cooldown) if cooldown.reason == Reason::NoSecret => {
                Some(cooldown).filter(|cooldown| is_since(cooldown.since, ask.began))
            }
            _ => entry.cooldown_for(current.as_ref(), now),
        };
        let cooldown = binding.filter(|cooldown| is_new(cooldown.since));
        let held = entry
            .held_for(current.as_ref(), now)
            .filter(|held| is_new(held.token.obtained_at));
        let is_refused = held.is_some_and(|held| held.is_refused);
        match held.map(|held| &held.token) {
            Some(token) if is_refused && token.is_fresh(now, ask.min_ttl) => match cooldown {
                None => CacheState::RejectedByServer(token.clone()),
                Some(cooldown) => match cooldown.reason {
                    Reason::RateLimited | Reason::Unavailable => CacheState::Fresh(token.clone()),
                    // The same word that refuses a new token speaks against this one.
                    Reason::Refused | Reason::NoSecret => {
                        CacheState::InCooldown(Box::new(cooldown.clone()))
                    }
                },
            },
            Some(token) if token.is_fresh(now, ask.min_ttl) => {
                let may_refresh =
                    cooldown.is_none() && entry.refresh_not_before.is_none_or(is_over);
                if token.is_aging(now, ask.refresh_ahead) && may_refresh {
                    CacheState::NeedsRefresh(token.clone())
                } else {
                    CacheState::Fresh(token.clone())
                }
            }
            Some(token) if now < token.expires_at && token.never_lasts(ask.min_ttl) => {
                CacheState::TooShort(too_short(token, ask))
            }
            _ => match cooldown {
                Some(cooldown) => CacheState::InCooldown(Box::new(cooldown.clone())),
                None => CacheState::Nothing,
            },
        }
    }

    /// The secret of this moment, where reading it costs next to nothing and the entry could tell
    /// another one from it.
    fn current_secret(&self, entry: &Entry) -> Option<Secret> {
        let held = entry.held.as_ref().and_then(|held| held.secret.as_ref());
        let cooling = entry
            .cooldown
            .as_ref()
            .and_then(|cooldown| cooldown.secret.as_ref());
        held.or(cooling)?;
        self.endpoint.cheap_secret()
    }
}

/// A token as fetched is the answer only if it lasts as long as was asked.
pub(super) fn checked(token: Token, ask: &TokenRequest) -> Result<Token, ObtainError> {
    if token.never_lasts(ask.min_ttl) {
        Err(too_short(&token, ask))
    } else {
        Ok(token)
    }
}

fn too_short(token: &Token, ask: &TokenRequest) -> ObtainError {
    let life = token.life();
    ObtainError::LifeTooShort {
        life,
        wanted: ask.min_ttl.for_life(life),
    }
}
