//! Sharing of tokens and cool-downs between hosts, through a store.
//!
//! A process that holds the local lock and finds no usable token reads the store first. Only the
//! holder of the lease sends a token request.
//!
//! The store never causes a request to fail. If the store fails, there is one warning, and the
//! process continues without it.

mod payload;
mod profile;

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Duration;

use time::OffsetDateTime;

use super::decide::{CacheState, too_short};
use super::erase::REFUSAL_PAUSE;
use super::fetch::{Place, Purpose};
use super::{EraseTarget, Event, ObtainError, TokenProvider, TokenRequest, cooldown};
use crate::cache::{CachedToken, Cooldown, Entry, Key, Reason};
use crate::oauth::{ExchangeError, Form, TokenGrant};
use crate::shared_store::{Keys, Kind, Sealer, Store, StoreSnapshot};
use crate::types::hex::hex;
use crate::types::secret::Secret;

pub(crate) use crate::shared_store::StoreError;
use payload::Published;

pub(crate) use profile::ProfileStore;

/// The longest time for one round trip to the store, and for opening the connection.
const LIMIT: Duration = Duration::from_secs(2);

/// The duration of a lease that is not extended. A killed holder delays the other hosts by at most
/// this time. If the endpoint takes longer, one more host sends a request per interval.
const LEASE: Duration = Duration::from_secs(5);

/// The remaining time of a caller at which it stops waiting for another host and sends its own
/// request.
const TIME_TO_ASK: Duration = Duration::from_secs(1);

/// The first pause between two reads of the store while another host holds the lease. Each later
/// pause is longer by half.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two reads of the store.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The time before a wait is reported.
const QUIET: Duration = Duration::from_secs(2);

/// Replaces the lease of a holder whose request failed in a way that may not affect other hosts.
/// While it is set, each host sends its own request.
const FAILED: &str = "failed";

/// A store, and the prefix and identity that determine its keys.
pub(crate) struct Shared<'a> {
    store: &'a dyn Store,
    prefix: &'a str,
    identity: &'a dyn Fn() -> Key,
    is_out: Cell<bool>,
}

impl<'a> Shared<'a> {
    /// `identity` is called only when it is needed.
    pub(crate) fn new(
        store: &'a dyn Store,
        prefix: &'a str,
        identity: &'a dyn Fn() -> Key,
    ) -> Self {
        Self {
            store,
            prefix,
            identity,
            is_out: Cell::new(false),
        }
    }
}

/// The permission of this host to send a token request. `lease` is `None` if it has no lease.
pub(super) struct Lease {
    names: Option<Keys>,
    /// The key of the lease, and the name of this holder.
    lease: Option<(String, String)>,
    /// The store's clock, and the local elapsed time at that moment.
    clock: (i64, Duration),
    /// Whether a server refused the cached token.
    is_renewal: bool,
}

impl Lease {
    fn nothing() -> Self {
        Self {
            names: None,
            lease: None,
            clock: (0, Duration::ZERO),
            is_renewal: false,
        }
    }
}

/// The inputs of one lookup in the shared store.
struct Lookup<'a> {
    sealer: Sealer<'a>,
    names: Keys,
    /// The locally cached token for this secret.
    cached: Option<&'a CachedToken>,
    secret: &'a Secret,
    purpose: Purpose,
}

impl Lookup<'_> {
    fn is_renewal(&self) -> bool {
        self.cached.is_some_and(|cached| cached.is_refused)
    }
}

impl TokenProvider<'_> {
    /// Returns the result that the store allows, or else a lease to send a token request.
    ///
    /// A token or a cool-down from the store is also written to the local entry.
    pub(super) fn share(
        &self,
        place: Place<'_>,
        entry: &Entry,
        ask: &TokenRequest,
        purpose: Purpose,
        secret: &Secret,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        let Some(shared) = self.shared else {
            return ControlFlow::Continue(Lease::nothing());
        };
        let identity = (shared.identity)();
        let sealer = Sealer::new(secret, identity.as_str());
        let names = sealer.names(shared.prefix);
        let search = Lookup {
            sealer,
            names,
            cached: entry.token_for(Some(secret), self.clock.now()),
            secret,
            purpose,
        };
        let found = self.find(&search, place, ask);
        match &found {
            ControlFlow::Break(Ok(granted)) => {
                (self.notify)(Event::Shared);
                self.keep(place, entry, granted, secret, ask);
            }
            ControlFlow::Break(Err(ObtainError::CoolingDown(cooldown))) => {
                self.note(place, cooldown, Some(secret));
            }
            _ => {}
        }
        found
    }

    fn find(
        &self,
        search: &Lookup<'_>,
        place: Place<'_>,
        ask: &TokenRequest,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        let names = &search.names;
        let nothing = || ControlFlow::Continue(Lease::nothing());
        let asked_at = self.clock.now();
        let Some(seen) = self.with_store(ask, |store, limit| store.look(names, limit)) else {
            return nothing();
        };
        match self.weigh(search, &seen, asked_at, ask) {
            Some(answer) if self.pause_of(search, &seen, &answer, ask).is_none() => {
                return ControlFlow::Break(answer);
            }
            _ => {}
        }
        let Some(holder) = random_name() else {
            return nothing();
        };
        let (key, life) = match search.purpose {
            Purpose::Answer => (&names.lease, LEASE),
            Purpose::Ahead => (&names.refresh, self.refresh_pause(search.cached)),
        };
        self.win(search, place, (key, &holder, life), ask)
    }

    /// Tries to take the lease until this host has it, the store has a result from another host, or
    /// the time is up.
    fn win(
        &self,
        search: &Lookup<'_>,
        place: Place<'_>,
        (key, holder, life): (&str, &str, Duration),
        ask: &TokenRequest,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        let names = &search.names;
        let began = self.clock.elapsed();
        let mut has_spoken = false;
        let mut pause = FIRST_PAUSE;
        // The holder of the lease, and the time at which it was first seen.
        let mut other: (Vec<u8>, Duration) = (Vec::new(), began);
        loop {
            let asked_at = self.clock.now();
            let taken = self.with_store(ask, |store, limit| {
                store.take(names, key, holder, life, limit)
            });
            let Some((is_taken, seen)) = taken else {
                return ControlFlow::Continue(Lease::nothing());
            };
            let now = self.clock.elapsed();
            let hold = |lease| Lease {
                names: Some(names.clone()),
                lease,
                clock: (seen.now_ms, now),
                is_renewal: search.is_renewal(),
            };
            let mine = || Some((key.to_owned(), holder.to_owned()));
            if let Some(answer) = self.weigh(search, &seen, asked_at, ask) {
                if is_taken {
                    self.give_back(&hold(mine()), ask);
                    return ControlFlow::Break(answer);
                }
                let Some(pause) = self.pause_of(search, &seen, &answer, ask) else {
                    return ControlFlow::Break(answer);
                };
                if let Err(ObtainError::CoolingDown(cooldown)) = &answer {
                    self.note(place, cooldown, Some(search.secret));
                }
                (self.notify)(Event::WaitingForHost(ask.deadline.limit()));
                has_spoken = true;
                self.clock.sleep(jitter(FIRST_PAUSE) + pause);
                other = (seen.lease, self.clock.elapsed());
                continue;
            }
            if is_taken {
                return ControlFlow::Continue(hold(mine()));
            }
            if search.purpose == Purpose::Ahead {
                // Another host refreshes the token, or failed to do so recently.
                let limit = Duration::ZERO;
                return ControlFlow::Break(Err(ObtainError::LockTimedOut { limit }));
            }
            if other.0 != seen.lease {
                other = (seen.lease.clone(), now);
            }
            // No lease of this program lasts longer, so another program wrote it.
            let is_stale = now.saturating_sub(other.1) > LEASE * 2;
            let left = ask.deadline.remaining(self.clock);
            if is_stale || seen.lease == FAILED.as_bytes() || left < TIME_TO_ASK {
                return ControlFlow::Continue(hold(None));
            }
            if !has_spoken && now.saturating_sub(began) > QUIET {
                has_spoken = true;
                (self.notify)(Event::WaitingForHost(ask.deadline.limit()));
            }
            // Keep enough time for a token request.
            self.clock
                .sleep(jitter(pause).min(left.saturating_sub(TIME_TO_ASK)));
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// The result that the store's entries allow; `None` if a token request is needed. `asked_at`
    /// is the time before the store was read.
    fn weigh(
        &self,
        search: &Lookup<'_>,
        seen: &StoreSnapshot,
        asked_at: OffsetDateTime,
        ask: &TokenRequest,
    ) -> Option<Result<TokenGrant, ObtainError>> {
        let open = |kind, value: &[u8]| search.sealer.open(kind, value);
        let shared = open(Kind::Token, &seen.token)
            .and_then(|plain| payload::read_token(&plain, seen.now_ms, asked_at))
            .filter(|shared| counts(shared, search.cached, asked_at));
        let cooldown = open(Kind::Cooldown, &seen.cooldown)
            .and_then(|plain| payload::read_cooldown(&plain, seen.now_ms, self.clock.now()));
        let (token, form) = match shared {
            Some(shared) => (Some(shared.token), shared.form),
            None => (None, None),
        };
        let unrefused = |token| CachedToken {
            token,
            secret: None,
            is_refused: false,
        };
        let entry = Entry {
            tokens: token.into_iter().map(unrefused).collect(),
            cooldowns: cooldown.into_iter().collect(),
            ..Entry::default()
        };
        let granted = |token| TokenGrant {
            token,
            form: form.as_deref().and_then(Form::parse),
        };
        match (self.decide(&entry, ask), search.purpose) {
            // A refresh needs a better token than the current one.
            (CacheState::NeedsRefresh(_) | CacheState::TooShort { .. }, Purpose::Ahead)
            | (CacheState::Miss, _) => None,
            (
                CacheState::Fresh(token)
                | CacheState::NeedsRefresh(token)
                | CacheState::RejectedByServer(token),
                _,
            ) => Some(Ok(granted(token))),
            (CacheState::InCooldown(cooldown), _) => Some(Err(ObtainError::CoolingDown(cooldown))),
            (CacheState::TooShort { life }, _) => Some(Err(too_short(life, ask))),
        }
    }

    /// The remaining time of a cool-down that another host waits out, if this caller has enough
    /// time to wait for it.
    fn pause_of(
        &self,
        search: &Lookup<'_>,
        seen: &StoreSnapshot,
        answer: &Result<TokenGrant, ObtainError>,
        ask: &TokenRequest,
    ) -> Option<Duration> {
        let Err(ObtainError::CoolingDown(cooldown)) = answer else {
            return None;
        };
        let is_waiting = search.purpose == Purpose::Answer && !ask.is_single;
        let pause = cooldown.until - self.clock.now();
        let pause: Duration = pause.try_into().unwrap_or_default();
        let left = ask.deadline.remaining(self.clock);
        (is_waiting && !seen.lease.is_empty() && pause + TIME_TO_ASK < left).then_some(pause)
    }

    /// The time in which no other host refreshes the token.
    fn refresh_pause(&self, cached: Option<&CachedToken>) -> Duration {
        let now = self.clock.now();
        let left = cached.map(|cached| cached.token.time_left(now));
        cooldown::pause_before_refresh(left.unwrap_or_default())
    }

    /// Publishes a new token to all hosts.
    pub(super) fn share_token(
        &self,
        hold: &Lease,
        granted: &TokenGrant,
        secret: &Secret,
        ask: &TokenRequest,
    ) {
        let Some((shared, names)) = self.shared.zip(hold.names.as_ref()) else {
            return;
        };
        let now = self.clock.now();
        let plain = payload::of_token(granted, hold.is_renewal, self.store_time(hold), now);
        let identity = (shared.identity)();
        let sealed = Sealer::new(secret, identity.as_str()).seal(Kind::Token, &plain);
        let left = granted.token.time_left(now);
        if let Some(sealed) = sealed.filter(|_| !left.is_zero()) {
            self.with_store(ask, |store, limit| {
                store.put(&names.token, &sealed, left, limit)
            });
        }
        self.give_back(hold, ask);
    }

    /// Reads the store again after a rate limit was waited out. Returns a result that another host
    /// published in the meantime, or else a lease to send the request again.
    pub(super) fn share_again(
        &self,
        hold: Lease,
        place: Place<'_>,
        entry: &Entry,
        ask: &TokenRequest,
        secret: &Secret,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        // The lease of this host is longer than the pause.
        if hold.lease.is_some() || hold.names.is_none() {
            return ControlFlow::Continue(hold);
        }
        self.share(place, entry, ask, Purpose::Answer, secret)
    }

    /// Publishes a failure to all hosts if it affects them. A rate limit belongs to the credential
    /// and applies to all hosts. Any other failure may affect only this host.
    pub(super) fn share_failure(
        &self,
        hold: &Lease,
        failure: &ExchangeError,
        recorded: Option<&Cooldown>,
        pause: Option<Duration>,
        secret: &Secret,
        ask: &TokenRequest,
    ) {
        let Some((shared, names)) = self.shared.zip(hold.names.as_ref()) else {
            return;
        };
        // A short deadline says nothing about the endpoint; a caller with more time may send a
        // request now.
        let Some(cooldown) = recorded else {
            return self.give_back(hold, ask);
        };
        if cooldown.reason == Reason::RateLimited {
            let now = self.clock.now();
            let plain = payload::of_cooldown(cooldown, self.store_time(hold), now);
            let identity = (shared.identity)();
            let sealed = Sealer::new(secret, identity.as_str()).seal(Kind::Cooldown, &plain);
            let left: Duration = (cooldown.until - now).try_into().unwrap_or_default();
            if let Some(sealed) = sealed.filter(|_| !left.is_zero()) {
                self.with_store(ask, |store, limit| {
                    store.put(&names.cooldown, &sealed, left, limit)
                });
            }
        }
        let Some((key, holder)) = &hold.lease else {
            return;
        };
        // The lease itself is the pause after a failed refresh.
        if *key == names.refresh {
            return;
        }
        let (next, life) = match (pause, failure) {
            (Some(pause), _) => (holder.as_str(), pause + LEASE),
            (None, ExchangeError::RateLimited { .. }) => return self.give_back(hold, ask),
            (None, _) => (FAILED, LEASE),
        };
        self.with_store(ask, |store, limit| {
            store.replace(key, holder.as_bytes(), next.as_bytes(), life, limit)
        });
    }

    /// Removes the shared token if it is the target. Other hosts keep their local tokens.
    pub(super) fn erase_shared(&self, which: EraseTarget<'_>, ask: &TokenRequest) {
        let Some(shared) = self.shared else { return };
        // A refused token stays until it is replaced, as in the local entry.
        if matches!(which, EraseTarget::Refused(_)) {
            return;
        }
        let secret = match self.endpoint.secret(self.clock, ask.deadline) {
            Ok(secret) => secret,
            Err(error) => {
                let error = StoreError::SetUp(format!("its names need the client secret: {error}"));
                return (self.notify)(Event::StoreUnusable(&error));
            }
        };
        let identity = (shared.identity)();
        let sealer = Sealer::new(&secret, identity.as_str());
        let names = sealer.names(shared.prefix);
        let Some(seen) = self.with_store(ask, |store, limit| store.look(&names, limit)) else {
            return;
        };
        let now = self.clock.now();
        let is_meant = match which {
            EraseTarget::Only(token) => sealer
                .open(Kind::Token, &seen.token)
                .and_then(|plain| payload::read_token(&plain, seen.now_ms, now))
                .is_some_and(|shared| shared.token.access_token.expose() == token),
            EraseTarget::Any | EraseTarget::Refused(_) => !seen.token.is_empty(),
        };
        if is_meant {
            self.with_store(ask, |store, limit| {
                store.remove(&names.token, &seen.token, limit)
            });
        }
    }

    /// Releases the lease, so that another host can send a request.
    pub(super) fn give_back(&self, hold: &Lease, ask: &TokenRequest) {
        if let Some((key, holder)) = &hold.lease {
            self.with_store(ask, |store, limit| {
                store.remove(key, holder.as_bytes(), limit)
            });
        }
    }

    /// The current time by the store's clock, in milliseconds.
    fn store_time(&self, hold: &Lease) -> i64 {
        let (then, at) = hold.clock;
        let since = self.clock.elapsed().saturating_sub(at).as_millis();
        then.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// Does one round trip to the store. After the first failure the store is not used again.
    fn with_store<T>(
        &self,
        ask: &TokenRequest,
        act: impl FnOnce(&dyn Store, Duration) -> Result<T, StoreError>,
    ) -> Option<T> {
        let shared = self.shared.filter(|shared| !shared.is_out.get())?;
        let limit = LIMIT.min(ask.deadline.remaining(self.clock) / 3);
        match act(shared.store, limit) {
            Ok(done) => Some(done),
            Err(error) => {
                shared.is_out.set(true);
                (self.notify)(Event::StoreUnusable(&error));
                None
            }
        }
    }
}

/// Whether a host that has the token `held` accepts the shared token.
///
/// A different token is accepted only if it is newer, so an old token that was restored is not. The
/// refused token itself is accepted for a while if it was obtained after another refusal. So a
/// server that refuses every token does not cause a request from each host.
fn counts(shared: &Published, held: Option<&CachedToken>, now: OffsetDateTime) -> bool {
    let Some(held) = held else { return true };
    let (theirs, mine) = (&shared.token, &held.token);
    if theirs.access_token == mine.access_token {
        let is_lately = now < theirs.obtained_at + REFUSAL_PAUSE;
        return held.is_refused && shared.is_renewed && is_lately;
    }
    theirs.obtained_at > mine.obtained_at
}

/// Returns between 50 % and 150 % of a pause, so that many hosts do not send requests at the same
/// time.
fn jitter(pause: Duration) -> Duration {
    let chance = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + chance)
}

/// A unique name for a lease holder; `None` if the system returns no random bytes.
fn random_name() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

#[cfg(test)]
mod tests;
