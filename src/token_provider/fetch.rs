//! Sends token requests and records the result for all processes.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Event, ObtainError, TokenProvider, TokenRequest, cooldown};
use crate::cache::{CachedToken, Cooldown, Entry, Reason, Scope, SecretDigest, Slot};
use crate::oauth::{ErrorClass, ExchangeError, Form, TokenGrant};
use crate::secret_source::SourceError;
use crate::system::file::Guard;
use crate::types::secret::Secret;
use crate::types::token::{Token, is_from_the_future};

/// A time-out after at least this long counts as a failure of the server, not of a short deadline.
const PATIENT: Duration = Duration::from_secs(4);

/// The time after which `basic` is tried again although another form is in use.
const BASIC_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// The shortest time left in which a request is sent after a wait: a request that is cut short is
/// wasted.
pub(super) const TIME_FOR_REQUEST: Duration = Duration::from_secs(1);

/// The entry to write the result to, and its lock; `None` if nothing is written.
pub(super) type Place<'a> = Option<(&'a Slot, &'a Guard)>;

/// The reason for a token request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A caller is blocked on the result.
    Answer,
    /// A usable token is cached. There is no retry, and no caller is blocked.
    Ahead,
}

impl TokenProvider<'_> {
    /// Sends a token request, with retries for temporary failures, and writes the result to the
    /// entry. A usable token in the entry is kept in any case.
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

    /// Like [`Self::fetch`], but also returns the form of the request that worked.
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
                    self.record_missing(place, &error, ask);
                }
                return Err(ObtainError::Source(error));
            }
        };
        if self.endpoint.is_secret_costly()
            && let Some(answer) = self.decide_for(entry, ask, Some(&secret)).answer(ask)
        {
            return answer.map(|token| TokenGrant { token, form: None });
        }
        let mut hold = match self.share(place, entry, ask, purpose, &secret) {
            ControlFlow::Break(answer) => return answer,
            ControlFlow::Continue(hold) => hold,
        };
        let remembered = self.remembered_form(entry);
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
            // If the last try had too little time, the failure of the try before it is more useful.
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
            // A failure caused by a short deadline must not bind callers with a longer one.
            let is_shared = !is_hasty(&failure) && !failure.is_local();
            let recorded = is_shared.then(|| self.record(place, &failure, &secret, ask));
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

    /// Writes a new token to the entry, unless the cached one is usable for longer. Returns whether
    /// the new one is better.
    pub(super) fn keep(
        &self,
        place: Place<'_>,
        old: &Entry,
        granted: &TokenGrant,
        secret: &Secret,
        ask: &TokenRequest,
    ) -> bool {
        let now = self.clock.now();
        let form = granted.form.map(|form| form.name().to_owned());
        let is_longer = |cached: &CachedToken| {
            ask.not_before.is_none()
                && !cached.is_refused
                && cached.secret.is_some()
                && cached.token.as_of(now).usable_until(ask.min_ttl)
                    > granted.token.usable_until(ask.min_ttl)
        };
        let is_better = !old.token_for(Some(secret), now).is_some_and(is_longer);
        let mut entry = old.clone();
        if is_better {
            let new = CachedToken {
                token: granted.token.clone(),
                secret: SecretDigest::of(secret),
                is_refused: false,
            };
            entry.add_token(new, secret, now);
            entry.refresh_not_before = None;
        }
        entry.longest_life = Some(old.longest_life(&granted.token));
        if form.is_some() {
            let was_tried = form != old.auth_method || self.remembered_form(old).is_none();
            entry.auth_method_found_at = old.auth_method_found_at.filter(|_| !was_tried);
            entry.auth_method_found_at = entry.auth_method_found_at.or(Some(now));
            entry.auth_method = form;
        }
        entry.end_cooldowns(secret, now);
        if let Some((slot, guard)) = place
            && let Err(error) = slot.write(&entry, guard)
        {
            (self.notify)(Event::CacheUnusable(&error));
            // The stored token is older than the new one, and a server may have refused it.
            drop(slot.remove(guard));
        }
        is_better
    }

    /// The form of request to try first: the last one that worked. Returns `None` once per
    /// [`BASIC_INTERVAL`], so that a server that refused `basic` by mistake does not receive the
    /// secret in URLs forever.
    fn remembered_form(&self, entry: &Entry) -> Option<Form> {
        let form = entry.auth_method.as_deref().and_then(Form::parse)?;
        let found_at = entry.auth_method_found_at?;
        let now = self.clock.now();
        let is_recent = now < found_at + BASIC_INTERVAL && !is_from_the_future(found_at, now);
        Some(form).filter(|form| is_recent || *form == Form::Basic)
    }

    /// Records a failure for the callers that it affects, next to the cached tokens.
    pub(super) fn record(
        &self,
        place: Place<'_>,
        failure: &ExchangeError,
        secret: &Secret,
        ask: &TokenRequest,
    ) -> Cooldown {
        let now = self.clock.now();
        let scope = Scope {
            secret: SecretDigest::of(secret),
            is_from_program: self.endpoint.is_secret_costly(),
            auth_method: Some(self.endpoint.auth_method().to_owned()),
            time_limit: Some(ask.deadline.limit()),
        };
        let mut cooldown = cooldown::of(failure, self.endpoint.tell(failure), now, scope);
        let last = place.and_then(|(slot, _)| {
            let entry = slot.read();
            entry.last_pause_like(&cooldown, Some(secret), now)
        });
        if let (Reason::Refused, Some(last)) = (cooldown.reason, last) {
            cooldown.until = now + cooldown::pause_after_repeated_refusal(last);
        }
        self.note(place, &cooldown, Some(secret));
        cooldown
    }

    /// Records a cool-down next to the cached tokens.
    pub(super) fn note(&self, place: Place<'_>, cooldown: &Cooldown, secret: Option<&Secret>) {
        let Some((slot, guard)) = place else { return };
        let now = self.clock.now();
        let mut entry = slot.read();
        entry.tokens.retain(|cached| now < cached.token.expires_at);
        entry.add_cooldown(cooldown.clone(), secret, now);
        if let Err(error) = slot.write_note(&entry, guard) {
            (self.notify)(Event::CacheUnusable(&error));
        }
    }

    /// Records that the program that stores the secret did not return it.
    fn record_missing(&self, place: Place<'_>, error: &SourceError, ask: &TokenRequest) {
        let is_timeout = matches!(error, SourceError::TimedOut { .. });
        let scope = Scope {
            time_limit: is_timeout.then(|| ask.deadline.limit()),
            ..Scope::default()
        };
        let told = self.endpoint.tell_missing(error);
        let cooldown = cooldown::of_missing_secret(told, self.clock.now(), scope);
        self.note(place, &cooldown, None);
    }
}
