//! Asking the endpoint, and leaving the outcome for everybody.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Event, ObtainError, TokenProvider, TokenRequest, cooldown};
use crate::cache::{CachedToken, Cooldown, Entry, SecretDigest, Slot};
use crate::oauth::{ErrorClass, ExchangeError, Form, TokenGrant};
use crate::secret_source::SourceError;
use crate::system::file::Guard;
use crate::types::secret::Secret;
use crate::types::token::Token;

/// A request that was given this long and was not answered says something of the server.
const PATIENT: Duration = Duration::from_secs(4);

/// The least time in which a request is sent after a wait: one that is cut short is wasted.
pub(super) const TIME_FOR_REQUEST: Duration = Duration::from_secs(1);

/// Where the outcome is left, and the leave to do so; `None` where nothing is written.
pub(super) type Place<'a> = Option<(&'a Slot, &'a Guard)>;

/// What a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody waits for it.
    Answer,
    /// There is a good one: nothing is tried twice for the next, and nobody is kept waiting.
    Ahead,
}

impl TokenProvider<'_> {
    /// Asks the endpoint, with retries while the failure may pass, and leaves the outcome in the
    /// entry. A good token that stands there is kept whatever happens.
    #[cold]
    pub(super) fn fetch(
        &self,
        place: Place<'_>,
        entry: &Entry,
        ask: &TokenRequest,
        purpose: Purpose,
    ) -> Result<Token, ObtainError> {
        let granted = self.fetch_granted(place, entry, ask, purpose)?;
        Ok(granted.token)
    }

    /// The same, with the form of request that worked.
    pub(super) fn fetch_granted(
        &self,
        place: Place<'_>,
        entry: &Entry,
        ask: &TokenRequest,
        purpose: Purpose,
    ) -> Result<TokenGrant, ObtainError> {
        let given = ask.deadline.remaining(self.clock);
        let secret = match self.endpoint.secret(self.clock, ask.deadline) {
            Ok(secret) => secret,
            Err(error) => {
                let is_hasty = matches!(error, SourceError::TimedOut { .. }) && given < PATIENT;
                if self.endpoint.is_secret_costly() && purpose == Purpose::Answer && !is_hasty {
                    self.record_missing(place, entry, &error);
                }
                return Err(ObtainError::Source(error));
            }
        };
        let mut hold = match self.share(place, entry, ask, purpose, &secret) {
            ControlFlow::Break(answer) => return answer,
            ControlFlow::Continue(hold) => hold,
        };
        let remembered = entry.auth_method.as_deref().and_then(Form::parse);
        let mut has_paused = false;
        let mut retries = 0;
        let mut before: Option<ExchangeError> = None;
        loop {
            (self.notify)(Event::Asking);
            let given = ask.deadline.remaining(self.clock);
            let answer = self
                .endpoint
                .exchange(&secret, remembered, self.clock, ask.deadline);
            let failure = match answer {
                Ok(granted) => {
                    if self.keep(place, entry, &granted, &secret, ask) {
                        self.share_token(&hold, &granted, &secret, ask);
                    } else {
                        self.give_back(&hold, ask);
                    }
                    return Ok(granted);
                }
                Err(ObtainError::Exchange(failure)) => failure,
                Err(error) => {
                    self.give_back(&hold, ask);
                    return Err(error);
                }
            };
            // A last try that had no time says less than what the one before it met.
            let is_hasty = |failure: &ExchangeError| {
                failure.class() == ErrorClass::TimedOut && given < PATIENT
            };
            let failure = before
                .take()
                .filter(|_| is_hasty(&failure))
                .unwrap_or(failure);
            let left = ask.deadline.remaining(self.clock);
            let pause = cooldown::pause_before_retry(&failure, retries, has_paused)
                .filter(|_| purpose == Purpose::Answer && !ask.is_single)
                .filter(|pause| *pause + TIME_FOR_REQUEST < left);
            if let (Some(pause), ErrorClass::Unavailable) = (pause, failure.class()) {
                (self.notify)(Event::Retrying(&failure.message().reason, pause));
                self.clock.sleep(pause);
                retries += 1;
                before = Some(failure);
                continue;
            }
            // A caller in a hurry must not spoil it for those who would have waited.
            let recorded =
                (!is_hasty(&failure)).then(|| self.record(place, entry, &failure, Some(&secret)));
            self.share_failure(&hold, &failure, recorded.as_ref(), pause, &secret, ask);
            let Some(pause) = pause else {
                return Err(ObtainError::Exchange(failure));
            };
            (self.notify)(Event::Pausing(pause));
            self.clock.sleep(pause);
            has_paused = true;
            hold = match self.share_again(hold, place, entry, ask, &secret) {
                ControlFlow::Break(answer) => return answer,
                ControlFlow::Continue(hold) => hold,
            };
        }
    }

    /// Writes a new token into the entry, unless the cached one is usable longer. Returns whether
    /// the new one is the better one.
    pub(super) fn keep(
        &self,
        place: Place<'_>,
        old: &Entry,
        granted: &TokenGrant,
        secret: &Secret,
        ask: &TokenRequest,
    ) -> bool {
        let form = granted.form.map(|form| form.name().to_owned());
        let longer = old.held.as_ref().filter(|held| {
            let is_of = |digest: &SecretDigest| digest.is_of(secret);
            let cached = held.token.as_of(self.clock.now());
            ask.not_before.is_none()
                && !held.is_refused
                && held.secret.as_ref().is_some_and(is_of)
                && cached.usable_until(ask.min_ttl) > granted.token.usable_until(ask.min_ttl)
        });
        let is_better = longer.is_none();
        let entry = Entry {
            held: longer.cloned().or_else(|| {
                Some(CachedToken {
                    token: granted.token.clone(),
                    secret: SecretDigest::of(secret),
                    is_refused: false,
                })
            }),
            longest_life: Some(old.longest_life(&granted.token)),
            auth_method: form.or_else(|| old.auth_method.clone()),
            cooldown: None,
            refresh_not_before: old.refresh_not_before.filter(|_| !is_better),
            refused_at: old.refused_at,
        };
        if let Some((slot, guard)) = place
            && let Err(error) = slot.write(&entry, guard)
        {
            (self.notify)(Event::CacheUnusable(&error));
            // What stands there is older than this token, and may be what somebody refused.
            drop(slot.remove(guard));
        }
        is_better
    }

    /// Leaves the failure for everybody, beside the token at hand.
    pub(super) fn record(
        &self,
        place: Place<'_>,
        entry: &Entry,
        failure: &ExchangeError,
        secret: Option<&Secret>,
    ) -> Cooldown {
        let now = self.clock.now();
        let told = self.endpoint.tell(failure);
        let cooldown = cooldown::of(failure, told, now, secret.and_then(SecretDigest::of));
        self.note(place, entry, &cooldown);
        cooldown
    }

    /// Leaves a cool-down for everybody, beside the token at hand.
    pub(super) fn note(&self, place: Place<'_>, entry: &Entry, cooldown: &Cooldown) {
        let now = self.clock.now();
        let held = entry
            .held
            .clone()
            .filter(|held| now < held.token.expires_at);
        let entry = Entry {
            held,
            cooldown: Some(cooldown.clone()),
            ..entry.clone()
        };
        self.write(place, &entry);
    }

    /// Leaves word that the program which knows the secret does not give it.
    fn record_missing(&self, place: Place<'_>, entry: &Entry, error: &SourceError) {
        let told = self.endpoint.tell_missing(error);
        let cooldown = cooldown::of_missing_secret(told, self.clock.now());
        self.write(
            place,
            &Entry {
                cooldown: Some(cooldown),
                ..entry.clone()
            },
        );
    }

    fn write(&self, place: Place<'_>, entry: &Entry) {
        if let Some((slot, guard)) = place
            && let Err(error) = slot.write(entry, guard)
        {
            (self.notify)(Event::CacheUnusable(&error));
        }
    }
}
