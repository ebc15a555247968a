//! Replaces the shared store in a build without the feature `shared-store`. No profile has a store,
//! so no value of these types is ever created, and the compiler removes the code that would use it.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::time::Duration;

use super::fetch::Place;
use super::{EraseTarget, ObtainError, TokenProvider, TokenRequest};
use crate::cache::{Cooldown, Entry, Key};
use crate::config::SharedStore;
use crate::oauth::{ExchangeError, TokenGrant};
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::system::tls_roots::System;
use crate::types::secret::Secret;

/// A store that cannot exist.
pub(crate) struct ProfileStore<'a> {
    never: Infallible,
    settings: PhantomData<&'a SharedStore>,
}

/// The result of a check that never happens.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) has_token: bool,
    pub(crate) now_ms: i64,
}

/// A shared state that cannot exist.
pub(crate) struct Shared<'a> {
    store: &'a ProfileStore<'a>,
}

/// An error that cannot occur.
pub(crate) type StoreError = Infallible;

/// An empty lease.
pub(super) struct Lease;

impl<'a> ProfileStore<'a> {
    pub(crate) fn new(
        settings: &'a SharedStore,
        _: &'a Environment,
        _: &'a System<'a>,
        _: &'a dyn Clock,
        _: Deadline,
    ) -> Self {
        match *settings {}
    }

    pub(crate) fn examine(&self, _: &Key, _: &Secret) -> Result<Examined, StoreError> {
        match self.never {}
    }

    pub(crate) fn shared<'b>(&'b self, _: &'b dyn Fn() -> Key) -> Shared<'b> {
        match self.never {}
    }
}

#[expect(clippy::unused_self, reason = "same signatures as with the feature")]
impl TokenProvider<'_> {
    pub(super) fn share(
        &self,
        _: Place<'_>,
        _: &Entry,
        _: &TokenRequest,
        _: super::fetch::Purpose,
        _: &Secret,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        match self.shared {
            None => ControlFlow::Continue(Lease),
            Some(shared) => match shared.store.never {},
        }
    }

    pub(super) fn share_token(&self, _: &Lease, _: &TokenGrant, _: &Secret, _: &TokenRequest) {}

    pub(super) fn share_failure(
        &self,
        _: &Lease,
        _: &ExchangeError,
        _: Option<&Cooldown>,
        _: Option<Duration>,
        _: &Secret,
        _: &TokenRequest,
    ) {
    }

    pub(super) fn share_again(
        &self,
        hold: Lease,
        _: Place<'_>,
        _: &Entry,
        _: &TokenRequest,
        _: &Secret,
    ) -> ControlFlow<Result<TokenGrant, ObtainError>, Lease> {
        ControlFlow::Continue(hold)
    }

    pub(super) fn give_back(&self, _: &Lease, _: &TokenRequest) {}

    pub(super) fn erase_shared(&self, _: EraseTarget<'_>, _: &TokenRequest) {}
}
