//! The life of a request: from "this profile, this much life" to a token, through the cache that
//! all processes share, with as few questions to the token endpoint as there can be.
//!
//! The order is the whole point and is told in [`Broker::obtain`]:
//! 1. read the entry without a lock; a fresh token is the answer;
//! 2. fresh, but in the last fifth of its life: whoever gets the lock at once looks for the next
//!    token, everybody else answers with this one;
//! 3. else lock, read clock and entry *again*, and only then ask the endpoint;
//! 4. an expired token is never the answer.

mod cooldown;
mod endpoint;
mod erase;
mod explain;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use time::OffsetDateTime;

use crate::cache::{Cooldown, Entry, Held, SecretDigest, Slot};
use crate::clock::{Clock, Deadline};
use crate::file::{self, Attempt, Guard, Kind, Patience, WaitError};
use crate::oauth::{Failure, Form, Granted, SetupError};
use crate::secret::Secret;
use crate::source::SourceError;
use crate::token::{MinTtl, Token, is_from_the_future};

pub(crate) use endpoint::{Endpoint, ProfileEndpoint};
pub(crate) use explain::{Explanation, cooldown_message, explain};

/// How long a wait is silent.
const QUIET: Duration = Duration::from_secs(2);

/// The most time that looking for the next token may take while this one is good.
const REFRESH_AHEAD_LIMIT: Duration = Duration::from_secs(5);

/// A request that was given this long and was not answered says something of the server.
const PATIENT: Duration = Duration::from_secs(4);

/// What a caller asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    /// How much life the token must have left.
    pub(crate) min_ttl: MinTtl,
    /// What is cached counts only if it came after this moment (`--refresh`).
    pub(crate) not_before: Option<OffsetDateTime>,
    /// When the run ends.
    pub(crate) deadline: Deadline,
}

/// What happens on the way, for those who want to hear it.
#[derive(Debug)]
pub(crate) enum Notice<'a> {
    /// The token at hand is the answer.
    Hit,
    /// Nothing at hand can be the answer.
    Miss,
    /// A request goes out.
    Asking,
    /// Another process has the lock, and has had it for two seconds.
    Waiting {
        /// The lock.
        slot: &'a Slot,
        /// When the wait ends.
        limit: Duration,
    },
    /// The server asked to wait, and there is time.
    Pausing(Duration),
    /// A passing failure, in a few words; the next try follows after this.
    Retrying(&'a str, Duration),
    /// The next token could not be had; this one goes on.
    RefreshFailed(&'a ObtainError),
    /// The cache cannot be locked: it is used all the same, but several may ask at once.
    CacheUnlockable(&'a io::Error),
    /// The cache cannot be used; the answer is not the worse for it.
    CacheUnusable(&'a io::Error),
}

/// Why there is no token. What to say of each is `explain`'s business.
#[derive(Debug)]
pub(crate) enum ObtainError {
    /// The exchange failed; whether a retry helps depends on the failure.
    Exchange(Failure),
    /// The client secret is not to be had. Mend it.
    Source(SourceError),
    /// The settings allow no request. Mend them.
    SetUp(SetupError),
    /// A failure that a process met a moment ago; nobody asks again before it has passed.
    CoolingDown(Box<Cooldown>),
    /// Another process's request took longer than this caller could wait. A retry helps.
    LockTimedOut {
        /// How long this caller could wait.
        limit: Duration,
    },
    /// The cached token could not be taken out of the cache.
    CacheUnwritable {
        /// The cache's folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The server never gives as much life as is asked for. Ask for less.
    LifeTooShort {
        /// What it gives.
        life: Duration,
        /// What was asked for.
        wanted: Duration,
    },
}

/// Stands between callers and the token endpoint.
pub(crate) struct Broker<'a> {
    /// The clock.
    pub(crate) clock: &'a dyn Clock,
    /// The place in the cache; `None` with `--no-cache` or without any folder.
    pub(crate) slot: Option<Slot>,
    /// Who gives the secret and answers a request.
    pub(crate) endpoint: &'a dyn Endpoint,
    /// Hears what happens.
    pub(crate) notify: &'a dyn Fn(Notice<'_>),
}

/// What an entry is worth to a caller right now.
enum Verdict {
    /// This token is the answer.
    Fresh(Token),
    /// This token is the answer, and it is time to look for the next one.
    Aging(Token),
    /// No token, and asking is forbidden for now.
    Cooling(Box<Cooldown>),
    /// The token at hand is good, but no token of this server lasts as asked.
    TooShort(ObtainError),
    /// The endpoint has to be asked.
    Nothing,
}

/// What became of the lock.
enum Locked {
    /// It is ours (or there is none to have).
    Guard(Guard),
    /// Another process left an answer behind while this one waited.
    Answer(Result<Token, ObtainError>),
}

impl Broker<'_> {
    /// Gives a token that is good for what is asked.
    pub(crate) fn obtain(&self, ask: &Ask) -> Result<Token, ObtainError> {
        let Some(slot) = &self.slot else {
            let token = self.fetch(None, &Entry::default(), ask, None)?;
            return checked(token, ask);
        };
        match self.judge(&slot.read(), ask) {
            Verdict::Fresh(token) => {
                (self.notify)(Notice::Hit);
                return Ok(token);
            }
            Verdict::Aging(token) => return Ok(self.refresh_ahead(slot, token, ask)),
            Verdict::TooShort(error) => return Err(error),
            Verdict::Cooling(_) | Verdict::Nothing => (self.notify)(Notice::Miss),
        }
        let guard = match self.lock(slot, ask) {
            Ok(Locked::Guard(guard)) => guard,
            Ok(Locked::Answer(answer)) => return answer,
            Err(LockError::TimedOut) => {
                return Err(ObtainError::LockTimedOut {
                    limit: ask.deadline.limit(),
                });
            }
            Err(LockError::Io(error)) => {
                (self.notify)(Notice::CacheUnusable(&error));
                return self.without_cache(slot, ask);
            }
        };
        // The entry and the time as they are now that nobody else can change the entry.
        let entry = slot.read();
        match self.judge(&entry, ask) {
            Verdict::Fresh(token) | Verdict::Aging(token) => Ok(token),
            Verdict::Cooling(cooldown) => Err(ObtainError::CoolingDown(cooldown)),
            Verdict::TooShort(error) => Err(error),
            Verdict::Nothing => checked(self.fetch(Some((slot, &guard)), &entry, ask, None)?, ask),
        }
    }

    /// Answers where the cache can be read at best: what it forbids is still forbidden.
    fn without_cache(&self, slot: &Slot, ask: &Ask) -> Result<Token, ObtainError> {
        let entry = slot.read();
        if let Verdict::Cooling(cooldown) = self.judge(&entry, ask) {
            return Err(ObtainError::CoolingDown(cooldown));
        }
        checked(self.fetch(None, &entry, ask, None)?, ask)
    }

    /// Looks for the next token if nobody else does; whatever comes of it, there is an answer.
    fn refresh_ahead(&self, slot: &Slot, token: Token, ask: &Ask) -> Token {
        let locked = slot
            .prepare()
            .and_then(|()| file::try_exclusive(slot.sidecar()));
        let Ok(Attempt::Held(guard)) = locked else {
            (self.notify)(Notice::Hit);
            return token;
        };
        let entry = slot.read();
        match self.judge(&entry, ask) {
            // Somebody was faster, or a refresh failed a moment ago.
            Verdict::Fresh(token) => token,
            Verdict::Cooling(_) | Verdict::TooShort(_) => token,
            Verdict::Aging(_) | Verdict::Nothing => {
                let limit = REFRESH_AHEAD_LIMIT;
                let short = Ask {
                    deadline: ask.deadline.at_most(self.clock, limit),
                    ..*ask
                };
                match self.fetch(Some((slot, &guard)), &entry, &short, Some(&token)) {
                    Ok(next) if next.is_fresh(self.clock.now(), ask.min_ttl) => next,
                    Ok(_) => token,
                    Err(error) => {
                        (self.notify)(Notice::RefreshFailed(&error));
                        if !matches!(error, ObtainError::Exchange(_)) {
                            // No request was made, so nothing is recorded yet.
                            self.postpone_refresh(slot, &guard, entry, &token);
                        }
                        token
                    }
                }
            }
        }
    }

    /// Leaves word that looking for the next token is of no use for a while.
    fn postpone_refresh(&self, slot: &Slot, guard: &Guard, entry: Entry, token: &Token) {
        let now = self.clock.now();
        let pause = cooldown::pause_before_refresh(token.time_left(now));
        let entry = Entry {
            refresh_not_before: Some(now + pause),
            ..entry
        };
        self.write(Some((slot, guard)), &entry);
    }

    /// Judges an entry by the clock of this moment.
    fn judge(&self, entry: &Entry, ask: &Ask) -> Verdict {
        let now = self.clock.now();
        let counts = |at: OffsetDateTime| {
            ask.not_before.is_none_or(|start| at >= start) && !is_from_the_future(at, now)
        };
        let current = self.current_secret(entry);
        let same = |digest: Option<&SecretDigest>| match (digest, &current) {
            (Some(digest), Some(secret)) => digest.is_of(secret),
            _ => true,
        };
        let cooldown = entry.cooldown.as_ref().filter(|cooldown| {
            counts(cooldown.since) && now < cooldown.until && same(cooldown.secret.as_ref())
        });
        let held = entry
            .held
            .as_ref()
            .filter(|held| counts(held.token.obtained_at) && same(held.secret.as_ref()));
        match held.map(|held| &held.token) {
            Some(token) if token.is_fresh(now, ask.min_ttl) => {
                let may_refresh =
                    cooldown.is_none() && entry.refresh_not_before.is_none_or(|at| now >= at);
                if token.is_aging(now) && may_refresh {
                    Verdict::Aging(token.clone())
                } else {
                    Verdict::Fresh(token.clone())
                }
            }
            Some(token) if now < token.expires_at && token.never_lasts(ask.min_ttl) => {
                Verdict::TooShort(too_short(token, ask))
            }
            _ => match cooldown {
                Some(cooldown) => Verdict::Cooling(Box::new(cooldown.clone())),
                None => Verdict::Nothing,
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

    /// Takes the lock. Who finds it taken waits together with all others for the holder to finish,
    /// looks at what the holder left, and only if that is no answer queues for the lock itself.
    fn lock(&self, slot: &Slot, ask: &Ask) -> Result<Locked, LockError> {
        slot.prepare()?;
        match file::try_exclusive(slot.sidecar())? {
            Attempt::Held(guard) => return Ok(Locked::Guard(guard)),
            Attempt::Unsupported(error) => {
                (self.notify)(Notice::CacheUnlockable(&error));
                return Ok(Locked::Guard(Guard::without_lock()));
            }
            Attempt::Busy => {}
        }
        let spoken = Cell::new(false);
        let speak = || {
            if !spoken.replace(true) {
                (self.notify)(Notice::Waiting {
                    slot,
                    limit: ask.deadline.limit(),
                });
            }
        };
        let began = self.clock.now();
        // The holder may be waiting out a pause that is longer than this caller's time.
        let left = ask.deadline.remaining(self.clock);
        if let Verdict::Cooling(cooldown) = self.judge(&slot.read(), ask)
            && cooldown.until - began > left
        {
            return Ok(Locked::Answer(Err(ObtainError::CoolingDown(cooldown))));
        }
        let quiet = QUIET.saturating_sub(self.clock.elapsed());
        let patience = Patience {
            quiet,
            speak: &speak,
            limit: left,
        };
        drop(wait(slot, Kind::Shared, &patience)?);
        match self.judge(&slot.read(), ask) {
            Verdict::Fresh(token) | Verdict::Aging(token) => {
                (self.notify)(Notice::Hit);
                return Ok(Locked::Answer(Ok(token)));
            }
            Verdict::Cooling(cooldown) => {
                return Ok(Locked::Answer(Err(ObtainError::CoolingDown(cooldown))));
            }
            Verdict::TooShort(error) => return Ok(Locked::Answer(Err(error))),
            Verdict::Nothing => {}
        }
        let limit = ask.deadline.remaining(self.clock);
        let quiet = QUIET.saturating_sub(self.clock.elapsed());
        let patience = Patience {
            quiet,
            speak: &speak,
            limit,
        };
        wait(slot, Kind::Exclusive, &patience).map(Locked::Guard)
    }

    /// Asks the endpoint, with retries while the failure may pass, and leaves the outcome in the
    /// entry. `at_hand` is the good token that a refresh ahead of expiry would replace: it is kept
    /// whatever happens, nothing is tried twice for it and nobody is kept waiting.
    fn fetch(
        &self,
        place: Option<(&Slot, &Guard)>,
        entry: &Entry,
        ask: &Ask,
        at_hand: Option<&Token>,
    ) -> Result<Token, ObtainError> {
        let secret = self
            .endpoint
            .secret(self.clock, ask.deadline)
            .map_err(ObtainError::Source)?;
        let remembered = entry.auth_method.as_deref().and_then(Form::parse);
        let mut has_paused = false;
        let mut retries = 0;
        loop {
            (self.notify)(Notice::Asking);
            let given = ask.deadline.remaining(self.clock);
            let answer = self
                .endpoint
                .exchange(&secret, remembered, self.clock, ask.deadline);
            let failure = match answer {
                Ok(granted) => {
                    self.keep(place, &granted, &secret);
                    return Ok(granted.token);
                }
                Err(ObtainError::Exchange(failure)) => failure,
                Err(error) => return Err(error),
            };
            let left = ask.deadline.remaining(self.clock);
            let pause = cooldown::pause_before_retry(&failure, retries, has_paused)
                .filter(|pause| at_hand.is_none() && *pause < left);
            if let (Some(pause), Failure::Unavailable { reason, .. }) = (pause, &failure) {
                (self.notify)(Notice::Retrying(reason, pause));
                self.clock.sleep(pause);
                retries += 1;
                continue;
            }
            // A caller in a hurry must not spoil it for those who would have waited.
            let is_hasty = matches!(failure, Failure::TimedOut { .. }) && given < PATIENT;
            if !is_hasty {
                self.record(place, entry, &failure, &secret, at_hand);
            }
            let Some(pause) = pause else {
                return Err(ObtainError::Exchange(failure));
            };
            (self.notify)(Notice::Pausing(pause));
            self.clock.sleep(pause);
            has_paused = true;
        }
    }

    /// Leaves a new token for everybody.
    fn keep(&self, place: Option<(&Slot, &Guard)>, granted: &Granted, secret: &Secret) {
        let entry = Entry {
            held: Some(Held {
                token: granted.token.clone(),
                secret: SecretDigest::of(secret),
            }),
            auth_method: Some(granted.form.name().to_owned()),
            cooldown: None,
            refresh_not_before: None,
        };
        self.write(place, &entry);
    }

    /// Leaves the failure for everybody, beside the token at hand.
    fn record(
        &self,
        place: Option<(&Slot, &Guard)>,
        entry: &Entry,
        failure: &Failure,
        secret: &Secret,
        at_hand: Option<&Token>,
    ) {
        let now = self.clock.now();
        let told = self.endpoint.tell(failure);
        let cooldown = cooldown::of(failure, told, now, SecretDigest::of(secret));
        let held = entry
            .held
            .clone()
            .filter(|held| now < held.token.expires_at);
        let refresh_not_before =
            at_hand.map(|token| now + cooldown::pause_before_refresh(token.time_left(now)));
        let entry = Entry {
            held,
            auth_method: entry.auth_method.clone(),
            cooldown: Some(cooldown),
            refresh_not_before,
        };
        self.write(place, &entry);
    }

    fn write(&self, place: Option<(&Slot, &Guard)>, entry: &Entry) {
        if let Some((slot, guard)) = place
            && let Err(error) = slot.write(entry, guard)
        {
            (self.notify)(Notice::CacheUnusable(&error));
        }
    }
}

/// A token as fetched is the answer only if it lasts as long as was asked.
fn checked(token: Token, ask: &Ask) -> Result<Token, ObtainError> {
    if token.never_lasts(ask.min_ttl) {
        Err(too_short(&token, ask))
    } else {
        Ok(token)
    }
}

fn too_short(token: &Token, ask: &Ask) -> ObtainError {
    let life = token.life();
    ObtainError::LifeTooShort {
        life,
        wanted: ask.min_ttl.for_life(life),
    }
}

/// Why there is no lock.
#[derive(Debug)]
enum LockError {
    TimedOut,
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn wait(slot: &Slot, kind: Kind, patience: &Patience<'_>) -> Result<Guard, LockError> {
    file::wait(slot.sidecar(), kind, patience).map_err(|error| match error {
        WaitError::TimedOut => LockError::TimedOut,
        WaitError::Io(error) => LockError::Io(error),
    })
}
