//! Waiting for the process that asks, together with all others that wait.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use super::decide::CacheState;
use super::fetch::TIME_FOR_REQUEST;
use super::{Event, ObtainError, TokenProvider, TokenRequest};
use crate::cache::Slot;
use crate::system::file::{Attempt, Guard, Kind, WaitError, WaitPolicy};
use crate::types::token::Token;

/// How long a wait is silent.
const QUIET: Duration = Duration::from_secs(2);

/// What became of the lock.
pub(super) enum Locked {
    /// It is ours (or there is none to have).
    Guard(Guard),
    /// Another process left an answer behind while this one waited.
    Answer(Result<Token, ObtainError>),
}

/// Why there is no lock.
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
    /// Takes the lock. Who finds it taken waits together with all others for the holder to finish,
    /// looks at what the holder left, and only if that is no answer queues for the lock itself.
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
        // The holder may be waiting out a pause that is longer than this caller's time.
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

    /// Takes the lock for a change of the entry, whatever the holder leaves behind. Where the file
    /// system has no locks, there is nothing to wait for and the guard says so.
    pub(super) fn exclusive(&self, slot: &Slot, ask: &TokenRequest) -> Result<Guard, WaitError> {
        match slot.try_lock()? {
            Attempt::Held(guard) => Ok(guard),
            Attempt::Unsupported(_) => Ok(Guard::without_lock()),
            Attempt::Busy => self.wait(slot, Kind::Exclusive, ask, &Cell::new(false)),
        }
    }

    /// Waits for the lock to the end of the run, and says so once when that takes long.
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
