//! Waits for the process that sends the token request.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use super::decide::CacheState;
use super::fetch::TIME_FOR_REQUEST;
use super::{Event, ObtainError, TokenProvider, TokenRequest};
use crate::cache::Slot;
use crate::system::file::{Attempt, Guard, Kind, WaitError, WaitPolicy};
use crate::types::token::Token;

/// The time before a wait is reported.
const QUIET: Duration = Duration::from_secs(2);

/// The result of waiting for the lock.
pub(super) enum Locked {
    /// This process holds the lock, or the file system has no locks.
    Guard(Guard),
    /// Another process recorded a result while this one waited.
    Answer(Result<Token, ObtainError>),
}

/// The reason why the lock was not taken.
#[derive(Debug)]
pub(super) enum LockError {
    TimedOut,
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<WaitError> for LockError {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut => Self::TimedOut,
            WaitError::Io(error) => Self::Io(error),
        }
    }
}

impl TokenProvider<'_> {
    /// Takes the lock. If another process holds it, this one waits with a shared lock until the
    /// holder finishes, and then reads its result. It waits for the exclusive lock only if that
    /// result is not an answer.
    #[cold]
    pub(super) fn lock(&self, slot: &Slot, ask: &TokenRequest) -> Result<Locked, LockError> {
        slot.prepare()?;
        match slot.try_lock()? {
            Attempt::Held(guard) => return Ok(Locked::Guard(guard)),
            Attempt::Unsupported(error) => {
                (self.notify)(Event::CacheUnlockable(&error));
                return Ok(Locked::Guard(Guard::without_lock()));
            }
            Attempt::Busy => {}
        }
        let began = self.clock.now();
        // The holder may be in a pause that is longer than this caller's remaining time.
        let left = ask.deadline.remaining(self.clock);
        if let CacheState::InCooldown(cooldown) = self.decide(&slot.read(), ask)
            && cooldown.until - began > left
        {
            return Ok(Locked::Answer(Err(ObtainError::CoolingDown(cooldown))));
        }
        let spoken = Cell::new(false);
        drop(self.wait(slot, Kind::Shared, ask, &spoken)?);
        if let Some(answer) = self.decide(&slot.read(), ask).answer(ask) {
            if answer.is_ok() {
                (self.notify)(Event::Hit);
            }
            return Ok(Locked::Answer(answer));
        }
        let guard = self.wait(slot, Kind::Exclusive, ask, &spoken)?;
        if ask.deadline.remaining(self.clock) < TIME_FOR_REQUEST {
            return Err(LockError::TimedOut);
        }
        Ok(Locked::Guard(guard))
    }

    /// Takes the lock to change the entry, regardless of the result that the holder records. If the
    /// file system has no locks, it does not wait and returns a guard without a lock.
    pub(super) fn exclusive(&self, slot: &Slot, ask: &TokenRequest) -> Result<Guard, WaitError> {
        match slot.try_lock()? {
            Attempt::Held(guard) => Ok(guard),
            Attempt::Unsupported(_) => Ok(Guard::without_lock()),
            Attempt::Busy => self.wait(slot, Kind::Exclusive, ask, &Cell::new(false)),
        }
    }

    /// Waits for the lock until the deadline, and reports a long wait once.
    fn wait(
        &self,
        slot: &Slot,
        kind: Kind,
        ask: &TokenRequest,
        spoken: &Cell<bool>,
    ) -> Result<Guard, WaitError> {
        let on_wait = || {
            if !spoken.replace(true) {
                (self.notify)(Event::Waiting {
                    slot,
                    limit: ask.deadline.limit(),
                });
            }
        };
        let policy = WaitPolicy {
            clock: self.clock,
            quiet: QUIET.saturating_sub(self.clock.elapsed()),
            on_wait: &on_wait,
            limit: ask.deadline.remaining(self.clock),
        };
        slot.wait(kind, &policy)
    }
}
