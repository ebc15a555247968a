//! Tests of the token provider over time, with a clock that the test moves and an endpoint with
//! scripted responses.

mod decide;
#[cfg(feature = "shared-store")]
mod fleet;
#[cfg(feature = "shared-store")]
mod memory;
mod missing;
mod moments;
mod refused;
#[cfg(feature = "shared-store")]
mod shared;
#[cfg(feature = "shared-store")]
mod turns;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use time::OffsetDateTime;

use super::{Endpoint, EraseTarget, Event, ObtainError, TokenProvider, TokenRequest};
use crate::cache::{Cache, Entry, Identity, Key, Reason, Slot};
use crate::oauth::{ExchangeError, Form, Refusal, TokenGrant};
use crate::secret_source::SourceError;
use crate::system::clock::{Clock, Deadline};
use crate::system::file::Guard;
use crate::types::diagnostic::Diagnostic;
use crate::types::secret::Secret;
use crate::types::token::{AccessToken, MinTtl, RefreshAhead, Token};

/// A clock that advances only by the test or by a sleep.
#[derive(Default)]
struct TestClock {
    elapsed: Cell<Duration>,
    wall_offset_seconds: Cell<i64>,
    /// The duration of each sleep.
    slept: RefCell<Vec<Duration>>,
}

impl TestClock {
    fn advance(&self, by: Duration) {
        self.elapsed.set(self.elapsed.get() + by);
    }
}

impl Clock for TestClock {
    fn now(&self) -> OffsetDateTime {
        let start = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        start + self.elapsed.get() + time::Duration::seconds(self.wall_offset_seconds.get())
    }

    fn elapsed(&self) -> Duration {
        self.elapsed.get()
    }

    fn sleep(&self, pause: Duration) {
        self.slept.borrow_mut().push(pause);
        self.advance(pause);
    }
}

/// Returns the scripted responses, then tokens with a life of one hour. Each exchange takes
/// `takes`.
struct TestEndpoint {
    script: RefCell<VecDeque<ExchangeError>>,
    always: RefCell<Option<ExchangeError>>,
    secret: RefCell<&'static str>,
    has_secret: Cell<bool>,
    missing: Cell<fn() -> SourceError>,
    is_costly: Cell<bool>,
    takes: Cell<Duration>,
    asked: Cell<u32>,
}

impl Endpoint for TestEndpoint {
    fn cheap_secret(&self) -> Option<Secret> {
        Some(Secret::new((*self.secret.borrow()).to_owned()))
    }

    fn secret(&self, _: &dyn Clock, _: Deadline) -> Result<Secret, SourceError> {
        self.cheap_secret()
            .filter(|_| self.has_secret.get())
            .ok_or_else(self.missing.get())
    }

    fn exchange(
        &self,
        _: &Secret,
        remembered: Option<Form>,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<TokenGrant, ObtainError> {
        self.asked.set(self.asked.get() + 1);
        let left = deadline.remaining(clock);
        if self.takes.get() > left {
            clock.sleep(left);
            return Err(ObtainError::Exchange(ExchangeError::timed_out()));
        }
        clock.sleep(self.takes.get());
        let scripted = self.script.borrow_mut().pop_front();
        if let Some(failure) = scripted.or_else(|| self.always.borrow().clone()) {
            return Err(ObtainError::Exchange(failure));
        }
        let token = Token {
            access_token: AccessToken::parse(format!("t-{}", self.asked.get())).unwrap(),
            scope: None,
            requested_at: clock.now(),
            obtained_at: clock.now(),
            expires_at: clock.now() + Duration::from_secs(3600),
        };
        Ok(TokenGrant {
            token,
            form: remembered.or(Some(Form::Basic)),
        })
    }

    fn is_secret_costly(&self) -> bool {
        self.is_costly.get()
    }

    fn tell_missing(&self, _: &SourceError) -> Diagnostic {
        Diagnostic {
            what: "missing".to_owned(),
            cause: None,
            hint: None,
        }
    }

    fn tell(&self, _: &ExchangeError) -> Diagnostic {
        Diagnostic {
            what: "failed".to_owned(),
            cause: None,
            hint: None,
        }
    }
}

struct Fixture {
    clock: TestClock,
    endpoint: TestEndpoint,
    slot: Slot,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity {
            token_url: "https://a",
            client_id: "i",
            scope: None,
            audience: None,
        };
        Self {
            clock: TestClock::default(),
            endpoint: TestEndpoint {
                script: RefCell::default(),
                always: RefCell::default(),
                secret: RefCell::new("one"),
                has_secret: Cell::new(true),
                is_costly: Cell::new(false),
                missing: Cell::new(|| SourceError::VariableMissing("X".to_owned())),
                takes: Cell::new(Duration::ZERO),
                asked: Cell::new(0),
            },
            slot: Cache::in_folder(folder.path().join("cache"), None).slot(Key::of(&identity)),
            _folder: folder,
        }
    }

    /// A call with a time limit of `seconds`.
    fn call(&self, seconds: u64, refresh: bool) -> Result<String, ObtainError> {
        self.obtain(MinTtl::Default, seconds, refresh)
    }

    /// A call that requires a remaining life of `seconds`.
    fn wanting(&self, seconds: u64) -> Result<String, ObtainError> {
        self.obtain(MinTtl::AtLeast(Duration::from_secs(seconds)), 30, false)
    }

    fn erase(&self, which: EraseTarget<'_>) {
        let ask = self.ask(9);
        self.broker(|broker| broker.erase(which, &ask)).unwrap();
    }

    fn obtain(&self, min_ttl: MinTtl, seconds: u64, refresh: bool) -> Result<String, ObtainError> {
        self.obtain_as(&TokenRequest {
            min_ttl,
            not_before: refresh.then(|| self.clock.now()),
            ..self.ask(seconds)
        })
    }

    fn obtain_as(&self, ask: &TokenRequest) -> Result<String, ObtainError> {
        let token = self.broker(|broker| broker.obtain(ask))?;
        Ok(token.access_token.expose().to_owned())
    }

    fn ask(&self, seconds: u64) -> TokenRequest {
        TokenRequest {
            min_ttl: MinTtl::Default,
            not_before: None,
            refresh_ahead: RefreshAhead::LastFifth,
            is_single: false,
            began: self.clock.now(),
            deadline: Deadline::after_start(self.clock.elapsed() + Duration::from_secs(seconds)),
        }
    }

    fn broker<T>(&self, act: impl FnOnce(&TokenProvider<'_>) -> T) -> T {
        act(&TokenProvider {
            clock: &self.clock,
            slot: Some(self.slot.clone()),
            endpoint: &self.endpoint,
            shared: None,
            notify: &|_: Event<'_>| {},
        })
    }

    fn token(&self) -> String {
        self.call(30, false).unwrap()
    }

    fn cooling(&self) -> Option<Reason> {
        match self.call(30, false) {
            Err(ObtainError::CoolingDown(cooldown)) => Some(cooldown.reason),
            _ => None,
        }
    }

    fn asked(&self) -> u32 {
        self.endpoint.asked.get()
    }
}

fn refused() -> ExchangeError {
    let refusal = Refusal::Credentials;
    ExchangeError::Refused {
        refusal,
        status: 401,
        error_code: None,
        server_text: None,
    }
}

fn limited(seconds: u64) -> ExchangeError {
    ExchangeError::RateLimited {
        pause: Some(Duration::from_secs(seconds)),
    }
}

fn unavailable() -> ExchangeError {
    ExchangeError::ServerError {
        status: 503,
        server_text: None,
    }
}

#[test]
fn a_limit_that_fits_into_the_callers_time_is_waited_out_once() {
    let scene = Fixture::new();
    scene.endpoint.script.borrow_mut().push_back(limited(20));
    let start = scene.clock.elapsed();
    assert_eq!(scene.token(), "t-2");
    assert_eq!(
        scene.clock.elapsed().saturating_sub(start),
        Duration::from_secs(20),
        "as the server said"
    );

    scene.clock.advance(Duration::from_secs(1));
    scene
        .endpoint
        .script
        .borrow_mut()
        .extend([limited(5), limited(5)]);
    let second = scene.call(30, true);
    assert!(
        matches!(
            second,
            Err(ObtainError::Exchange(ExchangeError::RateLimited { .. }))
        ),
        "a second rate limit is not waited out"
    );
}

#[test]
fn a_limit_that_does_not_fit_is_told_and_binds_everybody_until_it_is_over() {
    let scene = Fixture::new();
    scene.endpoint.script.borrow_mut().push_back(limited(60));
    assert!(scene.call(30, false).is_err());
    for _ in 0..5 {
        assert_eq!(scene.cooling(), Some(Reason::RateLimited));
    }
    assert_eq!(scene.asked(), 1, "no request in a cool-down");
    scene.clock.advance(Duration::from_secs(61));
    assert_eq!(scene.token(), "t-2");
}

#[test]
fn a_refusal_binds_for_30_seconds_and_not_a_new_secret() {
    let scene = Fixture::new();
    scene.endpoint.script.borrow_mut().push_back(refused());
    assert!(scene.call(30, false).is_err());
    scene.clock.advance(Duration::from_secs(29));
    assert_eq!(scene.cooling(), Some(Reason::Refused));
    *scene.endpoint.secret.borrow_mut() = "two";
    assert_eq!(scene.token(), "t-2", "a new secret works");
}

#[test]
fn an_outage_is_retried_within_the_run_and_then_binds_for_5_seconds() {
    let scene = Fixture::new();
    *scene.endpoint.always.borrow_mut() = Some(unavailable());
    assert!(scene.call(30, false).is_err());
    assert_eq!(scene.asked(), 4, "one request and three retries");
    assert_eq!(scene.cooling(), Some(Reason::Unavailable));
    scene.clock.advance(Duration::from_secs(6));
    assert!(scene.call(30, false).is_err());
    assert_eq!(scene.asked(), 8);
}

#[test]
fn ten_minutes_without_a_server_are_not_noticed_while_the_token_is_good() {
    let scene = Fixture::new();
    let token = scene.token();
    scene.clock.advance(Duration::from_secs(2880));
    *scene.endpoint.always.borrow_mut() = Some(unavailable());
    scene.endpoint.takes.set(Duration::from_secs(60));
    let mut spent = Duration::ZERO;
    while scene.clock.elapsed() < Duration::from_secs(2880 + 600) {
        let before = scene.clock.elapsed();
        assert_eq!(scene.token(), token);
        spent += scene.clock.elapsed().saturating_sub(before);
        scene.clock.advance(Duration::from_secs(1));
    }
    let tries = scene.asked() - 1;
    assert!(tries <= 20, "at most one try per 30 s: {tries}");
    assert!(
        spent <= Duration::from_secs(5) * tries,
        "at most 5 s per try: {spent:?}"
    );
}

#[test]
fn a_secret_that_is_gone_does_not_cost_every_caller_a_try() {
    let scene = Fixture::new();
    let token = scene.token();
    scene.clock.advance(Duration::from_secs(3000));
    scene.endpoint.has_secret.set(false);
    assert_eq!(scene.token(), token);
    let noted = scene.slot.read().refresh_not_before;
    assert!(
        noted.is_some_and(|at| at > scene.clock.now()),
        "the next callers must not retry at once"
    );
}

#[test]
fn a_cache_that_cannot_be_written_costs_no_request_of_every_caller() {
    let scene = Fixture::new();
    let token = scene.token();
    scene.clock.advance(Duration::from_secs(3000));
    // A directory with the name of a temporary file: no entry can be written.
    let name = "v1.json.0123456789abcdef.new";
    std::fs::create_dir(scene.slot.lock_file().with_extension(name)).unwrap();
    for _ in 0..10 {
        assert_eq!(scene.token(), token, "the token stays usable");
    }
    assert_eq!(scene.asked(), 1, "no refresh without a record");
}

#[test]
fn callers_in_a_hurry_do_not_all_try_to_refresh() {
    let scene = Fixture::new();
    let token = scene.token();
    scene.clock.advance(Duration::from_secs(3000));
    scene.endpoint.takes.set(Duration::from_secs(60));
    for _ in 0..10 {
        assert_eq!(scene.call(2, false).unwrap(), token);
    }
    assert_eq!(scene.asked(), 2, "only one refreshed");
    assert!(
        scene.slot.read().cooldowns.is_empty(),
        "a short deadline must not bind others"
    );
}

#[test]
fn a_caller_in_a_hurry_does_not_spoil_it_for_the_patient() {
    let scene = Fixture::new();
    scene.endpoint.takes.set(Duration::from_secs(3));
    let hasty = scene.call(1, false);
    assert!(matches!(
        hasty,
        Err(ObtainError::Exchange(ExchangeError::Transport(_)))
    ));
    assert_eq!(
        scene.token(),
        "t-2",
        "a 3 s response is within the 30 s limit"
    );

    scene.clock.advance(Duration::from_secs(1));
    scene.endpoint.takes.set(Duration::from_secs(60));
    assert!(scene.call(30, true).is_err());
    let cooldown = scene.slot.read().cooldowns.pop();
    assert!(
        cooldown.is_some(),
        "30 s without a response is a server failure"
    );
}

#[test]
fn a_last_try_without_time_does_not_hide_what_the_one_before_it_met() {
    let scene = Fixture::new();
    scene.endpoint.takes.set(Duration::from_secs(10));
    *scene.endpoint.always.borrow_mut() = Some(unavailable());

    let failed = scene.call(12, false);

    assert_eq!(scene.asked(), 2, "the second had less than 2 s");
    assert!(matches!(
        failed,
        Err(ObtainError::Exchange(ExchangeError::ServerError { .. }))
    ));
    assert!(!scene.slot.read().cooldowns.is_empty(), "10 s were enough");
}

#[test]
fn a_clock_that_goes_back_makes_a_miss_and_not_an_endless_token() {
    let scene = Fixture::new();
    scene.token();
    scene.clock.wall_offset_seconds.set(-50);
    assert_eq!(scene.token(), "t-1", "less than a minute");
    scene.clock.wall_offset_seconds.set(-3600);
    assert_eq!(scene.token(), "t-2");
    scene.clock.wall_offset_seconds.set(86_400 * 365);
    assert_eq!(scene.token(), "t-3", "it has expired by this clock");
}

#[test]
fn an_expired_token_is_never_served() {
    let scene = Fixture::new();
    scene.token();
    *scene.endpoint.always.borrow_mut() = Some(unavailable());
    scene.clock.advance(Duration::from_secs(3540));
    assert!(
        scene.call(30, false).is_err(),
        "a token needs more than 60 s of life left"
    );
}

#[test]
fn a_token_with_too_little_left_is_replaced_where_a_new_one_would_do() {
    let scene = Fixture::new();
    scene.token();
    scene.clock.advance(Duration::from_secs(600));
    assert_eq!(scene.wanting(3000).unwrap(), "t-2", "a new one has 3600 s");
    assert_eq!(scene.token(), "t-2", "all callers get it");
}

#[test]
fn a_life_that_no_token_has_is_asked_for_once_in_the_life_of_one() {
    let scene = Fixture::new();
    for _ in 0..3 {
        let refused = scene.wanting(3600);
        assert!(
            matches!(refused, Err(ObtainError::LifeTooShort { life, wanted })
                if life == wanted && life == Duration::from_secs(3600)),
            "{refused:?}"
        );
    }
    assert_eq!(scene.asked(), 1, "the token's life is known");
    assert_eq!(scene.wanting(3599).unwrap(), "t-1");
    scene.clock.advance(Duration::from_secs(3600));
    assert!(scene.wanting(3600).is_err());
    assert_eq!(scene.asked(), 2, "the life may be longer now");
}

#[test]
fn a_cool_down_ends_at_its_end() {
    let scene = Fixture::new();
    scene.endpoint.script.borrow_mut().push_back(limited(60));
    assert!(scene.call(30, false).is_err());
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(
        scene.token(),
        "t-2",
        "the cool-down must end after exactly 60 s"
    );
}

#[test]
fn refreshing_overrides_a_cool_down_and_takes_nothing_from_before() {
    let scene = Fixture::new();
    scene.token();
    scene.clock.advance(Duration::from_secs(1));
    scene.endpoint.script.borrow_mut().push_back(refused());
    assert!(scene.call(30, true).is_err());
    assert_eq!(scene.token(), "t-1", "a failed refresh loses nothing");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.call(30, true).unwrap(), "t-3", "inside the cool-down");
    assert_eq!(scene.token(), "t-3");
}

#[test]
fn a_cool_down_from_a_clock_that_was_ahead_binds_nobody() {
    let scene = Fixture::new();
    scene.clock.wall_offset_seconds.set(86_400);
    scene.endpoint.script.borrow_mut().push_back(refused());
    assert!(scene.call(30, false).is_err());
    scene.clock.wall_offset_seconds.set(0);
    assert_eq!(scene.token(), "t-2", "it must not bind for a day");
}

#[test]
fn inside_a_cool_down_nobody_looks_for_the_next_token() {
    let scene = Fixture::new();
    let token = scene.token();
    scene.clock.advance(Duration::from_secs(3000));
    scene.endpoint.script.borrow_mut().push_back(limited(200));
    assert_eq!(scene.token(), token);
    scene.clock.advance(Duration::from_secs(100));
    assert_eq!(scene.token(), token);
    assert_eq!(
        scene.asked(),
        2,
        "the rate limit is longer than the refresh pause"
    );
    scene.clock.advance(Duration::from_secs(100));
    assert_eq!(scene.token(), "t-3");
}

#[test]
fn a_token_of_another_secret_is_no_answer_and_is_kept_until_there_is_one() {
    let scene = Fixture::new();
    scene.token();
    *scene.endpoint.secret.borrow_mut() = "two";
    scene.endpoint.script.borrow_mut().push_back(refused());
    assert!(scene.call(30, false).is_err());
    *scene.endpoint.secret.borrow_mut() = "one";
    assert_eq!(scene.token(), "t-1", "the old secret is back");
}

#[test]
fn erasing_starts_anew_also_where_the_token_is_gone_already() {
    let scene = Fixture::new();
    scene.token();
    scene.erase(EraseTarget::Only("t-1"));
    let remembered = |scene: &Fixture| scene.slot.read().auth_method;
    assert_eq!(remembered(&scene).as_deref(), Some("basic"), "one token");
    scene.erase(EraseTarget::Any);
    assert_eq!(
        remembered(&scene),
        None,
        "`Any` must also reset the form of the request"
    );
}

#[test]
fn a_pause_from_a_clock_that_ran_ahead_is_not_kept_to() {
    let scene = Fixture::new();
    scene.token();
    let far = scene.clock.now() + Duration::from_secs(86_400);
    let entry = Entry {
        refresh_not_before: Some(far),
        ..scene.slot.read()
    };
    scene.slot.write(&entry, &Guard::without_lock()).unwrap();
    scene.clock.advance(Duration::from_secs(3000));
    assert_eq!(
        scene.token(),
        "t-2",
        "it must still be refreshed ahead of expiry"
    );
}

#[test]
fn whoever_keeps_a_token_is_given_one_of_the_first_half_of_its_life_if_there_is_one() {
    let scene = Fixture::new();
    let first = scene.token();
    scene.clock.advance(Duration::from_secs(1801));
    let lasting = || {
        let refresh_ahead = RefreshAhead::LastHalf;
        let ask = TokenRequest {
            refresh_ahead,
            ..scene.ask(9)
        };
        scene.obtain_as(&ask).unwrap()
    };
    assert_eq!(scene.token(), first, "others need no refresh");
    scene.endpoint.script.borrow_mut().push_back(unavailable());
    assert_eq!(lasting(), first, "the token is kept in an outage");
    scene.clock.advance(Duration::from_secs(300));
    assert_ne!(lasting(), first);
}
