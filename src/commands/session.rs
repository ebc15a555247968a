//! The common part of all subcommands that use a profile: loading the profiles, choosing one, and
//! getting a token.

use std::cell::RefCell;
use std::io;
use std::mem::ManuallyDrop;
use std::time::Duration;

use time::OffsetDateTime;

use super::Context;
use crate::cache::{Cache, CachedToken, Identity, Key, Slot};
use crate::cli::Subcommand;
use crate::config::{Profile, Profiles, choose, choose_for, days_left, lifetime_warning, load};
use crate::diagnostics::error::{Error, code_of};
use crate::diagnostics::reporter::Reporter;
use crate::system::clock::Deadline;
use crate::token_provider::{
    EraseTarget, Event, ObtainError, ProfileEndpoint, ProfileStore, TokenProvider, TokenRequest,
    explain,
};
use crate::types::duration::show;
use crate::types::secret::Secret;
use crate::types::token::{AccessToken, MinTtl, RefreshAhead, Token};
use crate::types::uri::Uri;

/// The time limit for people and scripts.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// The time limit for tools: Bazel kills a helper after 10 s.
pub(super) const PROTOCOL_LIMIT: Duration = Duration::from_secs(9);

/// The kind of caller, which decides the time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A person or a script.
    Person,
    /// A tool with its own time limit.
    Protocol,
}

/// The profiles and the caller of this process.
pub(super) struct Session<'a> {
    context: &'a Context<'a>,
    /// Never freed, because the process ends after the response. This saves 5,700 of 131,000
    /// instructions.
    pub(super) profiles: ManuallyDrop<Profiles>,
    name: Option<String>,
    caller: Caller,
}

/// A token for one caller.
pub(super) struct Issued {
    pub(super) token: Token,
    pub(super) usable_until: OffsetDateTime,
}

impl<'a> Session<'a> {
    /// Loads the profiles.
    pub(super) fn open(context: &'a Context<'a>, caller: Caller) -> Result<Self, Error> {
        let profiles = load(context.environment, context.options.config.as_deref())?;
        let name = context.options.profile.clone();
        let name = name.or_else(|| context.environment.text("CLOUDCONNEXA_PROFILE"));
        Ok(Self {
            context,
            profiles: ManuallyDrop::new(profiles),
            name,
            caller,
        })
    }

    /// The profile of a request that names no URI.
    pub(super) fn profile(&self) -> Result<&Profile, Error> {
        Ok(choose(&self.profiles, self.name.as_deref())?)
    }

    /// The name of the profile for a request that names neither a profile nor a URI, if there is
    /// one.
    pub(super) fn default_name(&self) -> Option<&str> {
        choose(&self.profiles, None)
            .ok()
            .map(|profile| profile.name.as_str())
    }

    /// The name that the caller chose, if any.
    pub(super) fn chosen_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The profile with this name.
    pub(super) fn named(&self, name: &str) -> Result<&Profile, Error> {
        Ok(choose(&self.profiles, Some(name))?)
    }

    /// The profile for a request for a URI; `None` if no token may be sent there.
    pub(super) fn profile_for(&self, uri: &str) -> Result<Option<&Profile>, Error> {
        let uri = Uri::parse(uri);
        let chosen = choose_for(&self.profiles, self.name.as_deref(), uri.as_ref().ok())?;
        if chosen.is_none() {
            self.context.report.debug(&match &uri {
                Ok(uri) => format!("{} is no host that this token may go to", uri.origin()),
                Err(error) => format!("the URI is not answered: {error}"),
            });
        }
        Ok(chosen)
    }

    /// The profile that has the host of `--for`; without `--for`, the default profile.
    pub(super) fn profile_or_refusal(&self, uri: Option<&str>) -> Result<&Profile, Error> {
        let Some(uri) = uri else {
            return self.profile();
        };
        self.profile_for(uri)?.ok_or_else(|| self.not_covered(uri))
    }

    /// The error for a URI to which no token may be sent.
    pub(super) fn not_covered(&self, uri: &str) -> Error {
        Error::NotCovered {
            origin: Uri::parse(uri).map(|uri| uri.origin().to_string()),
            profile: self.name.clone(),
        }
    }

    /// The profile's entry in the cache; `None` without a cache directory or with `--no-cache`.
    pub(super) fn slot(&self, profile: &Profile) -> Option<Slot> {
        slot_of(self.context, profile)
    }

    /// The minimum remaining lifetime of a token.
    pub(super) fn min_ttl(&self, profile: &Profile) -> MinTtl {
        self.context
            .options
            .min_ttl
            .map_or(profile.min_ttl, MinTtl::AtLeast)
    }

    /// The deadline of this process.
    pub(super) fn deadline(&self, profile: &Profile) -> Deadline {
        let limit = match (self.context.options.timeout, self.caller) {
            (Some(limit), _) => limit,
            (None, Caller::Person) => profile.timeout.unwrap_or(LIMIT),
            (None, Caller::Protocol) => profile
                .timeout
                .unwrap_or(PROTOCOL_LIMIT)
                .min(PROTOCOL_LIMIT),
        };
        Deadline::after_start(limit)
    }

    /// Warns a person once a day that the API credential itself expires soon. Before that, and for
    /// the protocols of tools, this is only a comparison of two dates.
    pub(super) fn remind(&self, profile: &Profile) {
        let Some(end) = profile.secret_expires else {
            return;
        };
        let today = self.context.clock.now().date();
        let warning = lifetime_warning(days_left(end, today));
        let is_heard = self.caller == Caller::Person && self.context.report.warns();
        let Some(warning) = warning.filter(|_| is_heard) else {
            return;
        };
        let (slot, day) = (self.slot(profile), today.to_string());
        if slot.as_ref().is_some_and(|slot| slot.was_reminded(&day)) {
            return;
        }
        let name = &profile.name;
        self.context
            .report
            .warning(&format!("profile `{name}`: {warning} (until {end})"));
        // If the reminder cannot be recorded, it is shown again.
        drop(slot.map(|slot| slot.note_reminder(&day)));
    }

    /// Returns a token of this profile.
    pub(super) fn obtain(&self, profile: &Profile) -> Result<Issued, Error> {
        self.issue(profile, RefreshAhead::LastFifth, None)
    }

    /// Returns a token of this profile for a caller that keeps it for a long time.
    pub(super) fn obtain_lasting(&self, profile: &Profile) -> Result<Issued, Error> {
        // A program may prompt the user. Do not start it to replace a token that is valid for
        // hours.
        let refresh_ahead = if profile.source.is_program() {
            RefreshAhead::LastFifth
        } else {
            RefreshAhead::LastHalf
        };
        self.issue(profile, refresh_ahead, None)
    }

    /// Returns another token of this profile after a server refused `refused`, or the cached one if
    /// that is `None`. At most one token a minute is replaced. If the cache cannot record the
    /// refusal, tokens from before this call are ignored.
    pub(super) fn renew(&self, profile: &Profile, refused: Option<&str>) -> Result<Issued, Error> {
        let noted = self.erase(profile, EraseTarget::Refused(refused));
        let not_before = noted.is_err().then(|| self.context.clock.now());
        self.issue(profile, RefreshAhead::LastFifth, not_before)
    }

    /// Drops the cached token of this profile because a server refused it. Returns whether it is no
    /// longer used: at most one token a minute is dropped.
    pub(super) fn reject(&self, profile: &Profile, token: &AccessToken) -> Result<bool, Error> {
        self.erase(profile, EraseTarget::Refused(Some(token.expose())))?;
        let entry = self.slot(profile).map(|slot| slot.read());
        let is_used =
            |cached: &CachedToken| !cached.is_refused && cached.token.access_token == *token;
        Ok(entry.is_none_or(|entry| !entry.tokens.iter().any(is_used)))
    }

    /// Reads the client secret of this profile.
    pub(super) fn secret(&self, profile: &Profile) -> Result<Secret, Error> {
        let Context {
            environment, clock, ..
        } = *self.context;
        let secret = profile
            .source
            .read(environment, clock, self.deadline(profile));
        secret.map_err(|error| self.no_token(&ObtainError::Source(error), profile))
    }

    /// Whether this token is cached for this profile.
    pub(super) fn holds(&self, profile: &Profile, token: &str) -> bool {
        let entry = self.slot(profile).map(|slot| slot.read());
        let is_it = |cached: &CachedToken| cached.token.access_token.expose() == token;
        entry.is_some_and(|entry| entry.tokens.iter().any(is_it))
    }

    fn issue(
        &self,
        profile: &Profile,
        refresh_ahead: RefreshAhead,
        not_before: Option<OffsetDateTime>,
    ) -> Result<Issued, Error> {
        self.remind(profile);
        let token = self.with_broker(profile, |broker, ask| {
            broker.obtain(&TokenRequest {
                refresh_ahead,
                not_before: not_before.or(ask.not_before),
                ..*ask
            })
        })?;
        let usable_until = token.usable_until(self.min_ttl(profile));
        Ok(Issued {
            token,
            usable_until,
        })
    }

    /// Drops the cached token of this profile if it matches `which`.
    pub(super) fn erase(&self, profile: &Profile, which: EraseTarget<'_>) -> Result<(), Error> {
        self.with_broker(profile, |broker, ask| broker.erase(which, ask))
    }

    /// Removes all cached data of this profile.
    pub(super) fn forget(&self, profile: &Profile) -> Result<(), Error> {
        self.with_broker(profile, |broker, ask| {
            let deadline = self.context.time_from_now();
            broker.forget(&TokenRequest { deadline, ..*ask })
        })
    }

    fn with_broker<T>(
        &self,
        profile: &Profile,
        act: impl FnOnce(&TokenProvider<'_>, &TokenRequest) -> Result<T, ObtainError>,
    ) -> Result<T, Error> {
        let Context {
            environment,
            clock,
            options,
            roots,
            report,
            ..
        } = *self.context;
        let slot = self.slot(profile);
        if slot.is_none() && !options.no_cache {
            report.warning(
                "there is no folder for the cache, so every call is a token request; set \
                 CLOUDCONNEXA_AUTH_CACHE_DIR",
            );
        }
        let endpoint = ProfileEndpoint::new(profile, environment, roots);
        let progress = RefCell::new(None);
        let notify = |notice: Event<'_>| {
            // Remove the progress line before the next message.
            progress.take();
            tell(self.context, profile, &notice);
            if self.caller == Caller::Person && matches!(notice, Event::Asking) {
                let server = profile.client.token_url.origin();
                progress.replace(report.progress(&format!("asking {server} for a token")));
            }
        };
        let deadline = self.deadline(profile);
        let store = store_of(self.context, profile, deadline);
        let identity = || key_of(profile);
        let shared = store.as_ref().map(|store| store.shared(&identity));
        let broker = TokenProvider {
            clock,
            slot,
            endpoint: &endpoint,
            shared: shared.as_ref(),
            notify: &notify,
        };
        let began = clock.now();
        let ask = TokenRequest {
            min_ttl: self.min_ttl(profile),
            not_before: options.refresh.then_some(began),
            refresh_ahead: RefreshAhead::LastFifth,
            is_single: false,
            began,
            deadline,
        };
        let done = act(&broker, &ask);
        // The lock has been released.
        Reporter::flush();
        progress.take();
        done.map_err(|error| self.no_token(&error, profile))
    }

    fn no_token(&self, error: &ObtainError, profile: &Profile) -> Error {
        Error::Obtain {
            code: code_of(error),
            diagnostic: explain(error, profile, self.context.clock.now()),
        }
    }
}

/// The profile's entry in the cache; `None` without a cache directory or with `--no-cache`.
pub(super) fn slot_of(context: &Context<'_>, profile: &Profile) -> Option<Slot> {
    if context.options.no_cache {
        return None;
    }
    let folder = context.environment.cache_folder()?;
    let home = context.environment.home();
    Some(Cache::in_folder(folder, home).slot(key_of(profile)))
}

/// The cache key of a profile.
pub(super) fn key_of(profile: &Profile) -> Key {
    Key::of(&Identity {
        token_url: &profile.client.token_url.to_string(),
        client_id: &profile.client.client_id,
        scope: profile.client.scope.as_deref(),
        audience: profile.client.audience.as_deref(),
    })
}

/// The store that a profile shares with other hosts, if it may be used. It is not opened yet.
pub(super) fn store_of<'a>(
    context: &Context<'a>,
    profile: &'a Profile,
    deadline: Deadline,
) -> Option<ProfileStore<'a>> {
    let settings = profile.shared_store.as_ref();
    let settings = settings.filter(|_| !context.options.no_cache)?;
    let Context {
        environment,
        clock,
        roots,
        ..
    } = *context;
    Some(ProfileStore::new(
        settings,
        environment,
        roots,
        clock,
        deadline,
    ))
}

/// Reports an event of the token provider.
pub(super) fn tell(context: &Context<'_>, profile: &Profile, notice: &Event<'_>) {
    let report = context.report.nonblocking();
    let name = &profile.name;
    match notice {
        Event::Hit => report.debug(&format!("profile `{name}`: the cached token is good")),
        Event::Miss => report.debug(&format!("profile `{name}`: no good token in the cache")),
        Event::Asking => report.debug(&format!(
            "profile `{name}`: asking {} for a token",
            profile.client.token_url.without_query()
        )),
        Event::Waiting { slot, limit } => report.waiting(&format!(
            "waiting for another process's token request for profile `{name}` ({}), at most {} in \
             all (`--timeout`)",
            crate::types::quote::path(slot.lock_file()),
            show(*limit)
        )),
        Event::Shared => report.debug(&format!("profile `{name}`: another host has a good token")),
        Event::WaitingForHost(limit) => report.waiting(&format!(
            "waiting for another host's token request for profile `{name}`, at most {} in all \
             (`--timeout`)",
            show(*limit)
        )),
        Event::StoreUnusable(error) => {
            let then = if context.subcommand == Subcommand::Erase {
                "what is shared stays there"
            } else {
                "this host asks for itself"
            };
            report.warning(&format!(
                "profile `{name}`: the shared store cannot be used: {error}; {then}"
            ));
        }
        Event::Pausing(pause) => report.waiting(&format!(
            "profile `{name}` is rate limited; asking again in {}",
            show(*pause)
        )),
        Event::Retrying(reason, pause) => report.debug(&format!(
            "profile `{name}`: {reason}; trying again in {} ms",
            pause.as_millis()
        )),
        Event::RefreshFailed(error) => {
            let told = explain(error, profile, context.clock.now());
            report.debug(&format!(
                "warning: {}; the present token goes on",
                told.what
            ));
        }
        Event::CacheUnlockable(error) => warn_of_cache(context, "locked", error),
        Event::CacheUnusable(error) => warn_of_cache(context, "used", error),
    }
}

fn warn_of_cache(context: &Context<'_>, what: &str, error: &io::Error) {
    if context.has_told_of_cache.replace(true) {
        return;
    }
    let folder = context.environment.cache_folder().unwrap_or_default();
    context.report.nonblocking().warning(&format!(
        "the cache `{}` cannot be {what}: {error}; set CLOUDCONNEXA_AUTH_CACHE_DIR to a folder of \
         your own",
        crate::types::quote::path(&folder)
    ));
}
