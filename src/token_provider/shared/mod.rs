//! What hosts share, through a store: whoever holds the local lock and finds no good token looks
//! there first, and only who has the lease asks the token endpoint.
//!
//! The store never fails a good answer. Whatever is wrong with it, there is one warning, and the
//! run goes on as if there were none.

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

/// The most time of one round trip to the store, and of opening the connection.
const LIMIT: Duration = Duration::from_secs(2);

/// How long a lease lasts that nobody prolongs: the most that a killed holder costs the others,
/// and how often one more asks while the endpoint takes longer than this.
const LEASE: Duration = Duration::from_secs(5);

/// What is left of a caller's time when it stops waiting for another host and asks by itself.
const TIME_TO_ASK: Duration = Duration::from_secs(1);

/// The first pause between two looks at what another host does; it grows by half each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest of them.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long a wait is silent.
const QUIET: Duration = Duration::from_secs(2);

/// In the place of a lease: its holder has failed where others may not, so each host asks for
/// itself while it stands.
const FAILED: &str = "failed";

/// A store, and under which names an identity stands in it.
pub(crate) struct Shared<'a> {
    store: &'a dyn Store,
    prefix: &'a str,
    identity: &'a dyn Fn() -> Key,
    is_out: Cell<bool>,
}

impl<'a> Shared<'a> {
    /// `identity` is asked for only when it is needed.
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

/// The right of this host to ask, as far as there is one.
pub(super) struct Lease {
    names: Option<Keys>,
    /// The key of the lease, and who we are.
    lease: Option<(String, String)>,
    /// The store's clock, and ours at that moment.
    clock: (i64, Duration),
    /// Whether the token at hand was refused.
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

/// Whose entries are looked at, and for what.
struct Lookup<'a> {
    sealer: Sealer<'a>,
    names: Keys,
    /// The local token of this secret.
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
    /// Looks for an answer in the store; where there is none, the right to ask.
    ///
    /// A token that is found is kept in the local entry, a cool-down too.
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

    /// Tries for the lease until it is ours, what another host did is the answer, or the time is up.
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
        // Whose lease it is, and since when that is known.
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
                // Another host looks for the next token, or did so in vain a moment ago.
                let limit = Duration::ZERO;
                return ControlFlow::Break(Err(ObtainError::LockTimedOut { limit }));
            }
            if other.0 != seen.lease {
                other = (seen.lease.clone(), now);
            }
            // No lease of ours lasts longer, so this one is none of ours.
            let is_stale = now.saturating_sub(other.1) > LEASE * 2;
            let left = ask.deadline.remaining(self.clock);
            if is_stale || seen.lease == FAILED.as_bytes() || left < TIME_TO_ASK {
                return ControlFlow::Continue(hold(None));
            }
            if !has_spoken && now.saturating_sub(began) > QUIET {
                has_spoken = true;
                (self.notify)(Event::WaitingForHost(ask.deadline.limit()));
            }
            // Not into the time that asking takes.
            self.clock
                .sleep(jitter(pause).min(left.saturating_sub(TIME_TO_ASK)));
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    /// The answer that the store's entries allow; `None` if the endpoint has to be asked. `asked_at` is
    /// the time before the store was asked.
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
            // For the next token only one that is better than the present one will do.
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

    /// What is left of a cool-down that another host waits out, where this caller has the time to
    /// wait for it.
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

    /// How long nobody else looks for the next token.
    fn refresh_pause(&self, cached: Option<&CachedToken>) -> Duration {
        let now = self.clock.now();
        let left = cached.map(|cached| cached.token.time_left(now));
        cooldown::pause_before_refresh(left.unwrap_or_default())
    }

    /// Gives a new token to all hosts.
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

    /// After a limit was waited out: what came meanwhile is the answer, else the right to ask again.
    pub(super) fn share_again(
        &self,
        hold: Lease,
        place: Place<'_>,
        entry: &Entry,
        ask: &TokenRequest,
        secret: &Secret,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        // Ours has outlasted the pause.
        if hold.lease.is_some() || hold.names.is_none() {
            return ControlFlow::Continue(hold);
        }
        self.share(place, entry, ask, Purpose::Answer, secret)
    }

    /// Tells all hosts of a failure as far as it is theirs too: a limit is the credential's, and
    /// binds everybody; whatever else went wrong may be this host's trouble alone.
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
        // A caller in a hurry says nothing of the endpoint; one with more time may ask now.
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
        // The pause after a refresh in vain is the lease itself.
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

    /// Drops the shared token where it is the one that is meant. Other hosts keep what they have.
    pub(super) fn erase_shared(&self, which: EraseTarget<'_>, ask: &TokenRequest) {
        let Some(shared) = self.shared else { return };
        // What was refused stays until there is another, as in the local entry.
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

    /// Lets another host ask.
    pub(super) fn give_back(&self, hold: &Lease, ask: &TokenRequest) {
        if let Some((key, holder)) = &hold.lease {
            self.with_store(ask, |store, limit| {
                store.remove(key, holder.as_bytes(), limit)
            });
        }
    }

    /// The store's clock now.
    fn store_time(&self, hold: &Lease) -> i64 {
        let (then, at) = hold.clock;
        let since = self.clock.elapsed().saturating_sub(at).as_millis();
        then.saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// One round trip; after the first that fails there is no other in this run.
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

/// Whether a shared token is of use to a host that holds this one: another and a newer one is. An old
/// one that somebody put back is not. The refused token itself is for a while after it was got for
/// another refusal, so that servers which refuse every token do not cost a request of each host.
fn counts(shared: &Published, held: Option<&CachedToken>, now: OffsetDateTime) -> bool {
    let Some(held) = held else { return true };
    let (theirs, mine) = (&shared.token, &held.token);
    if theirs.access_token == mine.access_token {
        let is_lately = now < theirs.obtained_at + REFUSAL_PAUSE;
        return held.is_refused && shared.is_renewed && is_lately;
    }
    theirs.obtained_at > mine.obtained_at
}

/// Half to one and a half of a pause, so that many hosts do not knock in step.
fn jitter(pause: Duration) -> Duration {
    let chance = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + chance)
}

/// A name that no other holder has; `None` where the system gives no random bytes.
fn random_name() -> Option<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(hex(&bytes))
}

#[cfg(test)]
mod tests;
